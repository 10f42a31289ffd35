/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "filter.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <strings.h>

#include "util/buf.h"

enum { FILTER_DEPTH = 64, FILTER_NODES = 4096 };

enum op { OP_AND, OP_OR, OP_NOT, OP_EQ, OP_NE, OP_LT, OP_GT, OP_LE, OP_GE };

struct node {
	enum op op;
	int left, right; /* of and, or, not */
	char *field;
	VEC(char *) values;
};

struct filter {
	VEC(struct node) nodes;
	int root;
};

struct parser {
	const char *p;
	struct filter *f;
	struct err *e;
	unsigned int depth;
};

static int parse_or(struct parser *s);

static void skip(struct parser *s)
{
	while (isspace((unsigned char)*s->p))
		s->p++;
}

static int bad(struct parser *s, const char *what)
{
	return err_set(s->e, -EINVAL, "Invalid filter: %s near \"%.32s\".", what, s->p);
}

static int node_add(struct parser *s, enum op op, int left, int right)
{
	struct node *n;

	if (s->f->nodes.n == FILTER_NODES)
		return bad(s, "too long");
	n = vec_push(&s->f->nodes);
	*n = (struct node){ .op = op, .left = left, .right = right };
	return (int)(s->f->nodes.n - 1);
}

static bool is_field_char(char c)
{
	return isalnum((unsigned char)c) || c == '_' || c == '.' || c == '-';
}

/* The word, if it comes next and ends there. */
static bool take_word(struct parser *s, const char *word)
{
	size_t n = strlen(word);

	skip(s);
	if (strncasecmp(s->p, word, n) != 0 || is_field_char(s->p[n]))
		return false;
	s->p += n;
	return true;
}

static bool take_char(struct parser *s, char c)
{
	skip(s);
	if (*s->p != c)
		return false;
	s->p++;
	return true;
}

static char *take_run(struct parser *s)
{
	const char *start = s->p;

	while (is_field_char(*s->p))
		s->p++;
	return s->p == start ? NULL : strndup(start, (size_t)(s->p - start));
}

static char *take_quoted(struct parser *s, char quote)
{
	struct buf text = {};

	for (s->p++; *s->p && *s->p != quote; s->p++) {
		if (*s->p == '\\' && s->p[1])
			s->p++;
		buf_addc(&text, *s->p);
	}
	if (*s->p != quote) {
		buf_done(&text);
		return NULL;
	}
	s->p++;
	return text.data ? text.data : xstrdup("");
}

static int take_value(struct parser *s, struct node *n)
{
	char *value;

	skip(s);
	value = *s->p == '\'' || *s->p == '"' ? take_quoted(s, *s->p) : take_run(s);
	if (!value)
		return bad(s, "a value is missing");
	*vec_push(&n->values) = value;
	return 0;
}

static int take_values(struct parser *s, struct node *n)
{
	int r;

	if (!take_char(s, '('))
		return take_value(s, n);
	do {
		r = take_value(s, n);
		if (r < 0)
			return r;
	} while (take_char(s, ','));
	return take_char(s, ')') ? 0 : bad(s, "a parenthesis is open");
}

static int take_op(struct parser *s)
{
	static const struct {
		const char *text;
		enum op op;
	} OPS[] = {
		{ "!=", OP_NE }, { "<=", OP_LE }, { ">=", OP_GE },
		{ "=", OP_EQ },	 { "<", OP_LT },  { ">", OP_GT },
	};

	skip(s);
	for (size_t i = 0; i < ARRAY_SIZE(OPS); i++) {
		size_t n = strlen(OPS[i].text);

		if (strncmp(s->p, OPS[i].text, n) == 0) {
			s->p += n;
			return (int)OPS[i].op;
		}
	}
	return bad(s, "an operator is missing");
}

static int parse_comparison(struct parser *s)
{
	char *field;
	int at, op;

	skip(s);
	field = take_run(s);
	if (!field)
		return bad(s, "a field is missing");
	op = take_op(s);
	at = op < 0 ? op : node_add(s, (enum op)op, 0, 0);
	if (at < 0) {
		free(field);
		return at;
	}
	s->f->nodes.items[at].field = field;
	op = take_values(s, &s->f->nodes.items[at]);
	return op < 0 ? op : at;
}

static int parse_term(struct parser *s)
{
	int at;

	if (++s->depth > FILTER_DEPTH)
		return bad(s, "too deep");
	if (take_word(s, "not")) {
		at = parse_term(s);
		at = at < 0 ? at : node_add(s, OP_NOT, at, 0);
	} else if (take_char(s, '(')) {
		at = parse_or(s);
		if (at >= 0 && !take_char(s, ')'))
			at = bad(s, "a parenthesis is open");
	} else {
		at = parse_comparison(s);
	}
	s->depth--;
	return at;
}

static int parse_and(struct parser *s)
{
	int left = parse_term(s);

	while (left >= 0 && take_word(s, "and")) {
		int right = parse_term(s);

		left = right < 0 ? right : node_add(s, OP_AND, left, right);
	}
	return left;
}

static int parse_or(struct parser *s)
{
	int left = parse_and(s);

	while (left >= 0 && take_word(s, "or")) {
		int right = parse_and(s);

		left = right < 0 ? right : node_add(s, OP_OR, left, right);
	}
	return left;
}

void filter_free(struct filter *f)
{
	if (!f)
		return;
	vec_each (n, &f->nodes) {
		vec_each (v, &n->values)
			free(*v);
		vec_free(&n->values);
		free(n->field);
	}
	vec_free(&f->nodes);
	free(f);
}

int filter_parse(const char *text, struct filter **ret, struct err *e)
{
	struct parser s = { .p = text, .f = xcalloc(1, sizeof(*s.f)), .e = e };
	int root = parse_or(&s);

	skip(&s);
	if (root >= 0 && *s.p)
		root = bad(&s, "something follows");
	if (root < 0) {
		filter_free(s.f);
		return root;
	}
	s.f->root = root;
	*ret = s.f;
	return 0;
}

const json_t *filter_member(const json_t *item, const char *path)
{
	while (item) {
		const char *dot = strchr(path, '.');
		char key[64];

		if (!dot)
			return json_object_get(item, path);
		if ((size_t)(dot - path) >= sizeof(key))
			return NULL;
		memcpy(key, path, (size_t)(dot - path));
		key[dot - path] = '\0';
		item = json_object_get(item, key);
		path = dot + 1;
	}
	return NULL;
}

/* "*" is any run of characters; every star but the last one tried is settled for good. */
static bool is_like(const char *text, const char *pattern)
{
	const char *star = NULL, *mark = NULL;

	while (*text) {
		if (*pattern == '*') {
			star = pattern++;
			mark = text;
		} else if (tolower((unsigned char)*pattern) == tolower((unsigned char)*text)) {
			pattern++;
			text++;
		} else if (star) {
			pattern = star + 1;
			text = ++mark;
		} else {
			return false;
		}
	}
	while (*pattern == '*')
		pattern++;
	return !*pattern;
}

static const char *text_of(const json_t *v, char *room, size_t size)
{
	if (json_is_string(v))
		return json_string_value(v);
	if (json_is_boolean(v))
		return json_is_true(v) ? "true" : "false";
	if (json_is_integer(v)) {
		(void)snprintf(room, size, "%" JSON_INTEGER_FORMAT, json_integer_value(v));
		return room;
	}
	if (json_is_real(v)) {
		(void)snprintf(room, size, "%g", json_real_value(v));
		return room;
	}
	return "";
}

static bool equals(const json_t *member, const char *value, bool no_pod_patterns)
{
	char room[40];

	if (no_pod_patterns && strchr(value, '*') && strstr(value, "::"))
		return false;
	if (json_is_array(member)) {
		for (size_t i = 0; i < json_array_size(member); i++)
			if (is_like(text_of(json_array_get(member, i), room, sizeof(room)), value))
				return true;
		return false;
	}
	return is_like(text_of(member, room, sizeof(room)), value);
}

static int order(const json_t *member, const char *value)
{
	char room[40];
	double a, b;

	if (!json_is_number(member))
		return strcasecmp(text_of(member, room, sizeof(room)), value);
	a = json_number_value(member);
	b = strtod(value, NULL);
	return (a > b) - (a < b);
}

static bool compare(const struct node *n, const json_t *member, bool no_pod_patterns)
{
	bool any = false;

	if (n->op == OP_EQ || n->op == OP_NE) {
		vec_each (v, &n->values)
			any |= equals(member, *v, no_pod_patterns);
		return any == (n->op == OP_EQ);
	}
	switch (n->op) {
	case OP_LT:
		return order(member, n->values.items[0]) < 0;
	case OP_GT:
		return order(member, n->values.items[0]) > 0;
	case OP_LE:
		return order(member, n->values.items[0]) <= 0;
	case OP_GE:
		return order(member, n->values.items[0]) >= 0;
	case OP_AND:
	case OP_OR:
	case OP_NOT:
	case OP_EQ:
	case OP_NE:
		break;
	}
	return false;
}

int filter_match(const struct filter *f, const json_t *item, bool no_pod_patterns, struct err *e)
{
	CLEANUP_FREE char *is = xcalloc(f->nodes.n, 1);

	/* A node stands behind those it refers to. */
	for (size_t i = 0; i < f->nodes.n; i++) {
		const struct node *n = &f->nodes.items[i];
		const json_t *member;

		if (n->op == OP_AND) {
			is[i] = is[n->left] && is[n->right];
		} else if (n->op == OP_OR) {
			is[i] = is[n->left] || is[n->right];
		} else if (n->op == OP_NOT) {
			is[i] = !is[n->left];
		} else {
			member = filter_member(item, n->field);
			if (!member)
				return err_set(e, -ENOENT, "Invalid filter: no field %s.",
					       n->field);
			is[i] = compare(n, member, no_pod_patterns);
		}
	}
	return is[f->root];
}
