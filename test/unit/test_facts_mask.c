/* SPDX-License-Identifier: AGPL-3.0-or-later */

/* What leaves the machine: no secret, every reference to a volume, and the same verdicts. */

#include "facts/mask.h"

#include <errno.h>

#include "facts/capture.h"
#include "node_fixture.h"
#include "util/str.h"

#define SECRET "hunter2-NeverToBeSeen"

static const char vm_conf[] =
	"#" SECRET " in a description\n"
	"description: " SECRET "\n"
	"name: web\n"
	"lock: backup\n"
	"cipassword: pw:" SECRET "\n"
	"ciuser: /" SECRET "\n"
	"sshkeys: ssh-rsa%20/" SECRET "\n"
	"smbios1: serial=" SECRET "\n"
	"searchdomain: " SECRET "\n"
	"nameserver: " SECRET "\n"
	"args: -fw_cfg name=opt/x,string=" SECRET " -drive file=/dev/vg/vm-100-disk-8,if=none\n"
	"scsi0: thick:vm-100-disk-0,size=4G\n"
	"scsi1: file=thick:vm-100-disk-1\n"
	"scsi2: /dev/mapper/vg-vm--100--disk--2\n"
	"ide2: none,media=cdrom\n"
	"unused0: thick:vm-100-disk-3\n"
	"newkey: secret=" SECRET ",disk=thick:vm-100-disk-4\n"
	"scsi77: thick:vm-100-disk-5\n"
	"a line that is none: " SECRET " thick:vm-100-disk-6\n"
	"[snap_1]\n"
	"vmstate: thick:vm-100-state-snap_1\n"
	"scsi0: thick:vm-100-disk-0\n"
	"[special:fleecing]\n"
	"fleecing-images: thick:vm-100-fleece-0,thick:vm-100-fleece-1\n"
	"[PENDING]\n"
	"scsi9: thick:vm-100-disk-9\n"
	"[" SECRET " of later]\n"
	"newer: thick:vm-100-disk-10 " SECRET "\n";

static const char ct_conf[] = "hostname: db\n"
			      "rootfs: thick:vm-200-disk-0,size=4G\n"
			      "mp3: volume=thick:vm-200-disk-1,mp=/srv\n"
			      "env: TOKEN=" SECRET "\n"
			      "entrypoint: /bin/x --token " SECRET "\n"
			      "lxc.environment: TOKEN=" SECRET "\n"
			      "lxc.mount.entry: /dev/vg/vm-200-disk-7 mnt none bind 0 0\n"
			      "[pve:pending]\n"
			      "mp4: thick:vm-200-disk-4,mp=/p\n";

static const char storage_conf[] =
	"lvm: thick\n\tvgname vg\n\n"
	"lvmthin: thin\n\tvgname vg\n\tthinpool data\n\tnodes pve1,pve2\n\n"
	"cifs: nas\n\tserver " SECRET "\n\tusername " SECRET "\n\tpassword " SECRET "\n"
	"\tdomain=" SECRET "\n" SECRET "\n\tpath /mnt/nas\n\n"
	"pbs: backup\n\tfingerprint " SECRET "\n\tmaster-pubkey " SECRET "\n\n"
	"password " SECRET "\n";

static void assert_no_secret(const char *text, size_t n)
{
	if (memmem(text, n, SECRET, strlen(SECRET)))
		fail_msg("a secret is left in: %.*s", (int)n, text);
}

static void assert_same_volumes(enum guest_type type, const char *conf, size_t want)
{
	CLEANUP(buf_done) struct buf out = {};
	CLEANUP(arena_done) struct arena a = {};
	CLEANUP(diags_done) struct diags diags = { .arena = &a };
	struct guest before = { .vmid = 100, .type = type, .file = "x" }, after = before;
	size_t n = 0;

	mask_guest(type, slice_of(conf), &out);
	assert_no_secret(out.data, out.len);
	guest_parse(&before, slice_of(conf), &a, &diags);
	guest_parse(&after, buf_slice(&out), &a, &diags);
	assert_int_equal(before.n_sections, after.n_sections);
	for (size_t i = 0; i < before.n_volumes; i++) {
		const struct guest_volume *v = &before.volumes[i];
		bool found = false;

		if (!v->storage && strncmp(v->volname, "/dev/", 5) != 0)
			continue;
		if (strstr(v->volname, SECRET))
			continue;
		for (size_t k = 0; k < after.n_volumes && !found; k++)
			found = strcmp(v->volname, after.volumes[k].volname) == 0 &&
				v->section->kind == after.volumes[k].section->kind;
		if (!found)
			fail_msg("lost: %s of %s", v->volname, v->key);
		n++;
	}
	assert_int_equal(n, want);
	assert_int_equal(before.lock != NULL, after.lock != NULL);
}

static void guests_keep_volumes_only(void **state)
{
	(void)state;
	assert_same_volumes(GUEST_QEMU, vm_conf, 14);
	assert_same_volumes(GUEST_LXC, ct_conf, 4);
}

static void storages_keep_what_is_known(void **state)
{
	CLEANUP(buf_done) struct buf out = {};
	CLEANUP(arena_done) struct arena a = {};
	CLEANUP(diags_done) struct diags diags = { .arena = &a };
	struct storage_cfg cfg;

	(void)state;
	mask_storage_cfg(slice_of(storage_conf), &out);
	assert_no_secret(out.data, out.len);
	storage_cfg_parse(&cfg, "x", buf_slice(&out), &a, &diags);
	assert_string_equal(storage_find(&cfg, SLICE("thin"))->thinpool, "data");
	assert_string_equal(storage_find(&cfg, SLICE("thin"))->nodes, "pve1,pve2");
	assert_string_equal(storage_find(&cfg, SLICE("thick"))->vgname, "vg");
	assert_non_null(storage_find(&cfg, SLICE("nas")));
	assert_non_null(storage_find(&cfg, SLICE("backup")));
}

static void datacenter_keeps_what_is_read(void **state)
{
	CLEANUP(buf_done) struct buf out = {};

	(void)state;
	mask_datacenter_cfg(
		SLICE("http_proxy: http://u:" SECRET "@h\nnext-id: lower=500,upper=600\n" SECRET
		      "\nnext-id-" SECRET ": x\n"),
		&out);
	assert_string_equal(out.data, "next-id: lower=500,upper=600\n");
}

static void command_lines_keep_who_it_is(void **state)
{
	CLEANUP(buf_done) struct buf out = {};

	(void)state;
	mask_cmdline(SLICE("/usr/bin/kvm\0-id\000100\0-name\0" SECRET
			   "\0--pidfile\0/var/run/qemu-server/100.pid\0-incoming\0tcp:" SECRET
			   "\0-vnc\0password=" SECRET "\0"),
		     &out);
	assert_no_secret(out.data, out.len);
	assert_true(slice_eq2(buf_slice(&out),
			      SLICE("/usr/bin/kvm\0-id\000100\0--pidfile\0"
				    "/var/run/qemu-server/100.pid\0-incoming\0masked\0")));
}

/* A recording of a recording is judged as the node itself. */
static void masked_node_is_judged_the_same(void **state)
{
	struct capture_counts counts;
	struct dm_check again;
	struct fixture f;
	struct fx_vg *vg;
	struct root root;
	char dir[128];
	struct err e = {};

	(void)state;
	fixture_make(&f);
	fixture_storage(&f, storage_conf);
	vg = fixture_vg(&f, "vg");
	for (unsigned int i = 0; i < 12; i++)
		(void)fixture_map(&f,
				  fixture_lv(&f, vg, arena_fmt(&f.arena, "vm-100-disk-%u", i), 1));
	(void)fixture_map(&f, fixture_lv(&f, vg, "vm-100-state-snap_1", 1));
	(void)fixture_map(&f, fixture_lv(&f, vg, "vm-200-disk-7", 1));
	fixture_vm(&f, FX_NODE, 100, vm_conf);
	fixture_ct(&f, FX_NODE, 200, ct_conf);
	fixture_ct_runs(&f, 200);
	fixture_incoming(&f, 100);
	fixture_task(&f, "vzdump", 300);
	fixture_flock(&f, 301);
	(void)fixture_check(&f, NULL);

	(void)snprintf(dir, sizeof(dir), "%s/again", f.tree.path);
	if (capture_node(&f.tree.root, dir, &counts, &e) < 0)
		fail_msg("capture: %s", e.text);
	assert_int_equal(counts.guests, 2);
	assert_int_equal(root_open(&root, dir, &e), 0);
	assert_int_equal(dm_check_run(&again, &root, &fixture_options, &e), 0);
	assert_int_equal(again.look->model.n, f.check.look->model.n);
	for (size_t i = 0; i < again.look->model.n; i++) {
		const struct dm_verdict *x = &f.check.look->verdicts[i];
		const struct dm_verdict *y = &again.look->verdicts[i];

		if (x->class != y->class || x->severity != y->severity || x->cause != y->cause ||
		    x->vmid != y->vmid || x->running != y->running)
			fail_msg("%s: %s, then %s", again.look->model.mappings[i].dev->name,
				 dm_class_name(x->class), dm_class_name(y->class));
	}
	dm_check_done(&again);
	root_close(&root);
	fixture_done(&f);
}

static int reads(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
	CLEANUP(buf_done) struct buf text = {};

	(void)st;
	(void)ftw;
	if (kind == FTW_F && file_read_at(AT_FDCWD, path, 1 << 20, &text) == 0)
		assert_no_secret(buf_str(&text), text.len);
	return 0;
}

static void recording_has_no_secret(void **state)
{
	struct capture_counts counts;
	struct fixture f;
	struct err e = {};
	char dir[128];

	(void)state;
	fixture_make(&f);
	fixture_storage(&f, storage_conf);
	(void)fixture_vg(&f, "vg");
	fixture_vm(&f, FX_NODE, 100, vm_conf);
	fixture_ct(&f, "pve2", 200, ct_conf);
	tree_write(&f.tree, "etc/pve/datacenter.cfg", "http_proxy: http://" SECRET "@h\n");
	tree_write(&f.tree, "etc/pve/priv/storage/nas.pw", "password=" SECRET "\n");
	fixture_write(&f);
	(void)snprintf(dir, sizeof(dir), "%s/again", f.tree.path);
	assert_int_equal(capture_node(&f.tree.root, dir, &counts, &e), 0);
	assert_int_equal(nftw(dir, reads, 16, FTW_PHYS), 0);
	assert_int_equal(capture_node(&f.tree.root, dir, &counts, &e), -ENOTEMPTY);
	fixture_done(&f);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(guests_keep_volumes_only),
		cmocka_unit_test(storages_keep_what_is_known),
		cmocka_unit_test(datacenter_keeps_what_is_read),
		cmocka_unit_test(command_lines_keep_who_it_is),
		cmocka_unit_test(masked_node_is_judged_the_same),
		cmocka_unit_test(recording_has_no_secret),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
