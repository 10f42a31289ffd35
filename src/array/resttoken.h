/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * A session token as it is kept in a file, in the form and by the rule of the plugin that our users
 * come from (docs/array.md, 5): nodes with either share one. Pure.
 */

#include "util/buf.h"
#include "util/err.h"

enum { RESTTOKEN_MAX = 256 };

struct resttoken {
	char auth[RESTTOKEN_MAX]; /* "": none */
	char request_id[RESTTOKEN_MAX];
	int64_t created, ttl; /* Unix seconds; seconds */
};

/* -EBADMSG: no such file's content; -EKEYEXPIRED is not told here. *ret is left alone then. */
int resttoken_parse(struct slice text, struct resttoken *ret, struct err *e);
void resttoken_write(const struct resttoken *t, struct buf *out);

/* A share of its life after which it is renewed: 0.8 +- 0.025, in thousandths, so that nodes do not
 * log in at the same moment. @random: any number. */
unsigned int resttoken_share(uint32_t random);

/* Young enough at @now, when it lives for @ttl seconds at most. */
bool resttoken_usable(const struct resttoken *t, int64_t now, int64_t ttl, unsigned int share);
