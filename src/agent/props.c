/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "agent/props.h"

#include <stdio.h>

#include "util/str.h"

static bool has(const struct props *p, struct slice key)
{
	for (size_t i = 0; i < p->n; i++)
		if (slice_eq2(p->items[i].key, key))
			return true;
	return false;
}

void props_read(struct props *ret, struct slice text, const char *default_key)
{
	struct prop one;

	ret->n = 0;
	while (ret->n < PROPS_MAX && prop_next(&text, &one)) {
		one.key = slice_trim(one.key);
		if (slice_empty(one.key) && default_key)
			one.key = slice_of(default_key);
		/* A key becomes a string with an end. */
		if (slice_empty(one.key) || has(ret, one.key) || one.key.n > 64 ||
		    memchr(one.key.p, '\0', one.key.n))
			continue;
		ret->taken[ret->n] = false;
		ret->items[ret->n++] = one;
	}
}

bool props_take(struct props *p, const char *key, struct slice *ret)
{
	for (size_t i = 0; i < p->n; i++) {
		if (!slice_eq(p->items[i].key, key))
			continue;
		p->taken[i] = true;
		*ret = p->items[i].value;
		return true;
	}
	return false;
}

void props_text(struct jsonw *w, struct props *p, const char *key, const char *name)
{
	struct slice v;

	if (props_take(p, key, &v))
		jsonw_slice(w, name, v);
}

void props_bool(struct jsonw *w, struct props *p, const char *key, const char *name)
{
	struct slice v;
	bool on;

	if (props_take(p, key, &v) && prop_bool(v, &on))
		jsonw_bool(w, name, on);
}

void props_number(struct jsonw *w, struct props *p, const char *key, const char *name)
{
	struct slice v;
	uint64_t n;

	if (props_take(p, key, &v) && str_to_u64(v, &n) && n <= INT64_MAX)
		jsonw_u64(w, name, n);
}

void props_rest(struct jsonw *w, const struct props *p, const char *name)
{
	bool any = false;
	char key[72];

	for (size_t i = 0; i < p->n; i++) {
		if (p->taken[i])
			continue;
		if (!any)
			jsonw_row(w, name);
		any = true;
		(void)snprintf(key, sizeof(key), SLICE_FMT, SLICE_ARG(p->items[i].key));
		jsonw_slice(w, key, p->items[i].value);
	}
	if (any)
		jsonw_close(w);
}
