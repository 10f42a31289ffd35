/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "hub/store_digest.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Any bytes, at their exact size: what reads past them is seen. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *copy = xmalloc(size ? size : 1);
	struct digest d;

	memcpy(copy, data, size);
	digest_document((struct slice){ copy, size }, "pve1", &d);
	digest_done(&d);
	free(copy);
	return 0;
}
