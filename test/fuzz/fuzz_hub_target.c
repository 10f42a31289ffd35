/* SPDX-License-Identifier: AGPL-3.0-or-later */

/* What a client writes behind the method: taken apart within its bounds, or refused. */

#include "hub/route.h"
#include "util/str.h"

#include "fuzz_pve.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP_FREE char *copy = exact_copy(data, size);
	struct route_match m;
	struct target t;

	if (target_parse((struct slice){ copy, size }, &t) == 0) {
		CHECK(t.path[0] == '/' && str_utf8_valid(slice_of(t.path)));
		for (size_t i = 0; i < t.n_segments; i++)
			CHECK(str_utf8_valid(slice_of(t.segments[i])));
		for (size_t i = 0; i < t.n_params; i++)
			CHECK(target_param(&t, t.params[i].key));
		if (route_find("GET", &t, &m) == 0)
			CHECK(m.route);
	}
	target_done(&t);
	return 0;
}
