/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include <errno.h>
#include <inttypes.h>

#include "array/attach.h"
#include "array/connected.h"
#include "array/snapcalls.h"
#include "array/volumes.h"

enum { SEEN_MS = 5000 };

int snap_args(struct call *c, struct snap_args *ret, struct err *e)
{
	int r = call_volname(c, &ret->volname, &ret->parsed, e);

	if (r == 0)
		r = call_str(c, "snap", &ret->snap, e);
	if (r == 0)
		r = array_name_of(&c->conf, ret->volname, ret->full, e);
	return r < 0 ? r : array_suffix_of(ret->snap, ret->suffix, e);
}

/* ---- snapshot_info ---- */

struct info {
	struct call *c;
	const char *full;
	struct fa_snapshots found;
};

static int list_snapshots(struct fa *f, void *arg, struct err *e)
{
	struct info *i = arg;

	return fa_snapshots_list(f, &i->c->fa, &i->full, 1, false, &i->c->arena, &i->found, e);
}

static int run_snapshot_info(struct call *c, struct err *e)
{
	struct info info = { .c = c };
	struct array_volname parsed;
	const char *volname;
	char full[256];
	int r = call_volname(c, &volname, &parsed, e);

	if (r == 0)
		r = array_name_of(&c->conf, volname, full, e);
	info.full = full;
	if (r == 0)
		r = call_first(c, list_snapshots, &info, e);
	if (r < 0)
		return r;
	jsonw_object(c->out, "result");
	for (size_t i = 0; i < info.found.n; i++) {
		const struct fa_snapshot *s = &info.found.items[i];
		const char *snap = array_snap_of(s->suffix, &c->arena);

		if (!snap || s->destroyed)
			continue;
		jsonw_row(c->out, snap);
		jsonw_str(c->out, "id", s->id);
		jsonw_i64(c->out, "timestamp", s->created);
		jsonw_u64(c->out, "virtual-size", s->size);
		jsonw_close(c->out);
	}
	jsonw_close(c->out);
	return 0;
}

/* ---- rollback ---- */

struct seeing {
	struct call *c;
	const struct snap_args *a;
};

static int fetch_seen(void *arg, struct buf *ret, struct err *e)
{
	const struct seeing *s = arg;
	struct info info = { .c = s->c, .full = s->a->full };
	int r = call_first(s->c, list_snapshots, &info, e);

	(void)ret;
	if (r < 0)
		return r;
	for (size_t i = 0; i < info.found.n; i++)
		if (!info.found.items[i].destroyed &&
		    strcmp(info.found.items[i].suffix, s->a->suffix) == 0)
			return 0;
	return err_set(e, -ENOENT, "volume %s has no snapshot %s", s->a->volname, s->a->snap);
}

/* Proxmox asks this twice a disk and then rolls back, so an answer serves for some seconds; the
 * rollback itself fails when the snapshot is gone by then. */
static int is_there(struct call *c, const struct snap_args *a, struct err *e)
{
	CLEANUP(buf_done) struct buf none = {};
	struct seeing s = { .c = c, .a = a };
	const char *key = arena_fmt(&c->arena, "snapshot %s %s.%s", c->conf.addresses[0].url,
				    a->full, a->suffix);

	return array_memo_get(c->ctx->memo, key, SEEN_MS, c->fa.deadline, fetch_seen, &s, &none, e);
}

/* Proxmox asks this while the guest still runs, and stops it then: who has it open is a question
 * for the rollback itself. */
static int run_rollback_possible(struct call *c, struct err *e)
{
	struct snap_args a;
	int r = snap_args(c, &a, e);

	return r < 0 ? r : is_there(c, &a, e);
}

struct rolling {
	struct call *c;
	struct fa_new_volume want;
	struct fa_volume made;
};

static int overwrite(struct fa *f, void *arg, struct err *e)
{
	struct rolling *w = arg;

	return fa_volume_create(f, &w->c->fa, &w->want, &w->c->arena, &w->made, e);
}

/* Nobody may have it open while its content is replaced, here or on another node. */
static int rollback_idle(struct call *c, const struct snap_args *a, const struct fa_volume *v,
			 struct err *e)
{
	CLEANUP(connected_done) struct connected who = {};
	int r = attach_idle(c, a->volname, v->serial, "rolled back", e);

	if (r == 0)
		r = connected_read(c, v, &who, e);
	return r < 0 ? r : connected_idle(c, a->volname, &who, e);
}

static int rollback_locked(struct call *c, const struct snap_args *a, struct err *e)
{
	struct rolling w = { .c = c, .want = { .name = a->full, .overwrite = true } };
	struct attach_target t = { .volname = a->volname, .snap = "", .array_volume = a->full };
	struct fa_volume v;
	int r = volume_get(c, a->full, &v, e);

	if (r == 0)
		r = rollback_idle(c, a, &v, e);
	if (r < 0)
		return r;
	w.want.source = arena_fmt(&c->arena, "%s.%s", a->full, a->suffix);
	r = call_first(c, overwrite, &w, e);
	volumes_changed(c);
	if (r < 0)
		return r;
	t.volume_id = v.id;
	t.serial = v.serial;
	t.size = w.made.size; /* the snapshot's: it may have been resized since */
	t.connections = v.connections;
	return attach_refresh(c, &t, e);
}

static int run_rollback(struct call *c, struct err *e)
{
	CLEANUP_FD int lock = -1;
	struct snap_args a;
	int r = snap_args(c, &a, e);

	if (r < 0)
		return r;
	lock = attach_lock(c, a.volname, e);
	return lock < 0 ? lock : rollback_locked(c, &a, e);
}

const struct call_method call_snapshot_methods[] = {
	{ "snapshot", call_snapshot, 0, false, true },
	{ "snapshot_delete", call_snapshot_delete, 0, false, true },
	{ "rollback_possible", run_rollback_possible, 0, false },
	{ "rollback", run_rollback, 0, false, true },
	{ "snapshot_info", run_snapshot_info, 0, false },
	{},
};
