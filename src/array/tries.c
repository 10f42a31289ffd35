/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "array/tries.h"

#include <errno.h>

void tries_init(struct tries *t)
{
	*t = (struct tries){};
	(void)pthread_mutex_init(&t->lock, NULL);
}

void tries_done(struct tries *t)
{
	vec_free(t);
	(void)pthread_mutex_destroy(&t->lock);
}

bool tries_connect(const struct finding *f)
{
	return f->kind == FINDING_MISSING_CONNECTION && finding_heals(f);
}

bool tries_look_again(const struct finding *f)
{
	return (f->lacking || f->astray) && finding_heals(f);
}

static struct tried *tried_of(struct tries *t, const struct finding *f)
{
	vec_each (it, t) {
		if (strcmp(it->serial, f->map->serial) == 0 &&
		    it->paths == (f->kind == FINDING_PATHS))
			return it;
	}
	return NULL;
}

static int64_t wait_of(const struct tried *it)
{
	unsigned int doubled = !it->paths		       ? 0
			       : it->times < TRIES_DOUBLED_MAX ? it->times
							       : TRIES_DOUBLED_MAX;

	return ((int64_t)TRIES_AGAIN_S * 1000) << doubled;
}

bool tries_is_due(struct tries *t, const struct finding *f, int64_t now)
{
	const struct tried *it;
	bool due;

	(void)pthread_mutex_lock(&t->lock);
	it = tried_of(t, f);
	due = !it || it->soon || now - it->at >= wait_of(it);
	(void)pthread_mutex_unlock(&t->lock);
	return due;
}

void tries_note(struct tries *t, const struct finding *f, int result, int64_t now)
{
	struct tried *it;

	(void)pthread_mutex_lock(&t->lock);
	it = tried_of(t, f);
	if (!it) {
		it = vec_push(t);
		*it = (struct tried){ .paths = f->kind == FINDING_PATHS };
		memcpy(it->serial, f->map->serial, sizeof(it->serial));
	} else {
		/* It would have been tried before, had it lacked all the time. */
		it->times = now - it->at > 2 * wait_of(it) ? 0 : it->times + 1;
	}
	it->at = now;
	it->soon = result == -EUCLEAN && !it->soon;
	(void)pthread_mutex_unlock(&t->lock);
}

/* While its entry is not verified, or was changed as the node was looked at, nothing is said of
 * what lacks: the attempt itself is under way, or has failed. */
static bool is_seen_well(const struct survey_map *m, const struct finding_map *is)
{
	return is->known && is->state == ARRAY_MAP_CONNECTED &&
	       (!m->entry || (m->entry->verified && m->settled));
}

/* It has come, or is mapped no more. */
static bool is_over(const struct tried *it, const struct survey *s, const struct findings *f)
{
	bool over = !s->n_blind;

	for (size_t i = 0; i < s->n_maps; i++)
		if (strcmp(s->maps[i].serial, it->serial) == 0)
			over = is_seen_well(&s->maps[i], &f->maps[i]);
	for (size_t i = 0; i < f->n; i++)
		if (f->items[i].map && strcmp(f->items[i].map->serial, it->serial) == 0)
			over = over && !(it->paths ? tries_look_again(&f->items[i])
						   : tries_connect(&f->items[i]));
	return over;
}

void tries_forget(struct tries *t, const struct survey *s, const struct findings *f)
{
	(void)pthread_mutex_lock(&t->lock);
	for (size_t i = t->n; i-- > 0;)
		if (is_over(&t->items[i], s, f))
			t->items[i] = t->items[--t->n];
	(void)pthread_mutex_unlock(&t->lock);
}
