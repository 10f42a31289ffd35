/* SPDX-License-Identifier: AGPL-3.0-or-later */

/* Any bytes as multipath.conf: every value has a section, a key and its place. */

#include "array/mpconf.h"

#include "fuzz_pve.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	CLEANUP_FREE char *copy = exact_copy(data, n);
	CLEANUP(arena_done) struct arena a = {};
	CLEANUP(mpconf_done) struct mpconf c = {};

	mpconf_parse(&c, (struct slice){ copy, n }, &a);
	CHECK(c.n <= MPCONF_MAX);
	for (size_t i = 0; i < c.n; i++) {
		CHECK(c.items[i].section && *c.items[i].key && c.items[i].value);
		CHECK(c.items[i].group && c.items[i].group <= c.groups);
		CHECK(mpconf_get(&c, c.items[i].section, c.items[i].key));
	}
	(void)mpconf_device(&c, "devices/device", "pure", "no_path_retry");
	return 0;
}
