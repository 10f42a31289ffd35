/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "dm/look.h"

static void judge(struct dm_look *l, const struct dm_options *o)
{
	dm_model_build(&l->model, &l->scan);
	l->verdicts = xcalloc(l->model.n, sizeof(*l->verdicts));
	dm_judge(&l->model, o, l->verdicts);
}

static int look(struct dm_look **ret, const struct dm_look *before, const struct root *root,
		const struct dm_options *o, struct err *e)
{
	struct dm_look *l = xcalloc(1, sizeof(*l));
	int r;

	r = before ? dm_scan_read_again(&l->scan, &before->scan, root, e)
		   : dm_scan_read(&l->scan, root, NULL, e);
	if (r < 0) {
		dm_scan_done(&l->scan);
		free(l);
		return r;
	}
	judge(l, o);
	*ret = l;
	return 0;
}

int dm_look_take(struct dm_look **ret, const struct root *root, const struct dm_options *o,
		 struct err *e)
{
	return look(ret, NULL, root, o, e);
}

int dm_look_again(struct dm_look **ret, const struct dm_look *before, const struct root *root,
		  const struct dm_options *o, struct err *e)
{
	return look(ret, before, root, o, e);
}

void dm_look_free(struct dm_look *l)
{
	if (!l)
		return;
	free(l->verdicts);
	dm_model_done(&l->model);
	dm_scan_done(&l->scan);
	free(l);
}

size_t dm_look_find(const struct dm_look *l, const struct dm_dev *d)
{
	const struct dm_dev *other = dm_set_find(&l->scan.dm, d->dev);

	if (!other || strcmp(other->uuid, d->uuid) != 0 || strcmp(other->name, d->name) != 0)
		return DM_NONE;
	return (size_t)(other - l->scan.dm.items);
}

bool dm_concerns(const struct dm_look *l, size_t i, uint32_t vmid)
{
	return l->verdicts[i].vmid == vmid || l->model.mappings[i].shape.vmid == vmid;
}
