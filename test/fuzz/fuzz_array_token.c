/* SPDX-License-Identifier: AGPL-3.0-or-later */

/* Any bytes as what holds an array's tokens: of a session's file nothing is believed that could not
 * be a header or that never ends; of storage.cfg one line goes, and no other. */

#include "array/resttoken.h"
#include "array/tokenline.h"
#include "pve/sectionconf.h"

#include <errno.h>

#include "fuzz_pve.h"

enum { NOW = 1800000000, WEEK = 7 * 86400 };

static void check_session(struct slice text)
{
	struct resttoken t;

	if (resttoken_parse(text, &t, NULL) < 0)
		return;
	CHECK(t.auth[0] && t.created > 0 && t.ttl > 0);
	CHECK(strlen(t.auth) < sizeof(t.auth) && strlen(t.request_id) < sizeof(t.request_id));
	for (const char *p = t.auth; *p; p++)
		CHECK(*p > ' ' && *p <= '~');
	if (resttoken_usable(&t, NOW, 0, 800))
		CHECK(t.created > NOW - WEEK && t.created <= NOW + 3600);
}

static size_t count(struct slice text, struct arena *a, size_t *sections)
{
	CLEANUP(diags_done) struct diags diags = { .arena = a };
	struct section_file file;
	size_t options = 0;

	section_file_parse(&file, "storage.cfg", text, a, &diags);
	for (size_t i = 0; i < file.n_sections; i++)
		options += file.sections[i].n_options;
	*sections = file.n_sections;
	return options;
}

/* @left is @text without one line, newline included. */
static void check_one_line(struct slice text, struct slice left)
{
	size_t at = 0, gone = text.n - left.n;

	CHECK(left.n < text.n);
	while (at < left.n && left.p[at] == text.p[at])
		at++;
	CHECK(memcmp(text.p + at + gone, left.p + at, left.n - at) == 0);
	for (size_t i = 1; i < gone; i++)
		CHECK(text.p[at + i - 1] != '\n' || !memchr(text.p + at + i, '\n', gone - i));
}

static void check_line(struct slice text, struct arena *a)
{
	CLEANUP(buf_done) struct buf left = {};
	struct tokenline found;
	size_t before, after;
	int r;

	if (tokenline_find(&found, text, "pure", a, NULL) < 0 || !found.line)
		return;
	r = tokenline_cut(text, "pure", found.token, &left, a, NULL);
	CHECK(r == 0 || r == -EINVAL);
	check_one_line(text, buf_slice(&left));
	if (r == 0)
		CHECK(count(text, a, &before) == count(buf_slice(&left), a, &after) + 1 &&
		      before == after);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	CLEANUP_FREE char *copy = exact_copy(data, n);
	CLEANUP(arena_done) struct arena a = {};
	struct slice text = { copy, n };

	check_session(text);
	check_line(text, &a);
	return 0;
}
