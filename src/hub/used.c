/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "hub/used.h"

#include <pthread.h>

enum { SLOTS = 4096 };

struct used {
	pthread_mutex_t lock;
	struct store_use slots[SLOTS]; /* by the first bytes of the hash; at 0: empty */
	size_t n;
};

struct used *used_new(void)
{
	struct used *u = xcalloc(1, sizeof(*u));

	(void)pthread_mutex_init(&u->lock, NULL);
	return u;
}

void used_free(struct used *u)
{
	if (!u)
		return;
	(void)pthread_mutex_destroy(&u->lock);
	free(u);
}

void used_note(struct used *u, const struct store_token *t, int64_t now)
{
	struct store_use *slot = &u->slots[(t->hash[0] | t->hash[1] << 8) % SLOTS];

	if (now - t->used_at < USED_EVERY_S)
		return;
	(void)pthread_mutex_lock(&u->lock);
	if (!slot->at) {
		memcpy(slot->org, t->org, sizeof(slot->org));
		memcpy(slot->hash, t->hash, sizeof(slot->hash));
		slot->at = now;
		u->n++;
	}
	(void)pthread_mutex_unlock(&u->lock);
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
	size_t n;
	struct store_use *uses = take(u, &n);
	int r = uses ? store_token_used(s, uses, n, USED_EVERY_S, e) : 0;

	free(uses);
	return r;
}
