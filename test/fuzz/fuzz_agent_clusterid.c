/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "agent/clusterid.h"

#include "fuzz_pve.h"
#include "util/str.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	CLEANUP_FREE char *copy = exact_copy(data, n);
	struct slice text = { copy, n };
	char id[CLUSTERID_MAX], again[CLUSTERID_MAX];
	bool known = clusterid_of(text, id);

	CHECK(known == (*id != '\0'));
	CHECK(!known || strlen(id) == 36 || (strlen(id) == 19 && strncmp(id, "ca:", 3) == 0));
	CHECK(strspn(id, "0123456789abcdef-:") == strlen(id));
	(void)clusterid_of(text, again);
	CHECK(strcmp(id, again) == 0);
	return 0;
}
