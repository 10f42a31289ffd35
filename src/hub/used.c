/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "hub/used.h"

#include <pthread.h>

enum { SLOTS = 4096 };

struct used {
	/* Held while what was taken is written: who comes next finds it in the store. */
	pthread_mutex_t writing;
	pthread_mutex_t lock;	       /* of what follows */
	struct store_use slots[SLOTS]; /* by the first bytes of the hash; at 0: empty */
	size_t n;
};

struct used *used_new(void)
{
	struct used *u = xcalloc(1, sizeof(*u));

	(void)pthread_mutex_init(&u->writing, NULL);
	(void)pthread_mutex_init(&u->lock, NULL);
	return u;
}

void used_free(struct used *u)
{
	if (!u)
		return;
	(void)pthread_mutex_destroy(&u->lock);
	(void)pthread_mutex_destroy(&u->writing);
	free(u);
}

/* One that is there already stays. */
static void note(struct used *u, const struct store_use *use)
{
	struct store_use *slot = &u->slots[(use->hash[0] | use->hash[1] << 8) % SLOTS];

	(void)pthread_mutex_lock(&u->lock);
	if (!slot->at) {
		*slot = *use;
		u->n++;
	}
	(void)pthread_mutex_unlock(&u->lock);
}

void used_note(struct used *u, const struct store_token *t, int64_t now)
{
	struct store_use use = { .at = now };

	if (now - t->used_at < USED_EVERY_S)
		return;
	memcpy(use.org, t->org, sizeof(use.org));
	memcpy(use.hash, t->hash, sizeof(use.hash));
	note(u, &use);
}

/* All that was noted, for the caller to free; NULL: nothing. */
static struct store_use *take(struct used *u, size_t *ret_n)
{
	struct store_use *out = NULL;

	*ret_n = 0;
	(void)pthread_mutex_lock(&u->lock);
	if (u->n)
		out = xcalloc(u->n, sizeof(*out));
	for (size_t i = 0; out && i < SLOTS; i++)
		if (u->slots[i].at) {
			out[(*ret_n)++] = u->slots[i];
			u->slots[i].at = 0;
		}
	u->n = 0;
	(void)pthread_mutex_unlock(&u->lock);
	return out;
}

int used_write(struct used *u, struct store *s, struct err *e)
{
	struct store_use *uses;
	size_t n;
	int r;

	(void)pthread_mutex_lock(&u->writing);
	uses = take(u, &n);
	r = uses ? store_token_used(s, uses, n, USED_EVERY_S, e) : 0;
	for (size_t i = 0; r < 0 && i < n; i++)
		note(u, &uses[i]);
	(void)pthread_mutex_unlock(&u->writing);
	free(uses);
	return r;
}
