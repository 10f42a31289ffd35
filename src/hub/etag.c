/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "hub/etag.h"

#include <stdio.h>

struct hash {
	uint64_t a, b;
};

/* FNV-1a from two beginnings. */
static void add(struct hash *h, struct slice s)
{
	for (size_t i = 0; i < s.n; i++) {
		h->a = (h->a ^ (unsigned char)s.p[i]) * 0x100000001b3u;
		h->b = (h->b ^ (unsigned char)s.p[i]) * 0x100000001b3u;
	}
}

/* @s begins with a string: how long it is, quotes included. */
static size_t string_length(struct slice s)
{
	size_t i = 1;

	while (i < s.n && s.p[i] != '"')
		i += s.p[i] == '\\' ? 2 : 1;
	return i < s.n ? i + 1 : s.n;
}

/* How long the key of an age with its colon is at the beginning of @s; 0: there is none. SQLite and
 * PostgreSQL put blanks in different places. */
static size_t age_key(struct slice s)
{
	size_t i = strlen("\"age\"");

	if (!slice_starts(s, "\"age\""))
		return 0;
	while (i < s.n && s.p[i] == ' ')
		i++;
	return i < s.n && s.p[i] == ':' ? i + 1 : 0;
}

/* Where the next age begins, behind its colon; the text's end if there is none. */
static size_t next_age(struct slice s, unsigned int ages, unsigned int *depth)
{
	size_t i = 0;

	while (i < s.n) {
		if (s.p[i] == '"') {
			size_t key = *depth == ages ? age_key(slice_from(s, i)) : 0;

			if (key)
				return i + key;
			i += string_length(slice_from(s, i));
			continue;
		}
		if (s.p[i] == '{' || s.p[i] == '[')
			++*depth;
		else if (s.p[i] == '}' || s.p[i] == ']')
			--*depth;
		i++;
	}
	return s.n;
}

static size_t number_length(struct slice s)
{
	size_t i = 0;

	while (i < s.n && (s.p[i] == '-' || s.p[i] == ' ' || (s.p[i] >= '0' && s.p[i] <= '9')))
		i++;
	return i;
}

void etag_of(struct slice body, unsigned int ages, char ret[ETAG_MAX])
{
	struct hash h = { 0xcbf29ce484222325u, 0x9ae16a3b2f90404fu };
	unsigned int depth = 0;

	while (body.n) {
		size_t n = ages ? next_age(body, ages, &depth) : body.n;

		add(&h, (struct slice){ body.p, n });
		body = slice_from(body, n);
		body = slice_from(body, number_length(body));
	}
	(void)snprintf(ret, ETAG_MAX, "%s\"%016llx%016llx\"", ages ? "W/" : "",
		       (unsigned long long)h.a, (unsigned long long)h.b);
}

static struct slice opaque(struct slice tag)
{
	return slice_starts(tag, "W/") ? slice_from(tag, 2) : tag;
}

bool etag_matches(const char *if_none_match, const char *etag)
{
	struct slice rest = slice_of(if_none_match), one, ours = opaque(slice_of(etag));

	while (slice_split(&rest, ',', &one)) {
		one = slice_trim(one);
		if (slice_eq(one, "*") || slice_eq2(opaque(one), ours))
			return true;
	}
	return false;
}
