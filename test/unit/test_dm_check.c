/* SPDX-License-Identifier: AGPL-3.0-or-later */

/* Around the judge: the figures and the grade, what is shown, what blocks an id. */

#include "dm/blockers.h"

#include "dm/explain.h"
#include "dm/show.h"
#include "node_fixture.h"
#include "util/cli.h"
#include "util/json.h"

static struct fx_vg *node_make(struct fixture *f)
{
	fixture_make(f);
	fixture_storage(f, "lvm: thick\n\tvgname vg\n");
	fixture_storage(f, "lvm: san\n\tvgname san\n\tshared 1\n");
	(void)fixture_vg(f, "san");
	return fixture_vg(f, "vg");
}

static struct fx_map *disk(struct fixture *f, struct fx_vg *vg, unsigned int vmid, unsigned int n)
{
	return fixture_map(f, fixture_lv(f, vg, arena_fmt(&f->arena, "vm-%u-disk-%u", vmid, n), 1));
}

static struct fx_map *ghost(struct fixture *f, struct fx_vg *vg, unsigned int vmid, unsigned int n)
{
	struct fx_map *map = disk(f, vg, vmid, n);

	vg->lvs.items[vg->lvs.n - 1]->deleted = true;
	return map;
}

static const struct dm_summary *with_orphans(struct fixture *f, size_t orphans, size_t criticals)
{
	struct fx_vg *vg = node_make(f);

	for (unsigned int i = 0; i < orphans; i++)
		(void)ghost(f, vg, 500 + i, 0);
	for (unsigned int i = 0; i < criticals; i++) {
		(void)ghost(f, vg, 900 + i, 0);
		(void)fixture_lv(f, vg, arena_fmt(&f->arena, "vm-%u-disk-0", 900 + i), 1);
	}
	return &fixture_check(f, NULL)->summary;
}

/* Decisions 12: 100 - 20 for each critical (60 at most) - 5 for each orphan (40 at most). */
static void score_and_grade(void **state)
{
	static const struct {
		size_t orphans, criticals;
		int score;
		const char *grade;
	} cases[] = {
		{ 0, 0, 100, "A+" }, { 1, 0, 95, "B" },	 { 5, 0, 75, "B" },  { 6, 0, 70, "C" },
		{ 8, 0, 60, "C" },   { 9, 0, 60, "C" },	 { 20, 0, 60, "C" }, { 21, 0, 60, "D" },
		{ 50, 0, 60, "D" },  { 51, 0, 60, "F" }, { 0, 1, 80, "F" },  { 3, 1, 65, "F" },
		{ 0, 3, 40, "F" },   { 0, 4, 40, "F" },	 { 51, 9, 0, "F" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct dm_summary *s;
		struct fixture f;

		s = with_orphans(&f, cases[i].orphans, cases[i].criticals);
		assert_true(s->graded);
		assert_int_equal(s->score, cases[i].score);
		assert_string_equal(s->grade, cases[i].grade);
		assert_int_equal(s->orphans, cases[i].orphans);
		assert_int_equal(s->critical, cases[i].criticals);
		assert_int_equal(s->answer, cases[i].criticals ? DM_SEVERITY_CRITICAL
					    : cases[i].orphans ? DM_SEVERITY_WARNING
							       : DM_SEVERITY_NONE);
		fixture_done(&f);
	}
}

static void no_grade_while_something_is_unknown(void **state)
{
	struct fixture f;
	struct fx_vg *vg;

	(void)state;
	vg = node_make(&f);
	(void)ghost(&f, vg, 500, 0);
	(void)disk(&f, f.vgs.items[0], 100, 0);
	f.vgs.items[0]->exported = "exported";
	(void)fixture_check(&f, NULL);
	assert_false(f.check.summary.graded);
	assert_null(f.check.summary.grade);
	assert_int_equal(f.check.summary.orphans, 1);
	assert_int_equal(f.check.summary.answer, DM_SEVERITY_UNKNOWN);
	assert_int_equal(f.check.blind.n, 1);
	assert_non_null(strstr(f.check.blind.items[0], "san"));
	fixture_done(&f);
}

static void critical_goes_over_unknown(void **state)
{
	struct fixture f;
	struct fx_vg *vg;

	(void)state;
	vg = node_make(&f);
	(void)ghost(&f, vg, 500, 0);
	(void)fixture_lv(&f, vg, "vm-500-disk-0", 1);
	(void)disk(&f, f.vgs.items[0], 100, 0);
	f.vgs.items[0]->exported = "exported";
	(void)fixture_check(&f, NULL);
	assert_int_equal(f.check.summary.answer, DM_SEVERITY_CRITICAL);
	assert_int_equal(dm_answer_exit(f.check.summary.answer), CLI_CRITICAL);
	fixture_done(&f);
}

/* A node without anything to judge is still not well if it cannot see. */
static void blind_without_mappings(void **state)
{
	struct fixture f;

	(void)state;
	(void)node_make(&f);
	f.quorate = "false";
	(void)fixture_check(&f, NULL);
	assert_int_equal(f.check.summary.mappings, 0);
	assert_int_equal(f.check.summary.answer, DM_SEVERITY_UNKNOWN);
	assert_false(f.check.summary.graded);
	assert_int_equal(f.check.blind.n, 1);
	fixture_done(&f);
}

static void exits(void **state)
{
	(void)state;
	assert_int_equal(dm_answer_exit(DM_SEVERITY_NONE), 0);
	assert_int_equal(dm_answer_exit(DM_SEVERITY_NOTICE), 0);
	assert_int_equal(dm_answer_exit(DM_SEVERITY_WARNING), 1);
	assert_int_equal(dm_answer_exit(DM_SEVERITY_CRITICAL), 2);
	assert_int_equal(dm_answer_exit(DM_SEVERITY_UNKNOWN), 3);
	assert_string_equal(dm_answer_name(DM_SEVERITY_NONE), "ok");
	assert_string_equal(dm_answer_name(DM_SEVERITY_NOTICE), "ok");
	assert_string_equal(dm_answer_name(DM_SEVERITY_WARNING), "warning");
	assert_string_equal(dm_answer_name(DM_SEVERITY_CRITICAL), "critical");
	assert_string_equal(dm_answer_name(DM_SEVERITY_UNKNOWN), "unknown");
}

static void no_node_at_all(void **state)
{
	struct dm_check c;
	struct tree t;
	struct err e = {};

	(void)state;
	tree_make(&t);
	assert_true(dm_check_run(&c, &t.root, &fixture_options, &e) < 0);
	assert_true(*e.text);
	tree_done(&t);
}

/* One of everything: a running guest, a leftover, an open ghost, a duplicate, one elsewhere. */
static void mixed_node(struct fixture *f)
{
	struct fx_vg *vg = node_make(f);
	struct fx_map *open, *copy;

	fixture_vm(f, FX_NODE, 100, "name: web\nscsi0: thick:vm-100-disk-0\n");
	fixture_vm(f, FX_NODE, 101, "name: idle\nscsi0: thick:vm-101-disk-0\n");
	fixture_ct(f, FX_NODE, 200, "hostname: db\nrootfs: thick:vm-200-disk-0\n");
	fixture_vm(f, "pve2", 102, "name: away\nscsi0: san:vm-102-disk-0\n");
	fixture_runs(f, 100);
	fixture_ct_runs(f, 200);
	(void)disk(f, vg, 100, 0);
	(void)disk(f, vg, 101, 0);
	(void)disk(f, vg, 200, 0);
	(void)disk(f, f->vgs.items[0], 102, 0);
	open = ghost(f, vg, 300, 0);
	open->open = 1;
	(void)ghost(f, vg, 300, 1);
	(void)ghost(f, vg, 100, 7);
	copy = fixture_raw(f, "vg-vm--100--disk--0-copy", "");
	fixture_target(f, copy, "0 8192 linear " DEVNO_FMT " 2048",
		       DEVNO_ARG(vg->pvs.items[0]->dev));
	buf_addf(&f->users, DEVNO_FMT " 4711 kvm open file\n", DEVNO_ARG(open->dev));
	(void)fixture_map(f, fixture_lv(f, vg, "root", 1));
}

static void summary_of_a_mixed_node(void **state)
{
	const struct dm_summary *s;
	struct fixture f;

	(void)state;
	mixed_node(&f);
	s = &fixture_check(&f, NULL)->summary;
	assert_int_equal(s->mappings, 9);
	assert_int_equal(s->guest_mappings, 8);
	assert_int_equal(s->by_class[DM_OK], 2);
	assert_int_equal(s->by_class[DM_GHOST], 3);
	assert_int_equal(s->by_class[DM_LEFTOVER], 1);
	assert_int_equal(s->by_class[DM_FOREIGN], 1);
	assert_int_equal(s->by_class[DM_DUPLICATE], 1);
	assert_int_equal(s->duplicates, 1);
	assert_int_equal(s->orphans, 4);
	assert_int_equal(s->in_use, 1);
	assert_int_equal(s->issues, 5);
	assert_int_equal(s->vms, 2);
	assert_int_equal(s->vms_running, 1);
	assert_int_equal(s->cts, 1);
	assert_int_equal(s->cts_running, 1);
	assert_int_equal(dm_tally_of(&f.check, 300)->findings, 2);
	assert_int_equal(dm_tally_of(&f.check, 100)->worst, DM_SEVERITY_CRITICAL);
	assert_null(dm_tally_of(&f.check, 200));
	assert_null(dm_tally_of(&f.check, 301));
	fixture_done(&f);
}

static json_t *shown(const struct dm_check *c, const struct dm_view *view)
{
	CLEANUP(buf_done) struct buf out = {};
	struct err e = {};
	json_t *doc;

	dm_show_json(c, view, &out);
	if (json_parse(buf_slice(&out), "json", &doc, &e) < 0)
		fail_msg("%s", e.text);
	return doc;
}

static void assert_has(const json_t *obj, const char *const keys[], size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!json_object_get(obj, keys[i]))
			fail_msg("no \"%s\" in the document", keys[i]);
}

static const json_t *finding(const json_t *doc, const char *name)
{
	const json_t *list = json_arr(doc, "findings"), *f;
	size_t i;

	json_array_foreach(list, i, f)
	{
		if (strcmp(json_str(f, "name"), name) == 0)
			return f;
	}
	fail_msg("no finding %s", name);
	return NULL;
}

static void document_has_its_fields(void **state)
{
	static const char *const top[] = { "schema", "node",	     "time",	   "policy",
					   "answer", "blind",	     "summary",	   "score",
					   "grade",  "host_grade",   "findings",   "guests",
					   "advice", "orphan_vmids", "environment" };
	static const char *const summary[] = {
		"mappings",  "guest_mappings", "ok",	       "duplicates",   "orphans",
		"leftovers", "in_use",	       "issues",       "vms",	       "vms_running",
		"cts",	     "cts_running",    "stale_tables", "renamed",      "ghosts",
		"manual",    "foreign",	       "copies",       "unreferenced", "busy",
		"unknown",   "infrastructure",
	};
	static const char *const fields[] = { "class", "severity",   "name",   "uuid",	 "device",
					      "vmid",  "guest",	     "vg",     "lv",	 "volid",
					      "users", "open_count", "reason", "impact", "remedy" };
	static const char *const guest[] = { "vmid", "type", "name", "status", "health" };
	struct dm_view view = {};
	struct fixture f;
	const json_t *one;
	json_t *doc;

	(void)state;
	mixed_node(&f);
	(void)fixture_check(&f, NULL);
	doc = shown(&f.check, &view);
	assert_has(doc, top, ARRAY_SIZE(top));
	assert_has(json_obj(doc, "summary"), summary, ARRAY_SIZE(summary));
	assert_string_equal(json_str(doc, "schema"), "pvewarden.dm/1");
	assert_string_equal(json_str(doc, "node"), FX_NODE);
	assert_string_equal(json_str(doc, "time"), FX_NOW);
	assert_string_equal(json_str(doc, "policy"), "configured");
	assert_string_equal(json_str(doc, "answer"), "critical");
	assert_null(json_object_get(doc, "mappings"));
	assert_int_equal(json_array_size(json_arr(doc, "findings")), 6);
	assert_int_equal(json_array_size(json_arr(doc, "guests")), 3);
	assert_has(json_array_get(json_arr(doc, "guests"), 0), guest, ARRAY_SIZE(guest));

	one = json_array_get(json_arr(doc, "orphan_vmids"), 0);
	assert_int_equal(json_array_size(json_arr(doc, "orphan_vmids")), 1);
	assert_int_equal(json_integer_value(json_object_get(one, "vmid")), 300);
	assert_int_equal(json_integer_value(json_object_get(one, "count")), 2);

	one = json_array_get(json_arr(doc, "findings"), 0);
	assert_has(one, fields, ARRAY_SIZE(fields));
	assert_string_equal(json_str(one, "class"), "duplicate"); /* the worst comes first */
	assert_string_equal(json_string_value(json_array_get(json_arr(one, "duplicate_of"), 0)),
			    "vg-vm--100--disk--0");

	one = finding(doc, "vg-vm--300--disk--0");
	assert_int_equal(json_integer_value(json_object_get(one, "open_count")), 1);
	assert_int_equal(json_array_size(json_arr(one, "users")), 1);
	assert_string_equal(json_str(json_array_get(json_arr(one, "users"), 0), "command"), "kvm");
	assert_true(json_is_null(json_object_get(one, "guest")));

	one = finding(doc, "san-vm--102--disk--0");
	assert_string_equal(json_str(one, "volid"), "san:vm-102-disk-0");
	assert_string_equal(json_str(json_obj(one, "guest"), "node"), "pve2");
	json_decref(doc);
	fixture_done(&f);
}

static void views(void **state)
{
	struct dm_view all = { .all = true }, one = { .vmid = 101, .all = true };
	struct fixture f;
	json_t *doc;

	(void)state;
	mixed_node(&f);
	(void)fixture_check(&f, NULL);
	doc = shown(&f.check, &all);
	assert_int_equal(json_array_size(json_arr(doc, "mappings")), 9);
	json_decref(doc);
	doc = shown(&f.check, &one);
	assert_int_equal(json_array_size(json_arr(doc, "mappings")), 1);
	assert_int_equal(json_array_size(json_arr(doc, "findings")), 1);
	assert_int_equal(json_array_size(json_arr(doc, "guests")), 1);
	assert_string_equal(json_str(doc, "answer"), "ok");
	json_decref(doc);
	one.vmid = 100;
	assert_int_equal(dm_view_answer(&f.check, &one), DM_SEVERITY_CRITICAL);
	one.vmid = 300;
	assert_int_equal(dm_view_answer(&f.check, &one), DM_SEVERITY_WARNING);
	one.vmid = 77777;
	assert_int_equal(dm_view_answer(&f.check, &one), DM_SEVERITY_NONE);
	fixture_done(&f);
}

/* Names come from outside: nothing of them may reach the terminal as it is. */
static void hostile_names(void **state)
{
	struct dm_view view = { .all = true, .color = false, .width = 100, .utf8 = true };
	CLEANUP(buf_done) struct buf out = {};
	struct fixture f;
	struct fx_vg *vg;
	json_t *doc;

	(void)state;
	vg = node_make(&f);
	(void)ghost(&f, vg, 100, 0);
	f.maps.items[0]->name = "vg-vm--100--disk--0\x1b[31m\xff\xe2\x80\xae";
	fixture_vm(&f, FX_NODE, 100, "name: \x1b]0;x\x07\xff\nscsi0: thick:vm-100-disk-0\n");
	(void)fixture_check(&f, NULL);
	dm_show_text(&f.check, &view, &out);
	for (size_t i = 0; i < out.len; i++)
		if (((unsigned char)out.data[i] < 0x20 && out.data[i] != '\n') ||
		    (unsigned char)out.data[i] == 0xff)
			fail_msg("byte %02x in the text", (unsigned char)out.data[i]);
	assert_null(strstr(out.data, "\xe2\x80\xae"));
	doc = shown(&f.check, &view);
	json_decref(doc);
	fixture_done(&f);
}

static struct dm_explanation explain(const struct fixture *f, const struct fx_map *map,
				     struct arena *a)
{
	struct dm_explanation text;

	dm_explain(&text, &f->check.look->model, fixture_mapping(f, map), fixture_verdict(f, map),
		   a);
	return text;
}

/* Decisions 16, 17, 26, 27: what may be printed to be typed. */
static void remedies(void **state)
{
	CLEANUP(arena_done) struct arena a = {};
	struct fx_map *gone, *moved, *grown, *renamed, *open, *loose;
	struct dm_explanation text;
	struct fixture f;
	struct fx_vg *vg;

	(void)state;
	vg = node_make(&f);
	gone = ghost(&f, vg, 300, 0);
	moved = disk(&f, vg, 301, 0);
	vg->lvs.items[1]->segs.items[0].areas[0].first = 900;
	moved->open = 1;
	grown = disk(&f, vg, 302, 0);
	vg->lvs.items[2]->segs.items[0].size = vg->lvs.items[2]->extents = 5;
	grown->open = 1;
	renamed = disk(&f, vg, 303, 0);
	vg->lvs.items[3]->name = "vm-303-disk-9";
	open = disk(&f, vg, 304, 0);
	vg->lvs.items[4]->name = "vm-304-disk-9";
	open->open = 1;
	loose = disk(&f, vg, 305, 0);
	(void)fixture_check(&f, NULL);

	text = explain(&f, gone, &a);
	assert_non_null(strstr(text.remedy, "dmsetup remove"));
	assert_non_null(strstr(text.remedy, gone->uuid));
	assert_null(strstr(text.remedy, "--force"));
	text = explain(&f, moved, &a);
	assert_null(strstr(text.remedy ? text.remedy : "", "--refresh"));
	text = explain(&f, grown, &a);
	assert_non_null(strstr(text.remedy, "lvchange --refresh"));
	text = explain(&f, renamed, &a);
	assert_non_null(strstr(text.remedy, "lvchange -aln --"));
	text = explain(&f, open, &a);
	assert_non_null(strstr(text.remedy, "lvchange -aly --devices '/dev/"));
	text = explain(&f, loose, &a);
	assert_null(strstr(text.remedy ? text.remedy : "", "lvremove"));
	assert_null(strstr(text.remedy ? text.remedy : "", "pvesm free"));
	fixture_done(&f);
}

/* `array reap` takes away only what pvewarden's registry has. */
static void remedy_of_an_array_volume(void **state)
{
	static const struct {
		const char *registered, *command;
	} rows[] = {
		{ "", "pvewarden array reap" },
		{ ", \"registered\": true", "pvewarden array reap" },
		{ ", \"registered\": false", NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		CLEANUP(arena_done) struct arena a = {};
		struct dm_explanation text;
		struct fx_map *map;
		struct fixture f;

		(void)node_make(&f);
		map = fixture_raw(&f, "3624a93700001", "mpath-3624a93700001");
		fixture_target(&f, map, "0 8192 multipath 0 0 1 1 round-robin 0 1 1 8:16 1");
		tree_write(
			&f.tree, "run/pvewarden/array/array.json",
			arena_fmt(&f.arena,
				  "{\"schema\": \"pvewarden.array/1\", \"time\": "
				  "\"2026-11-21T04:04:00Z\", \"maps\": [{\"wwid\": "
				  "\"3624a93700001\", \"state\": \"gone\", \"volume\": \"v\"%s}]}",
				  rows[i].registered));
		(void)fixture_check(&f, NULL);
		text = explain(&f, map, &a);
		if (rows[i].command)
			assert_string_equal(text.command, rows[i].command);
		else
			assert_null(text.command);
		assert_int_equal(!rows[i].command, strstr(text.remedy, "multipath -f") != NULL);
		fixture_done(&f);
	}
}

static void blockers_of_ids(void **state)
{
	static const struct {
		uint32_t vmid;
		size_t n;
		enum dm_blocker_kind kind;
		enum dm_severity severity;
	} cases[] = {
		{ 300, 2, DM_BLOCKER_MAPPING, DM_SEVERITY_CRITICAL },
		{ 102, 2, DM_BLOCKER_TAKEN, DM_SEVERITY_CRITICAL },
		{ 200, 1, DM_BLOCKER_TAKEN, DM_SEVERITY_CRITICAL },
		{ 400, 1, DM_BLOCKER_VOLUME, DM_SEVERITY_WARNING },
		{ 401, 1, DM_BLOCKER_WORK, DM_SEVERITY_WARNING },
		{ 402, 1, DM_BLOCKER_WORK, DM_SEVERITY_WARNING },
		{ 403, 0, DM_BLOCKER_TAKEN, DM_SEVERITY_NONE },
	};
	struct fixture f;

	(void)state;
	mixed_node(&f);
	(void)fixture_lv(&f, f.vgs.items[1], "vm-400-disk-0", 1);
	fixture_task(&f, "qmcreate", 401);
	fixture_flock(&f, 402);
	(void)fixture_check(&f, NULL);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		CLEANUP(dm_blockers_done) struct dm_blockers list = {};

		dm_blockers_find(&list, &f.check, cases[i].vmid);
		if (list.n != cases[i].n)
			fail_msg("id %u: %zu blockers", cases[i].vmid, list.n);
		if (list.n) {
			assert_int_equal(list.items[0].kind, cases[i].kind);
			assert_int_equal(list.items[0].severity, cases[i].severity);
		}
	}
	fixture_done(&f);
}

static void next_ids(void **state)
{
	struct fixture f;

	(void)state;
	mixed_node(&f);
	tree_write(&f.tree, "etc/pve/datacenter.cfg", "next-id: lower=101,upper=104\n");
	(void)fixture_check(&f, NULL);
	assert_int_equal(dm_next_vmid(&f.check, 0), 103);
	assert_int_equal(dm_next_vmid(&f.check, 103), 103);
	assert_int_equal(dm_next_vmid(&f.check, 104), 0);
	assert_int_equal(dm_next_vmid(&f.check, UINT32_MAX), 0);
	fixture_done(&f);
}

static void typed_ids(void **state)
{
	static const char *const bad[] = { "",	  "99", "1000000000", "-100", "100 ",
					   "1e3", "x",	"4294967396", "0100x" };
	uint32_t id = 0;

	(void)state;
	assert_true(dm_parse_vmid("100", &id));
	assert_int_equal(id, 100);
	assert_true(dm_parse_vmid("999999999", &id));
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		if (dm_parse_vmid(bad[i], &id))
			fail_msg("'%s' was taken", bad[i]);
}

/* Decisions 21: neither exit status, score nor grade. */
static void advice_changes_nothing(void **state)
{
	struct fixture f;
	struct fx_vg *san;

	(void)state;
	(void)node_make(&f);
	san = f.vgs.items[0];
	san->autoactivation = true;
	(void)fixture_lv(&f, san, "vm-100-disk-0", 1);
	san->lvs.items[0]->autoactivation = true;
	fixture_vm(&f, FX_NODE, 100, "scsi0: san:vm-100-disk-0\n");
	(void)fixture_check(&f, NULL);
	assert_int_equal(f.check.advice.n, 1);
	assert_non_null(strstr(f.check.advice.items[0], "san"));
	assert_int_equal(f.check.summary.answer, DM_SEVERITY_NONE);
	assert_string_equal(f.check.summary.grade, "A+");
	fixture_done(&f);
}

static void no_advice_for_local_groups(void **state)
{
	struct fixture f;
	struct fx_vg *vg;

	(void)state;
	vg = node_make(&f);
	vg->autoactivation = true;
	fixture_lv(&f, vg, "vm-100-disk-0", 1)->autoactivation = true;
	fixture_vm(&f, FX_NODE, 100, "scsi0: thick:vm-100-disk-0\n");
	(void)fixture_check(&f, NULL);
	assert_int_equal(f.check.advice.n, 0);
	fixture_done(&f);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(score_and_grade),
		cmocka_unit_test(no_grade_while_something_is_unknown),
		cmocka_unit_test(critical_goes_over_unknown),
		cmocka_unit_test(blind_without_mappings),
		cmocka_unit_test(exits),
		cmocka_unit_test(no_node_at_all),
		cmocka_unit_test(summary_of_a_mixed_node),
		cmocka_unit_test(document_has_its_fields),
		cmocka_unit_test(views),
		cmocka_unit_test(hostile_names),
		cmocka_unit_test(remedies),
		cmocka_unit_test(remedy_of_an_array_volume),
		cmocka_unit_test(blockers_of_ids),
		cmocka_unit_test(next_ids),
		cmocka_unit_test(typed_ids),
		cmocka_unit_test(advice_changes_nothing),
		cmocka_unit_test(no_advice_for_local_groups),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
