/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * What a block device is, in terms that outlive its number: minors are given away again at once, so
 * that "7:0" of a minute ago may be another disk now (decisions 28).
 */

#include "blk/lvmreport.h"
#include "blk/sysblk.h"

struct blk_identity {
	struct devno dev;    /* when it was looked at */
	const char *dm_uuid; /* of a device-mapper device; NULL, as the others, if there is none */
	const char *wwid;    /* of a whole disk, as /sys has it */
	const char *pv_uuid; /* of the physical volume on it */
};

/* All that is known of device @dev now. Texts are @a's. */
void blk_identify(struct blk_identity *ret, struct devno dev, const struct dm_set *dm,
		  const struct sysblk *sys, const struct lvm_report *lvm, const struct root *root,
		  struct arena *a);

/* The one device of today that has every mark of @id. False: @id has none, or no device or several
 * have them. */
bool blk_resolve(const struct blk_identity *id, const struct dm_set *dm, const struct sysblk *sys,
		 const struct lvm_report *lvm, const struct root *root, struct devno *ret);
