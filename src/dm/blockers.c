/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "dm/blockers.h"

void dm_blockers_done(struct dm_blockers *b)
{
	vec_free(b);
}

static struct dm_blocker *add(struct dm_blockers *list, enum dm_blocker_kind kind,
			      enum dm_severity severity)
{
	struct dm_blocker *b = vec_push(list);

	b->kind = kind;
	b->severity = severity;
	return b;
}

/*
 * What a finding with the id in its name does to a new guest: another mapping in the name's place
 * makes the kernel refuse; a volume that is merely there makes Proxmox take the next number.
 */
static enum dm_severity weight(const struct dm_verdict *v)
{
	switch (v->class) {
	case DM_GHOST:
	case DM_RENAMED:
	case DM_MANUAL:
	case DM_DUPLICATE:
		return DM_SEVERITY_CRITICAL;
	case DM_UNKNOWN:
		return DM_SEVERITY_UNKNOWN;
	case DM_FOREIGN:
	case DM_UNREFERENCED:
	case DM_STALE_TABLE:
	case DM_BUSY:
		return DM_SEVERITY_WARNING;
	case DM_COPY:
	case DM_LEFTOVER:
		return DM_SEVERITY_NOTICE;
	case DM_INFRASTRUCTURE:
	case DM_ARRAY_GONE:
	case DM_OK:
	case DM_CLASS_MAX:
	default:
		return DM_SEVERITY_NONE;
	}
}

static void find_mappings(struct dm_blockers *ret, const struct dm_check *c, uint32_t vmid)
{
	const struct dm_look *l = c->look;

	for (size_t i = 0; i < l->model.n; i++) {
		enum dm_severity severity = weight(&l->verdicts[i]);

		if (l->model.mappings[i].shape.vmid == vmid && severity != DM_SEVERITY_NONE)
			add(ret, DM_BLOCKER_MAPPING, severity)->mapping = i;
	}
}

static bool is_mapped(const struct dm_look *l, const struct lvm_lv *lv)
{
	for (size_t i = 0; i < l->model.n; i++)
		if (l->model.mappings[i].lv == lv)
			return true;
	return false;
}

static bool is_referred_to(const struct dm_model *m, const struct lvm_lv *lv)
{
	struct dm_ref_run refs = dm_refs_named(&m->refs, slice_of(lv->name));

	for (size_t i = 0; i < refs.n; i++)
		if (!refs.items[i].vg || strcmp(refs.items[i].vg, lv->vg->name) == 0)
			return true;
	return false;
}

/* Volumes of that id which are not active here, and so no finding. */
static void find_volumes(struct dm_blockers *ret, const struct dm_check *c, uint32_t vmid)
{
	const struct dm_model *m = &c->look->model;

	for (size_t i = 0; i < m->n_lvs; i++) {
		const struct lvm_lv *lv = m->lvs_by_name[i];

		if (volname_parse(slice_of(lv->name)).vmid != vmid || is_referred_to(m, lv) ||
		    !dm_model_listed(m, lv) || is_mapped(c->look, lv))
			continue;
		add(ret, DM_BLOCKER_VOLUME, DM_SEVERITY_WARNING)->lv = lv;
	}
}

void dm_blockers_find(struct dm_blockers *ret, const struct dm_check *c, uint32_t vmid)
{
	const struct dm_scan *s = &c->look->scan;
	const struct guest *g = cluster_guest(&s->cluster, vmid);

	if (g)
		add(ret, DM_BLOCKER_TAKEN, DM_SEVERITY_CRITICAL)->guest = g;
	if (tasks_find(&s->tasks, vmid) || guest_locks_find(&s->locks, vmid) ||
	    (!g && running_find(&s->running, vmid)))
		add(ret, DM_BLOCKER_WORK, DM_SEVERITY_WARNING);
	/* An existing guest's own healthy or leftover entries block nobody else. */
	if (!g)
		find_volumes(ret, c, vmid);
	find_mappings(ret, c, vmid);
}

uint32_t dm_next_vmid(const struct dm_check *c, uint32_t from)
{
	const struct cluster *cluster = &c->look->scan.cluster;
	uint32_t id = from > cluster->next_id_lower ? from : cluster->next_id_lower;

	/* Proxmox looks below the upper bound (PVE::API2::Cluster, nextid). */
	for (; id < cluster->next_id_upper; id++)
		if (!cluster_guest(cluster, id))
			return id;
	return 0;
}
