/* SPDX-License-Identifier: AGPL-3.0-or-later */

/* Any bytes as a guest's record; what is understood comes back the same. The first byte chooses
 * HA's files instead. */

#include <stdint.h>
#include <stdlib.h>

#include "pve/ha.h"
#include "watch/record.h"

static void record(struct slice text)
{
	CLEANUP(buf_done) struct buf once = {}, twice = {};
	struct watch_record r, again;

	if (watch_record_parse(&r, text, NULL) < 0)
		return;
	watch_record_format(&r, 100, &once);
	if (watch_record_parse(&again, buf_slice(&once), NULL) < 0)
		abort();
	watch_record_format(&again, 100, &twice);
	if (strcmp(buf_str(&once), buf_str(&twice)) != 0)
		abort();
}

static void services(struct slice text)
{
	const char *end = text.n ? memchr(text.p, '\0', text.n) : NULL;
	size_t n = end ? (size_t)(end - text.p) : text.n;
	struct slice resources = { text.p, n }, status = { end ? end + 1 : "", 0 };
	struct ha_service s;

	if (end)
		status.n = text.n - n - 1;
	(void)ha_service_parse(&s, resources, status, GUEST_QEMU, 100, 1000, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct slice text = { (const char *)data + 1, n ? n - 1 : 0 };

	if (n == 0)
		return 0;
	if (data[0] == 'h')
		services(text);
	else
		record(text);
	return 0;
}
