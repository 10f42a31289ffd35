/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include <inttypes.h>
#include <stdio.h>

#include "target.h"

/*
 * LIO: a file is a backstore with the serial in its VPD page, so that the wwid is 3624a9370 and the
 * serial; a LUN of the target's portal group refers to it; an initiator's ACL gives that LUN the
 * number that the array told.
 */

static const char STORES[] = "target/core/fileio_0";

static char *group_path(const struct sim_array *a, const char *below)
{
	return configfs_path("target/iscsi/%s/tpgt_1%s", a->iqn, below);
}

static void set(struct target *t, const char *folder, const char *key, const char *value)
{
	CLEANUP_FREE char *path = configfs_path("%s/%s", folder, key);

	(void)configfs_value(&t->fs, path, value);
}

static void open_array(struct target *t, const struct sim_array *a)
{
	CLEANUP_FREE char *target = configfs_path("target/iscsi/%s", a->iqn);
	CLEANUP_FREE char *group = group_path(a, "");

	(void)configfs_folder(&t->fs, "target/iscsi");
	(void)configfs_folder(&t->fs, target);
	(void)configfs_folder(&t->fs, group);
	set(t, group, "attrib/authentication", "0");
	vec_each (portal, &a->portals.list) {
		CLEANUP_FREE char *np = configfs_path("%s/np/%s", group, *portal);

		(void)configfs_folder(&t->fs, np);
	}
	set(t, group, "enable", "1");
}

static void close_array(struct target *t, const struct sim_array *a)
{
	CLEANUP_FREE char *target = configfs_path("target/iscsi/%s", a->iqn);
	CLEANUP_FREE char *group = group_path(a, "");

	set(t, group, "enable", "0");
	vec_each (portal, &a->portals.list) {
		CLEANUP_FREE char *np = configfs_path("%s/np/%s", group, *portal);

		configfs_remove(&t->fs, np);
	}
	configfs_remove(&t->fs, group);
	configfs_remove(&t->fs, target);
}

/* Without an ACL it could not log in, and would not see what is connected later. */
static void host(struct target *t, const struct sim_array *a, const char *initiator)
{
	CLEANUP_FREE char *group = group_path(a, "");
	CLEANUP_FREE char *acl = configfs_path("%s/acls/%s", group, initiator);

	(void)configfs_folder(&t->fs, acl);
}

static void host_gone(struct target *t, const struct sim_array *a, const char *initiator)
{
	CLEANUP_FREE char *group = group_path(a, "");
	CLEANUP_FREE char *acl = configfs_path("%s/acls/%s", group, initiator);

	configfs_remove(&t->fs, acl);
}

static char *store_path(const char *serial)
{
	return configfs_path("%s/v%s", STORES, serial);
}

static void make_store(struct target *t, const struct sim_volume *v, const char *file)
{
	CLEANUP_FREE char *store = store_path(v->serial);
	CLEANUP_FREE char *control =
		configfs_path("fd_dev_name=%s,fd_dev_size=%" PRIu64, file, v->size);
	CLEANUP_FREE char *serial = configfs_path("0%s", v->serial);

	for (char *c = serial; *c; c++)
		*c = (char)(*c >= 'A' && *c <= 'F' ? *c + 'a' - 'A' : *c);
	(void)configfs_folder(&t->fs, STORES);
	(void)configfs_folder(&t->fs, store);
	set(t, store, "control", control);
	set(t, store, "wwn/vendor_id", "PURE");
	set(t, store, "wwn/product_id", "FlashArray");
	set(t, store, "wwn/company_id", "0x24a937");
	set(t, store, "wwn/vpd_unit_serial", serial);
	set(t, store, "enable", "1");
}

static void show(struct target *t, const struct sim_array *a, const struct sim_volume *v,
		 unsigned int number, const char *file, bool first)
{
	CLEANUP_FREE char *group = group_path(a, "");
	CLEANUP_FREE char *lun = configfs_path("%s/lun/lun_%u", group, number);
	CLEANUP_FREE char *link = configfs_path("%s/volume", lun);
	CLEANUP_FREE char *store = store_path(v->serial);

	if (first)
		make_store(t, v, file);
	(void)configfs_folder(&t->fs, lun);
	(void)configfs_link(&t->fs, link, store);
}

static void hide(struct target *t, const struct sim_array *a, const struct target_shown *v,
		 bool last)
{
	CLEANUP_FREE char *group = group_path(a, "");
	CLEANUP_FREE char *lun = configfs_path("%s/lun/lun_%u", group, v->number);
	CLEANUP_FREE char *link = configfs_path("%s/volume", lun);
	CLEANUP_FREE char *store = store_path(v->serial);

	configfs_unlink(&t->fs, link);
	configfs_remove(&t->fs, lun);
	if (last)
		configfs_remove(&t->fs, store);
}

static char *mapped_path(const struct sim_array *a, const char *initiator, unsigned int lun)
{
	CLEANUP_FREE char *group = group_path(a, "");

	return configfs_path("%s/acls/%s/lun_%u", group, initiator, lun);
}

static void map(struct target *t, const struct sim_array *a, const char *initiator,
		const struct sim_connection *c, unsigned int number)
{
	CLEANUP_FREE char *group = group_path(a, "");
	CLEANUP_FREE char *lun = configfs_path("%s/lun/lun_%u", group, number);
	CLEANUP_FREE char *mapped = mapped_path(a, initiator, c->lun);
	CLEANUP_FREE char *link = configfs_path("%s/volume", mapped);

	host(t, a, initiator);
	(void)configfs_folder(&t->fs, mapped);
	(void)configfs_link(&t->fs, link, lun);
}

static void unmap(struct target *t, const struct sim_array *a, const char *initiator,
		  const struct sim_connection *c)
{
	CLEANUP_FREE char *mapped = mapped_path(a, initiator, c->lun);
	CLEANUP_FREE char *link = configfs_path("%s/volume", mapped);

	configfs_unlink(&t->fs, link);
	configfs_remove(&t->fs, mapped);
}

/* Of a regular file the kernel believes what it was told, not what stat() says. */
static void resize(struct target *t, const struct sim_volume *v, const char *file)
{
	CLEANUP_FREE char *store = store_path(v->serial);
	CLEANUP_FREE char *control = configfs_path("fd_dev_size=%" PRIu64, v->size);

	(void)file;
	set(t, store, "control", control);
}

const struct target_kind target_lio = {
	.name = "lio",
	.initiators = SIM_IQN,
	.open = open_array,
	.close = close_array,
	.host = host,
	.host_gone = host_gone,
	.show = show,
	.hide = hide,
	.map = map,
	.unmap = unmap,
	.resize = resize,
};
