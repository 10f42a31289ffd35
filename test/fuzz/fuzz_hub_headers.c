/* SPDX-License-Identifier: AGPL-3.0-or-later */

/* Any bytes as an Authorization header, a Cookie header, a form's body, a token and a code that a
 * person types: no crash, and what comes out lies within what went in. */

#include "hub/auth_inside.h"

#include "fuzz_pve.h"
#include "util/str.h"

static void check_form(struct slice body)
{
	char value[16];

	if (token_form_value(body, "a", value, sizeof(value)))
		CHECK(strlen(value) < sizeof(value) && str_utf8_valid(slice_of(value)));
	else
		CHECK(!value[0]);
}

static void check_code(const char *text)
{
	char code[AUTH_CODE_LEN + 1], again[AUTH_CODE_LEN + 1];

	if (!auth_read_code(text, code))
		return;
	CHECK(strlen(code) == AUTH_CODE_LEN);
	CHECK(auth_read_code(code, again) && strcmp(code, again) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	CLEANUP_FREE char *copy = exact_copy(data, n);
	CLEANUP(buf_done) struct buf text = {};
	uint8_t hash[STORE_HASH];
	char org[STORE_ORG_MAX];
	struct slice found;

	check_form((struct slice){ copy, n });
	if (token_text_read((struct slice){ copy, n }, org, hash))
		CHECK(strlen(org) == STORE_ORG_MAX - 1);
	buf_add(&text, copy, n);
	found = token_bearer(buf_str(&text));
	CHECK(!found.n || lies_in(found, buf_slice(&text)));
	found = token_cookie(buf_str(&text), AUTH_SESSION_COOKIE);
	CHECK(!found.n || lies_in(found, buf_slice(&text)));
	check_code(buf_str(&text));
	return 0;
}
