/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "util/shellvars.h"

#include <ctype.h>

#include "util/buf.h"
#include "util/str.h"

struct value {
	struct buf text;
	const char *wrong; /* why it cannot be known */
};

static bool computes(char c)
{
	return c == '$' || c == '`';
}

/* Inside double quotes; returns how much of @s it took, the closing quote included. */
static size_t take_double(struct value *v, struct slice s)
{
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '"')
			return i + 1;
		if (computes(s.p[i]))
			v->wrong = "it holds what a shell would have to compute";
		if (s.p[i] == '\\' && i + 1 < s.n && strchr("\\\"$`", s.p[i + 1]))
			i++;
		buf_addc(&v->text, s.p[i]);
	}
	v->wrong = "a closing \"";
	return s.n;
}

static size_t take_single(struct value *v, struct slice s)
{
	size_t end = slice_find(s, '\'');

	buf_add(&v->text, s.p, end);
	if (end == s.n)
		v->wrong = "a closing '";
	return end < s.n ? end + 1 : end;
}

/* One word of a shell: quoted and bare pieces, up to a blank, a comment or the end. */
static void take_word(struct value *v, struct slice s)
{
	size_t i = 0;

	while (i < s.n && !v->wrong && !str_is_space(s.p[i]) && s.p[i] != ';') {
		char c = s.p[i++];

		if (c == '"') {
			i += take_double(v, slice_from(s, i));
		} else if (c == '\'') {
			i += take_single(v, slice_from(s, i));
		} else if (computes(c) || strchr("&|<>()", c)) {
			v->wrong = "it holds what a shell would have to compute";
		} else if (c == '\\' && i < s.n) {
			buf_addc(&v->text, s.p[i++]);
		} else {
			buf_addc(&v->text, c);
		}
	}
	s = slice_trim(slice_from(s, i));
	if (!v->wrong && v->text.len && memchr(v->text.data, '\0', v->text.len))
		v->wrong = "text, without NUL";
	if (!v->wrong && s.n && s.p[0] != '#' && s.p[0] != ';')
		v->wrong = "one value (quote it if it holds blanks)";
}

static struct slice name_of(struct slice line)
{
	size_t n = 0;

	while (n < line.n && (isalnum((unsigned char)line.p[n]) || line.p[n] == '_'))
		n++;
	return (struct slice){ line.p, n };
}

static struct shellvar *find(struct shellvar *vars, size_t n, struct slice name)
{
	for (size_t i = 0; i < n; i++)
		if (slice_eq(name, vars[i].name))
			return &vars[i];
	return NULL;
}

void shellvars_read(struct slice text, const char *file, bool script, struct shellvar *vars,
		    size_t n, struct arena *a, struct diags *diags)
{
	struct slice line;

	for (unsigned int number = 1; slice_split(&text, '\n', &line); number++) {
		struct value v = {};
		struct shellvar *var;
		struct slice name;

		line = slice_trim(line);
		if (slice_starts(line, "export "))
			line = slice_trim(slice_from(line, 7));
		name = name_of(line);
		var = name.n < line.n && line.p[name.n] == '=' ? find(vars, n, name) : NULL;
		if (!var) {
			if (!script && line.n && line.p[0] != '#')
				diag_add(diags, file, number,
					 "expected one of the known settings, "
					 "NAME=\"value\"");
			continue;
		}
		take_word(&v, slice_from(line, name.n + 1));
		if (v.wrong) {
			diag_add(diags, file, number, "%s: expected %s", var->name, v.wrong);
		} else {
			var->value = arena_str(a, buf_slice(&v.text));
			var->line = number;
		}
		buf_done(&v.text);
	}
}
