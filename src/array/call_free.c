/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "array/call_volume.h"

#include <errno.h>

#include "array/attach.h"
#include "array/attach_snap.h"
#include "array/connected.h"
#include "array/diskname.h"
#include "array/snapcalls.h"
#include "array/volumes.h"

/*
 * free: first whether anybody uses the volume, then this node's device (safe order, facts D3), then
 * the others' connections, then the volume. Each step can be asked for again, so that a call that
 * Proxmox cut is finished by the next.
 */

struct freeing {
	struct call *c;
	const char *volname, *full;
	struct fa_volume v;
	struct connected who;
};

static int destroy(struct fa *f, void *arg, struct err *e)
{
	const struct freeing *w = arg;
	int r = fa_volume_destroy(f, &w->c->fa, w->full, e);

	return r == -ENOENT || r == -ESTALE ? 0 : r;
}

static int eradicate(struct fa *f, void *arg, struct err *e)
{
	const struct freeing *w = arg;

	return fa_volume_eradicate(f, &w->c->fa, w->full, e);
}

/* What is made again under its name does not wait for the array to eradicate it. That it must wait
 * (SafeMode), or that this fails, leaves nothing undone: the volume is destroyed. */
static void give_up_name(struct freeing *w)
{
	struct err why;
	int r;

	if (!diskname_is_remade(w->volname))
		return;
	r = call_first(w->c, eradicate, w, &why);
	if (r == 1)
		call_log(w->c, 1, "%s: eradicated later, the array does not allow it now", w->full);
	else if (r < 0 && r != -ENOENT)
		call_log(w->c, 0, "%s is destroyed, but not eradicated: %s", w->full, why.text);
}

static struct attach_target target_of(const struct freeing *w)
{
	return (struct attach_target){ .volname = w->volname,
				       .snap = "",
				       .array_volume = w->full,
				       .volume_id = w->v.id,
				       .serial = w->v.serial,
				       .size = w->v.size,
				       .connections = w->v.connections };
}

/* The array has it no more: what this node still has of it is of no use to anybody. */
static int free_leftovers(struct freeing *w, struct err *e)
{
	struct registry_entry known;
	struct attach_target t = target_of(w);

	if (registry_find(w->c->ctx->registry, w->c->conf.storage, w->volname, "", &w->c->arena,
			  &known) < 0)
		return 0;
	t.volume_id = known.volume_id;
	t.serial = known.serial;
	t.size = known.size;
	return attach_remove(w->c, &t, e);
}

static int free_destroyed(struct freeing *w, int state, struct err *e)
{
	int r = free_leftovers(w, e);

	if (r < 0)
		return r;
	call_log(w->c, 2, "%s is gone already", w->full);
	if (state == -ESTALE)
		give_up_name(w);
	return 0;
}

/* What is made again by itself cannot be protected (call_attribute.c), so nobody is asked. Of all
 * others only the array knows: another node may have set it a moment ago. */
static int is_protected(struct freeing *w, struct err *e)
{
	return diskname_is_remade(w->volname) ? 0 : call_is_protected(w->c, w->full, e);
}

static int is_free_to_go(struct freeing *w, struct err *e)
{
	int r = is_protected(w, e);

	if (r < 0)
		return r;
	if (r)
		return err_set(e, -EPERM, "volume %s is protected: take the protection away first",
			       w->volname);
	r = attach_idle(w->c, w->volname, w->v.serial, "destroyed", true, e);
	return r < 0 ? r : connected_idle(w->c, w->volname, &w->who, e);
}

/* attach_remove() leaves its entry when an array did not end this node's connection. One that is
 * online answered a moment ago: ask it again before its volume is destroyed. */
static int is_off(struct freeing *w, struct err *e)
{
	struct registry_entry left;
	int r = registry_find(w->c->ctx->registry, w->c->conf.storage, w->volname, "", &w->c->arena,
			      &left);

	if (r == -ENOENT)
		return 0;
	return err_set(e, -EAGAIN,
		       "volume %s is off this node, but not everywhere disconnected from it: ask "
		       "again",
		       w->volname);
}

static int free_there(struct freeing *w, struct err *e)
{
	struct attach_target t = target_of(w);
	int r = is_free_to_go(w, e);

	if (r == 0)
		r = attach_remove_snapshots(w->c, w->volname, e);
	if (r == 0)
		r = attach_remove(w->c, &t, e);
	if (r == 0 && w->who.all_known)
		r = is_off(w, e);
	/* Its paths may have been waited for. */
	if (r == 0)
		r = connected_idle(w->c, w->volname, &w->who, e);
	if (r == 0)
		r = connected_drop(w->c, w->full, &w->who, e);
	if (r == 0)
		r = call_first(w->c, destroy, w, e);
	if (r == 0)
		give_up_name(w);
	return r;
}

static int free_locked(struct freeing *w, struct err *e)
{
	int r = connected_volume(w->c, w->volname, w->full, &w->v, &w->who, e);

	if (r == -ENOENT || r == -ESTALE)
		return free_destroyed(w, r, e);
	return r < 0 ? r : free_there(w, e);
}

int call_free(struct call *c, struct err *e)
{
	CLEANUP_FD int lock = -1;
	struct freeing w = { .c = c };
	struct array_volname parsed;
	char full[256];
	int r = call_volname(c, &w.volname, &parsed, e);

	if (r == 0)
		r = array_name_of(&c->conf, w.volname, full, e);
	if (r < 0)
		return r;
	w.full = full;
	lock = attach_lock(c, w.volname, e);
	if (lock < 0)
		return lock;
	r = free_locked(&w, e);
	connected_done(&w.who);
	volumes_changed(c);
	snapshots_changed(c); /* they went with it */
	return r;
}
