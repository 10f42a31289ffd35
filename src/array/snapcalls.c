/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "array/snapcalls.h"

#include <errno.h>
#include <inttypes.h>

#include "array/attach.h"
#include "array/attach_snap.h"
#include "array/elsewhere.h"
#include "array/snapaside.h"
#include "array/snapdisks.h"
#include "array/snapforgot.h"
#include "array/snapset.h"
#include "array/volumes.h"
#include "util/clock.h"

/* One snapshot of a guest, while a call works on its set. */
struct work {
	struct call *c;
	const struct snap_args *a;
	struct snapset_key key;
	struct snapset set;
	int64_t prepared;   /* when Proxmox began with this snapshot; 0: not known */
	const char **names; /* of volumes or snapshots, as the call at hand wants them */
	size_t n;
	struct fa_snapshots found;
};

/* ---- the array ---- */

static int take_on(struct fa *f, void *arg, struct err *e)
{
	struct work *w = arg;

	return fa_snapshot_create(f, &w->c->fa, w->names, w->n, w->a->suffix, &w->c->arena,
				  &w->found, e);
}

static int delete_on(struct fa *f, void *arg, struct err *e)
{
	const struct work *w = arg;

	return fa_snapshot_delete(f, &w->c->fa, w->names, w->n, e);
}

static int list_on(struct fa *f, void *arg, struct err *e)
{
	struct work *w = arg;

	return fa_snapshots_list(f, &w->c->fa, w->names, w->n, false, &w->c->arena, &w->found, e);
}

static int add_name(struct work *w, const char *volname, bool snapshot, struct err *e)
{
	char full[256];
	int r = array_name_of(&w->c->conf, volname, full, e);

	if (r == 0)
		w->names[w->n++] = snapshot ? arena_fmt(&w->c->arena, "%s.%s", full, w->a->suffix)
					    : arena_str(&w->c->arena, slice_of(full));
	return r;
}

static void start_names(struct work *w, size_t room)
{
	w->names = arena_alloc(&w->c->arena, room * sizeof(*w->names));
	w->n = 0;
}

/* Those of @w->names; what is gone already is success. An array refuses all when one of them is
 * not there, so then it is asked for each. */
static int delete_names(struct work *w, struct err *e)
{
	const char **all = w->names;
	size_t n = w->n;
	int r = call_first(w->c, delete_on, w, e);

	if (r != -ENOENT && r != -ESTALE)
		return r < 0 ? r : 0;
	r = 0;
	w->n = 1;
	for (size_t i = 0; i < n && n > 1 && r >= 0; i++) {
		w->names = &all[i];
		r = call_first(w->c, delete_on, w, e);
		r = r == -ENOENT || r == -ESTALE ? 0 : r;
	}
	return r < 0 ? r : 0;
}

/* ---- a call that was cut ---- */

/* The snapshots of the set's members that are there, into @w->found. */
static int list_members(struct work *w, struct err *e)
{
	size_t n = 0;
	int r = 0;

	start_names(w, w->set.n);
	for (size_t i = 0; i < w->set.n && r == 0; i++)
		r = add_name(w, w->set.members[i].volname, false, e);
	if (r == 0)
		r = call_first(w->c, list_on, w, e);
	for (size_t i = 0; r == 0 && i < w->found.n; i++)
		if (!w->found.items[i].destroyed &&
		    strcmp(w->found.items[i].suffix, w->a->suffix) == 0)
			w->found.items[n++] = w->found.items[i];
	w->found.n = r == 0 ? n : 0;
	return r;
}

/* All members have one, of one moment, and that moment is the set's: the array made them when the
 * call asked whose end nobody knows. */
static bool made_by_cut_call(const struct work *w)
{
	if (w->found.n != w->set.n)
		return false;
	for (size_t i = 0; i < w->found.n; i++)
		if (w->found.items[i].created != w->found.items[0].created ||
		    !snapset_may_be(&w->set, w->found.items[i].created))
			return false;
	return true;
}

/* 1: they may be somebody's. 0: of an earlier backup, and gone now. */
static int remove_forgotten(struct work *w, struct err *e)
{
	const char **volnames = arena_alloc(&w->c->arena, w->set.n * sizeof(*volnames));
	int r;

	for (size_t i = 0; i < w->set.n; i++)
		volnames[i] = w->set.members[i].volname;
	r = snapforgot_remove(w->c, w->a, volnames, w->set.n, e);
	if (r == 0)
		w->found.n = 0;
	return r;
}

/*
 * The array was asked, and the call ended before it knew the answer; Proxmox was told that it
 * failed. What it made is of an older moment than the one that is wanted now, and nobody knows of
 * it: it goes. What cannot be shown to be of that call stays, and is in the way.
 */
static int clear_cut_call(struct work *w, struct err *e)
{
	int r = list_members(w, e);

	if (r < 0)
		return r;
	if (w->found.n && !made_by_cut_call(w))
		r = remove_forgotten(w, e);
	/* Destroyed before, and on its way to another name when that call ended? */
	if (r == 1) {
		r = snapaside_clear(w->c, w->names, w->n, w->a->suffix, e);
		w->found.n = r == 0 ? 0 : w->found.n;
	}
	if (r < 0)
		return r;
	if (r == 1)
		return err_set(
			e, -EEXIST,
			"snapshot %s of volume %s exists, and it is not known whether a call "
			"that was cut made it: purevol destroy %s if nobody needs it",
			w->a->snap, w->a->volname, w->found.items[0].name);
	if (!w->found.n)
		return snapset_drop(&w->key, e);
	call_log(w->c, 0, "snapshot %s of guest %" PRIu32 ": removes what a call made that was cut",
		 w->a->snap, w->key.vmid);
	start_names(w, w->found.n);
	for (size_t i = 0; i < w->found.n; i++)
		w->names[w->n++] = w->found.items[i].name;
	r = delete_names(w, e);
	return r < 0 ? r : snapset_drop(&w->key, e);
}

/* ---- snapshot ---- */

/* Of @w->names. Destroyed ones that hold the name still give it back first. */
static int take_names(struct work *w, struct err *e)
{
	struct err why = {};
	int r = call_first(w->c, take_on, w, &why), left;

	if (r == -EEXIST) {
		left = snapaside_clear(w->c, w->names, w->n, w->a->suffix, e);
		if (left <= 0)
			return left < 0 ? left : call_first(w->c, take_on, w, e);
	}
	return r ? err_set(e, r, "%s", why.text) : 0;
}

static int take_alone(struct work *w, struct err *e)
{
	int r;

	start_names(w, 1);
	r = add_name(w, w->a->volname, false, e);
	return r < 0 ? r : take_names(w, e);
}

/* The disks of the guest that its config and the volume's name speak of. 1: it may be another
 * guest's snapshot, one that has this disk as well: whoever is being snapshotted has it in its
 * config. */
static int disks_of_guest(struct work *w, struct snapdisks *ret, struct err *e)
{
	struct call *c = w->c;
	struct guest guest;
	int r = snapdisks_guest(c->ctx->pve, c->node, w->key.vmid, &c->arena, &guest, e);

	if (r < 0)
		return r;
	snapdisks_of(&guest, c->conf.storage, w->a->snap, &c->arena, ret);
	if (!snapdisks_have(ret, w->a->volname))
		return 1;
	w->prepared = snapdisks_prepared(&guest, w->a->snap);
	if (w->prepared)
		return 0;
	return elsewhere_shared(&c->conf, c->ctx->pve, call_left(c, 0) / 2, c->node, w->a->volname,
				w->key.vmid, e);
}

/* The guest's disks that Proxmox will ask for, or this one alone where its config does not say. */
static void members_of(struct work *w, struct snapdisks *ret)
{
	struct call *c = w->c;
	struct err why;
	int r = disks_of_guest(w, ret, &why);

	if (r == 0)
		return;
	if (r < 0 && r != -ENOENT)
		call_log(c, 0, "volume %s is snapshotted without the guest's other disks: %s",
			 w->a->volname, why.text);
	ret->volnames = arena_alloc(&c->arena, sizeof(*ret->volnames));
	ret->volnames[0] = w->a->volname;
	ret->n = 1;
}

/* Said to be taken, this disk claimed, and kept so before the answer: a set that forgot a claim
 * would have its snapshot removed as nobody's. */
static int settle(struct work *w, struct err *e)
{
	w->set.taken = true;
	(void)snapset_claim(&w->set, w->a->volname, w->set.since);
	return snapset_write(&w->set, &w->key, e);
}

/* Of @w->names, which are those of @volnames. What an earlier backup left in the way goes first. */
static int take(struct work *w, const char *const *volnames, struct err *e)
{
	struct err why = {};
	int r = take_names(w, &why), removed;

	if (r == -EEXIST) {
		removed = snapforgot_remove(w->c, w->a, volnames, w->n, e);
		if (removed < 0)
			return removed;
		if (removed == 0)
			return take_names(w, e);
	}
	return r ? err_set(e, r, "%s", why.text) : 0;
}

static int take_all(struct work *w, struct err *e)
{
	struct snapdisks disks = {};
	int r;

	members_of(w, &disks);
	snapset_begin(&w->set, disks.volnames, disks.n, clock_now(), &w->c->arena);
	w->set.prepared = w->prepared;
	start_names(w, disks.n);
	for (size_t i = 0; i < disks.n; i++) {
		r = add_name(w, disks.volnames[i], false, e);
		if (r < 0)
			return r;
	}
	r = snapset_write(&w->set, &w->key, e);
	if (r < 0)
		return r;
	r = take(w, disks.volnames, e);
	if (r == 0)
		return settle(w, e);
	if (r != -EINPROGRESS)
		(void)snapset_drop(&w->key, NULL);
	return r;
}

/* A file that is no set of ours says nothing, and is replaced. */
static int read_set(struct work *w, struct err *e)
{
	int r = snapset_read(&w->set, &w->key, &w->c->arena, e);

	if (r != -EBADMSG)
		return r;
	call_log(w->c, 0, "%s", e->text);
	return -ENOENT;
}

/* Proxmox is preparing another snapshot of that name than the set is of: what that says of disks
 * which nobody claimed may be gone by now. What was perhaps taken is asked for anyway. */
static bool is_over(const struct work *w)
{
	struct call *c = w->c;
	struct guest guest;
	int64_t now = 0;

	if (w->set.taken &&
	    snapdisks_guest(c->ctx->pve, c->node, w->key.vmid, &c->arena, &guest, NULL) == 0)
		now = snapdisks_prepared(&guest, w->a->snap);
	return now && now != w->set.prepared;
}

static int snapshot_locked(struct work *w, struct err *e)
{
	int r = read_set(w, e);

	if (r == -ENOENT || (r == 0 && is_over(w)))
		return take_all(w, e);
	if (r < 0)
		return r;
	switch (snapset_claim(&w->set, w->a->volname, clock_now())) {
	case SNAPSET_CLAIMED:
		call_log(w->c, 1, "volume %s: snapshot %s was taken with the guest's other disks",
			 w->a->volname, w->a->snap);
		return snapset_write(&w->set, &w->key, e);
	case SNAPSET_PERHAPS:
		r = clear_cut_call(w, e);
		return r < 0 ? r : take_all(w, e);
	case SNAPSET_AGAIN:
	case SNAPSET_LATE:
	case SNAPSET_STRANGE:
		break;
	}
	return take_alone(w, e);
}

/* All disks of a guest share the set, so they share the lock. */
static int with_set(struct call *c, int (*run)(struct work *w, struct err *e), struct err *e)
{
	CLEANUP_FD int lock = -1;
	struct snap_args a;
	struct work w = { .c = c, .a = &a };
	int r = snap_args(c, &a, e);

	if (r < 0)
		return r;
	w.key = (struct snapset_key){ .run_dir = c->ctx->run_dir,
				      .storage = c->conf.storage,
				      .vmid = a.parsed.vmid,
				      .snap = a.snap };
	lock = attach_lock(c, arena_fmt(&c->arena, "vm-%" PRIu32 "-snapshots", a.parsed.vmid), e);
	if (lock < 0)
		return lock;
	r = run(&w, e);
	snapshots_changed(c);
	return r;
}

int call_snapshot(struct call *c, struct err *e)
{
	return with_set(c, snapshot_locked, e);
}

/* ---- snapshot_delete ---- */

/* The disks whose snapshots go. Nobody else waits for the locks of several disks of a guest: the
 * set's is held. */
struct going {
	const char **volnames;
	int *locks;
	size_t n, n_locked;
};

static void going_done(struct going *g)
{
	while (g->n_locked)
		base_close_fd(&g->locks[--g->n_locked]);
}

/* Those of the set that nobody claimed: of a set that was taken they are this node's to remove. Of
 * one that was perhaps taken, only if the array shows it. */
static int add_unclaimed(struct work *w, struct going *g, struct err *e)
{
	int r = w->set.taken ? 0 : list_members(w, e);

	if (r < 0 || !(w->set.taken || made_by_cut_call(w)))
		return r;
	for (size_t i = 0; i < w->set.n; i++)
		if (!w->set.members[i].claimed &&
		    strcmp(w->set.members[i].volname, w->a->volname) != 0)
			g->volnames[g->n++] = w->set.members[i].volname;
	return 0;
}

/* What this node has mapped for them goes first, and comes back no more until they are gone: the
 * next snapshot of that name would be taken for this one. */
static int end_reading(struct work *w, struct going *g, struct err *e)
{
	struct call *c = w->c;
	int r = 0;

	g->locks = arena_alloc(&c->arena, g->n * sizeof(*g->locks));
	for (size_t i = 0; i < g->n; i++) {
		g->locks[i] = attach_lock(c, g->volnames[i], e);
		if (g->locks[i] < 0)
			return g->locks[i];
		g->n_locked++;
	}
	for (size_t i = 0; i < g->n && r == 0; i++)
		r = attach_end_snapshot(c, g->volnames[i], w->a->snap, e);
	return r;
}

static bool has_alike(const struct work *w)
{
	struct call *c = w->c;
	struct guest guest;

	return snapdisks_guest(c->ctx->pve, c->node, w->key.vmid, &c->arena, &guest, NULL) == 0 &&
	       snapdisks_has_alike(&guest, w->a->snap);
}

/* Of @w->names, which are volumes: their snapshots that the array shows by this very name. */
static int name_shown(struct work *w, struct err *e)
{
	size_t most = w->n;
	int r = call_first(w->c, list_on, w, e);

	w->n = 0;
	/* A list whose pages were read while it changed may have one twice. */
	for (size_t i = 0; r == 0 && i < w->found.n && w->n < most; i++)
		if (!w->found.items[i].destroyed &&
		    strcmp(w->found.items[i].suffix, w->a->suffix) == 0)
			w->names[w->n++] = w->found.items[i].name;
	return r == -ENOENT || r == -ESTALE ? 0 : r;
}

static int delete_going(struct work *w, const struct going *g, struct err *e)
{
	bool alike = has_alike(w);
	int r = 0;

	start_names(w, g->n);
	for (size_t i = 0; i < g->n && r == 0; i++)
		r = add_name(w, g->volnames[i], !alike, e);
	if (r == 0 && alike)
		r = name_shown(w, e);
	return r < 0 ? r : delete_names(w, e);
}

static int delete_locked(struct work *w, struct err *e)
{
	CLEANUP(going_done) struct going g = {};
	int known = read_set(w, e), r = 0;

	if (known < 0 && known != -ENOENT)
		return known;
	/* The set of a guest whose own snapshot of that name is being taken, perhaps. */
	if (known == 0 && !snapset_has(&w->set, w->a->volname))
		known = -ENOENT;
	g.volnames = arena_alloc(&w->c->arena, (w->set.n + 1) * sizeof(*g.volnames));
	g.volnames[g.n++] = w->a->volname;
	if (known == 0)
		r = add_unclaimed(w, &g, e);
	if (r == 0)
		r = end_reading(w, &g, e);
	if (r == 0)
		r = delete_going(w, &g, e);
	return r == 0 && known == 0 ? snapset_drop(&w->key, e) : r;
}

int call_snapshot_delete(struct call *c, struct err *e)
{
	return with_set(c, delete_locked, e);
}
