/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "pve/guest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "util/buf.h"
#include "util/str.h"

/* A parsed guest and what was said about it. */
struct parsed {
	struct arena arena;
	struct diags diags;
	struct guest guest;
};

static void parse_n(struct parsed *p, enum guest_type type, struct slice text)
{
	*p = (struct parsed){};
	p->diags.arena = &p->arena;
	p->guest.vmid = 100;
	p->guest.type = type;
	p->guest.node = "pve1";
	p->guest.file = "100.conf";
	guest_parse(&p->guest, text, &p->arena, &p->diags);
}

static void parse(struct parsed *p, enum guest_type type, const char *text)
{
	parse_n(p, type, slice_of(text));
}

static void done(struct parsed *p)
{
	diags_done(&p->diags);
	arena_done(&p->arena);
}

/* "key storage volname" of each volume; '?' behind a key that Proxmox does not take for one. */
static void list_volumes(const struct guest *g, struct buf *out)
{
	for (size_t i = 0; i < g->n_volumes; i++) {
		const struct guest_volume *v = &g->volumes[i];

		buf_addf(out, "%s%s %s %s\n", v->key, v->known_key ? "" : "?",
			 v->storage ? v->storage : "-", v->volname);
	}
}

static bool said(const struct parsed *p, unsigned int line, const char *word)
{
	for (size_t i = 0; i < p->diags.n; i++)
		if (p->diags.items[i].line == line && strstr(p->diags.items[i].text, word))
			return true;
	return false;
}

struct volume_case {
	const char *text, *volumes;
};

static void check_volumes(enum guest_type type, const struct volume_case *cases, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		CLEANUP(buf_done) struct buf got = {};
		struct parsed p;

		parse(&p, type, cases[i].text);
		list_volumes(&p.guest, &got);
		assert_string_equal(buf_str(&got), cases[i].volumes);
		done(&p);
	}
}

static void finds_volumes_of_vms(void **state)
{
	static const struct volume_case cases[] = {
		{ "scsi0: lvm:vm-100-disk-0,size=4G\n", "scsi0 lvm vm-100-disk-0\n" },
		{ "scsi0: size=4G,file=lvm:vm-100-disk-0\n", "scsi0 lvm vm-100-disk-0\n" },
		{ "scsi0: volume=lvm:vm-100-disk-0\n", "scsi0 lvm vm-100-disk-0\n" },
		{ "scsi30: lvm:a\n", "scsi30 lvm a\n" },
		{ "scsi31: lvm:a,size=1G\n", "scsi31? lvm a\n" },
		{ "scsi01: lvm:a\n", "scsi01? lvm a\n" },
		{ "scsi: lvm:a\n", "scsi? lvm a\n" },
		{ "ide3: lvm:a\nide4: lvm:b\n", "ide3 lvm a\nide4? lvm b\n" },
		{ "virtio15: lvm:a\nvirtio16: lvm:b\n", "virtio15 lvm a\nvirtio16? lvm b\n" },
		{ "sata5: lvm:a\nsata6: lvm:b\n", "sata5 lvm a\nsata6? lvm b\n" },
		{ "unused255: lvm:a\nunused256: lvm:b\n", "unused255 lvm a\nunused256? lvm b\n" },
		{ "efidisk0: lvm:e,efitype=4m\ntpmstate0: lvm:t,version=v2.0\n",
		  "efidisk0 lvm e\ntpmstate0 lvm t\n" },
		{ "efidisk1: lvm:e\n", "efidisk1? lvm e\n" },
		{ "vmstate: lvm:vm-100-state-s\n", "vmstate lvm vm-100-state-s\n" },
		{ "hookscript: local:snippets/x.pl\n", "hookscript local snippets/x.pl\n" },
		{ "cicustom: user=local:snippets/u,meta=nfs:snippets/m\n",
		  "cicustom local snippets/u\ncicustom nfs snippets/m\n" },
		{ "[special:fleecing]\nfleecing-images: lvm:vm-100-fleece-0;lvm:vm-100-fleece-1\n",
		  "fleecing-images lvm vm-100-fleece-0\nfleecing-images lvm vm-100-fleece-1\n" },
		{ "ide2: none,media=cdrom\n", "" },
		{ "ide2: cdrom\n", "" },
		{ "ide2: local:iso/x.iso,media=cdrom\n", "ide2 local iso/x.iso\n" },
		{ "cdrom: local:iso/x.iso,media=cdrom\n", "cdrom local iso/x.iso\n" },
		{ "ide2: lvm:vm-100-cloudinit,media=cdrom\n", "ide2 lvm vm-100-cloudinit\n" },
		{ "ide2: x.iso,media=cdrom\n", "ide2 local iso/x.iso\n" },
		{ "ide0: disk.raw\n", "ide0 local 100/disk.raw\n" },
		{ "scsi1: /dev/mapper/x,size=1G\n", "scsi1 - /dev/mapper/x\n" },
		{ "scsi1: file=/dev/vg/lv\n", "scsi1 - /dev/vg/lv\n" },
		{ "net0: virtio=BC:24:11:00:00:01,bridge=vmbr0\n", "" },
		{ "args: -drive file=/dev/pve/vm-9-disk-0,if=none -device x:y\n",
		  "args? - /dev/pve/vm-9-disk-0\n" },
		{ "newdisk7: st:vm-100-new,size=1G\n", "newdisk7? st vm-100-new\n" },
		{ "newnet0: virtio=BC:24:11:00:00:01\n", "" },
		{ "newkey: a=b;c=\"st:v1\" st:v2,/dev/x\n",
		  "newkey? st v1\nnewkey? st v2\nnewkey? - /dev/x\n" },
		{ " scsi0: lvm:vm-100-disk-0,size=4G\n", "? lvm vm-100-disk-0\n" },
		{ "Scsi0:lvm:vm-100-disk-0\n", "? Scsi0 lvm:vm-100-disk-0\n? lvm vm-100-disk-0\n" },
		{ "[other:section]\nscsi0: lvm:a\n", "scsi0? lvm a\n" },
		{ "scsi0: size=4G,disk=lvm:a\n", "scsi0? lvm a\n" },
		{ "scsi0: lvm:a size=4G\n", "scsi0? lvm a\n" },
		{ "scsi0: \"lvm:a\"\n", "scsi0? lvm a\n" },
		{ "scsi0: lvm:a,snapstate: delete\n", "scsi0 lvm a\n" },
		{ "delete: lvm:a\n", "? lvm a\n" },
		{ "scsi0: lvm:a\nscsi0: lvm:b\n", "scsi0 lvm a\nscsi0 lvm b\n" },
		{ "[PENDING]\nscsi0: lvm:a\n[snap]\nscsi0: lvm:b\n[snap]\nscsi0: lvm:c\n",
		  "scsi0 lvm a\nscsi0 lvm b\nscsi0 lvm c\n" },
		{ "description: lvm:a\n#lvm:b\n", "" },
		{ "scsi0: lvm:a\r\n", "scsi0 lvm a\n" },
		{ "scsi0: lvm:a", "scsi0 lvm a\n" },
	};

	(void)state;
	check_volumes(GUEST_QEMU, cases, ARRAY_SIZE(cases));
}

static void finds_volumes_of_containers(void **state)
{
	static const struct volume_case cases[] = {
		{ "rootfs: lvm:vm-100-disk-0,size=8G\n", "rootfs lvm vm-100-disk-0\n" },
		{ "rootfs: volume=lvm:a,mountoptions=x;y\n", "rootfs lvm a\n" },
		{ "mp0: lvm:b,mp=/dev/shm\nmp255: lvm:c,mp=/c\nmp256: lvm:d,mp=/d\n",
		  "mp0 lvm b\nmp255 lvm c\nmp256? lvm d\nmp256? - /d\n" },
		{ "mp0: /dev/pve/x,mp=/x\nmp1: /srv,mp=/srv\n", "mp0 - /dev/pve/x\nmp1 - /srv\n" },
		{ "unused0: lvm:u\n", "unused0 lvm u\n" },
		{ "dev0: /dev/mapper/y,mode=0660\n", "dev0? - /dev/mapper/y\n" },
		{ "lxc.mount.entry: /dev/vg/lv mnt none bind 0 0\n",
		  "lxc.mount.entry? - /dev/vg/lv\n" },
		{ "lxc.mount.auto: proc:mixed sys:ro\n", "" },
		{ "lxc.rootfs.path = lvm:/dev/vg/root\n", "lxc.rootfs.path? - /dev/vg/root\n" },
		{ "net0: name=eth0,hwaddr=BC:24:11:AA:BB:CC,bridge=vmbr0\n", "" },
		{ "[foo:bar]\nmp3: lvm:z,mp=/z\n", "mp3 lvm z\n" },
		{ "scsi0: lvm:q\n", "scsi0? lvm q\n" },
	};

	(void)state;
	check_volumes(GUEST_LXC, cases, ARRAY_SIZE(cases));
}

static void names_guests_as_proxmox_does(void **state)
{
	static const struct {
		enum guest_type type;
		const char *text, *name;
	} cases[] = {
		{ GUEST_QEMU, "name: web1\n", "web1" },
		{ GUEST_QEMU, "cores: 1\n", "VM 100" },
		{ GUEST_QEMU, "hostname: x\n", "VM 100" },
		{ GUEST_QEMU, "[snap]\nname: old\n", "VM 100" },
		{ GUEST_LXC, "hostname: ct1\n", "ct1" },
		{ GUEST_LXC, "name: x\n", "CT100" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct parsed p;

		parse(&p, cases[i].type, cases[i].text);
		assert_string_equal(p.guest.name, cases[i].name);
		done(&p);
	}
}

static void reads_sections(void **state)
{
	const struct guest_section *snap;
	struct parsed p;

	(void)state;
	parse(&p, GUEST_QEMU,
	      "#first%0A\n#second \nlock: backup\nname: a\ntemplate: yes\nparent: s2\n"
	      "[s1]\n#old\nlock: x\nname: one\nsnaptime: 5\n[s2]\nname: two\nparent: s1\n"
	      "[s2]\nname: three\nparent: s1\n");
	assert_int_equal(p.guest.n_sections, 4);
	assert_string_equal(p.guest.sections[0].description, "first\n\nsecond");
	assert_null(p.guest.sections[0].name);
	assert_string_equal(p.guest.lock, "backup");
	assert_true(p.guest.template);
	assert_int_equal(p.guest.sections[0].n_options, 4);
	assert_int_equal(p.guest.sections[0].options[0].line, 3);
	snap = guest_snapshot(&p.guest, SLICE("s1"));
	assert_ptr_equal(snap, &p.guest.sections[1]);
	assert_string_equal(snap->description, "old");
	assert_string_equal(guest_option(snap, "snaptime"), "5");
	/* Of two sections of one name Proxmox takes the later. */
	snap = guest_snapshot(&p.guest, SLICE("s2"));
	assert_string_equal(guest_option(snap, "name"), "three");
	assert_null(guest_snapshot(&p.guest, SLICE("s3")));
	assert_null(guest_option(snap, "nope"));
	assert_true(said(&p, 0, "[s2] stands here twice"));
	done(&p);

	parse(&p, GUEST_LXC, "#a\n#b \nlock: disk\n");
	assert_string_equal(p.guest.sections[0].description, "a\nb \n");
	assert_string_equal(p.guest.lock, "disk");
	assert_false(p.guest.template);
	assert_int_equal(p.diags.n, 0);
	done(&p);
}

static void takes_the_last_of_two_keys(void **state)
{
	struct parsed p;

	(void)state;
	parse(&p, GUEST_QEMU, "name: a\ncores: 1\nname: b\n");
	assert_string_equal(p.guest.name, "b");
	assert_true(said(&p, 3, "key 'name' stands in line 1 already"));
	done(&p);
	parse(&p, GUEST_QEMU, "cdrom: none\n");
	assert_string_equal(guest_option(&p.guest.sections[0], "ide2"), "none");
	done(&p);
	parse(&p, GUEST_LXC, "lxc.cap.drop: a\nlxc.cap.drop: b\n");
	assert_int_equal(p.diags.n, 0);
	done(&p);
}

static void says_what_is_wrong(void **state)
{
	static const struct {
		enum guest_type type;
		const char *text;
		unsigned int line;
		const char *word;
	} cases[] = {
		{ GUEST_QEMU, "", 0, "empty" },
		{ GUEST_QEMU, "cores: 1", 0, "newline" },
		{ GUEST_QEMU, "cores: 1\r\ncpu: host\r\n", 1, "CR LF" },
		{ GUEST_QEMU, "cores: 1\nname: \xff\xfe\n", 2, "UTF-8" },
		{ GUEST_QEMU, "cores: 1\nrubbish\n", 2, "\"rubbish\"" },
		{ GUEST_QEMU, "[bad:name]\n", 1, "[bad:name]" },
		{ GUEST_LXC, "arch: amd64\n[bad:name]\n", 2, "drops" },
		{ GUEST_QEMU, "scsi31: lvm:x\n", 1, "scsi0 to scsi30" },
		{ GUEST_QEMU, "scsi0: /nope:\nscsi1: a:b\n", 2, "STORAGE:VOLUME" },
		{ GUEST_QEMU, "scsi0: size=4G\n", 1, "names no volume" },
		{ GUEST_QEMU, "[aa]\nparent: bb\n[bb]\nparent: aa\n", 2, "own ancestor" },
		{ GUEST_QEMU, "[aa]\nparent: aa\n", 2, "own ancestor" },
		{ GUEST_QEMU, "parent: gone\n", 1, "'gone'" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct parsed p;

		parse(&p, cases[i].type, cases[i].text);
		if (!said(&p, cases[i].line, cases[i].word))
			fail_msg("%s: line %u: \"%s\" was not said", cases[i].text, cases[i].line,
				 cases[i].word);
		for (size_t k = 0; k < p.diags.n; k++)
			assert_string_equal(p.diags.items[k].file, "100.conf");
		done(&p);
	}
}

static void says_nothing_of_a_sound_config(void **state)
{
	struct parsed p;

	(void)state;
	parse(&p, GUEST_QEMU,
	      "#\xc3\xa4 note\nboot: order=scsi0;ide2\ncores: 2\nide2: none,media=cdrom\n"
	      "name: a\nparent: s2\nscsi0: lvm:a,size=1G\n[s1]\nname: a\n[s2]\nparent: s1\n");
	assert_int_equal(p.diags.n, 0);
	done(&p);
}

static void keeps_references_behind_nul_bytes(void **state)
{
	static const char text[] = "scsi0: lvm:a\0b,size=1G\nnew: \0lvm:c\nx\0y lvm:d\n";
	CLEANUP(buf_done) struct buf got = {};
	struct parsed p;

	(void)state;
	parse_n(&p, GUEST_QEMU, (struct slice){ text, sizeof(text) - 1 });
	list_volumes(&p.guest, &got);
	assert_string_equal(buf_str(&got), "scsi0? lvm a\nnew? lvm c\n? lvm d\n");
	assert_true(said(&p, 1, "NUL"));
	assert_true(said(&p, 2, "NUL"));
	assert_true(said(&p, 3, "NUL"));
	done(&p);
}

/* A megabyte of anything takes a moment, no more, and stays within what a config may cost. */
static void survives_large_texts(void **state)
{
	static const char *const pieces[] = {
		"scsi0: lvm:a\n", "a:a:", "[ab]\nparent: ab\n", "a", "[", "lvm:x,", "name: b\n",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(pieces); i++) {
		CLEANUP(buf_done) struct buf text = {};
		struct parsed p;

		buf_adds(&text, "unknown: ");
		while (text.len < GUEST_CONFIG_MAX)
			buf_adds(&text, pieces[i]);
		parse_n(&p, GUEST_QEMU, buf_slice(&text));
		assert_true(p.diags.n > 0);
		done(&p);
	}
}

static void walks_a_long_chain_of_snapshots(void **state)
{
	CLEANUP(buf_done) struct buf text = {};
	struct parsed p;

	(void)state;
	buf_adds(&text, "parent: snap19999\n[snap0]\ncores: 1\n");
	for (int i = 1; i < 20000; i++)
		buf_addf(&text, "[snap%d]\nparent: snap%d\n", i, i - 1);
	parse_n(&p, GUEST_QEMU, buf_slice(&text));
	assert_int_equal(p.guest.n_sections, 20001);
	assert_int_equal(p.diags.n, 0);
	done(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_volumes_of_vms),
		cmocka_unit_test(finds_volumes_of_containers),
		cmocka_unit_test(names_guests_as_proxmox_does),
		cmocka_unit_test(reads_sections),
		cmocka_unit_test(takes_the_last_of_two_keys),
		cmocka_unit_test(says_what_is_wrong),
		cmocka_unit_test(says_nothing_of_a_sound_config),
		cmocka_unit_test(keeps_references_behind_nul_bytes),
		cmocka_unit_test(survives_large_texts),
		cmocka_unit_test(walks_a_long_chain_of_snapshots),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
