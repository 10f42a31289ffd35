/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * A property string with each key once, so that it can be an object: of a key that comes twice the
 * first counts, and of a hostile value's thousand parts the first few.
 */

#include "pve/prop.h"
#include "util/jsonw.h"

enum { PROPS_MAX = 48 };

struct props {
	struct prop items[PROPS_MAX];
	size_t n;
	bool taken[PROPS_MAX]; /* somebody has asked for it */
};

/* @default_key: what a part without a key stands for; NULL: for nothing. */
void props_read(struct props *ret, struct slice text, const char *default_key);

/* Value of @key, marked as taken; false without one. */
bool props_take(struct props *p, const char *key, struct slice *ret);

/* Members of their own: a text, a boolean, a whole number. Left out if it is not there. */
void props_text(struct jsonw *w, struct props *p, const char *key, const char *name);
void props_bool(struct jsonw *w, struct props *p, const char *key, const char *name);
void props_number(struct jsonw *w, struct props *p, const char *key, const char *name);

/* "options": what nobody has taken, as texts; left out if there is none. */
void props_rest(struct jsonw *w, const struct props *p, const char *name);
