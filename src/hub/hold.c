/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "hub/hold.h"

#include <errno.h>

#include "util/clock.h"
#include "util/log.h"

enum { AGAIN_MS = 1000 };

static void tell(struct hold *h, const char *why)
{
	if (!h->told)
		log_error("the database is away: %s", why);
	h->told = true;
}

struct store *hold_get(struct hold *h, struct err *e)
{
	int64_t now = clock_boot_ms();

	if (h->store)
		return h->store;
	if (h->tried_ms && now - h->tried_ms < AGAIN_MS) {
		(void)err_set(e, -EIO, "the database is away");
		return NULL;
	}
	h->tried_ms = now;
	if (store_open(&h->store, h->where, 0, e)) {
		h->store = NULL;
		tell(h, e->text);
		return NULL;
	}
	if (h->told)
		log_warn("the database is back");
	h->told = false;
	return h->store;
}

void hold_failed(struct hold *h, const char *why)
{
	tell(h, why);
	store_close(h->store);
	h->store = NULL;
}

void hold_wrote(struct hold *h, int error, const char *why)
{
	if (error && !h->refusing)
		log_error("the database takes nothing: %s", why);
	else if (!error && h->refusing)
		log_warn("the database takes documents again");
	h->refusing = error != 0;
}

void hold_done(struct hold *h)
{
	store_close(h->store);
	h->store = NULL;
}
