/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "array/told.h"

#include <pthread.h>
#include <stdio.h>

#include "util/clock.h"

struct told {
	char *name; /* STORAGE:VOLNAME */
	char serial[ARRAY_SERIAL_LEN + 1];
	int64_t at; /* CLOCK_BOOTTIME, ms */
};

struct tolds {
	pthread_mutex_t lock;
	struct told *items; /* VEC() */
	size_t n, cap;
};

struct tolds *tolds_new(void)
{
	struct tolds *t = xcalloc(1, sizeof(*t));

	(void)pthread_mutex_init(&t->lock, NULL);
	return t;
}

void tolds_free(struct tolds *t)
{
	if (!t)
		return;
	vec_each (it, t)
		free(it->name);
	vec_free(t);
	(void)pthread_mutex_destroy(&t->lock);
	free(t);
}

static char *name_of(const char *storage, const char *volname)
{
	char *ret = xmalloc(strlen(storage) + strlen(volname) + 2);

	(void)sprintf(ret, "%s:%s", storage, volname);
	return ret;
}

static void drop(struct tolds *t, size_t i)
{
	free(t->items[i].name);
	t->items[i] = t->items[--t->n];
}

/* What is too old goes on the way. */
static struct told *find(struct tolds *t, const char *name)
{
	int64_t oldest = clock_boot_ms() - TOLD_MS;
	struct told *ret = NULL;

	for (size_t i = t->n; i > 0; i--)
		if (t->items[i - 1].at < oldest)
			drop(t, i - 1);
	vec_each (it, t)
		if (strcmp(it->name, name) == 0)
			ret = it;
	return ret;
}

void told_note(struct tolds *t, const char *storage, const char *volname, const char *serial)
{
	CLEANUP_FREE char *name = name_of(storage, volname);
	struct told *it;

	(void)pthread_mutex_lock(&t->lock);
	it = find(t, name);
	if (!it) {
		it = vec_push(t);
		*it = (struct told){ .name = xstrdup(name) };
	}
	(void)snprintf(it->serial, sizeof(it->serial), "%s", serial);
	it->at = clock_boot_ms();
	(void)pthread_mutex_unlock(&t->lock);
}

void told_forget(struct tolds *t, const char *storage, const char *volname)
{
	CLEANUP_FREE char *name = name_of(storage, volname);
	struct told *it;

	(void)pthread_mutex_lock(&t->lock);
	it = find(t, name);
	if (it)
		drop(t, (size_t)(it - t->items));
	(void)pthread_mutex_unlock(&t->lock);
}

bool told_other(struct tolds *t, const char *storage, const char *volname, const char *serial,
		char ret[ARRAY_SERIAL_LEN + 1])
{
	CLEANUP_FREE char *name = name_of(storage, volname);
	const struct told *it;
	bool other;

	(void)pthread_mutex_lock(&t->lock);
	it = find(t, name);
	other = it && strcmp(it->serial, serial) != 0;
	if (other)
		memcpy(ret, it->serial, sizeof(it->serial));
	(void)pthread_mutex_unlock(&t->lock);
	return other;
}
