/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "array/map_lvm.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define MAP   "mpath-3624a93700123456789abcdef00011001"
#define OTHER "mpath-3624a93700123456789abcdef00011002"
#define VG    "LVM-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define ROOT  VG "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define POOL  VG "cccccccccccccccccccccccccccccccc-tpool"
#define DATA  VG "dddddddddddddddddddddddddddddddd-tdata"

enum { DISK = 8, DM = 254 };

struct world {
	struct dm_dev items[80];
	struct devno deps[80][2];
	struct dm_set all;
};

static struct devno dm(uint32_t minor)
{
	return (struct devno){ DM, minor };
}

/* Minor number i, on one or two others, and counted as open there. */
static struct dm_dev *add(struct world *w, const char *uuid, struct devno on, struct devno on2)
{
	size_t i = w->all.n++;
	struct dm_dev *d = &w->items[i];

	w->all.items = w->items;
	w->deps[i][0] = on;
	w->deps[i][1] = on2;
	*d = (struct dm_dev){ .name = "x", .uuid = uuid, .dev = dm((uint32_t)i) };
	d->deps = w->deps[i];
	d->n_deps = devno_eq(on, on2) ? 1 : 2;
	for (size_t k = 0; k < d->n_deps; k++)
		if (d->deps[k].major == DM)
			w->items[d->deps[k].minor].open_count++;
	return d;
}

static struct dm_dev *add_on(struct world *w, const char *uuid, struct devno on)
{
	return add(w, uuid, on, on);
}

static const struct devno disk = { DISK, 0 };

/* 0 and 1: two volumes' maps; 2: a partition of the first. */
static struct world volumes(void)
{
	struct world w = {};

	(void)add_on(&w, MAP, disk);
	(void)add_on(&w, OTHER, disk);
	(void)add_on(&w, "part1-" MAP, dm(0));
	w.all.items = NULL;
	return w;
}

static const struct map_lvm_base map = { .uuid = MAP };

static void found_on(struct world *w, const struct map_lvm_base *base, size_t n)
{
	struct map_lvm lvm;

	w->all.items = w->items;
	for (size_t i = 0; i < w->all.n; i++)
		w->items[i].deps = w->deps[i];
	assert_int_equal(map_lvm_idle(&w->all, base, &lvm), n > 0);
	if (n)
		assert_int_equal(lvm.n, n);
}

static void found(struct world *w, size_t n)
{
	found_on(w, &map, n);
}

static void what_nobody_has_open_goes(void **state)
{
	struct world w = volumes();

	(void)state;
	found(&w, 0);
	(void)add_on(&w, ROOT, dm(2));
	found(&w, 1);
	/* A guest runs with the map; the volume itself is mounted; its table is being changed. */
	w.items[0].open_count++;
	found(&w, 0);
	w.items[0].open_count--;
	w.items[3].open_count++;
	found(&w, 0);
	w.items[3].open_count--;
	w.items[3].suspended = true;
	found(&w, 0);
	w.items[3].suspended = false;
	w.items[3].inactive_table = true;
	found(&w, 0);
	w.items[3].inactive_table = false;
	/* The partition is open to more than it. */
	w.items[2].open_count++;
	found(&w, 0);
}

static void only_what_is_lvms(void **state)
{
	struct world w = volumes();

	(void)state;
	(void)add_on(&w, ROOT, dm(0));
	found(&w, 1);
	(void)add_on(&w, "CRYPT-LUKS2-x", dm(3));
	found(&w, 0);
}

static void only_on_volumes(void **state)
{
	struct world spread = volumes(), local = volumes();

	(void)state;
	(void)add(&spread, ROOT, dm(0), dm(1));
	found(&spread, 1);
	(void)add(&local, ROOT, dm(0), disk);
	found(&local, 0);
}

static void from_the_top(void **state)
{
	struct world w = volumes();
	struct map_lvm lvm;

	(void)state;
	(void)add_on(&w, DATA, dm(0));
	(void)add_on(&w, POOL, dm(3));
	(void)add(&w, ROOT, dm(4), dm(0));
	found(&w, 3);
	assert_true(map_lvm_idle(&w.all, &map, &lvm));
	assert_string_equal(lvm.items[0]->uuid, ROOT);
	assert_string_equal(lvm.items[1]->uuid, POOL);
	assert_string_equal(lvm.items[2]->uuid, DATA);
	found_on(&w, &(struct map_lvm_base){ .uuid = OTHER }, 0);
	found_on(&w, &(struct map_lvm_base){ .uuid = "mpath-3624a937" }, 0);
}

/* A cache and a RAID write what they know of their disks when they go, over what the guest has
 * written there since. */
static void only_what_writes_nothing(void **state)
{
	static const struct {
		const char *types[2];
		bool goes;
	} rows[] = {
		{ { "linear", "striped" }, true },
		{ { "thin-pool", "thin" }, true },
		{ { "snapshot-origin" }, true },
		{ { "snapshot" }, true },
		{ { "error", "zero" }, true },
		{ { "raid" }, false },
		{ { "linear", "cache" }, false },
		{ { "writecache" }, false },
		{ { "mirror" }, false },
		{ { "vdo" }, false },
		{ { "snapshot-merge" }, false },
		{ { "integrity" }, false },
		{ { "of-a-kernel-to-come" }, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct dm_target targets[2] = { { .type = rows[i].types[0] },
						{ .type = rows[i].types[1] } };
		struct world w = volumes();
		struct map_lvm lvm;

		(void)add_on(&w, ROOT, dm(0));
		w.items[3].targets = targets;
		w.items[3].n_targets = rows[i].types[1] ? 2 : 1;
		found(&w, rows[i].goes ? 1 : 0);
		(void)map_lvm_idle(&w.all, &map, &lvm);
		assert_true(lvm.writes == !rows[i].goes);
		w.items[3].uuid = "CRYPT-LUKS2-x";
		assert_false(map_lvm_idle(&w.all, &map, &lvm));
		assert_false(lvm.writes);
	}
}

static void more_than_is_looked_through(void **state)
{
	struct world w = volumes();

	(void)state;
	for (size_t i = 0; i < MAP_LVM_MAX - 1; i++)
		(void)add_on(&w, ROOT, dm(0));
	found(&w, MAP_LVM_MAX - 1);
	(void)add_on(&w, ROOT, dm(0));
	found(&w, 0);
}

/* --- without a map: a namespace or a disk, number 259:0, with a partition, 259:1 --- */

static struct devno on[] = { { 259, 0 }, { 259, 1 } };
/* Another volume's disk, and one that is none. */
static struct devno volumes_here[] = { { 259, 0 }, { 259, 1 }, { 259, 7 } };
static const struct devno local = { 259, 9 };

static struct map_lvm_base bare(struct devno *holders, size_t n)
{
	return (struct map_lvm_base){ .disks = { on, 2, 2 },
				      .holders = { holders, n, n },
				      .volumes = { volumes_here, 3, 3 } };
}

static void on_disks_without_a_map(void **state)
{
	struct devno holders[] = { dm(3), dm(3), dm(4) };
	struct map_lvm_base base = bare(holders, 3);
	struct world w = volumes();

	(void)state;
	found_on(&w, &(struct map_lvm_base){ .disks = base.disks }, 0);
	(void)add(&w, ROOT, on[0], on[1]);
	(void)add_on(&w, DATA, on[1]);
	(void)add_on(&w, POOL, dm(4));
	found_on(&w, &base, 3);
	/* On a map that is another's, nothing. */
	found(&w, 0);
	w.items[3].open_count++;
	found_on(&w, &base, 0);
	w.items[3].open_count--;
	found_on(&w, &base, 3);
	w.items[5].suspended = true;
	found_on(&w, &base, 0);
}

static void only_where_all_holders_are_known(void **state)
{
	struct devno holders[] = { dm(3), { 9, 127 } }, unknown[] = { dm(3), {} };
	struct map_lvm_base md = bare(holders, 2), gone = bare(unknown, 2), good = bare(holders, 1);
	struct world w = volumes();

	(void)state;
	(void)add_on(&w, ROOT, on[1]);
	found_on(&w, &md, 0);
	found_on(&w, &gone, 0);
	found_on(&w, &good, 1);
}

static void only_on_disks_that_are_volumes(void **state)
{
	struct world two = volumes(), mixed = volumes(), spread = volumes(), other = volumes();
	struct map_lvm_base base = bare(NULL, 0), no_volume = base;

	(void)state;
	(void)add(&two, ROOT, on[1], volumes_here[2]);
	found_on(&two, &base, 1);
	(void)add(&mixed, ROOT, on[1], dm(0));
	found_on(&mixed, &base, 1);
	(void)add(&spread, ROOT, on[1], local);
	found_on(&spread, &base, 0);
	/* The number is another disk's by now. */
	no_volume.volumes.n = 0;
	(void)add_on(&other, ROOT, on[1]);
	found_on(&other, &base, 1);
	found_on(&other, &no_volume, 0);
}

static void no_map_on_a_disk(void **state)
{
	static const char *const uuids[] = { "mpath-3624a93700123456789abcdef00011009",
					     "mpath-eui.00a", "CRYPT-LUKS2-x", "part1-x", "" };
	struct map_lvm_base base = bare(NULL, 0);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(uuids); i++) {
		struct world w = volumes();

		(void)add_on(&w, uuids[i], on[0]);
		(void)add_on(&w, ROOT, dm(3));
		found_on(&w, &base, 0);
		(void)add_on(&w, DATA, on[1]);
		found_on(&w, &base, 0);
	}
}

static void more_than_is_looked_through_on_a_disk(void **state)
{
	struct map_lvm_base base = bare(NULL, 0);
	struct world w = volumes();

	(void)state;
	for (size_t i = 0; i < MAP_LVM_MAX; i++)
		(void)add_on(&w, ROOT, on[0]);
	found_on(&w, &base, MAP_LVM_MAX);
	(void)add_on(&w, ROOT, on[0]);
	found_on(&w, &base, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_nobody_has_open_goes),
		cmocka_unit_test(only_what_is_lvms),
		cmocka_unit_test(only_on_volumes),
		cmocka_unit_test(from_the_top),
		cmocka_unit_test(only_what_writes_nothing),
		cmocka_unit_test(more_than_is_looked_through),
		cmocka_unit_test(on_disks_without_a_map),
		cmocka_unit_test(only_where_all_holders_are_known),
		cmocka_unit_test(only_on_disks_that_are_volumes),
		cmocka_unit_test(no_map_on_a_disk),
		cmocka_unit_test(more_than_is_looked_through_on_a_disk),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
