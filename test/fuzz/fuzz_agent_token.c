/* SPDX-License-Identifier: AGPL-3.0-or-later */

/* Any bytes as a token file: what is understood is written and read again as the same. */

#include "agent/token.h"

#include "fuzz_pve.h"

static bool same(const char *a, const char *b)
{
	return a == b || (a && b && strcmp(a, b) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	CLEANUP_FREE char *copy = exact_copy(data, n);
	CLEANUP(token_done) struct token t = {}, back = {}, text = {};
	CLEANUP(buf_done) struct buf out = {};

	if (token_of_text((struct slice){ copy, n }, &text, NULL) == 0)
		CHECK(!text.access[strcspn(text.access, " \r\n\t")]);
	if (token_parse((struct slice){ copy, n }, "file", &t, NULL) < 0)
		return 0;
	CHECK(token_is_there(&t));
	CHECK(!t.access || !t.access[strcspn(t.access, " \r\n\t")]);
	token_write(&t, &out);
	CHECK(token_parse(buf_slice(&out), "file", &back, NULL) == 0);
	CHECK(same(t.access, back.access) && same(t.refresh, back.refresh));
	CHECK(t.expires == back.expires && t.given_up == back.given_up && t.ready == back.ready);
	return 0;
}
