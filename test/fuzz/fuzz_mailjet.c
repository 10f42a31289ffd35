/* SPDX-License-Identifier: AGPL-3.0-or-later */

/* Any bytes as Mailjet's answer: no crash, and only a success of its own is one. */

#include "pve/mailjet.h"

#include "fuzz_pve.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	CLEANUP_FREE char *copy = exact_copy(data, n);
	struct slice answer = { copy, n };
	struct err e = {};

	if (mailjet_verdict(200, answer, &e) == 0)
		CHECK(memmem(copy, n, "success", 7) || memmem(copy, n, "\\u", 2));
	else
		CHECK(*e.text);
	CHECK(mailjet_verdict(401, answer, &e) < 0);
	return 0;
}
