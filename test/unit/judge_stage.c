/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "judge_stage.h"

void stage_make(struct stage *s)
{
	*s = (struct stage){};
	fixture_make(&s->f);
	fixture_storage(&s->f, "dir: local\n\tpath /var/lib/vz\n\tcontent iso\n");
	fixture_storage(&s->f, "lvm: thick\n\tvgname vg\n");
	fixture_storage(&s->f, "lvmthin: thin\n\tvgname vg\n\tthinpool data\n");
	fixture_storage(&s->f, "lvm: san\n\tvgname san\n\tshared 1\n");
	s->vg = fixture_vg(&s->f, "vg");
	s->san = fixture_vg(&s->f, "san");
	s->pool = fixture_pool(&s->f, s->vg, "data");
}

struct fx_lv *thick(struct stage *s, const char *name)
{
	s->lv = fixture_lv(&s->f, s->vg, name, 4);
	s->map = fixture_map(&s->f, s->lv);
	return s->lv;
}

struct fx_lv *thin(struct stage *s, const char *name)
{
	s->lv = fixture_thin(&s->f, s->pool, name, 4);
	s->map = fixture_map(&s->f, s->lv);
	return s->lv;
}

struct fx_lv *shared(struct stage *s, const char *name)
{
	s->lv = fixture_lv(&s->f, s->san, name, 4);
	s->map = fixture_map(&s->f, s->lv);
	return s->lv;
}

void vm(struct stage *s, unsigned int vmid, const char *conf)
{
	fixture_vm(&s->f, FX_NODE, vmid, conf);
}

void vm_there(struct stage *s, unsigned int vmid, const char *conf)
{
	fixture_vm(&s->f, "pve2", vmid, conf);
}

/* VM 100 runs with one thick disk: what most cases begin with. */
void healthy(struct stage *s)
{
	thick(s, DISK);
	vm(s, 100, "scsi0: thick:" DISK ",size=16M\n");
	fixture_runs(&s->f, 100);
	s->map->open = 1;
}

/* The same, not running. */
void stopped(struct stage *s)
{
	thick(s, DISK);
	vm(s, 100, "scsi0: thick:" DISK ",size=16M\n");
}

void delete_lv(struct stage *s)
{
	s->lv->deleted = true;
}

void root_volume(struct stage *s)
{
	thick(s, "root");
}

void vg_of_nobody(struct stage *s)
{
	s->lv = fixture_lv(&s->f, fixture_vg(&s->f, "backup"), DISK, 4);
	s->map = fixture_map(&s->f, s->lv);
}

void moved(struct stage *s)
{
	stopped(s);
	s->lv->segs.items[0].areas[0].first = 50;
}

struct fx_map *multipath(struct stage *s, struct devno path)
{
	struct fx_map *map = fixture_raw(&s->f, "mpatha", "mpath-3600140500007");

	fixture_target(&s->f, map,
		       "0 209715200 multipath 0 0 1 1 round-robin 0 1 1 " DEVNO_FMT " 1",
		       DEVNO_ARG(path));
	fixture_dep(map, path);
	map->paths = 1;
	return map;
}

static bool judged_as(const struct trial *t, const struct dm_verdict *v)
{
	return v->class == t->class && v->severity == t->severity && v->cause == t->cause &&
	       v->counts == !!(t->flags & COUNTS) && v->running == !!(t->flags & RUNS) &&
	       v->duplicate == !!(t->flags & DUPLICATE) && (!t->vmid || v->vmid == t->vmid);
}

static bool run_trial(const struct trial *t)
{
	struct dm_options o = fixture_options;
	const struct dm_verdict *v;
	struct stage s;
	bool good;

	if (t->flags & POLICY_RUNNING)
		o.policy_running = true;
	if (t->flags & ANY_AGE)
		o.min_age = 0;
	stage_make(&s);
	t->make(&s);
	(void)fixture_check(&s.f, &o);
	v = fixture_verdict(&s.f, s.map);
	good = judged_as(t, v);
	if (!good)
		print_error("%s: judged %s, %s, cause %d,%s%s%s vmid %u\n", t->what,
			    dm_class_name(v->class), dm_severity_name(v->severity), v->cause,
			    v->counts ? " counts," : "", v->running ? " running," : "",
			    v->duplicate ? " duplicate," : "", v->vmid);
	if (v->counts && s.f.check.summary.answer < UNKNOWN) {
		print_error("%s: an unknown that counts did not reach the answer\n", t->what);
		good = false;
	}
	fixture_done(&s.f);
	return good;
}

void stage_try_all(const struct trial *trials, size_t n)
{
	size_t bad = 0;

	for (size_t i = 0; i < n; i++)
		bad += !run_trial(&trials[i]);
	if (bad)
		fail_msg("%zu of %zu trials", bad, n);
}
