/* SPDX-License-Identifier: AGPL-3.0-or-later */

/* A thousand nodes on which everything may have gone wrong: what holds of all of them. */

#include "dm/show.h"

#include "node_fixture.h"
#include "util/cli.h"
#include "util/json.h"

enum { NODES = 1000, LVS_MAX = 12 };

static uint64_t seed = 4997;

static unsigned int below(unsigned int n)
{
	seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407;
	return (unsigned int)(seed >> 33) % n;
}

static bool one_in(unsigned int n)
{
	return below(n) == 0;
}

#define PICK(list) ((list)[below(ARRAY_SIZE(list))])

static const char *random_name(struct fixture *f)
{
	static const char *const forms[] = {
		"vm-%u-disk-%u",
		"vm-%u-disk-%u.qcow2",
		"base-%u-disk-%u",
		"snap_vm-%u-disk-%u_s_1",
		"del-vm-%u-disk-%u",
		"vm-%u-state-s%u",
		"snap_vm-%u-disk-%u_a.qcow2",
		"data%u-%u",
	};
	const char *form = one_in(3) ? PICK(forms) : forms[0];
	char text[64];

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	(void)snprintf(text, sizeof(text), form, 100 + below(6), below(4));
#pragma GCC diagnostic pop
	return arena_fmt(&f->arena, "%s", text);
}

static void change_volume(struct fixture *f, struct fx_lv *lv)
{
	struct fx_vg *vg = lv->vg;

	switch (below(12)) {
	case 0:
		lv->deleted = true;
		break;
	case 1:
		lv->name = random_name(f);
		break;
	case 2:
		if (!lv->pool)
			fixture_segment(lv, vg->pvs.items[0], vg->pvs.items[0]->next_extent, 2);
		break;
	case 3:
		if (!lv->pool)
			lv->segs.items[0].areas[0].first = below(20);
		break;
	case 4:
		lv->attr = one_in(2) ? "-wI-XX----" : "owi-XX----";
		break;
	case 5:
		lv->time = one_in(2) ? "2026-11-21 03:00:00 +0000" : "";
		break;
	case 6:
		lv->thin_id = below(8);
		break;
	case 7:
		lv->deleted = true;
		(void)fixture_lv(f, vg, lv->name, 1 + below(3));
		break;
	default:
		break;
	}
}

static void random_volumes(struct fixture *f, struct fx_vg *vg)
{
	struct fx_lv *pool = one_in(2) ? fixture_pool(f, vg, "data") : NULL;

	for (unsigned int i = 0, n = below(LVS_MAX); i < n; i++) {
		struct fx_lv *lv = pool && one_in(3)
					   ? fixture_thin(f, pool, random_name(f), 1 + below(4))
					   : fixture_lv(f, vg, random_name(f), 1 + below(4));
		struct fx_map *map = one_in(6) ? NULL : fixture_map(f, lv);

		change_volume(f, lv);
		if (map && one_in(4))
			map->open = 1 + below(2);
		if (map && one_in(15))
			map->flags = one_in(2) ? "suspended" : "inactive";
	}
}

static void random_handmade(struct fixture *f)
{
	static const char *const names[] = { "vg0-vm--100--disk--0-copy", "test-vm--101--disk--1",
					     "vg1-vm--102--disk--2", "plain",
					     "x-base--103--disk--0" };
	struct fx_vg *vg = f->vgs.items[below((unsigned int)f->vgs.n)];
	struct fx_map *map = fixture_raw(f, PICK(names), one_in(3) ? "own-uuid" : "");
	struct devno dev = vg->pvs.items[0]->dev;

	if (f->maps.n > 1 && one_in(3))
		dev = f->maps.items[below((unsigned int)f->maps.n - 1)]->dev;
	fixture_target(f, map, "0 %u linear " DEVNO_FMT " %u", 1 + below(30000), DEVNO_ARG(dev),
		       below(60000));
	if (!one_in(4))
		fixture_dep(map, dev);
}

static void random_vg(struct fixture *f, unsigned int i)
{
	struct fx_vg *vg = fixture_vg(f, one_in(10) ? "vg0" : arena_fmt(&f->arena, "vg%u", i));

	random_volumes(f, vg);
	vg->hidden = one_in(12);
	vg->pvs.items[0]->missing = one_in(20);
	if (one_in(20))
		vg->exported = "exported";
	if (one_in(20))
		vg->lock_type = one_in(2) ? "sanlock" : "none";
}

static void random_guest(struct fixture *f, unsigned int vmid)
{
	static const char *const storages[] = { "s0", "s1", "s2", "t0", "gone", "local" };
	CLEANUP(buf_done) struct buf conf = {};

	if (one_in(10))
		buf_adds(&conf, "lock: backup\n");
	for (unsigned int i = 0, n = below(5); i < n; i++)
		buf_addf(&conf, "scsi%u: %s:%s\n", i, PICK(storages), random_name(f));
	if (one_in(3))
		buf_adds(&conf, "[s_1]\nmemory: 1\n[a]\nmemory: 1\n");
	if (one_in(4)) {
		fixture_ct(f, one_in(3) ? "pve2" : FX_NODE, vmid, buf_str(&conf));
		if (one_in(2))
			fixture_ct_runs(f, vmid);
		return;
	}
	fixture_vm(f, one_in(3) ? "pve2" : FX_NODE, vmid, buf_str(&conf));
	if (one_in(2))
		fixture_runs(f, vmid);
	else if (one_in(10))
		fixture_incoming(f, vmid);
	if (one_in(15))
		fixture_task(f, "qmigrate", vmid);
	if (one_in(15))
		fixture_flock(f, vmid);
}

static void random_node(struct fixture *f)
{
	fixture_make(f);
	for (unsigned int i = 0; i < 3; i++)
		fixture_storage(f, arena_fmt(&f->arena, "lvm: s%u\n\tvgname vg%u\n%s%s%s", i, i,
					     one_in(2) ? "\tshared 1\n" : "",
					     one_in(5) ? "\tnodes pve2\n" : "",
					     one_in(8) ? "\tdisable\n" : ""));
	fixture_storage(f, "lvmthin: t0\n\tvgname vg0\n\tthinpool data\n");
	for (unsigned int i = 0; i < 3; i++)
		random_vg(f, i);
	for (unsigned int i = below(4); i > 0; i--)
		random_handmade(f);
	for (unsigned int vmid = 100; vmid < 106; vmid++)
		if (!one_in(4))
			random_guest(f, vmid);
	if (one_in(25))
		f->quorate = "false";
	f->no_storages = one_in(40);
	f->no_lvm = one_in(40);
}

static bool names(const struct dm_mapping *map, size_t other)
{
	for (size_t i = 0; i < map->n_overlaps; i++)
		if (map->overlaps[i] == other)
			return true;
	return map->n_overlaps == OVERLAPS_MAX;
}

static void check_mapping(const struct dm_check *c, size_t i)
{
	const struct dm_model *m = &c->look->model;
	const struct dm_mapping *map = &m->mappings[i];
	const struct dm_verdict *v = &c->look->verdicts[i];

	assert_true((v->severity == DM_SEVERITY_NONE) == !dm_is_finding(v));
	assert_true((v->class == DM_UNKNOWN && v->counts) == (v->severity == DM_SEVERITY_UNKNOWN));
	if (dm_blind(m))
		assert_true(v->class == DM_INFRASTRUCTURE || v->class == DM_UNKNOWN);
	if (v->duplicate)
		assert_true(map->n_overlaps > 0 && v->severity == DM_SEVERITY_CRITICAL);
	if (v->class == DM_GHOST)
		assert_true(map->vg && !map->lv && !lvm_vg_doubt(map->vg));
	if (v->class == DM_OK && map->kind == DM_MAP_LVM)
		assert_true(map->lv && map->table == DM_TABLE_AGREES && v->ref);
	for (size_t k = 0; k < map->n_overlaps; k++)
		assert_true(map->overlaps[k] != i && names(&m->mappings[map->overlaps[k]], i));
}

static void check_summary(const struct dm_check *c)
{
	const struct dm_summary *s = &c->summary;
	enum dm_severity worst = dm_blind(&c->look->model) ? DM_SEVERITY_UNKNOWN : DM_SEVERITY_NONE;
	size_t all = 0, findings = 0;

	for (int class = 0; class < DM_CLASS_MAX; class ++)
		all += s->by_class[class];
	assert_int_equal(all, s->mappings);
	for (size_t i = 0; i < s->mappings; i++) {
		const struct dm_verdict *v = &c->look->verdicts[i];

		findings += dm_is_finding(v);
		if (v->severity > worst)
			worst = v->severity;
	}
	assert_int_equal(s->by_class[DM_OK] + findings, s->guest_mappings);
	assert_int_equal(s->critical + s->warnings + s->notices + s->unknowns, findings);
	assert_int_equal(s->issues, s->critical + s->warnings);
	assert_int_equal(s->answer, worst);
	assert_int_equal(s->graded, !dm_blind(&c->look->model) && !s->unknowns);
	assert_true(s->orphans <= s->warnings);
	assert_int_equal(dm_answer_exit(s->answer), worst == DM_SEVERITY_CRITICAL  ? CLI_CRITICAL
						    : worst == DM_SEVERITY_UNKNOWN ? CLI_UNKNOWN
						    : worst == DM_SEVERITY_WARNING ? CLI_WARNING
										   : CLI_OK);
}

static void check_shown(const struct dm_check *c)
{
	struct dm_view view = { .all = one_in(2), .vmid = one_in(3) ? 100 : 0, .width = 80 };
	CLEANUP(buf_done) struct buf text = {}, json = {};
	size_t findings = 0;
	struct err e = {};
	json_t *doc;

	dm_show_text(c, &view, &text);
	assert_true(text.len > 0);
	dm_show_json(c, &view, &json);
	if (json_parse(buf_slice(&json), "json", &doc, &e) < 0)
		fail_msg("%s", e.text);
	for (size_t i = 0; i < c->look->model.n; i++)
		findings += dm_is_finding(&c->look->verdicts[i]) &&
			    (!view.vmid || dm_concerns(c->look, i, view.vmid));
	assert_int_equal(json_array_size(json_arr(doc, "findings")), findings);
	assert_string_equal(json_str(doc, "answer"), dm_answer_name(dm_view_answer(c, &view)));
	assert_true(view.vmid || dm_view_answer(c, &view) == c->summary.answer);
	json_decref(doc);
}

static void holds_of_all(void **state)
{
	size_t classes[DM_CLASS_MAX] = {};

	(void)state;
	for (unsigned int n = 0; n < NODES; n++) {
		struct dm_options o = { .policy_running = one_in(3), .min_age = 86400 };
		struct fixture f;

		random_node(&f);
		(void)fixture_check(&f, &o);
		for (size_t i = 0; i < f.check.look->model.n; i++) {
			check_mapping(&f.check, i);
			classes[f.check.look->verdicts[i].class]++;
		}
		check_summary(&f.check);
		check_shown(&f.check);
		fixture_done(&f);
	}
	/* The nodes are not so random that a class never comes up. */
	for (int class = 0; class < DM_CLASS_MAX; class ++)
		if (class != DM_ARRAY_GONE && !classes[class])
			fail_msg("no mapping was judged %s", dm_class_name((enum dm_class) class));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(holds_of_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
