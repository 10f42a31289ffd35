/* SPDX-License-Identifier: AGPL-3.0-or-later */

/* What a check shows: the document has its fields, and no name does anything to a terminal. */

#include "dm/show.h"

#include "mixed_node.h"
#include "util/json.h"

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
	(void)ghost_disk(&f, vg, 100, 0);
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

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(document_has_its_fields),
		cmocka_unit_test(views),
		cmocka_unit_test(hostile_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
