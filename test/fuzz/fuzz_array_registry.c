/* SPDX-License-Identifier: AGPL-3.0-or-later */

/* Any bytes as the registry: all of it is understood, and is then the same when it is written and
 * read again, or none of it is. */

#include <errno.h>

#include "array/registry_file.h"
#include "util/buf.h"

#include "fuzz_pve.h"

static void check_again(const struct registry_entries *entries)
{
	CLEANUP(buf_done) struct buf one = {}, two = {};
	CLEANUP(arena_done) struct arena a = {};
	struct registry_entries again = {};

	registry_print(entries, "boot", &one);
	CHECK(registry_parse(&again, buf_slice(&one), "boot", &a, NULL) == 0);
	registry_print(&again, "boot", &two);
	CHECK(one.len == two.len && memcmp(one.data, two.data, one.len) == 0);
	vec_free(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	CLEANUP_FREE char *copy = exact_copy(data, n);
	CLEANUP(arena_done) struct arena a = {};
	struct registry_entries entries = {};
	struct err e = {};
	int ret = registry_parse(&entries, (struct slice){ copy, n }, "boot", &a, &e);

	CHECK(ret == 0 || (ret == -EBADMSG && *e.text));
	if (ret == 0) {
		vec_each (it, &entries)
			CHECK(array_serial_ok(it->serial));
		check_again(&entries);
	}
	vec_free(&entries);
	return 0;
}
