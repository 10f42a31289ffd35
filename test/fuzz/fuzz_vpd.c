/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "blk/vpd.h"

#include "fuzz_pve.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	CLEANUP_FREE char *page = exact_copy(data, n);
	char id[VPD_ID_MAX] = "";

	if (!vpd_naa((const uint8_t *)page, n, id)) {
		CHECK(*id == '\0' || strlen(id) == 16);
		return 0;
	}
	CHECK(strlen(id) == 16 || strlen(id) == 32);
	CHECK(strspn(id, "0123456789abcdef") == strlen(id));
	return 0;
}
