/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "blk/nvme.h"
#include "blk/scsi.h"

#include "fuzz_pve.h"
#include "util/str.h"

/* Lines of /sys: an address, an NGUID, a controller's address. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	CLEANUP_FREE char *text = exact_copy(data, n);
	struct slice all = { text, n };
	char nguid[NVME_NGUID_MAX], again[NVME_NGUID_MAX], address[64], shown[64];
	struct scsi_address at, back;

	if (scsi_address_parse(all, &at)) {
		(void)snprintf(shown, sizeof(shown), SCSI_ADDRESS_FMT, SCSI_ADDRESS_ARG(at));
		CHECK(scsi_address_parse(slice_of(shown), &back) && scsi_address_eq(&at, &back));
	}
	if (nvme_nguid_parse(all, nguid)) {
		CHECK(strlen(nguid) == 32 && strspn(nguid, "0123456789abcdef") == 32);
		CHECK(nvme_nguid_parse(slice_of(nguid), again) && strcmp(nguid, again) == 0);
	}
	if (nvme_address_parse(all, address))
		CHECK(strlen(address) < sizeof(address) && strchr(address, ':'));
	return 0;
}
