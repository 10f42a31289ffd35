/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "util/ini.h"

#include "util/str.h"

struct reader {
	const char *file;
	unsigned int line;
	const struct ini_key *keys;
	size_t n;
	void *into;
	struct arena *a;
	struct diags *diags;
	struct slice section;
};

static bool is_ours(const struct reader *r)
{
	for (size_t i = 0; i < r->n; i++)
		if (slice_eq(r->section, r->keys[i].section))
			return true;
	return false;
}

static void read_section(struct reader *r, struct slice line)
{
	if (line.n < 3 || line.p[line.n - 1] != ']') {
		diag_add(r->diags, r->file, r->line, "expected [section]");
		r->section = (struct slice){ "", 0 };
		return;
	}
	r->section = slice_trim((struct slice){ line.p + 1, line.n - 2 });
}

static struct slice unquote(struct slice value)
{
	if (value.n >= 2 && value.p[0] == '"' && value.p[value.n - 1] == '"')
		return (struct slice){ value.p + 1, value.n - 2 };
	return value;
}

static void read_pair(struct reader *r, struct slice line)
{
	size_t at = slice_find(line, '=');
	struct slice key = slice_trim((struct slice){ line.p, at });
	struct slice value = unquote(slice_trim(slice_from(line, at + 1)));

	if (at == line.n) {
		diag_add(r->diags, r->file, r->line, "expected key = value");
		return;
	}
	for (size_t i = 0; i < r->n; i++) {
		const struct ini_key *k = &r->keys[i];
		const char *expected;

		if (!slice_eq(r->section, k->section) || !slice_eq(key, k->key))
			continue;
		expected = k->take(value, (char *)r->into + k->offset, r->a);
		if (expected)
			diag_add(r->diags, r->file, r->line, "%s: expected %s", k->key, expected);
		return;
	}
	diag_add(r->diags, r->file, r->line, "unknown key '" SLICE_FMT "'", SLICE_ARG(key));
}

void ini_read(struct slice text, const char *file, const struct ini_key *keys, size_t n, void *into,
	      struct arena *a, struct diags *diags)
{
	struct reader r = { .file = file,
			    .keys = keys,
			    .n = n,
			    .into = into,
			    .a = a,
			    .diags = diags,
			    .section = { "", 0 } };
	struct slice line;

	while (slice_split(&text, '\n', &line)) {
		r.line++;
		line = slice_trim(line);
		if (slice_empty(line) || line.p[0] == '#' || line.p[0] == ';')
			continue;
		if (line.p[0] == '[')
			read_section(&r, line);
		else if (is_ours(&r))
			read_pair(&r, line);
		else if (slice_empty(r.section))
			diag_add(diags, file, r.line, "expected a [section] before it");
	}
}

const char *ini_take_text(struct slice value, void *into, struct arena *a)
{
	if (slice_empty(value) || memchr(value.p, '\0', value.n))
		return "a value (text, without NUL)";
	*(const char **)into = arena_str(a, value);
	return NULL;
}

const char *ini_take_port(struct slice value, void *into, struct arena *a)
{
	uint32_t port;

	(void)a;
	if (!str_to_u32(value, &port) || port < 1 || port > 65535)
		return "a port, 1 to 65535";
	*(uint32_t *)into = port;
	return NULL;
}
