/* SPDX-License-Identifier: AGPL-3.0-or-later */

/* One connection, at a LUN at which this node has no other volume's disk. */

#include <errno.h>

#include "array/attach_step.h"
#include "array/lun.h"

enum { TRIES_MAX = 4 };

/* 1: the volume is connected, as somebody else made it, and *@ret has it. Else what the array has
 * given this host without that this node has a disk of it is marked in @here. */
static int read_given(const struct attach_way *w, struct luns *here, struct arena *a,
		      struct fa_connections *ret, struct err *e)
{
	struct fa_connections all = {};
	int r = fa_connections_list(w->array, w->fa, NULL, w->conf->host, a, &all, e);

	for (size_t i = 0; r == 0 && i < all.n; i++) {
		struct fa_connection *one = &all.items[i];

		if (strcmp(one->volume, w->volume) == 0) {
			*ret = (struct fa_connections){ one, 1 };
			return 1;
		}
		if (one->lun <= LUN_MAX)
			here->other[one->lun] = true;
	}
	return r;
}

int attach_connect_at(const struct attach_way *w, const struct root *root, struct arena *a,
		      struct fa_connections *ret, struct err *e)
{
	const struct array_conf *conf = w->conf;
	bool shared = w->group != NULL;
	const char *who = shared ? w->group : conf->host;
	struct luns here;

	luns_read(&here, root, conf->protocol, w->ports, w->serial);
	for (int tries = 1;; tries++) {
		unsigned int lun = luns_claim(&here, shared, w->array, w->serial);
		struct err why = {};
		int r = fa_connect(w->array, w->fa, who, shared, &w->volume, 1, lun, a, ret, &why);

		if (r != -EADDRINUSE || tries == TRIES_MAX)
			return r < 0 ? err_set(e, r, "%s", why.text) : r;
		here.other[lun] = true;
		r = read_given(w, &here, a, ret, e);
		if (r)
			return r < 0 ? r : 0;
	}
}
