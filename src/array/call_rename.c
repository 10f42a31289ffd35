/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "array/call_volume.h"

#include <errno.h>
#include <inttypes.h>

#include "array/attach.h"
#include "array/attach_snap.h"
#include "array/connected.h"
#include "array/disknew.h"
#include "array/snapcalls.h"
#include "array/volumes.h"

struct renaming {
	struct call *c;
	const char *from, *to;
};

static int rename_on(struct fa *f, void *arg, struct err *e)
{
	const struct renaming *r = arg;

	return fa_volume_rename(f, &r->c->fa, r->from, r->to, e);
}

static int rename_to(struct call *c, const char *full, void *arg, struct err *e)
{
	struct renaming *r = arg;

	r->to = full;
	return call_first(c, rename_on, r, e);
}

/* What another node has open, or a guest of it refers to, keeps its name. */
static int is_idle(struct call *c, const char *volname, const struct fa_volume *v, struct err *e)
{
	CLEANUP(connected_done) struct connected who = {};
	int r = attach_idle(c, volname, v->serial, "renamed", true, e);

	if (r == 0)
		r = connected_read(c, v, &who, e);
	return r < 0 ? r : connected_idle(c, volname, &who, e);
}

/*
 * A volume leaves this node before its name changes: what is mapped here is known by its name, and
 * whoever has it open would go on under a name that is another's by then. So do the volumes that
 * stand for its snapshots. Another node that forgot it is still connected; it goes by the serial.
 */
static int leave_node(struct call *c, const char *volname, const char *full, struct err *e)
{
	struct fa_volume v;
	struct attach_target t = { .volname = volname, .snap = "", .array_volume = full };
	int r = volume_get(c, full, &v, e);

	if (r == 0)
		r = is_idle(c, volname, &v, e);
	if (r == 0)
		r = attach_remove_snapshots(c, volname, e);
	if (r < 0)
		return r;
	t.volume_id = v.id;
	t.serial = v.serial;
	t.size = v.size;
	t.connections = v.connections;
	return attach_remove(c, &t, e);
}

static int rename_locked(struct call *c, const char *volname, const char *target, uint32_t vmid,
			 char made[DISKNAME_MAX], struct err *e)
{
	struct renaming how = { .c = c };
	char full[256], to[256];
	int r = array_name_of(&c->conf, volname, full, e);

	how.from = full;
	if (r == 0 && target)
		r = array_name_of(&c->conf, target, to, e);
	if (r == 0)
		r = leave_node(c, volname, full, e);
	if (r < 0)
		return r;
	r = target ? rename_to(c, to, &how, e) : disknew_next(c, vmid, rename_to, &how, made, e);
	volumes_changed(c);
	snapshots_changed(c); /* they have the new name */
	return r;
}

static int rename_under_lock(struct call *c, const char *volname, const char *target, uint32_t vmid,
			     struct err *e)
{
	CLEANUP_FD int lock = attach_lock(c, volname, e);
	char made[DISKNAME_MAX];
	int r;

	if (lock < 0)
		return lock;
	r = rename_locked(c, volname, target, vmid, made, e);
	if (r == 0) {
		told_forget(c->ctx->tolds, c->conf.storage, target ? target : made);
		jsonw_str(c->out, "result", target ? target : made);
	}
	return r;
}

int call_rename(struct call *c, struct err *e)
{
	const char *volname, *target = call_opt(c, "target");
	struct array_volname parsed;
	uint32_t vmid;
	int r = call_volname(c, &volname, &parsed, e);

	vmid = parsed.vmid;
	if (r == 0 && call_opt(c, "vmid"))
		r = call_vmid(c, "vmid", &vmid, e);
	if (r == 0 && target && strcmp(target, volname) == 0)
		r = err_set(e, -EEXIST, "volume %s has that name already", volname);
	return r < 0 ? r : rename_under_lock(c, volname, target, vmid, e);
}

int call_create_base(struct call *c, struct err *e)
{
	const char *volname;
	struct array_volname parsed;
	int r = call_volname(c, &volname, &parsed, e);

	if (r < 0)
		return r;
	if (parsed.base)
		return err_set(e, -EINVAL, "volume %s is a template's already", volname);
	return rename_under_lock(
		c, volname, arena_fmt(&c->arena, "base-%" PRIu32 "-%s", parsed.vmid, parsed.rest),
		parsed.vmid, e);
}
