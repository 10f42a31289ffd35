/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "array/diskname.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "util/str.h"

static bool starts(const char *s, const char *head)
{
	return strncmp(s, head, strlen(head)) == 0;
}

void diskname_take(struct diskname_taken *t, const char *volname)
{
	struct array_volname v;
	uint32_t number;

	if (!array_volname_parse(volname, &v) || v.vmid != t->vmid || !starts(v.rest, "disk-"))
		return;
	if (str_to_u32(slice_of(v.rest + strlen("disk-")), &number) && number < DISKNAME_COUNT)
		t->bits[number / 64] |= UINT64_C(1) << (number % 64);
}

int diskname_next(const struct diskname_taken *t, char ret[DISKNAME_MAX], struct err *e)
{
	for (unsigned int i = 0; i < DISKNAME_COUNT; i++) {
		if (t->bits[i / 64] & UINT64_C(1) << (i % 64))
			continue;
		(void)snprintf(ret, DISKNAME_MAX, "vm-%" PRIu32 "-disk-%u", t->vmid, i);
		return 0;
	}
	return err_set(e, -ENOSPC,
		       "guest %" PRIu32 " has all of its %d disk numbers in use; destroyed volumes "
		       "count until the array eradicates them (purevol eradicate)",
		       t->vmid, DISKNAME_COUNT);
}

int diskname_given(const char *volname, uint32_t vmid, struct err *e)
{
	struct array_volname v;

	if (array_volname_parse(volname, &v) && !v.base && v.vmid == vmid)
		return 0;
	return err_set(e, -EINVAL, "name '%.100s': expected vm-%" PRIu32 "-NAME", volname, vmid);
}

bool diskname_is_remade(const char *volname)
{
	struct array_volname v;

	if (!array_volname_parse(volname, &v) || v.base)
		return false;
	return strcmp(v.rest, "cloudinit") == 0 || starts(v.rest, "state-") ||
	       starts(v.rest, "fleece-");
}
