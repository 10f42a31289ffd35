/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * Alerts on their way: each a file in /var/lib/pvewarden/watch/alerts until it is delivered. The
 * supervisor is sandboxed and may start no sendmail (decisions 4): `pvewarden watch mail`, in a
 * unit of its own, sends what lies there as one mail.
 */

#include "pve/root.h"
#include "util/arena.h"

#define ALERT_DIR    "var/lib/pvewarden/watch/alerts"
#define ALERT_SCHEMA "pvewarden.watch.alert/1"

struct alert {
	const char *file; /* below ALERT_DIR */
	const char *time, *subject, *text;
};

struct alert_list {
	struct alert *items; /* VEC(), oldest first */
	size_t n, cap;
};

/* Files that are none of ours are left out. */
int alerts_read(struct alert_list *ret, const struct root *root, struct arena *a, struct err *e);
