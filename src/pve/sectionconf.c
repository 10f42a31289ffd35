/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "pve/sectionconf.h"

#include <strings.h>

#include "util/str.h"

/* The sections as they grow; options are gathered for one section at a time. */
struct parse {
	const char *file;
	struct arena *arena;
	struct diags *diags;
	struct slice rest;
	unsigned int line;
	VEC(struct section) sections;
	VEC(struct section_option) options;
};

/* Next line that is no comment; comments vanish before anything else is looked at. */
static bool next_line(struct parse *p, struct slice *ret)
{
	while (slice_split(&p->rest, '\n', ret)) {
		struct slice text = slice_trim(*ret);

		p->line++;
		if (slice_empty(text) || text.p[0] != '#')
			return true;
	}
	return false;
}

static void ignored(struct parse *p, struct slice line, const char *expected)
{
	char shown[128];

	str_printable(shown, sizeof(shown), slice_rtrim(line));
	diag_add(p->diags, p->file, p->line, "\"%s\": expected %s; Proxmox ignores this line",
		 shown, expected);
}

static size_t word_len(struct slice s)
{
	size_t n = 0;

	while (n < s.n && !str_is_space(s.p[n]))
		n++;
	return n;
}

static struct slice last_word(struct slice s)
{
	size_t n = s.n;

	while (n && !str_is_space(s.p[n - 1]))
		n--;
	return slice_from(s, n);
}

/* Splits "type: id"; the type may hold colons itself, the last one that fits separates. */
static bool header_split(struct slice line, struct slice *ret_type, struct slice *ret_id)
{
	struct slice first, id;

	line = slice_rtrim(line);
	first = (struct slice){ line.p, word_len(line) };
	if (first.n == line.n) {
		/* "type:id" without a blank: the last colon with something on both sides. */
		for (size_t i = line.n; i-- > 1;) {
			if (line.p[i] == ':' && i + 1 < line.n) {
				*ret_type = (struct slice){ line.p, i };
				*ret_id = slice_from(line, i + 1);
				return true;
			}
		}
		return false;
	}
	id = last_word(line);
	if (first.n < 2 || first.p[first.n - 1] != ':' ||
	    slice_trim(slice_from(line, first.n)).n != id.n)
		return false;
	*ret_type = (struct slice){ first.p, first.n - 1 };
	*ret_id = id;
	return true;
}

static const char *lower_str(struct arena *a, struct slice s)
{
	char *copy = arena_str(a, s);

	for (char *c = copy; *c; c++)
		if (*c >= 'A' && *c <= 'Z')
			*c = (char)(*c + ('a' - 'A'));
	return copy;
}

static void add_option(struct parse *p, struct slice line)
{
	struct slice text = slice_trim(line);
	size_t n = word_len(text);
	struct section_option *o;

	if (slice_empty(text) || !str_is_space(line.p[0])) {
		ignored(p, line, "an indented \"key value\"; an empty line ends a section");
		return;
	}
	o = vec_push(&p->options);
	o->key = arena_strndup(p->arena, text.p, n);
	o->value = arena_str(p->arena, slice_trim(slice_from(text, n)));
	o->line = p->line;
}

static int cmp_option(const void *a, const void *b)
{
	const struct section_option *const *x = a, *const *y = b;
	int r = strcmp((*x)->key, (*y)->key);

	if (r)
		return r;
	return (*x)->line < (*y)->line ? -1 : (*x)->line > (*y)->line;
}

/* By sorting, so that a file of one key a million times is still read in a moment. */
static void say_duplicate_keys(struct parse *p, const struct section *s)
{
	CLEANUP_FREE const struct section_option **sorted = NULL;

	sorted = xcalloc(s->n_options, sizeof(*sorted));
	for (size_t i = 0; i < s->n_options; i++)
		sorted[i] = &s->options[i];
	if (s->n_options > 1)
		qsort(sorted, s->n_options, sizeof(*sorted), cmp_option);
	for (size_t i = 1; i < s->n_options; i++)
		if (strcmp(sorted[i - 1]->key, sorted[i]->key) == 0)
			diag_add(p->diags, p->file, sorted[i]->line,
				 "section '%s': key '%s' stands here twice; the first one counts",
				 s->id, sorted[i]->key);
}

static void read_body(struct parse *p, struct section *s)
{
	struct slice line;

	p->options.n = 0;
	while (next_line(p, &line) && !slice_empty(line))
		add_option(p, line);
	s->n_options = p->options.n;
	s->options = arena_alloc(p->arena, s->n_options * sizeof(*s->options));
	if (s->n_options)
		memcpy(s->options, p->options.items, s->n_options * sizeof(*s->options));
	say_duplicate_keys(p, s);
}

static void read_section(struct parse *p, struct slice line)
{
	struct slice type, id;
	struct section s = { .line = p->line };

	if (!header_split(line, &type, &id)) {
		ignored(p, line, "\"type: id\"");
		return;
	}
	s.type = lower_str(p->arena, type);
	s.id = arena_str(p->arena, id);
	read_body(p, &s);
	*vec_push(&p->sections) = s;
}

static int cmp_section(const void *a, const void *b)
{
	const struct section *const *x = a, *const *y = b;
	int r = strcmp((*x)->id, (*y)->id);

	if (r)
		return r;
	return (*x)->line < (*y)->line ? -1 : (*x)->line > (*y)->line;
}

static void mark_duplicates(struct parse *p, struct section_file *f)
{
	CLEANUP_FREE struct section **sorted = xcalloc(f->n_sections, sizeof(*sorted));

	for (size_t i = 0; i < f->n_sections; i++)
		sorted[i] = &f->sections[i];
	if (f->n_sections > 1)
		qsort(sorted, f->n_sections, sizeof(*sorted), cmp_section);
	for (size_t i = 1; i < f->n_sections; i++) {
		if (strcmp(sorted[i - 1]->id, sorted[i]->id) != 0)
			continue;
		sorted[i]->duplicate = true;
		diag_add(p->diags, p->file, sorted[i]->line,
			 "section '%s' stands in line %u already; Proxmox takes this later one",
			 sorted[i]->id, sorted[i - 1]->line);
	}
}

void section_file_parse(struct section_file *ret, const char *file, struct slice text,
			struct arena *a, struct diags *diags)
{
	struct parse p = { .file = file, .arena = a, .diags = diags, .rest = text };
	struct slice line;

	while (next_line(&p, &line))
		if (!slice_empty(line))
			read_section(&p, line);

	*ret = (struct section_file){ .n_sections = p.sections.n };
	ret->sections = arena_alloc(a, p.sections.n * sizeof(*ret->sections));
	if (p.sections.n)
		memcpy(ret->sections, p.sections.items, p.sections.n * sizeof(*ret->sections));
	vec_free(&p.sections);
	vec_free(&p.options);
	mark_duplicates(&p, ret);
}

const char *section_get(const struct section *s, const char *key)
{
	for (size_t i = 0; i < s->n_options; i++)
		if (strcmp(s->options[i].key, key) == 0)
			return s->options[i].value;
	return NULL;
}
