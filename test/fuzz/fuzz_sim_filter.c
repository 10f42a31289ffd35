/* SPDX-License-Identifier: AGPL-3.0-or-later */

/*
 * Any text as the filter of a list: no crash, an answer for each object, and what is true of a
 * filter is untrue of its negation.
 */

#include "../sim/filter.h"
#include "util/buf.h"

#include "fuzz_pve.h"

static json_t *volume(void)
{
	return json_pack("{s:s, s:b, s:I, s:n, s:{s:s}, s:{s:n}, s:[s, s]}", "name",
			 "vg/vm-100-disk-0", "destroyed", 0, "provisioned", (json_int_t)1 << 30,
			 "priority", "volume_group", "name", "vg", "pod", "name", "iqns", "iqn.a",
			 "iqn.b");
}

static int ask(const char *text, const json_t *item, bool no_pod_patterns)
{
	struct err e = {};
	struct filter *f;
	int r = filter_parse(text, &f, &e);

	if (r < 0) {
		CHECK(e.text[0]);
		return r;
	}
	r = filter_match(f, item, no_pod_patterns, &e);
	CHECK(r == 0 || r == 1 || (r < 0 && e.text[0]));
	filter_free(f);
	return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	CLEANUP_FREE char *text = xcalloc(n + 1, 1);
	CLEANUP(buf_done) struct buf negated = {};
	json_t *item = volume();
	int plain, turned;

	memcpy(text, data, n);
	buf_addf(&negated, "not (%s)", text);
	plain = ask(text, item, false);
	turned = ask(buf_str(&negated), item, false);
	/* Two levels more may be too deep, and one node more too many. */
	if (plain >= 0 && turned >= 0)
		CHECK(plain != turned);
	(void)ask(text, item, true);
	json_decref(item);
	return 0;
}
