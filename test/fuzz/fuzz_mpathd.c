/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "blk/mpathd.h"

#include "fuzz_pve.h"
#include "util/str.h"

/* A reply of multipathd's, its configuration, or the list of known WWIDs. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	CLEANUP_FREE char *text = exact_copy(data, n);
	struct slice all = { text, n };
	enum mpathd_answer answer = mpathd_answer(all);

	CHECK(answer >= MPATHD_OK && answer <= MPATHD_OTHER);
	if (answer == MPATHD_OK)
		CHECK(n >= 2);
	(void)mpathd_wants_wwids(all);
	CHECK(!mpathd_wwid_listed(all, ""));
	if (mpathd_wwid_listed(all, "3624a9370aa"))
		CHECK(n >= strlen("/3624a9370aa/"));
	return 0;
}
