/* SPDX-License-Identifier: AGPL-3.0-or-later */

/* Decisions 7: a device that would hang its reader is never handed to LVM. */

#include "blk/candidates.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "blk/dmrec.h"
#include "pve/volname.h"
#include "util/str.h"

#define VG1 "AbCdEfGhIjKlMnOpQrStUvWxYz012345"
#define VG2 "BbCdEfGhIjKlMnOpQrStUvWxYz012345"
#define LV1 "0123456789abcdefghijABCDEFGHIJ99"
#define LV2 "1123456789abcdefghijABCDEFGHIJ99"
#define DEV(minor, flags, name, uuid) \
	"device 253:" minor " open 0 event 0 flags " flags "\nname " name "\nuuid " uuid "\n"

struct choice {
	struct arena arena;
	struct dm_set dm;
	struct sysblk sys;
	struct candidates list;
};

static void disk(struct choice *c, const char *name, uint32_t minor, const char *ill)
{
	struct sysblk_dev *d = vec_push(&c->sys);

	*d = (struct sysblk_dev){ .name = name, .dev = { 8, minor }, .ill = ill };
}

static void choose(struct choice *c, const char *devices)
{
	CLEANUP(buf_done) struct buf text = {};
	struct err e = {};

	buf_addf(&text, "# pvewarden.dm-record/1\n%s", devices);
	if (dmrec_parse(&c->dm, buf_slice(&text), "x", &c->arena, &e) < 0)
		fail_msg("%s", e.text);
	candidates_choose(&c->list, &c->dm, &c->sys, volname_is_guests, &c->arena);
}

static void choice_done(struct choice *c)
{
	candidates_done(&c->list);
	sysblk_done(&c->sys);
	arena_done(&c->arena);
}

/* "/dev/x" may be read, "!/dev/x" is refused, NULL ends the list. */
static void assert_choice(struct choice *c, const char *const want[])
{
	size_t n = 0;

	for (; want[n]; n++) {
		const char *path = want[n] + (*want[n] == '!');
		bool found = false;

		vec_each (one, &c->list) {
			if (strcmp(one->path, path) != 0)
				continue;
			found = true;
			if ((one->refused != NULL) != (*want[n] == '!'))
				fail_msg("%s: %s", path, one->refused ? one->refused : "taken");
		}
		if (!found)
			fail_msg("%s is not among the candidates", path);
	}
	assert_int_equal(c->list.n, n);
	choice_done(c);
}

static void disks(void **state)
{
	struct choice c = {};

	(void)state;
	disk(&c, "sda", 0, NULL);
	disk(&c, "sda3", 3, NULL);
	disk(&c, "sdb", 16, "its SCSI device is not running");
	disk(&c, "sdc", 32, NULL);
	c.sys.items[3].component = true;
	choose(&c, "");
	assert_choice(&c, (const char *const[]){ "/dev/sda", "/dev/sda3", "!/dev/sdb", NULL });
}

static void multipath(void **state)
{
	struct choice c = {};

	(void)state;
	disk(&c, "sda", 0, NULL);
	disk(&c, "sdb", 16, "dead");
	disk(&c, "sdc", 32, NULL);
	choose(&c,
	       DEV("0", "-", "mpatha", "mpath-1") "deps 8:0 8:16\ntarget 0 8 multipath x\npaths 1\n" DEV(
		       "1", "-", "mpathb", "mpath-2") "deps 8:32\ntarget 0 8 multipath x\n");
	/* The map lives by its paths' state; without an active one it hangs whoever reads it. */
	assert_choice(&c,
		      (const char *const[]){ "/dev/mapper/mpatha", "!/dev/mapper/mpathb", NULL });
}

/* The kernel's own partitions of a path: LVM must see the map's. */
static void partitions_of_paths(void **state)
{
	struct choice c = {};

	(void)state;
	disk(&c, "sda", 0, NULL);
	disk(&c, "sda1", 1, NULL);
	c.sys.items[1].partition = true;
	c.sys.items[1].whole = (struct devno){ 8, 0 };
	choose(&c,
	       DEV("0", "-", "mpatha", "mpath-1") "deps 8:0\ntarget 0 8 multipath x\npaths 1\n");
	assert_choice(&c, (const char *const[]){ "/dev/mapper/mpatha", NULL });
}

/* An array is as well as the maps that it is made of, and they are none of LVM's. */
static void array_over_dead_map(void **state)
{
	struct devno members[] = { { 253, 0 }, { 253, 1 } };
	struct choice c = {};

	(void)state;
	disk(&c, "md0", 200, NULL);
	c.sys.items[0].slaves = members;
	c.sys.items[0].n_slaves = 2;
	choose(&c, DEV("0", "-", "mpatha", "mpath-1") "target 0 8 multipath x\npaths 1\n" DEV(
			   "1", "-", "mpathb", "mpath-2") "target 0 8 multipath x\n");
	assert_choice(&c, (const char *const[]){ "!/dev/md0", NULL });
}

static void suspended(void **state)
{
	struct choice c = {};

	(void)state;
	disk(&c, "sda", 0, NULL);
	choose(&c, DEV("0", "suspended", "crypt", "CRYPT-LUKS2-a") "deps 8:0\ntarget 0 8 crypt\n");
	assert_choice(&c, (const char *const[]){ "!/dev/mapper/crypt", NULL });
}

/* What is ill below makes ill what stands on it. */
static void layers(void **state)
{
	struct choice c = {};

	(void)state;
	disk(&c, "sdz", 160, "dead");
	choose(&c,
	       DEV("0", "-", "m", "mpath-1") "deps 8:0\ntarget 0 8 multipath x\n" DEV(
		       "1", "-", "mp1",
		       "part1-mpath-1") "deps 253:0\ntarget 0 8 linear 253:0 0\n" DEV("2", "-", "c",
										      "CRYPT-a") "deps 8:160\ntarget 0 8 crypt\n");
	assert_choice(&c, (const char *const[]){ "!/dev/mapper/mp1", "!/dev/mapper/c", NULL });
}

/* Inside a guest's disk nothing is a PV of ours, even if somebody activated it. */
static void inside_guests(void **state)
{
	struct choice c = {};

	(void)state;
	disk(&c, "sda", 0, NULL);
	choose(&c,
	       DEV("0", "-", "vg-vm--100--disk--0",
		   "LVM-" VG1
			   LV1) "deps 8:0\n"
				"target 0 8 linear 8:0 0\n" DEV(
					"1", "-", "vg-vm--100--disk--0p1",
					"part1-LVM-" VG1
						LV1) "deps 253:0\n"
						     "target 0 8 linear 253:0 0\n" DEV(
							     "2", "-", "inner-root",
							     "LVM-" VG2
								     LV2) "deps 253:1\n"
									  "target 0 8 linear 253:1 0\n");
	assert_choice(&c, (const char *const[]){ "/dev/sda", NULL });
}

/* A linear LV that carries another group is a PV; a pool's data below its own group is not. */
static void volumes_as_pvs(void **state)
{
	struct choice c = {};

	(void)state;
	disk(&c, "sda", 0, NULL);
	choose(&c, DEV("0", "-", "vg-pv", "LVM-" VG1 LV1) "deps 8:0\ntarget 0 8 linear 8:0 0\n" DEV(
			   "1", "-", "other-root",
			   "LVM-" VG2 LV2) "deps 253:0\n"
					   "target 0 8 linear 253:0 0\n" DEV(
						   "2", "-", "vg-data_tdata",
						   "LVM-" VG1 LV2
						   "-tdata") "deps 8:0\n"
							     "target 0 8 linear 8:0 0\n");
	assert_choice(&c, (const char *const[]){ "/dev/sda", "/dev/mapper/vg-pv", NULL });
}

/* The origin of a thin volume of the same group is a volume, nothing more. */
static void volumes_on_their_own_group(void **state)
{
	struct choice c = {};

	(void)state;
	disk(&c, "sda", 0, NULL);
	choose(&c,
	       DEV("0", "-", "vg-image", "LVM-" VG1 LV1) "deps 8:0\ntarget 0 8 linear 8:0 0\n" DEV(
		       "1", "-", "vg-clone", "LVM-" VG1 LV2) "deps 253:0\n"
							     "target 0 8 thin 253:9 1 253:0\n");
	assert_choice(&c, (const char *const[]){ "/dev/sda", NULL });
}

/* Layers that stand on each other in a ring, and very many of them: no way to hang us. */
static void strange_stacks(void **state)
{
	CLEANUP(buf_done) struct buf text = {};
	struct choice c = {};

	(void)state;
	choose(&c, DEV("0", "-", "a", "CRYPT-a") "deps 253:1\ntarget 0 8 crypt\n" DEV(
			   "1", "-", "b", "CRYPT-b") "deps 253:0\ntarget 0 8 crypt\n");
	choice_done(&c);
	c = (struct choice){};
	for (int i = 0; i < 200; i++) {
		buf_addf(&text,
			 "device 253:%d open 0 event 0 flags -\nname n%d\nuuid CRYPT-%d\ndeps", i,
			 i, i);
		for (int k = 0; k < i; k++)
			buf_addf(&text, " 253:%d", k);
		buf_adds(&text, "\ntarget 0 8 crypt\n");
	}
	choose(&c, text.data);
	choice_done(&c);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(disks),
		cmocka_unit_test(multipath),
		cmocka_unit_test(partitions_of_paths),
		cmocka_unit_test(array_over_dead_map),
		cmocka_unit_test(suspended),
		cmocka_unit_test(layers),
		cmocka_unit_test(inside_guests),
		cmocka_unit_test(volumes_as_pvs),
		cmocka_unit_test(volumes_on_their_own_group),
		cmocka_unit_test(strange_stacks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
