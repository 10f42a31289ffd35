/* SPDX-License-Identifier: AGPL-3.0-or-later */

/* What a disk is, whatever its number: every mark that it has must lead to the same device, and to
 * one only. */

#include "blk/identity.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "test_pve_tree.h"

#define PV_A "PA000000000000000000000000000001"
#define PV_B "PB000000000000000000000000000002"

/* sda and sdb in one group, nvme0n1, a partition, a multipath map and an LV. */
struct stage {
	struct tree tree;
	struct sysblk sys;
	struct dm_dev maps[3];
	struct dm_set dm;
	struct lvm_pv pvs[3];
	struct lvm_vg vg;
	struct lvm_report lvm;
	struct arena arena;
};

static struct sysblk_dev *disk(struct stage *s, const char *name, uint32_t major, uint32_t minor)
{
	struct sysblk_dev *d = vec_push(&s->sys);

	*d = (struct sysblk_dev){ .name = name, .dev = { major, minor } };
	return d;
}

static void wwid(struct stage *s, const char *path, const char *text)
{
	tree_write(&s->tree, arena_fmt(&s->arena, "sys/class/block/%s", path), text);
}

static void pv(struct lvm_pv *ret, const char *uuid, struct devno dev)
{
	*ret = (struct lvm_pv){ .name = "/dev/x", .have_dev = true, .dev = dev };
	memcpy(ret->uuid, uuid, sizeof(ret->uuid));
}

static void stage_make(struct stage *s)
{
	*s = (struct stage){};
	tree_make(&s->tree);
	(void)disk(s, "sda", 8, 0);
	disk(s, "sda1", 8, 1)->partition = true;
	(void)disk(s, "sdb", 8, 16);
	(void)disk(s, "nvme0n1", 259, 0);
	wwid(s, "sda/device/wwid", "naa.600140500000000a\n");
	wwid(s, "sdb/device/wwid", "naa.600140500000000b\n");
	wwid(s, "nvme0n1/wwid", "eui.0025385b01\n");
	s->maps[0] = (struct dm_dev){ .name = "mpatha",
				      .uuid = "mpath-3600140500007",
				      .dev = { 253, 0 } };
	s->maps[1] = (struct dm_dev){ .name = "by-hand", .uuid = "", .dev = { 253, 1 } };
	s->maps[2] = (struct dm_dev){ .name = "vg-lv", .uuid = "LVM-x", .dev = { 253, 2 } };
	s->dm = (struct dm_set){ s->maps, 3 };
	pv(&s->pvs[0], PV_A, (struct devno){ 8, 0 });
	pv(&s->pvs[1], PV_B, (struct devno){ 253, 0 });
	s->vg = (struct lvm_vg){ .name = "vg", .pvs = s->pvs, .n_pvs = 2 };
	s->lvm = (struct lvm_report){ &s->vg, 1 };
}

static void stage_done(struct stage *s)
{
	vec_free(&s->sys);
	arena_done(&s->arena);
	tree_done(&s->tree);
}

static void same(const char *a, const char *b)
{
	assert_int_equal(!a, !b);
	if (a && b)
		assert_string_equal(a, b);
}

static void marks_of_each(void **state)
{
	static const struct {
		struct devno dev;
		const char *dm_uuid, *wwid, *pv_uuid;
	} cases[] = {
		{ { 8, 0 }, NULL, "naa.600140500000000a", PV_A },
		{ { 8, 16 }, NULL, "naa.600140500000000b", NULL },
		{ { 8, 1 }, NULL, NULL, NULL },
		{ { 259, 0 }, NULL, "eui.0025385b01", NULL },
		{ { 253, 0 }, "mpath-3600140500007", NULL, PV_B },
		{ { 253, 1 }, NULL, NULL, NULL },
		{ { 253, 2 }, "LVM-x", NULL, NULL },
		{ { 7, 7 }, NULL, NULL, NULL },
	};
	struct stage s;

	(void)state;
	stage_make(&s);
	/* What the file of a partition's disk says is not the partition's own. */
	wwid(&s, "sda1/device/wwid", "naa.600140500000000a\n");
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct blk_identity id;

		blk_identify(&id, cases[i].dev, &s.dm, &s.sys, &s.lvm, &s.tree.root, &s.arena);
		assert_true(devno_eq(id.dev, cases[i].dev));
		same(id.dm_uuid, cases[i].dm_uuid);
		same(id.wwid, cases[i].wwid);
		same(id.pv_uuid, cases[i].pv_uuid);
	}
	stage_done(&s);
}

static void odd_wwid(struct stage *s)
{
	wwid(s, "sda/device/wwid", "t10.ATA     a disk  \n\n");
}

static void empty_wwid(struct stage *s)
{
	wwid(s, "sda/device/wwid", " \n");
}

static void pv_missing(struct stage *s)
{
	s->pvs[0].missing = true;
}

static void pv_duplicate(struct stage *s)
{
	s->pvs[0].duplicate = true;
}

static void pv_nowhere(struct stage *s)
{
	s->pvs[0].have_dev = false;
}

/* Marks that are in doubt are none. */
static void doubtful_marks(void **state)
{
	static const struct {
		void (*change)(struct stage *s);
		const char *wwid, *pv_uuid;
	} cases[] = {
		{ odd_wwid, "t10.ATA     a disk", PV_A },
		{ empty_wwid, NULL, PV_A },
		{ pv_missing, "naa.600140500000000a", NULL },
		{ pv_duplicate, "naa.600140500000000a", NULL },
		{ pv_nowhere, "naa.600140500000000a", NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct blk_identity id;
		struct stage s;

		stage_make(&s);
		cases[i].change(&s);
		blk_identify(&id, (struct devno){ 8, 0 }, &s.dm, &s.sys, &s.lvm, &s.tree.root,
			     &s.arena);
		same(id.wwid, cases[i].wwid);
		same(id.pv_uuid, cases[i].pv_uuid);
		stage_done(&s);
	}
}

/* --- and back ------------------------------------------------------------------------------ */

#define WWID_A "naa.600140500000000a"
#define WWID_B "naa.600140500000000b"
#define MPATH  "mpath-3600140500007"

static void nothing(struct stage *s)
{
	(void)s;
}

static void renumbered(struct stage *s)
{
	s->sys.items[0].dev = s->pvs[0].dev = (struct devno){ 65, 160 };
}

/* Two paths of one disk, without multipath: either may be meant. */
static void two_of_one_wwid(struct stage *s)
{
	wwid(s, "sdb/device/wwid", WWID_A "\n");
}

static void second_is_a_component(struct stage *s)
{
	two_of_one_wwid(s);
	s->sys.items[2].component = true;
}

static void second_is_a_partition(struct stage *s)
{
	wwid(s, "sda1/device/wwid", WWID_A "\n");
}

static void longer_wwid(struct stage *s)
{
	wwid(s, "sda/device/wwid", WWID_A "b\n");
}

static void pv_seen_twice(struct stage *s)
{
	pv(&s->pvs[2], PV_A, (struct devno){ 8, 16 });
	s->vg.n_pvs = 3;
}

static void pv_elsewhere(struct stage *s)
{
	s->pvs[0].dev = (struct devno){ 8, 16 };
}

static void map_made_anew(struct stage *s)
{
	s->maps[0].dev = (struct devno){ 253, 9 };
	s->pvs[1].dev = s->maps[0].dev;
}

static void map_is_another(struct stage *s)
{
	s->maps[0].uuid = "mpath-3600140500008";
}

static const struct {
	const char *what;
	void (*change)(struct stage *s);
	struct blk_identity id;
	uint32_t major, minor; /* 0:0: refused */
} trials[] = {
	{ "by WWID", nothing, { .wwid = WWID_A }, 8, 0 },
	{ "by WWID of NVMe", nothing, { .wwid = "eui.0025385b01" }, 259, 0 },
	{ "by PV", nothing, { .pv_uuid = PV_A }, 8, 0 },
	{ "by dm UUID", nothing, { .dm_uuid = MPATH }, 253, 0 },
	{ "by WWID and PV", nothing, { .wwid = WWID_A, .pv_uuid = PV_A }, 8, 0 },
	{ "by dm UUID and PV", nothing, { .dm_uuid = MPATH, .pv_uuid = PV_B }, 253, 0 },
	{ "the number alone is no mark", nothing, { .dev = { 8, 0 } }, 0, 0 },
	{ "the number is not looked at", nothing, { .dev = { 8, 16 }, .wwid = WWID_A }, 8, 0 },
	{ "another number", renumbered, { .wwid = WWID_A, .pv_uuid = PV_A }, 65, 160 },

	{ "unknown WWID", nothing, { .wwid = "naa.6" }, 0, 0 },
	{ "unknown PV", nothing, { .pv_uuid = "PC000000000000000000000000000003" }, 0, 0 },
	{ "unknown dm UUID", nothing, { .dm_uuid = "mpath-1" }, 0, 0 },
	{ "part of a WWID", longer_wwid, { .wwid = WWID_A }, 0, 0 },
	{ "two disks of one WWID", two_of_one_wwid, { .wwid = WWID_A }, 0, 0 },
	{ "two disks of one WWID, one PV",
	  two_of_one_wwid,
	  { .wwid = WWID_A, .pv_uuid = PV_A },
	  0,
	  0 },
	{ "the second is a component", second_is_a_component, { .wwid = WWID_A }, 8, 0 },
	{ "the second is a partition", second_is_a_partition, { .wwid = WWID_A }, 8, 0 },
	{ "one PV seen twice", pv_seen_twice, { .pv_uuid = PV_A }, 0, 0 },
	{ "one PV seen twice, one WWID", pv_seen_twice, { .wwid = WWID_A, .pv_uuid = PV_A }, 0, 0 },
	{ "PV missing", pv_missing, { .wwid = WWID_A, .pv_uuid = PV_A }, 0, 0 },
	{ "PV a duplicate", pv_duplicate, { .wwid = WWID_A, .pv_uuid = PV_A }, 0, 0 },
	{ "PV nowhere", pv_nowhere, { .pv_uuid = PV_A }, 0, 0 },

	{ "WWID and PV disagree", pv_elsewhere, { .wwid = WWID_A, .pv_uuid = PV_A }, 0, 0 },
	{ "WWID and another's PV", nothing, { .wwid = WWID_B, .pv_uuid = PV_A }, 0, 0 },
	{ "dm UUID and another's PV", nothing, { .dm_uuid = MPATH, .pv_uuid = PV_A }, 0, 0 },
	{ "dm UUID and a WWID", nothing, { .dm_uuid = MPATH, .wwid = WWID_A }, 0, 0 },
	{ "WWID unknown, PV known", nothing, { .wwid = "naa.6", .pv_uuid = PV_A }, 0, 0 },
	{ "dm UUID unknown, PV known", nothing, { .dm_uuid = "x", .pv_uuid = PV_B }, 0, 0 },
	{ "one known, one unknown", nothing, { .wwid = WWID_A, .pv_uuid = "P" }, 0, 0 },
	{ "map made anew", map_made_anew, { .dm_uuid = MPATH, .pv_uuid = PV_B }, 253, 9 },
	{ "map is another", map_is_another, { .dm_uuid = MPATH, .pv_uuid = PV_B }, 0, 0 },
};

static void one_device_or_none(void **state)
{
	size_t bad = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(trials); i++) {
		struct devno dev = {}, expected = { trials[i].major, trials[i].minor };
		struct stage s;
		bool found;

		stage_make(&s);
		trials[i].change(&s);
		found = blk_resolve(&trials[i].id, &s.dm, &s.sys, &s.lvm, &s.tree.root, &dev);
		if (found != (expected.major != 0) || !devno_eq(dev, expected)) {
			print_error("%s: " DEVNO_FMT "\n", trials[i].what, DEVNO_ARG(dev));
			bad++;
		}
		stage_done(&s);
	}
	assert_int_equal(bad, 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(marks_of_each),
		cmocka_unit_test(doubtful_marks),
		cmocka_unit_test(one_device_or_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
