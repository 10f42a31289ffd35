/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "dm/explain.h"

#include "util/clock.h"
#include "util/str.h"

struct words {
	const struct dm_model *m;
	const struct dm_mapping *map;
	const struct dm_verdict *v;
	struct arena *a;
	struct dm_explanation *ret;
	const char *who; /* the guest concerned */
	const char *lv;	 /* "vg/lv", by present metadata where there is one */
};

#define SAY(w, ...) arena_fmt((w)->a, __VA_ARGS__)

const char *dm_guest_phrase(uint32_t vmid, const struct guest *g, struct arena *a)
{
	if (!vmid)
		return "no guest";
	if (!g)
		return arena_fmt(a, "guest %u, which exists nowhere in the cluster", vmid);
	return arena_fmt(a, "%s %u '%s' on node %s", g->type == GUEST_QEMU ? "VM" : "CT", vmid,
			 g->name, g->node);
}

/* In single quotes for a shell. */
static const char *quoted(const char *text, struct arena *a)
{
	CLEANUP(buf_done) struct buf out = {};

	buf_addc(&out, '\'');
	for (; *text; text++) {
		if (*text == '\'')
			buf_adds(&out, "'\\''");
		else
			buf_addc(&out, *text);
	}
	buf_addc(&out, '\'');
	return arena_str(a, buf_slice(&out));
}

const char *dm_command_remove(const struct dm_mapping *map, struct arena *a)
{
	if (*map->dev->uuid)
		return arena_fmt(a, "dmsetup remove --uuid %s", quoted(map->dev->uuid, a));
	return arena_fmt(a, "dmsetup remove %s", quoted(map->dev->name, a));
}

/* Only the group's own disks: a dead one of another group would hang the command. */
static const char *select_lv(const struct dm_mapping *map, struct arena *a)
{
	return arena_fmt(a, "--devices %s --select %s", quoted(lvm_pv_list(map->lv->vg, a), a),
			 quoted(lvm_lv_selection(map->lv, a), a));
}

const char *dm_command_deactivate(const struct dm_mapping *map, struct arena *a)
{
	return arena_fmt(a, "lvchange -aln %s", select_lv(map, a));
}

static void set(struct words *w, const char *reason, const char *impact, const char *first,
		const char *command)
{
	*w->ret = (struct dm_explanation){
		.reason = reason, .impact = impact, .first = first, .command = command
	};
	w->ret->remedy = first && command ? SAY(w, "%s, then: %s", first, command)
			 : first	  ? first
					  : command;
}

/* A command that the kernel or LVM refuses while anybody has the device open. */
static void set_command(struct words *w, const char *reason, const char *impact,
			const char *command)
{
	set(w, reason, impact,
	    w->map->dev->open_count ? "[IN USE] close what holds it first" : NULL, command);
}

/* The other mappings over the same sectors. */
static const char *overlapping(struct words *w)
{
	CLEANUP(buf_done) struct buf out = {};

	for (size_t i = 0; i < w->map->n_overlaps; i++)
		buf_addf(&out, "%s%s", i ? ", " : "",
			 w->m->mappings[w->map->overlaps[i]].dev->name);
	return arena_str(w->a, buf_slice(&out));
}

/* Whose the sectors are: by the metadata, else by other mappings. */
static const char *owners(struct words *w)
{
	CLEANUP(buf_done) struct buf out = {};

	if (!w->map->n_owners)
		return overlapping(w);
	for (size_t i = 0; i < w->map->n_owners; i++)
		buf_addf(&out, "%s%s/%s", i ? ", " : "", w->map->owners[i]->vg->name,
			 w->map->owners[i]->name);
	return arena_str(w->a, buf_slice(&out));
}

static void explain_unknown(struct words *w)
{
	const struct dm_mapping *map = w->map;
	const char *why = "", *remedy = NULL;

	switch ((unsigned int)w->v->cause) {
	case DM_CAUSE_BLIND:
		why = "something that the verdict needs could not be read (see the reasons above)";
		break;
	case DM_CAUSE_VG_NOT_SEEN:
		why = SAY(w,
			  "its volume group (%s by its name) is on no disk that could be read here",
			  *map->vg_name ? map->vg_name : "?");
		remedy =
			"look for disks that are missing or have no active path: lsblk; multipath -ll "
			"(LVM commands may hang until they answer)";
		break;
	case DM_CAUSE_VG_DOUBTFUL:
		why = SAY(w, "volume group %s cannot be believed: %s", map->vg->name,
			  lvm_vg_doubt(map->vg));
		remedy =
			"bring the volume group's disks back: lsblk; multipath -ll (LVM commands may "
			"hang until they answer)";
		break;
	case DM_CAUSE_VG_NAME_TWICE:
		why = SAY(w, "two volume groups are named %s, and Proxmox knows them by name only",
			  map->vg->name);
		remedy =
			"find out whose they are; keep LVM away from one that is inside a guest's disk "
			"(global_filter in /etc/lvm/lvm.conf)";
		break;
	case DM_CAUSE_STORAGE_UNDEFINED:
		why = SAY(
			w,
			"%s refers to %s:%s, but storage.cfg does not say which volume group that is",
			w->who, w->v->ref->volume->storage, w->v->ref->volume->volname);
		remedy = "define the storage again, or take the disk out of the guest's config";
		break;
	default:
		break;
	}
	set(w, SAY(w, "could not tell: %s", why), "nothing is known against it, and nothing for it",
	    remedy, NULL);
}

static void explain_busy(struct words *w)
{
	const struct dm_mapping *map = w->map;
	const char *why = "", *remedy = NULL;
	char age[CLOCK_TEXT_MAX];

	switch ((unsigned int)w->v->cause) {
	case DM_CAUSE_SUSPENDED:
		why = "it is suspended: a storage operation is under way, or was cut off";
		remedy = SAY(
			w,
			map->dev->inactive_table
				? "a second table waits and would become live: compare it with the "
				  "metadata first: dmsetup table --inactive %s"
				: "if nothing works on it any more: dmsetup resume %s",
			quoted(map->dev->name, w->a));
		break;
	case DM_CAUSE_INACTIVE_TABLE:
		why = "a second table waits to become live: a storage operation is under way";
		break;
	case DM_CAUSE_GUEST_LOCKED:
		why = SAY(w, "%s is locked (%s)", w->who, w->v->guest->lock);
		break;
	case DM_CAUSE_FLOCK:
		why = SAY(w, "Proxmox works on guest %u at this moment (its lock file is held)",
			  w->v->vmid);
		break;
	case DM_CAUSE_TASK:
		why = SAY(w, "the Proxmox task '%s' works on guest %u", w->v->task->type,
			  w->v->task->vmid);
		break;
	case DM_CAUSE_INCOMING:
		why = SAY(w, "guest %u is being migrated to this node", w->v->vmid);
		break;
	case DM_CAUSE_WIPING:
		why = SAY(w, "Proxmox is wiping the deleted volume (%s)", map->lv->name);
		break;
	case DM_CAUSE_CHANGING:
		why = "LVM is moving or converting the volume";
		break;
	case DM_CAUSE_YOUNG:
		why = SAY(
			w,
			"no config refers to it yet, but it is only %s old: an import may be under way",
			clock_duration(w->m->scan->cluster.node.now - map->lv->created, age));
		break;
	case DM_CAUSE_UNSTABLE:
		why = "two looks at it, one right after the other, did not agree";
		break;
	default:
		break;
	}
	set(w, SAY(w, "hands off: %s", why), NULL, remedy, NULL);
}

static void explain_ghost(struct words *w)
{
	const char *name = w->map->lv_name;
	const char *reason, *impact;

	switch ((unsigned int)w->v->cause) {
	case DM_CAUSE_NAMESAKE:
		reason = SAY(
			w,
			"orphan (tombstone): the volume it maps was deleted, and a new volume %s/%s "
			"has taken its name",
			w->map->namesake->vg->name, name);
		impact =
			SAY(w,
			    "the new volume cannot be activated on this node (\"Device or resource "
			    "busy\"): %s cannot start here or migrate here. Whoever uses "
			    "/dev/mapper/%s gets the old sectors and may destroy another "
			    "guest's data",
			    w->who, w->map->dev->name);
		break;
	case DM_CAUSE_EXTENTS_REUSED:
		reason = SAY(
			w,
			"orphan (tombstone): volume %s was deleted, and its sectors belong to %s "
			"now",
			w->lv, owners(w));
		impact = SAY(
			w,
			"anything written to /dev/mapper/%s destroys that data; the entry blocks "
			"a new disk %s on this node",
			w->map->dev->name, name);
		break;
	default:
		reason =
			SAY(w,
			    "orphan (tombstone): volume %s was deleted, its entry stayed behind on "
			    "this node",
			    w->lv);
		impact = SAY(
			w,
			"blocks a new disk %s on this node (\"Device or resource busy\"), and so "
			"the automatic reuse of VMID %u",
			name, w->map->shape.vmid);
		break;
	}
	set_command(w, reason, impact, dm_command_remove(w->map, w->a));
}

static void explain_renamed(struct words *w)
{
	const char *reason =
		SAY(w, "the volume is named %s now, the entry has its old name", w->lv);
	const char *impact =
		SAY(w,
		    "a volume that is to be called %s cannot be activated here (\"Device or "
		    "resource busy\"), and whoever uses the old name gets the wrong disk",
		    w->map->lv_name);

	if (w->map->dev->open_count) {
		set(w, reason, impact, NULL, SAY(w, "lvchange -aly %s", select_lv(w->map, w->a)));
	} else {
		set_command(w, reason, impact, dm_command_deactivate(w->map, w->a));
	}
}

static void explain_stale(struct words *w)
{
	bool in_use = w->map->dev->open_count || w->v->running;

	if (w->v->cause == DM_CAUSE_MOVED) {
		set(w,
		    SAY(w, "its table maps other sectors than %s has now%s%s", w->lv,
			w->map->n_owners ? "; what it covers belongs to " : "",
			w->map->n_owners ? owners(w) : ""),
		    "reads give wrong data, and writes destroy what lies there now",
		    in_use ? "stop the guest, do NOT refresh, compare the data before it is started "
			     "again"
			   : "do NOT refresh; compare the data, then deactivate: see pvewarden-dm(8)",
		    NULL);
		return;
	}
	if (in_use) {
		set(w,
		    SAY(w, "%s was made larger on another node, the entry still has the old size",
			w->lv),
		    SAY(w, "%s sees the old size: data behind it cannot be reached and may be lost",
			w->who),
		    NULL, SAY(w, "lvchange --refresh %s", select_lv(w->map, w->a)));
		return;
	}
	set_command(
		w,
		SAY(w,
		    "orphan (tombstone): %s was made larger on another node, the entry still has "
		    "the old size",
		    w->lv),
		"a guest started or migrated here could get the old size",
		dm_command_deactivate(w->map, w->a));
}

static void explain_handmade(struct words *w)
{
	const char *reason, *impact;

	if (w->v->class == DM_MANUAL) {
		reason =
			"orphan (tombstone): made by hand (no LVM volume), but named like a guest's disk";
		impact = SAY(
			w,
			"whoever takes it for the disk of guest %u is wrong; it may block a disk of "
			"that name",
			w->map->shape.vmid);
	} else if (w->v->cause == DM_CAUSE_SAME_SECTORS) {
		reason = SAY(w, "duplicate: made by hand over sectors of %s", owners(w));
		impact = "two ways to write the same sectors: data corruption";
	} else {
		reason = SAY(w, "duplicate: made by hand, with the name of volume %s/%s",
			     w->map->namesake->vg->name, w->map->namesake->name);
		impact = "the real volume cannot be activated, or is taken for this one";
	}
	set_command(w, reason, impact, dm_command_remove(w->map, w->a));
}

static void explain_wanted_elsewhere(struct words *w)
{
	if (w->v->class == DM_COPY) {
		set(w,
		    SAY(w,
			"only %s refers to a volume of this name, through storage %s, which is not "
			"shared: probably a copy, or another node's volume of the same name",
			w->who,
			w->v->ref->volume->storage ? w->v->ref->volume->storage : "(a path)"),
		    NULL, NULL, NULL);
		return;
	}
	set_command(
		w,
		SAY(w, "orphan (tombstone): active here, but it belongs to %s (shared storage %s)",
		    w->who, w->v->ref->storage->id),
		"two nodes have the disk active: it blocks nothing yet, and becomes a ghost when the "
		"disk is deleted, resized or renamed there",
		dm_command_deactivate(w->map, w->a));
}

static void explain_unreferenced(struct words *w)
{
	const char *name = quoted(w->map->lv->name, w->a);
	const char *dm_name = quoted(w->map->dev->name, w->a);

	set(w,
	    SAY(w, "orphan (tombstone): volume %s exists, but no guest of the cluster refers to it",
		w->lv),
	    SAY(w,
		"takes up space; a new guest %u would get another disk number, or find an old disk",
		w->map->shape.vmid),
	    SAY(w, "check whether anything needs it: grep -rF -e %s -e %s /etc/pve/", name,
		dm_name),
	    dm_command_deactivate(w->map, w->a));
}

static void explain_leftover(struct words *w)
{
	set_command(w, SAY(w, "%s is not running, its volume %s is still active", w->who, w->lv),
		    "harmless by itself; becomes a ghost if the disk is deleted from another node",
		    dm_command_deactivate(w->map, w->a));
}

static void explain_array(struct words *w)
{
	bool gone = w->v->cause == DM_CAUSE_VOLUME_GONE, ours = w->v->array->registered;

	set(w,
	    gone ? SAY(w, "the FlashArray volume%s%s no longer exists",
		       w->v->array->volume ? " " : "",
		       w->v->array->volume ? w->v->array->volume : "")
		 : "the FlashArray volume is not connected to this node any more",
	    "I/O to it hangs or fails, and LVM commands may hang with it",
	    ours ? NULL : ARRAY_MAP_BY_HAND, ours ? "pvewarden array reap" : NULL);
}

static void explain_fine(struct words *w)
{
	if (w->v->as_child_of)
		set(w, SAY(w, "stands on %s", w->v->as_child_of->dev->name), NULL, NULL, NULL);
	else
		set(w,
		    w->v->class == DM_OK ? SAY(w, "wanted here by %s", w->who)
					 : "not a guest's volume",
		    NULL, NULL, NULL);
}

void dm_explain(struct dm_explanation *ret, const struct dm_model *m, const struct dm_mapping *map,
		const struct dm_verdict *v, struct arena *a)
{
	static void (*const by_class[DM_CLASS_MAX])(struct words * w) = {
		[DM_INFRASTRUCTURE] = explain_fine,
		[DM_UNKNOWN] = explain_unknown,
		[DM_BUSY] = explain_busy,
		[DM_GHOST] = explain_ghost,
		[DM_RENAMED] = explain_renamed,
		[DM_STALE_TABLE] = explain_stale,
		[DM_DUPLICATE] = explain_handmade,
		[DM_MANUAL] = explain_handmade,
		[DM_FOREIGN] = explain_wanted_elsewhere,
		[DM_COPY] = explain_wanted_elsewhere,
		[DM_UNREFERENCED] = explain_unreferenced,
		[DM_LEFTOVER] = explain_leftover,
		[DM_ARRAY_GONE] = explain_array,
		[DM_OK] = explain_fine,
	};
	struct words w = { .m = m, .map = map, .v = v, .a = a, .ret = ret };

	w.who = dm_guest_phrase(v->vmid, v->guest, a);
	w.lv = arena_fmt(a, "%s/%s", map->vg ? map->vg->name : map->vg_name,
			 map->lv ? map->lv->name : map->lv_name);
	by_class[v->class](&w);
	if (v->duplicate && v->class != DM_DUPLICATE)
		ret->reason = arena_fmt(a, "%s; it covers sectors that are also mapped by %s",
					ret->reason, overlapping(&w));
}
