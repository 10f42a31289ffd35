/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "array/snapdisks.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>

#include "test_pve_tree.h"

static const char vm[] = "boot: order=scsi0\n"
			 "efidisk0: pure:vm-100-disk-0,size=4M\n"
			 "ide2: pure:vm-100-cloudinit,media=cdrom,size=4M\n"
			 "sata3: local:iso/debian.iso,media=cdrom\n"
			 "scsi0: pure:vm-100-disk-1,discard=on,size=32G\n"
			 "scsi1: other:vm-100-disk-0,size=8G\n"
			 "scsi2: pure:vm-200-disk-5,size=8G\n"
			 "tpmstate0: pure:vm-100-disk-2,size=4M,version=v2.0\n"
			 "unused0: pure:vm-100-disk-3\n"
			 "virtio1: /dev/sdx\n"
			 "\n[PENDING]\nscsi5: pure:vm-100-disk-8,size=1G\n"
			 "\n[older]\nscsi0: pure:vm-100-disk-1,size=32G\n"
			 "scsi9: pure:vm-100-disk-9,size=1G\nvmstate: pure:vm-100-state-older\n";

static const char container[] = "mp0: pure:vm-101-disk-1,mp=/data,backup=1,size=8G\n"
				"mp1: pure:vm-101-disk-2,mp=/cache,size=8G\n"
				"mp2: /srv/bind,mp=/srv\n"
				"mp3: pure:vm-101-disk-3,mp=/no,backup=0,size=8G\n"
				"rootfs: pure:vm-101-disk-0,size=8G\n"
				"unused0: pure:vm-101-disk-7\n";

/* The disks, joined by blanks, of a guest whose config is @text. */
static void check(const char *file, const char *text, uint32_t vmid, const char *snap,
		  const char *expected)
{
	CLEANUP(buf_done) struct buf got = {};
	struct arena arena = {};
	struct snapdisks disks;
	struct pvefs *pve;
	struct tree tree;
	struct err e;

	tree_make(&tree);
	pve = pvefs_open(&tree.root);
	tree_write(&tree, file, text);
	assert_int_equal(snapdisks_read(pve, "pve1", vmid, "pure", snap, &arena, &disks, &e), 0);
	pvefs_close(pve);
	for (size_t i = 0; i < disks.n; i++)
		buf_addf(&got, "%s%s", i ? " " : "", disks.volnames[i]);
	assert_string_equal(buf_str(&got), expected);
	arena_done(&arena);
	tree_done(&tree);
}

static void drives_of_a_vm(void **state)
{
	(void)state;
	check("etc/pve/nodes/pve1/qemu-server/100.conf", vm, 100, "s1",
	      "vm-100-disk-0 vm-100-disk-1 vm-100-disk-2");
}

/* Named as another guest's, it is asked for as that one's: it would be taken twice. */
static void not_what_is_named_as_another_guests(void **state)
{
	static const char text[] = "scsi0: pure:base-200-disk-0,size=8G\n"
				   "scsi1: pure:vm-100-disk-0,size=8G\n"
				   "scsi2: pure:vm-200-disk-0,size=8G\n"
				   "scsi3: pure:vm-2000-disk-0,size=8G\n";

	(void)state;
	check("etc/pve/nodes/pve1/qemu-server/200.conf", text, 200, "s1",
	      "base-200-disk-0 vm-200-disk-0");
}

static void volumes_of_a_container(void **state)
{
	(void)state;
	check("etc/pve/nodes/pve1/lxc/101.conf", container, 101, "s1",
	      "vm-101-disk-1 vm-101-disk-2 vm-101-disk-3 vm-101-disk-0");
	/* Proxmox asks vzdump's snapshot only of what is backed up; a disk too many would stay. */
	check("etc/pve/nodes/pve1/lxc/101.conf", container, 101, "vzdump",
	      "vm-101-disk-1 vm-101-disk-0");
}

static void a_guest_of_another_node_is_not_here(void **state)
{
	struct arena arena = {};
	struct snapdisks disks;
	struct pvefs *pve;
	struct tree tree;
	struct err e;

	(void)state;
	tree_make(&tree);
	pve = pvefs_open(&tree.root);
	tree_write(&tree, "etc/pve/nodes/pve2/qemu-server/100.conf", vm);
	assert_int_equal(snapdisks_read(pve, "pve1", 100, "pure", "s1", &arena, &disks, &e),
			 -ENOENT);
	pvefs_close(pve);
	arena_done(&arena);
	tree_done(&tree);
}

static void since_when_it_is_prepared(void **state)
{
	static const struct {
		const char *text;
		int64_t expected;
	} rows[] = {
		{ "lock: snapshot\n[now]\nsnapstate: prepare\nsnaptime: 1700000000\n", 1700000000 },
		{ "lock: backup\n[now]\nsnapstate: prepare\nsnaptime: 1700000000\n", 0 },
		{ "cores: 2\n[now]\nsnapstate: prepare\nsnaptime: 1700000000\n", 0 },
		{ "lock: snapshot\n[now]\nsnapstate: delete\nsnaptime: 1700000000\n", 0 },
		{ "lock: snapshot\n[now]\nsnaptime: 1700000000\n", 0 },
		{ "lock: snapshot\n[now]\nsnapstate: prepare\n", 0 },
		{ "lock: snapshot\n[now]\nsnapstate: prepare\nsnaptime: soon\n", 0 },
		{ "lock: snapshot\n[other]\nsnapstate: prepare\nsnaptime: 1700000000\n", 0 },
	};
	struct arena arena = {};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		CLEANUP(diags_done) struct diags diags = { .arena = &arena };
		struct guest g = { .vmid = 100, .type = GUEST_QEMU, .node = "", .file = "" };

		guest_parse(&g, slice_of(rows[i].text), &arena, &diags);
		if (snapdisks_prepared(&g, "now") != rows[i].expected)
			fail_msg("row %zu: %s", i, rows[i].text);
	}
	arena_done(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(drives_of_a_vm),
		cmocka_unit_test(not_what_is_named_as_another_guests),
		cmocka_unit_test(volumes_of_a_container),
		cmocka_unit_test(a_guest_of_another_node_is_not_here),
		cmocka_unit_test(since_when_it_is_prepared),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
