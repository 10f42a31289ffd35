/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "watch/conf_syntax.h"

#include "util/str.h"

void conf_reader_done(struct conf_reader *r)
{
	buf_done(&r->text);
	buf_done(&r->block);
	buf_done(&r->key);
	buf_done(&r->value);
}

static bool take_line(struct conf_reader *r, struct slice *ret)
{
	if (!slice_split(&r->rest, '\n', ret))
		return false;
	r->line++;
	return true;
}

static void cut(struct buf *b, size_t len)
{
	b->len = len;
	b->data[len] = '\0';
}

/* A comment begins at '#' behind nothing or a blank; what stands before @from was looked at. */
static void cut_comment(struct buf *b, size_t from)
{
	for (size_t i = from; i < b->len; i++) {
		if (b->data[i] == '#' && (i == 0 || str_is_space(b->data[i - 1]))) {
			cut(b, i);
			return;
		}
	}
}

/* One line with those that continue it. A comment ends its own line only. */
static bool take_logical_line(struct conf_reader *r)
{
	struct slice line;

	buf_reset(&r->text);
	if (!take_line(r, &line))
		return false;
	for (;;) {
		size_t from = r->text.len;

		buf_add(&r->text, line.p, line.n);
		cut_comment(&r->text, from);
		if (!r->text.len || r->text.data[r->text.len - 1] != '\\')
			return true;
		cut(&r->text, r->text.len - 1);
		if (!take_line(r, &line))
			return true;
	}
}

/* "\#" is a '#' that begins no comment. */
static void unescape(struct buf *b)
{
	size_t to = 0;

	if (!b->len)
		return;
	for (size_t i = 0; i < b->len; i++) {
		if (b->data[i] == '\\' && i + 1 < b->len && b->data[i + 1] == '#')
			continue;
		b->data[to++] = b->data[i];
	}
	cut(b, to);
}

static size_t span_word(struct slice s)
{
	size_t n = 0;

	while (n < s.n && !str_is_space(s.p[n]) && s.p[n] != '=')
		n++;
	return n;
}

static struct slice ltrim(struct slice s)
{
	while (s.n && str_is_space(*s.p))
		s = slice_from(s, 1);
	return s;
}

/* "<<WORD", "<<'WORD'": the word that ends the document. */
static bool is_boundary(struct slice s, struct slice *ret)
{
	s = ltrim(s);
	if (!slice_starts(s, "<<"))
		return false;
	s = slice_from(s, 2);
	for (size_t i = 0; i < s.n; i++)
		if (str_is_space(s.p[i]))
			return false;
	if (s.n >= 3 && (*s.p == '\'' || *s.p == '"') && s.p[s.n - 1] == *s.p)
		s = (struct slice){ s.p + 1, s.n - 2 };
	*ret = s;
	return s.n > 0;
}

/* AppConfig has hashes too: "word = <<END" as a value keeps its "word =". */
static bool is_here_document(struct slice value, struct slice *head, struct slice *boundary)
{
	size_t word = span_word(value);
	struct slice rest = ltrim(slice_from(value, word));

	*head = (struct slice){ value.p, 0 };
	if (word && slice_starts(rest, "=") && is_boundary(slice_from(rest, 1), boundary)) {
		head->n = (size_t)(rest.p + 1 - value.p);
		return true;
	}
	return is_boundary(value, boundary);
}

/* False if the text ends before the document does. */
static bool take_here_document(struct conf_reader *r, struct slice head, struct slice boundary)
{
	struct slice line;
	bool ended = false;

	buf_add(&r->value, head.p, head.n);
	while (!ended && take_line(r, &line)) {
		ended = slice_eq2(line, boundary);
		if (ended)
			break;
		buf_add(&r->value, line.p, line.n);
		buf_addc(&r->value, '\n');
	}
	if (r->value.len > head.n)
		cut(&r->value, r->value.len - 1);
	if (r->value.len > head.n && r->value.data[r->value.len - 1] == '\r')
		cut(&r->value, r->value.len - 1);
	return ended;
}

static struct slice unquote(struct slice s)
{
	if (s.n >= 2 && (*s.p == '"' || *s.p == '\'') && s.p[s.n - 1] == *s.p)
		return (struct slice){ s.p + 1, s.n - 2 };
	return s;
}

static void take_value(struct conf_reader *r, struct slice value, struct conf_item *ret)
{
	struct slice head, boundary;

	if (!is_here_document(value, &head, &boundary)) {
		ret->value = unquote(value);
		return;
	}
	if (!take_here_document(r, head, boundary)) {
		ret->kind = CONF_BAD;
		ret->problem = "expected the end of the here-document";
	}
	ret->value = buf_slice(&r->value);
}

static void take_pair(struct conf_reader *r, struct slice line, struct conf_item *ret)
{
	size_t n = span_word(line);
	struct slice key = { line.p, n }, value = ltrim(slice_from(line, n));
	bool plus = slice_starts(key, "+") && n == line.n;

	if (!n) {
		ret->kind = CONF_BAD;
		ret->problem = "expected key=value";
		return;
	}
	if (slice_starts(value, "="))
		value = ltrim(slice_from(value, 1));
	if (slice_starts(key, "-"))
		ret->kind = CONF_RESET;
	if (*key.p == '-' || *key.p == '+')
		key = slice_from(key, 1);
	buf_reset(&r->key);
	if (r->block.len) {
		buf_add(&r->key, r->block.data, r->block.len);
		buf_addc(&r->key, '_');
	}
	buf_add(&r->key, key.p, key.n);
	ret->key = buf_slice(&r->key);
	buf_reset(&r->value);
	take_value(r, plus ? SLICE("1") : value, ret);
}

static bool take_block(struct conf_reader *r, struct slice line)
{
	if (line.n < 3 || *line.p != '[' || slice_find(line, ']') != line.n - 1)
		return false;
	buf_reset(&r->block);
	buf_add(&r->block, line.p + 1, line.n - 2);
	return true;
}

bool conf_next(struct conf_reader *r, struct conf_item *ret)
{
	for (;;) {
		struct slice line;

		*ret = (struct conf_item){ .line = r->line + 1 };
		if (!take_logical_line(r))
			return false;
		unescape(&r->text);
		line = slice_trim(buf_slice(&r->text));
		if (slice_empty(line) || take_block(r, line))
			continue;
		take_pair(r, line, ret);
		return true;
	}
}
