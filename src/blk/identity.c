/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "blk/identity.h"

#include <stdio.h>

#include "util/str.h"

/* NVMe has it at the disk, SCSI at the device below it. */
static bool read_wwid(const struct root *root, const char *name, struct buf *ret)
{
	static const char *const places[] = { "wwid", "device/wwid" };

	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		char path[320];

		(void)snprintf(path, sizeof(path), "sys/class/block/%s/%s", name, places[i]);
		if (root_read_line(root, path, ret) == 0 &&
		    !slice_empty(slice_trim(buf_slice(ret))))
			return true;
	}
	return false;
}

static const struct lvm_pv *pv_on(const struct lvm_report *lvm, struct devno dev)
{
	for (size_t i = 0; i < lvm->n_vgs; i++)
		for (size_t k = 0; k < lvm->vgs[i].n_pvs; k++) {
			const struct lvm_pv *pv = &lvm->vgs[i].pvs[k];

			if (pv->have_dev && !pv->missing && !pv->duplicate &&
			    devno_eq(pv->dev, dev))
				return pv;
		}
	return NULL;
}

void blk_identify(struct blk_identity *ret, struct devno dev, const struct dm_set *dm,
		  const struct sysblk *sys, const struct lvm_report *lvm, const struct root *root,
		  struct arena *a)
{
	CLEANUP(buf_done) struct buf wwid = {};
	const struct dm_dev *map = dm_set_find(dm, dev);
	const struct sysblk_dev *disk = sysblk_find(sys, dev);
	const struct lvm_pv *pv = pv_on(lvm, dev);

	*ret = (struct blk_identity){ .dev = dev };
	if (map && *map->uuid)
		ret->dm_uuid = arena_str(a, slice_of(map->uuid));
	if (disk && !disk->partition && read_wwid(root, disk->name, &wwid))
		ret->wwid = arena_str(a, slice_trim(buf_slice(&wwid)));
	if (pv)
		ret->pv_uuid = arena_str(a, slice_of(pv->uuid));
}

/* @found has the mark that was asked for: the only one so far, or the search is over. */
static bool narrow(struct devno *ret, bool *have, struct devno found)
{
	if (*have && !devno_eq(*ret, found))
		return false;
	*ret = found;
	*have = true;
	return true;
}

static bool by_dm_uuid(const char *uuid, const struct dm_set *dm, struct devno *ret, bool *have)
{
	for (size_t i = 0; i < dm->n; i++)
		if (strcmp(dm->items[i].uuid, uuid) == 0)
			return narrow(ret, have, dm->items[i].dev);
	return false;
}

static bool by_wwid(const char *wwid, const struct sysblk *sys, const struct root *root,
		    struct devno *ret, bool *have)
{
	CLEANUP(buf_done) struct buf text = {};
	size_t found = 0;

	for (size_t i = 0; i < sys->n; i++) {
		const struct sysblk_dev *d = &sys->items[i];

		if (d->partition || d->component || !read_wwid(root, d->name, &text) ||
		    !slice_eq(slice_trim(buf_slice(&text)), wwid))
			continue;
		if (!narrow(ret, have, d->dev))
			return false;
		found++;
	}
	return found == 1;
}

static bool by_pv_uuid(const char *uuid, const struct lvm_report *lvm, struct devno *ret,
		       bool *have)
{
	size_t found = 0;

	for (size_t i = 0; i < lvm->n_vgs; i++)
		for (size_t k = 0; k < lvm->vgs[i].n_pvs; k++) {
			const struct lvm_pv *pv = &lvm->vgs[i].pvs[k];

			if (strcmp(pv->uuid, uuid) != 0)
				continue;
			if (!pv->have_dev || pv->missing || pv->duplicate ||
			    !narrow(ret, have, pv->dev))
				return false;
			found++;
		}
	return found == 1;
}

bool blk_resolve(const struct blk_identity *id, const struct dm_set *dm, const struct sysblk *sys,
		 const struct lvm_report *lvm, const struct root *root, struct devno *ret)
{
	struct devno dev = {};
	bool have = false;

	if (id->dm_uuid && !by_dm_uuid(id->dm_uuid, dm, &dev, &have))
		return false;
	if (id->wwid && !by_wwid(id->wwid, sys, root, &dev, &have))
		return false;
	if (id->pv_uuid && !by_pv_uuid(id->pv_uuid, lvm, &dev, &have))
		return false;
	if (have)
		*ret = dev;
	return have;
}
