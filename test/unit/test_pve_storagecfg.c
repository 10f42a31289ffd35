/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "pve/storagecfg.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "util/str.h"

struct parsed {
	struct arena arena;
	struct diags diags;
	struct storage_cfg cfg;
};

static void parse(struct parsed *p, const char *text)
{
	*p = (struct parsed){};
	p->diags.arena = &p->arena;
	storage_cfg_parse(&p->cfg, "storage.cfg", slice_of(text), &p->arena, &p->diags);
}

static void done(struct parsed *p)
{
	diags_done(&p->diags);
	arena_done(&p->arena);
}

static const struct storage *find(const struct parsed *p, const char *id)
{
	return storage_find(&p->cfg, slice_of(id));
}

static void reads_a_real_file(void **state)
{
	const struct storage *s;
	struct parsed p;

	(void)state;
	parse(&p, "dir: local\n\tpath /var/lib/vz\n\tcontent iso,vztmpl\n\n"
		  "lvmthin: local-lvm\n\tthinpool data\n\tvgname pve\n\tcontent rootdir,images\n"
		  "\tnodes pve1, pve3\n\n"
		  "lvm: san\n\tvgname vg_san\n\tshared 1\n\ttagged_only\n\tdisable 0\n\n"
		  "nfs: share\n\tserver 10.0.0.1\n\tdisable\n\n"
		  "purestorage: flash\n\taddress x\n\tvgname not-a-vg\n");
	assert_int_equal(p.cfg.n, 5);
	assert_int_equal(p.diags.n, 0);
	s = find(&p, "local-lvm");
	assert_string_equal(s->type, "lvmthin");
	assert_string_equal(s->vgname, "pve");
	assert_string_equal(s->thinpool, "data");
	assert_string_equal(s->content, "rootdir,images");
	assert_false(s->shared || s->disabled || s->tagged_only);
	assert_true(storage_on_node(s, "pve1"));
	assert_true(storage_on_node(s, "pve3"));
	assert_false(storage_on_node(s, "pve"));
	assert_false(storage_on_node(s, "pve2"));
	s = find(&p, "san");
	assert_true(s->shared);
	assert_true(s->tagged_only);
	assert_false(s->disabled);
	assert_true(storage_on_node(s, "anything"));
	s = find(&p, "share");
	assert_true(s->shared);
	assert_true(s->disabled);
	assert_null(s->vgname);
	s = find(&p, "flash");
	assert_string_equal(s->type, "purestorage");
	assert_null(s->vgname);
	assert_string_equal(section_get(s->section, "address"), "x");
	assert_null(find(&p, "nope"));
	done(&p);
}

static void knows_types_that_are_shared(void **state)
{
	static const char *const shared[] = { "iscsi", "nfs", "cifs", "rbd",	     "cephfs",
					      "pbs",   "zfs", "drbd", "iscsidirect", "glusterfs" };
	static const char *const own[] = { "dir", "lvm", "lvmthin", "zfspool", "btrfs", "esxi" };
	char text[64];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(shared) + ARRAY_SIZE(own); i++) {
		bool is_shared = i < ARRAY_SIZE(shared);
		struct parsed p;

		(void)snprintf(text, sizeof(text), "%s: st\n\tvgname x\n",
			       is_shared ? shared[i] : own[i - ARRAY_SIZE(shared)]);
		parse(&p, text);
		assert_int_equal(find(&p, "st")->shared, is_shared);
		done(&p);
	}
}

static void there_is_always_a_local(void **state)
{
	static const struct {
		const char *text;
		bool from_file;
		size_t diags;
	} cases[] = {
		{ "", false, 0 },
		{ "lvm: a1\n\tvgname x\n", false, 0 },
		{ "dir: local\n\tpath /var/lib/vz\n\tnodes a\n", true, 0 },
		{ "dir: local\n", true, 0 },
		{ "dir: local\n\tpath /srv\n", false, 1 },
		{ "lvm: local\n\tvgname pve\n", false, 1 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct storage *local;
		struct parsed p;

		parse(&p, cases[i].text);
		local = find(&p, "local");
		assert_non_null(local);
		assert_string_equal(local->type, "dir");
		assert_null(local->vgname);
		assert_int_equal(local->section != NULL, cases[i].from_file);
		assert_true(storage_on_node(local, "b"));
		assert_int_equal(p.diags.n, cases[i].diags);
		done(&p);
	}
}

static void takes_the_later_of_two_storages(void **state)
{
	struct parsed p;

	(void)state;
	parse(&p, "lvm: aa\n\tvgname one\n\nlvm: aa\n\tvgname two\n");
	assert_int_equal(p.cfg.n, 2);
	assert_string_equal(find(&p, "aa")->vgname, "two");
	done(&p);
}

static void says_what_is_wrong(void **state)
{
	static const struct {
		const char *text, *word;
		unsigned int line;
		bool kept;
	} cases[] = {
		{ "lvm: st\n", "vgname", 1, true },
		{ "lvm: st\n\tvgname\n", "vgname", 1, true },
		{ "dir: st\n\n\nlvm: 9st\n\tvgname x\n", "storage name", 4, true },
		{ "dir: st\n\tdisable maybe\n", "expected 0 or 1", 1, true },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct parsed p;

		parse(&p, cases[i].text);
		assert_int_equal(p.diags.n, 1);
		assert_int_equal(p.diags.items[0].line, cases[i].line);
		assert_non_null(strstr(p.diags.items[0].text, cases[i].word));
		assert_int_equal(find(&p, "st") != NULL, cases[i].kept);
		assert_null(find(&p, "9st"));
		assert_null(find(&p, "st")->vgname);
		assert_false(find(&p, "st")->disabled);
		done(&p);
	}
}

static void reads_a_file_without_its_last_newline(void **state)
{
	struct parsed p;

	(void)state;
	parse(&p, "lvm: st\n\tvgname x");
	assert_string_equal(find(&p, "st")->vgname, "x");
	done(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_a_real_file),
		cmocka_unit_test(knows_types_that_are_shared),
		cmocka_unit_test(there_is_always_a_local),
		cmocka_unit_test(takes_the_later_of_two_storages),
		cmocka_unit_test(says_what_is_wrong),
		cmocka_unit_test(reads_a_file_without_its_last_newline),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
