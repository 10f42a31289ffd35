/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "dm/advice.h"

#include "util/str.h"

static void add(struct dm_texts *list, const char *text)
{
	if (!text)
		return;
	vec_each (old, list)
		if (strcmp(*old, text) == 0)
			return;
	*vec_push(list) = text;
}

static void add_doubtful_vgs(struct dm_check *c)
{
	const struct dm_look *l = c->look;

	for (size_t i = 0; i < l->model.n; i++) {
		const struct dm_mapping *map = &l->model.mappings[i];
		const struct dm_verdict *v = &l->verdicts[i];
		struct arena *a = &c->arena;

		if (v->class != DM_UNKNOWN || !v->counts)
			continue;
		if (v->cause == DM_CAUSE_VG_NOT_SEEN)
			add(&c->blind,
			    arena_fmt(a, "volume group %s is on no disk that could be read",
				      map->vg_name));
		else if (v->cause == DM_CAUSE_VG_DOUBTFUL)
			add(&c->blind, arena_fmt(a, "volume group %s: %s", map->vg->name,
						 lvm_vg_doubt(map->vg)));
		else if (v->cause == DM_CAUSE_VG_NAME_TWICE)
			add(&c->blind,
			    arena_fmt(a, "two volume groups are named %s", map->vg->name));
		else if (v->cause == DM_CAUSE_STORAGE_UNDEFINED)
			add(&c->blind,
			    arena_fmt(
				    a,
				    "storage.cfg does not say which volume group storage '%s' is, "
				    "which %s refers to",
				    v->ref->volume->storage, v->ref->guest->file));
	}
}

/* Disks that LVM was kept away from, if anything is missing at all. */
static void add_refused_disks(struct dm_check *c)
{
	const struct candidates *from = &c->look->scan.candidates;

	for (size_t i = 0; i < from->n && c->blind.n; i++)
		if (from->items[i].refused)
			add(&c->blind, arena_fmt(&c->arena, "%s was not read: %s",
						 from->items[i].path, from->items[i].refused));
}

void dm_collect_blind(struct dm_check *c)
{
	const struct dm_scan *s = &c->look->scan;

	for (size_t i = 0; i < s->cluster.n_blind; i++)
		add(&c->blind, s->cluster.blind[i]);
	add(&c->blind, s->dm_failed);
	add(&c->blind, s->lvm_failed);
	add(&c->blind, s->work_failed);
	add_doubtful_vgs(c);
	add_refused_disks(c);
}

static const struct lvm_vg *vg_named(const struct lvm_report *report, const char *name)
{
	for (size_t i = 0; i < report->n_vgs; i++)
		if (strcmp(report->vgs[i].name, name) == 0)
			return &report->vgs[i];
	return NULL;
}

/* A VG that no disk has at all is a storage of other nodes; one may be on a disk that was spared.
 */
void dm_collect_unseen(struct dm_check *c)
{
	const struct dm_scan *s = &c->look->scan;
	const char *refused = NULL;

	for (size_t i = 0; i < s->candidates.n; i++)
		if (s->candidates.items[i].refused)
			refused = s->candidates.items[i].path;
	for (size_t i = 0; i < s->cluster.storages.n; i++) {
		const struct storage *st = &s->cluster.storages.storages[i];
		const struct lvm_vg *vg;

		if (!st->vgname || !dm_model_vg_served(&c->look->model, st->vgname))
			continue;
		vg = vg_named(&s->lvm, st->vgname);
		if (vg && lvm_vg_doubt(vg))
			add(&c->unseen, arena_fmt(&c->arena, "volume group %s: %s", vg->name,
						  lvm_vg_doubt(vg)));
		else if (!vg && refused)
			add(&c->unseen,
			    arena_fmt(&c->arena,
				      "volume group %s was not found, and %s could not be read",
				      st->vgname, refused));
	}
}

static bool is_shared_vg(const struct dm_model *m, const char *vg_name)
{
	const struct storage_cfg *cfg = &m->scan->cluster.storages;

	for (size_t i = 0; i < cfg->n; i++)
		if (cfg->storages[i].vgname && cfg->storages[i].shared &&
		    strcmp(cfg->storages[i].vgname, vg_name) == 0)
			return dm_model_vg_served(m, vg_name);
	return false;
}

/* Volumes that every node activates at boot are where ghosts come from (Proxmox bug 4997). */
static void advise_autoactivation(struct dm_check *c)
{
	const struct dm_model *m = &c->look->model;
	const struct lvm_report *report = &m->scan->lvm;

	for (size_t i = 0; i < report->n_vgs; i++) {
		const struct lvm_vg *vg = &report->vgs[i];
		const char *example = NULL;
		size_t n = 0;

		if (!is_shared_vg(m, vg->name) || !vg->autoactivation)
			continue;
		for (size_t k = 0; k < vg->n_lvs; k++) {
			if (!vg->lvs[k].autoactivation || !dm_model_listed(m, &vg->lvs[k]))
				continue;
			example = vg->lvs[k].name;
			n++;
		}
		if (n)
			add(&c->advice,
			    arena_fmt(
				    &c->arena,
				    "%zu guest volumes of the shared volume group %s are activated on "
				    "every node at boot, which is where orphans come from: "
				    "/usr/share/pve-manager/migrations/pve-lvm-disable-autoactivation, "
				    "or for each: lvchange --setautoactivation n %s/%s",
				    n, vg->name, vg->name, example));
	}
}

static void advise_filter(struct dm_check *c)
{
	const struct dm_look *l = c->look;

	for (size_t i = 0; i < l->model.n; i++) {
		const struct dm_mapping *map = &l->model.mappings[i];

		if (map->kind != DM_MAP_LVM || map->host == DM_NONE)
			continue;
		add(&c->advice,
		    arena_fmt(
			    &c->arena,
			    "volume groups inside guests' disks are active on this host (%s): keep LVM "
			    "away from them in /etc/lvm/lvm.conf: devices { global_filter = [ "
			    "\"r|/dev/zd.*|\", \"r|/dev/rbd.*|\", \"r|/dev/mapper/.*-vm--[0-9]+--.*|\" ] }",
			    map->dev->name));
		return;
	}
}

static void advise_arrays(struct dm_check *c)
{
	const struct dm_look *l = c->look;
	size_t n = 0;

	if (!l->scan.array.absent)
		return;
	for (size_t i = 0; i < l->model.n; i++)
		n += l->model.mappings[i].id.kind == DM_UUID_MPATH &&
		     slice_starts(l->model.mappings[i].id.rest, "3624a9370");
	if (n)
		add(&c->advice, arena_fmt(&c->arena, "%zu FlashArray maps were not judged: %s", n,
					  l->scan.array.absent));
}

void dm_collect_advice(struct dm_check *c)
{
	/* No entry of this node is touched by it, so the answer stands; it is said all the same. */
	vec_each (text, &c->unseen)
		if (!c->blind.n)
			add(&c->advice, *text);
	advise_autoactivation(c);
	advise_filter(c);
	advise_arrays(c);
}
