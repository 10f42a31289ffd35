/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "array/mpconf.h"

#include "util/str.h"

struct place {
	struct slice names[MPCONF_DEPTH];
	unsigned int groups[MPCONF_DEPTH];
	size_t depth; /* may be more than MPCONF_DEPTH: those are counted only */
};

void mpconf_done(struct mpconf *c)
{
	vec_free(c);
}

static struct slice word(struct slice *rest)
{
	size_t n = 0;
	struct slice ret;

	*rest = slice_trim(*rest);
	while (n < rest->n && !str_is_space(rest->p[n]) && rest->p[n] != '{' && rest->p[n] != '}')
		n++;
	ret = (struct slice){ rest->p, n };
	*rest = slice_trim(slice_from(*rest, n));
	return ret;
}

/* "text" without its quotes, or all that stands before a comment or brace. */
static struct slice value(struct slice *rest)
{
	struct slice ret = *rest;

	if (rest->n && rest->p[0] == '"') {
		ret = slice_from(*rest, 1);
		ret.n = slice_find(ret, '"');
		*rest = slice_from(*rest, ret.n + 2);
		return ret;
	}
	ret.n = slice_find(ret, '#');
	ret.n = slice_find(ret, '}');
	*rest = slice_from(*rest, ret.n);
	return slice_trim(ret);
}

static const char *section_of(const struct place *p, struct arena *a)
{
	char *ret = arena_str(a, SLICE(""));

	for (size_t i = 0; i < p->depth && i < MPCONF_DEPTH; i++)
		ret = arena_fmt(a, "%s%s" SLICE_FMT, ret, i ? "/" : "", SLICE_ARG(p->names[i]));
	return ret;
}

static void open_section(struct mpconf *c, struct place *p, struct slice name)
{
	if (p->depth < MPCONF_DEPTH) {
		p->names[p->depth] = name;
		p->groups[p->depth] = ++c->groups;
	}
	p->depth++;
}

static void add_value(struct mpconf *c, const struct place *p, struct slice key, struct slice v,
		      struct arena *a)
{
	struct mpconf_line *l;

	if (!p->depth || p->depth > MPCONF_DEPTH || c->n >= MPCONF_MAX)
		return;
	l = vec_push(c);
	l->section = section_of(p, a);
	l->key = arena_str(a, key);
	l->value = arena_str(a, v);
	l->group = p->groups[p->depth - 1];
}

static void take_line(struct mpconf *c, struct place *p, struct slice rest, struct arena *a)
{
	while ((rest = slice_trim(rest)).n && rest.p[0] != '#' && rest.p[0] != '!') {
		struct slice key;

		if (rest.p[0] == '}') {
			p->depth -= p->depth > 0;
			rest = slice_from(rest, 1);
			continue;
		}
		key = word(&rest);
		if (rest.n && rest.p[0] == '{') {
			open_section(c, p, key);
			rest = slice_from(rest, 1);
		} else {
			struct slice v = value(&rest);

			add_value(c, p, key, v, a);
		}
	}
}

void mpconf_parse(struct mpconf *ret, struct slice text, struct arena *a)
{
	struct place p = {};
	struct slice line;

	while (slice_split(&text, '\n', &line)) {
		/* multipathd reads lines as C does. */
		line.n = slice_find(line, '\0');
		take_line(ret, &p, line, a);
	}
}

const char *mpconf_get(const struct mpconf *c, const char *section, const char *key)
{
	const char *ret = NULL;

	for (size_t i = 0; i < c->n; i++)
		if (strcmp(c->items[i].section, section) == 0 && strcmp(c->items[i].key, key) == 0)
			ret = c->items[i].value;
	return ret;
}

const char *mpconf_device(const struct mpconf *c, const char *section, const char *vendor,
			  const char *key)
{
	const char *ret = NULL;

	for (size_t i = 0; i < c->n; i++) {
		const struct mpconf_line *v = &c->items[i];

		if (strcmp(v->section, section) != 0 || strcmp(v->key, "vendor") != 0 ||
		    !slice_holds_nocase(slice_of(v->value), vendor))
			continue;
		for (size_t j = 0; j < c->n; j++)
			if (c->items[j].group == v->group && strcmp(c->items[j].key, key) == 0)
				ret = c->items[j].value;
	}
	return ret;
}
