/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "pve/prop.h"

#include "fuzz_pve.h"
#include "util/str.h"

static void check_props(struct slice text)
{
	struct slice rest = text, found;
	struct prop p;

	while (prop_next(&rest, &p)) {
		CHECK(lies_in(p.key, text) && lies_in(p.value, text) && lies_in(rest, text));
		CHECK(!p.key.n || !memchr(p.key.p, '=', p.key.n));
		CHECK(!memchr(p.value.p, ',', p.value.n));
	}
	if (prop_get(text, "file", "file", &found))
		CHECK(lies_in(found, text));
}

static void check_lists(struct slice text)
{
	struct slice rest = text, one;

	while (list_next(&rest, &one))
		CHECK(one.n && lies_in(one, text) && !memchr(one.p, ';', one.n));
}

static void check_volid(struct slice text)
{
	struct volid v;

	if (!volid_parse(text, &v))
		return;
	CHECK(storage_id_valid(v.storage) && v.volname.n);
	CHECK(v.storage.n + 1 + v.volname.n == text.n);
	CHECK(lies_in(v.storage, text) && lies_in(v.volname, text));
}

static void check_decode(struct slice text)
{
	CLEANUP(buf_done) struct buf out = {};
	size_t percents = 0;

	percent_decode(text, &out);
	for (size_t i = 0; i < text.n; i++)
		percents += text.p[i] == '%';
	CHECK(out.len <= text.n && out.len + 2 * percents >= text.n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	CLEANUP_FREE char *copy = exact_copy(data, n);
	struct slice text = { copy, n };
	bool b;

	check_props(text);
	check_lists(text);
	check_volid(text);
	check_decode(text);
	if (prop_bool(text, &b))
		CHECK(n && n <= 5);
	return 0;
}
