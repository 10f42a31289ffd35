/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "hub/late.h"

#include <sys/socket.h>
#include <time.h>

#include "util/clock.h"

enum { LOOK_MS = 250 };

static const char last_words[] = "HTTP/1.1 408 Request Timeout\r\n"
				 "Content-Type: application/json\r\n"
				 "Connection: close\r\n"
				 "Content-Length: 97\r\n\r\n"
				 "{\"success\": false, \"error\": \"timeout\", "
				 "\"error_description\": \"the request took too long to come\"}\n";

static void cut(struct late_item *item)
{
	if (item->plain)
		(void)send(item->fd, last_words, sizeof(last_words) - 1,
			   MSG_DONTWAIT | MSG_NOSIGNAL);
	/* The server's thread sees the end and closes. */
	(void)shutdown(item->fd, SHUT_RDWR);
}

static void unlink_item(struct late_item *item)
{
	if (!item->at)
		return;
	*item->at = item->next;
	if (item->next)
		item->next->at = item->at;
	item->at = NULL;
}

static void look(struct late *l)
{
	int64_t now = clock_boot_ms();
	struct late_item *next;

	for (struct late_item *item = l->first; item; item = next) {
		next = item->next;
		if (now < item->until_ms)
			continue;
		unlink_item(item);
		cut(item);
		counts_add(l->counts, COUNT_CUT, 1);
	}
}

static void *late_main(void *arg)
{
	struct late *l = arg;

	(void)pthread_setname_np(pthread_self(), "late");
	(void)pthread_mutex_lock(&l->lock);
	while (!l->stopped) {
		struct timespec until;

		(void)clock_gettime(CLOCK_MONOTONIC, &until);
		until.tv_nsec += LOOK_MS * 1000000L;
		until.tv_sec += until.tv_nsec / 1000000000L;
		until.tv_nsec %= 1000000000L;
		(void)pthread_cond_timedwait(&l->ended, &l->lock, &until);
		look(l);
	}
	(void)pthread_mutex_unlock(&l->lock);
	return NULL;
}

int late_start(struct late *l, struct counts *counts, struct err *e)
{
	pthread_condattr_t attr;
	int r;

	*l = (struct late){ .counts = counts };
	(void)pthread_mutex_init(&l->lock, NULL);
	(void)pthread_condattr_init(&attr);
	(void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	(void)pthread_cond_init(&l->ended, &attr);
	(void)pthread_condattr_destroy(&attr);
	r = pthread_create(&l->thread, NULL, late_main, l);
	return r ? err_set(e, -r, "cannot start a thread: %s", strerror(r)) : 0;
}

void late_stop(struct late *l)
{
	(void)pthread_mutex_lock(&l->lock);
	l->stopped = true;
	(void)pthread_cond_signal(&l->ended);
	(void)pthread_mutex_unlock(&l->lock);
	(void)pthread_join(l->thread, NULL);
	(void)pthread_cond_destroy(&l->ended);
	(void)pthread_mutex_destroy(&l->lock);
}

void late_watch(struct late *l, struct late_item *item, int64_t until_ms)
{
	(void)pthread_mutex_lock(&l->lock);
	unlink_item(item);
	item->until_ms = until_ms;
	item->next = l->first;
	item->at = &l->first;
	if (l->first)
		l->first->at = &item->next;
	l->first = item;
	(void)pthread_mutex_unlock(&l->lock);
}

void late_extend(struct late *l, struct late_item *item, int64_t until_ms)
{
	(void)pthread_mutex_lock(&l->lock);
	item->until_ms = until_ms;
	(void)pthread_mutex_unlock(&l->lock);
}

void late_forget(struct late *l, struct late_item *item)
{
	(void)pthread_mutex_lock(&l->lock);
	unlink_item(item);
	(void)pthread_mutex_unlock(&l->lock);
}
