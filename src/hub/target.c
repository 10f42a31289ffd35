/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "hub/target.h"

#include <errno.h>

#include "util/str.h"

static int hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* The next byte of @s, decoded; -EINVAL at a broken escape or a byte that no text has. */
static int next_byte(struct slice *s, bool plus_is_blank)
{
	unsigned char c = (unsigned char)s->p[0];
	size_t used = 1;

	if (c == '%') {
		int high = s->n >= 3 ? hex(s->p[1]) : -1;
		int low = s->n >= 3 ? hex(s->p[2]) : -1;

		if (high < 0 || low < 0)
			return -EINVAL;
		c = (unsigned char)(high << 4 | low);
		used = 3;
	} else if (c == '+' && plus_is_blank) {
		c = ' ';
	}
	*s = slice_from(*s, used);
	return c < 0x20 || c == 0x7f ? -EINVAL : c;
}

/* Adds @s decoded and a NUL; there is room for it, so that earlier texts stay where they are. */
static const char *decode(struct target *t, struct slice s, bool plus_is_blank)
{
	size_t at = t->text.len;

	while (s.n) {
		int c = next_byte(&s, plus_is_blank);

		if (c < 0)
			return NULL;
		t->text.data[t->text.len++] = (char)c;
	}
	if (!str_utf8_valid((struct slice){ t->text.data + at, t->text.len - at }))
		return NULL;
	t->text.data[t->text.len++] = '\0';
	return t->text.data + at;
}

/* "http://host/path" of a proxy's request line: what comes behind the host. */
static struct slice without_host(struct slice raw)
{
	size_t skip = slice_starts(raw, "http://") ? 7 : slice_starts(raw, "https://") ? 8 : 0;
	struct slice rest = slice_from(raw, skip);

	return skip ? slice_from(rest, slice_find(rest, '/')) : raw;
}

static int read_segments(struct target *t, struct slice path)
{
	struct slice rest = slice_from(path, 1);

	t->path = decode(t, path, false);
	if (!t->path)
		return -EINVAL;
	for (;;) {
		size_t n = slice_find(rest, '/');

		if (t->n_segments == TARGET_SEGMENTS)
			return -EINVAL;
		t->segments[t->n_segments] = decode(t, (struct slice){ rest.p, n }, false);
		if (!t->segments[t->n_segments++])
			return -EINVAL;
		if (n == rest.n)
			return 0;
		rest = slice_from(rest, n + 1);
	}
}

static int read_params(struct target *t, struct slice query)
{
	struct slice one;

	while (slice_split(&query, '&', &one)) {
		size_t at = slice_find(one, '=');

		if (slice_empty(one))
			continue;
		if (t->n_params == TARGET_PARAMS)
			return -EINVAL;
		t->params[t->n_params].key = decode(t, (struct slice){ one.p, at }, true);
		t->params[t->n_params].value = decode(t, slice_from(one, at + 1), true);
		if (!t->params[t->n_params].key || !t->params[t->n_params].value)
			return -EINVAL;
		t->n_params++;
	}
	return 0;
}

int target_parse(struct slice raw, struct target *t)
{
	struct slice s = without_host(raw);
	size_t query = slice_find(s, '?');
	int r;

	*t = (struct target){ .path = "" };
	/* Path, its segments, the parameters, and a NUL for each. */
	(void)buf_reserve(&t->text, 2 * s.n + TARGET_SEGMENTS + 2 * TARGET_PARAMS + 2);
	if (slice_empty(s) || s.p[0] != '/')
		return -EINVAL;
	r = read_segments(t, (struct slice){ s.p, query });
	if (!r)
		r = read_params(t, slice_from(s, query + 1));
	if (r)
		t->path = "";
	return r;
}

void target_done(struct target *t)
{
	buf_done(&t->text);
}

const char *target_param(const struct target *t, const char *key)
{
	for (size_t i = 0; i < t->n_params; i++)
		if (strcmp(t->params[i].key, key) == 0)
			return t->params[i].value;
	return NULL;
}
