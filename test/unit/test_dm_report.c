/* SPDX-License-Identifier: AGPL-3.0-or-later */

/* Around the report: the host's grade, subjects, publishing, what the writers must never do. */

#include "dm/publish.h"
#include "dm/report_mail.h"
#include "dm/show.h"
#include "mixed_node.h"
#include "util/json.h"
#include "util/prom.h"
#include "util/str.h"

/* Every boundary of version 26, from both sides. */
static void host_grade_boundaries(void **state)
{
	static const struct {
		double cpu, memory;
		size_t orphans;
		int score;
		const char *grade;
	} cases[] = {
		{ 0, 0, 0, 100, "A+" },	  { 60, 75, 10, 100, "A+" }, { 60.4, 75.4, 10, 100, "A+" },
		{ 60.5, 0, 0, 90, "A+" }, { 61, 0, 0, 90, "A+" },    { 80, 0, 0, 90, "A+" },
		{ 81, 0, 0, 80, "A" },	  { 0, 76, 0, 90, "A+" },    { 0, 90, 0, 90, "A+" },
		{ 0, 91, 0, 80, "A" },	  { 0, 0, 11, 90, "A+" },    { 0, 0, 50, 90, "A+" },
		{ 0, 0, 51, 80, "A" },	  { 61, 76, 11, 70, "B" },   { 81, 76, 0, 70, "B" },
		{ 81, 91, 0, 60, "C" },	  { 81, 91, 11, 50, "D" },   { 100, 100, 51, 40, "D" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct hostgrade_input in = {
			true, true, true, cases[i].cpu, cases[i].memory, cases[i].orphans
		};
		struct host_grade g;

		hostgrade(&g, &in);
		assert_true(g.graded);
		assert_int_equal(g.score, cases[i].score);
		assert_string_equal(g.grade, cases[i].grade);
		assert_int_equal(g.reason != NULL, g.score < 100);
	}
}

static void host_grade_needs_everything(void **state)
{
	(void)state;
	for (int missing = 0; missing < 3; missing++) {
		struct hostgrade_input in = { missing != 0, missing != 1, missing != 2, 1, 1, 0 };
		struct host_grade g;

		hostgrade(&g, &in);
		assert_false(g.graded);
		assert_null(g.grade);
		assert_non_null(g.reason);
	}
}

static void load_levels(void **state)
{
	(void)state;
	assert_int_equal(hostgrade_load(4, 4), HOST_GOOD);
	assert_int_equal(hostgrade_load(4.01, 4), HOST_HIGH);
	assert_int_equal(hostgrade_load(6, 4), HOST_HIGH);
	assert_int_equal(hostgrade_load(6.01, 4), HOST_TOO_HIGH);
	assert_int_equal(hostgrade_load(1, 0), HOST_LEVEL_UNKNOWN);
}

static void make(struct dm_report *r, struct fixture *f)
{
	(void)fixture_check(f, NULL);
	dm_report_make(r, &f->check, &f->tree.root);
}

static void done(struct dm_report *r, struct fixture *f)
{
	dm_report_done(r);
	fixture_done(f);
}

static void subjects(void **state)
{
	struct dm_report r;
	struct fixture f;
	struct fx_vg *vg;

	(void)state;
	(void)node_make(&f);
	tree_write(&f.tree, "proc/meminfo", "MemTotal: 100 kB\nMemAvailable: 50 kB\n");
	make(&r, &f);
	assert_string_equal(r.subject,
			    "[pve1] OK: no issues, 0 entries (device mapper grade A+, host "
			    "not graded)");
	done(&r, &f);

	vg = node_make(&f);
	ghost_disk(&f, vg, 500, 0);
	make(&r, &f);
	assert_string_equal(r.subject,
			    "[pve1] WARNING: 1 orphan (device mapper grade B, host not graded)");
	done(&r, &f);

	vg = node_make(&f);
	ghost_disk(&f, vg, 500, 0);
	ghost_disk(&f, vg, 501, 0);
	ghost_disk(&f, vg, 502, 0);
	(void)fixture_lv(&f, vg, "vm-500-disk-0", 1);
	make(&r, &f);
	assert_string_equal(r.subject,
			    "[pve1] CRITICAL: 1 critical, 2 orphans (device mapper grade F, "
			    "host not graded)");
	done(&r, &f);

	vg = node_make(&f);
	ghost_disk(&f, vg, 500, 0);
	vg->exported = "exported";
	make(&r, &f);
	assert_string_equal(r.subject,
			    "[pve1] UNKNOWN: 1 could not be told (device mapper not graded, "
			    "host not graded)");
	done(&r, &f);
}

static void mail_is_whole(void **state)
{
	struct dm_report_mail m;
	struct dm_report r;
	struct fixture f;
	json_t *doc;

	(void)state;
	ghost_disk(&f, node_make(&f), 500, 0);
	fixture_vm(&f, FX_NODE, 100, "name: <b>bold</b>\n");
	make(&r, &f);
	dm_report_mail_make(&m, &r);
	assert_int_equal(m.mail.severity, MAIL_WARNING);
	assert_ptr_equal(m.mail.subject, r.subject);
	assert_non_null(strstr(buf_str(&m.text), "dmsetup remove --uuid"));
	assert_non_null(strstr(buf_str(&m.html), "dmsetup remove --uuid"));
	assert_null(strstr(buf_str(&m.html), "<b>bold"));
	assert_int_equal(m.mail.n_attachments, 1);
	assert_string_equal(m.mail.attachments[0].name, "pvewarden-pve1.json");
	assert_int_equal(json_parse(m.mail.attachments[0].data, "mail", &doc, NULL), 0);
	assert_non_null(json_obj(doc, "host"));
	json_decref(doc);
	dm_report_mail_done(&m);
	done(&r, &f);
}

static void labels_are_escaped(void **state)
{
	CLEANUP(buf_done) struct buf out = {};

	(void)state;
	prom_label(&out, "a\"b\\c\nd\xff");
	assert_string_equal(buf_str(&out), "a\\\"b\\\\c\\\\x0ad\\\\xff");
}

static mode_t mode_of(const struct tree *t, const char *path)
{
	struct stat st;

	assert_int_equal(root_lstat(&t->root, path, &st), 0);
	return st.st_mode & 07777;
}

static void publishing(void **state)
{
	CLEANUP(buf_done) struct buf text = {};
	struct tree t;

	(void)state;
	tree_make(&t);
	tree_write(&t, "run/x", "");
	tree_write(&t, "etc/group", "root:x:0:\n");
	assert_int_equal(dm_publish_at(&t.root, SLICE("one")), 0);
	assert_int_equal(dm_publish_at(&t.root, SLICE("two")), 0);
	assert_int_equal(root_read(&t.root, "run/pvewarden/dm/dm.json", 100, &text), 0);
	assert_string_equal(buf_str(&text), "two");
	assert_int_equal(mode_of(&t, "run/pvewarden/dm/dm.json"), 0640);
	assert_int_equal(mode_of(&t, "run/pvewarden/dm"), 0755);
	/* A recorded node is not live. */
	dm_publish(&t.root, SLICE("three"));
	assert_int_equal(root_read(&t.root, "run/pvewarden/dm/dm.json", 100, &text), 0);
	assert_string_equal(buf_str(&text), "two");
	tree_done(&t);
}

static void no_symlink_is_followed(void **state)
{
	struct stat st;
	struct tree t;

	(void)state;
	tree_make(&t);
	tree_write(&t, "elsewhere/x", "");
	tree_link(&t, "run/pvewarden", "../elsewhere");
	assert_true(dm_publish_at(&t.root, SLICE("one")) < 0);
	assert_true(root_lstat(&t.root, "elsewhere/dm", &st) < 0);
	tree_done(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(host_grade_boundaries),
		cmocka_unit_test(host_grade_needs_everything),
		cmocka_unit_test(load_levels),
		cmocka_unit_test(subjects),
		cmocka_unit_test(mail_is_whole),
		cmocka_unit_test(labels_are_escaped),
		cmocka_unit_test(publishing),
		cmocka_unit_test(no_symlink_is_followed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
