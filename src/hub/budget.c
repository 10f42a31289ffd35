/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "hub/budget.h"

#include <pthread.h>

#include "hub/lines.h"

enum { CHAINS = 256 };

struct account {
	struct account *next;
	char org[LINE_NAME_MAX];
	size_t used;
};

struct budget {
	pthread_mutex_t lock;
	size_t total, per_org, used;
	struct account *chains[CHAINS];
};

struct budget *budget_new(size_t total, size_t per_org)
{
	struct budget *b = xcalloc(1, sizeof(*b));

	(void)pthread_mutex_init(&b->lock, NULL);
	b->total = total;
	b->per_org = per_org;
	return b;
}

void budget_free(struct budget *b)
{
	if (!b)
		return;
	for (size_t i = 0; i < CHAINS; i++)
		while (b->chains[i]) {
			struct account *a = b->chains[i];

			b->chains[i] = a->next;
			free(a);
		}
	(void)pthread_mutex_destroy(&b->lock);
	free(b);
}

/* The place that points to the account of @org, or to where it would go. */
static struct account **find(struct budget *b, const char *org)
{
	struct account **at;
	size_t h = 5381;

	for (const char *c = org; *c; c++)
		h = h * 33 + (unsigned char)*c;
	for (at = &b->chains[h % CHAINS]; *at; at = &(*at)->next)
		if (strcmp((*at)->org, org) == 0)
			break;
	return at;
}

bool budget_take(struct budget *b, const char *org, size_t n)
{
	struct account **at;
	bool ok;

	(void)pthread_mutex_lock(&b->lock);
	at = find(b, org);
	ok = n <= b->total - b->used && n <= b->per_org - (*at ? (*at)->used : 0);
	if (ok && !*at) {
		*at = xcalloc(1, sizeof(**at));
		memccpy((*at)->org, org, '\0', sizeof((*at)->org) - 1);
	}
	if (ok) {
		(*at)->used += n;
		b->used += n;
	}
	(void)pthread_mutex_unlock(&b->lock);
	return ok;
}

void budget_give(struct budget *b, const char *org, size_t n)
{
	struct account **at;

	(void)pthread_mutex_lock(&b->lock);
	at = find(b, org);
	if (*at && (*at)->used >= n) {
		(*at)->used -= n;
		b->used -= n;
		if ((*at)->used == 0) {
			struct account *empty = *at;

			*at = empty->next;
			free(empty);
		}
	}
	(void)pthread_mutex_unlock(&b->lock);
}

size_t budget_share(const struct budget *b)
{
	return b->per_org;
}

size_t budget_used(struct budget *b)
{
	size_t n;

	(void)pthread_mutex_lock(&b->lock);
	n = b->used;
	(void)pthread_mutex_unlock(&b->lock);
	return n;
}
