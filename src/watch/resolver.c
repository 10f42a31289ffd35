/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "watch/resolver.h"

#include <arpa/inet.h>
#include <errno.h>
#include <grp.h>
#include <net/if.h>
#include <netdb.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum { NOBODY = 65534, AT_ONCE = 32 };

static sem_t places;

bool resolver_literal(const char *text, struct probe_address *ret)
{
	char plain[INET6_ADDRSTRLEN] = "";
	const char *percent = strchr(text, '%');
	size_t n = percent ? (size_t)(percent - text) : strlen(text);

	*ret = (struct probe_address){};
	if (n >= sizeof(plain))
		return false;
	memcpy(plain, text, n);
	if (!percent && inet_pton(AF_INET, plain, ret->bytes) == 1) {
		ret->family = AF_INET;
		return true;
	}
	if (inet_pton(AF_INET6, plain, ret->bytes) != 1)
		return false;
	ret->family = AF_INET6;
	ret->scope = percent ? if_nametoindex(percent + 1) : 0;
	return !percent || ret->scope != 0;
}

void resolver_take(struct probe_address *list, uint8_t *n, const struct addrinfo *i)
{
	struct probe_address *to = &list[*n];

	if (*n == PROBE_ADDRESSES_MAX)
		return;
	*to = (struct probe_address){};
	if (i->ai_family == AF_INET) {
		struct sockaddr_in in;

		memcpy(&in, i->ai_addr, sizeof(in));
		memcpy(to->bytes, &in.sin_addr, sizeof(in.sin_addr));
	} else if (i->ai_family == AF_INET6) {
		struct sockaddr_in6 in6;

		memcpy(&in6, i->ai_addr, sizeof(in6));
		memcpy(to->bytes, &in6.sin6_addr, sizeof(in6.sin6_addr));
		to->scope = in6.sin6_scope_id;
	} else {
		return;
	}
	to->family = (uint8_t)i->ai_family;
	(*n)++;
}

static void resolve(const struct resolver_question *q, struct resolver_answer *a)
{
	const struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
	struct addrinfo *list = NULL;

	*a = (struct resolver_answer){ .vmid = q->vmid };
	(void)snprintf(a->name, sizeof(a->name), "%s", q->name);
	if (getaddrinfo(q->name, NULL, &hints, &list) != 0)
		return;
	for (const struct addrinfo *i = list; i; i = i->ai_next)
		resolver_take(a->addresses, &a->n, i);
	freeaddrinfo(list);
}

/* Each name has a thread: one that no server answers for must not hold up the others. */
struct query {
	int fd;
	struct resolver_question question;
};

static void *answer(void *arg)
{
	struct query *q = arg;
	struct resolver_answer a;

	q->question.name[sizeof(q->question.name) - 1] = '\0';
	resolve(&q->question, &a);
	if (send(q->fd, &a, sizeof(a), MSG_NOSIGNAL) < 0)
		_exit(0);
	free(q);
	(void)sem_post(&places);
	return NULL;
}

static void begin(struct query *q)
{
	pthread_attr_t attr;
	pthread_t thread;

	(void)sem_wait(&places);
	(void)pthread_attr_init(&attr);
	(void)pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	if (pthread_create(&thread, &attr, answer, q) != 0)
		_exit(1);
	(void)pthread_attr_destroy(&attr);
}

static void resolver_main(int fd, void *arg)
{
	struct query *q;

	(void)arg;
	/* Name servers are not to be parsed by root. */
	if (getuid() == 0 && (setgroups(0, NULL) < 0 || setresgid(NOBODY, NOBODY, NOBODY) < 0 ||
			      setresuid(NOBODY, NOBODY, NOBODY) < 0))
		_exit(1);
	(void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	(void)sem_init(&places, 0, AT_ONCE);
	for (;;) {
		q = xcalloc(1, sizeof(*q));
		q->fd = fd;
		if (recv(fd, &q->question, sizeof(q->question), 0) != (ssize_t)sizeof(q->question))
			_exit(0);
		begin(q);
	}
}

int resolver_start(struct role *ret, struct err *e)
{
	return role_start(ret, "pvewarden-names", resolver_main, NULL, e);
}

int resolver_ask(const struct role *r, const struct resolver_question *q)
{
	return send(r->fd, q, sizeof(*q), MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)sizeof(*q)
		       ? 0
		       : -errno;
}

int resolver_receive(const struct role *r, struct resolver_answer *ret)
{
	ssize_t n = recv(r->fd, ret, sizeof(*ret), MSG_DONTWAIT);

	if (n < 0)
		return -errno;
	if (n == 0)
		return -EPIPE;
	if (n != (ssize_t)sizeof(*ret) || ret->n > PROBE_ADDRESSES_MAX)
		return -EPROTO;
	ret->name[sizeof(ret->name) - 1] = '\0';
	return 0;
}
