/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "agent/oldconf.h"

#include "util/buf.h"
#include "util/str.h"

struct reader {
	const char *file;
	unsigned int line;
	const struct oldconf_key *keys;
	size_t n;
	void *into;
	struct arena *a;
	struct diags *diags;
	struct slice block; /* empty: at the top */
};

static void complain(struct reader *r, const char *expected)
{
	diag_add(r->diags, r->file, r->line, "expected %s", expected);
}

/* A '#' begins a comment at the start of a value and after white space. */
static struct slice without_comment(struct slice s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] == '#' && (i == 0 || str_is_space(s.p[i - 1])))
			s.n = i;
	return slice_trim(s);
}

/* The end of a quoted text, after its quote; 0: there is none. */
static size_t end_of_quoted(struct slice s)
{
	for (size_t i = 1; i < s.n; i++) {
		if (s.p[0] == '"' && s.p[i] == '\\')
			i++;
		else if (s.p[0] == '\'' && s.p[i] == '\'' && i + 1 < s.n && s.p[i + 1] == '\'')
			i++;
		else if (s.p[i] == s.p[0])
			return i + 1;
	}
	return 0;
}

/* Of YAML's escapes those that a path, a URL or a token may have. */
static bool unescape(struct slice inner, char quote, struct arena *a, struct slice *ret)
{
	char *out = arena_alloc(a, inner.n + 1);
	size_t n = 0;

	for (size_t i = 0; i < inner.n; i++) {
		char c = inner.p[i];

		if (quote == '\'' && c == '\'')
			i++;
		if (quote == '"' && c == '\\') {
			c = ++i < inner.n ? inner.p[i] : '\0';
			if (c != '"' && c != '\\' && c != '/')
				return false;
		}
		out[n++] = c;
	}
	*ret = (struct slice){ out, n };
	return true;
}

static bool value_of(struct reader *r, struct slice s, struct slice *ret)
{
	size_t end;

	s = slice_trim(s);
	if (slice_empty(s) || (s.p[0] != '"' && s.p[0] != '\'')) {
		*ret = without_comment(s);
		return true;
	}
	end = end_of_quoted(s);
	return end && slice_empty(without_comment(slice_from(s, end))) &&
	       unescape((struct slice){ s.p + 1, end - 2 }, s.p[0], r->a, ret);
}

static bool is_block(const struct reader *r, struct slice name)
{
	for (size_t i = 0; i < r->n; i++)
		if (r->keys[i].block && slice_eq(name, r->keys[i].block))
			return true;
	return false;
}

static bool names(const struct reader *r, const struct oldconf_key *k, struct slice key)
{
	bool here = k->block ? slice_eq(r->block, k->block) : slice_empty(r->block);

	return here && slice_eq(key, k->key);
}

static void take(struct reader *r, struct slice key, struct slice value)
{
	for (size_t i = 0; i < r->n; i++) {
		const struct oldconf_key *k = &r->keys[i];
		const char *expected;

		if (!names(r, k, key))
			continue;
		expected = k->take(value, (char *)r->into + k->offset, r->a);
		if (expected)
			diag_add(r->diags, r->file, r->line, "%s: expected %s", k->key, expected);
		return;
	}
	diag_add(r->diags, r->file, r->line, "unknown key '" SLICE_FMT "%s" SLICE_FMT "'",
		 SLICE_ARG(r->block), slice_empty(r->block) ? "" : ".", SLICE_ARG(key));
}

static bool is_structure(char c)
{
	return c != '\0' && strchr("[{|>&*!%@`", c) != NULL;
}

static void read_pair(struct reader *r, struct slice line, bool inside)
{
	size_t at = slice_find(line, ':');
	struct slice key = slice_trim((struct slice){ line.p, at }), value;

	if (at == line.n || slice_empty(key) ||
	    (at + 1 < line.n && !str_is_space(line.p[at + 1]))) {
		complain(r, "key: value");
		return;
	}
	if (!inside)
		r->block = (struct slice){ "", 0 };
	if (!value_of(r, slice_from(line, at + 1), &value)) {
		complain(r, "a value whose quotes are closed, and nothing behind them");
		return;
	}
	if (slice_empty(value) && !inside && is_block(r, key)) {
		r->block = key;
		return;
	}
	/* "key:" with nothing is null: as if it were not there. */
	if (slice_empty(value) && !inside)
		r->block = key;
	if (slice_empty(value))
		return;
	if (is_structure(value.p[0]))
		complain(r, "a plain value (lists, maps in braces and anchors are not read)");
	else
		take(r, key, value);
}

static void read_line(struct reader *r, struct slice line)
{
	bool inside = line.n && (line.p[0] == ' ' || line.p[0] == '\t');
	struct slice text = slice_trim(line);

	if (slice_empty(text) || text.p[0] == '#' || slice_eq(text, "---") || slice_eq(text, "..."))
		return;
	if (text.p[0] == '-' && (text.n == 1 || text.p[1] == ' '))
		complain(r, "key: value (lists are not read)");
	else if (inside && slice_empty(r->block))
		complain(r, "key: value at the start of the line, or a block above it");
	else
		read_pair(r, text, inside);
}

void oldconf_read(struct slice text, const char *file, const struct oldconf_key *keys, size_t n,
		  void *into, struct arena *a, struct diags *diags)
{
	struct reader r = { .file = file,
			    .keys = keys,
			    .n = n,
			    .into = into,
			    .a = a,
			    .diags = diags,
			    .block = { "", 0 } };
	struct slice line;

	if (text.n >= 3 && memcmp(text.p, "\xef\xbb\xbf", 3) == 0)
		text = slice_from(text, 3);
	while (slice_split(&text, '\n', &line)) {
		r.line++;
		read_line(&r, line);
	}
}
