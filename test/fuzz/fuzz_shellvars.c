/* SPDX-License-Identifier: AGPL-3.0-or-later */

/* Any bytes as lines of a shell script: no crash, and what a shell would compute is never a value.
 */

#include "util/shellvars.h"

#include "fuzz_pve.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	CLEANUP_FREE char *copy = exact_copy(data, n);
	CLEANUP(arena_done) struct arena a = {};
	struct diags diags = { .arena = &a };
	struct shellvar vars[] = { { "A" }, { "SMTP_PASSWORD" } };

	shellvars_read((struct slice){ copy, n }, "file", n % 2, vars, ARRAY_SIZE(vars), &a,
		       &diags);
	for (size_t i = 0; i < ARRAY_SIZE(vars); i++)
		CHECK(!vars[i].value || vars[i].line);
	/* What is a value is the whole of it: nothing was cut off at a NUL. */
	for (size_t i = 0; i < diags.n; i++)
		CHECK(*diags.items[i].text);
	diags_done(&diags);
	return 0;
}
