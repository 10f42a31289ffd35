/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "agent/posts.h"

#include <inttypes.h>
#include <stdio.h>

#include "util/json.h"
#include "util/str.h"

static size_t skip_space(struct slice s, size_t at)
{
	while (at < s.n && str_is_space(s.p[at]))
		at++;
	return at;
}

/* The place after the text that begins at @at with a quote; 0: it has no end. */
static size_t end_of_text(struct slice s, size_t at)
{
	for (at++; at < s.n; at++) {
		if (s.p[at] == '\\')
			at++;
		else if (s.p[at] == '"')
			return at + 1;
	}
	return 0;
}

/* The place after the value that begins at @at; 0: it has no end. Objects and texts only: there is
 * nothing else where this is asked. */
static size_t end_of_value(struct slice s, size_t at)
{
	size_t depth = 0;

	while (at < s.n) {
		char c = s.p[at];

		if (c == '"') {
			at = end_of_text(s, at);
			if (!at)
				return 0;
		} else {
			depth += c == '{' || c == '[';
			if (c == '}' || c == ']')
				depth = depth ? depth - 1 : 0;
			at++;
		}
		if (depth == 0)
			return at;
	}
	return 0;
}

static bool expect(struct slice s, size_t *at, const char *literal)
{
	*at = skip_space(s, *at);
	if (!slice_starts(slice_from(s, *at), literal))
		return false;
	*at += strlen(literal);
	return true;
}

/* "KEY": and the value behind it. */
static bool member(struct slice s, size_t *at, const char *key, char first, struct slice *ret)
{
	size_t end;

	if (!expect(s, at, key) || !expect(s, at, ":"))
		return false;
	*at = skip_space(s, *at);
	if (*at >= s.n || s.p[*at] != first)
		return false;
	end = end_of_value(s, *at);
	if (!end)
		return false;
	*ret = (struct slice){ s.p + *at, end - *at };
	*at = end;
	return true;
}

bool posts_next(struct slice text, size_t *at, struct post *ret)
{
	size_t i = *at;
	struct post p;

	if (i == 0 && !(expect(text, &i, "{") && expect(text, &i, "\"posts\"") &&
			expect(text, &i, ":") && expect(text, &i, "[")))
		return false;
	if (*at != 0 && !expect(text, &i, ","))
		return false;
	if (!expect(text, &i, "{") || !member(text, &i, "\"path\"", '"', &p.path) ||
	    !expect(text, &i, ",") || !member(text, &i, "\"body\"", '{', &p.body) ||
	    !expect(text, &i, "}"))
		return false;
	p.path = (struct slice){ p.path.p + 1, p.path.n - 2 };
	*ret = p;
	*at = i;
	return true;
}

size_t posts_count(struct slice text)
{
	size_t at = 0, n = 0;
	struct post p;

	while (posts_next(text, &at, &p))
		n++;
	return n;
}

void posts_name(const struct post *p, char *ret, size_t size)
{
	static const char prefix[] = "/api/proxmox/";
	struct slice kind = p->path;
	json_t *body = NULL;
	const char *name;
	uint64_t vmid;

	if (slice_starts(kind, prefix))
		kind = slice_from(kind, strlen(prefix));
	(void)json_parse_bulk(p->body, "post", &body, NULL);
	name = json_str(body, "name");
	if (json_u64(body, "vmid", &vmid))
		(void)snprintf(ret, size, SLICE_FMT " %" PRIu64, SLICE_ARG(kind), vmid);
	else
		(void)snprintf(ret, size, SLICE_FMT " %s", SLICE_ARG(kind), name ? name : "?");
	json_decref(body);
}
