/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include <errno.h>
#include <inttypes.h>

#include "array/attach.h"
#include "array/connected.h"
#include "array/snapcalls.h"
#include "array/snapdisks.h"
#include "array/volumes.h"
#include "util/str.h"

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
	const char **names; /* of volumes */
	size_t n;
	struct fa_snapshots found;
};

static int list_snapshots(struct fa *f, void *arg, struct err *e)
{
	struct info *i = arg;

	return fa_snapshots_list(f, &i->c->fa, i->names, i->n, false, &i->c->arena, &i->found, e);
}

static int run_snapshot_info(struct call *c, struct err *e)
{
	char full[256];
	const char *volname, *name = full;
	struct info info = { .c = c, .names = &name, .n = 1 };
	struct array_volname parsed;
	int r = call_volname(c, &volname, &parsed, e);

	if (r == 0)
		r = array_name_of(&c->conf, volname, full, e);
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

/* The volumes that have this snapshot, a line each. */
static int list_having(const struct seeing *s, const char **names, size_t n, struct buf *ret,
		       struct err *e)
{
	struct info info = { .c = s->c, .names = names, .n = n };
	int r = call_first(s->c, list_snapshots, &info, e);

	for (size_t i = 0; r == 0 && i < info.found.n; i++)
		if (!info.found.items[i].destroyed &&
		    strcmp(info.found.items[i].suffix, s->a->suffix) == 0)
			buf_addf(ret, "%s\n", info.found.items[i].volume);
	return r < 0 ? r : 0;
}

/* One that is missing is no answer to keep: it may be made at this moment. */
static int fetch_one(void *arg, struct buf *ret, struct err *e)
{
	const struct seeing *s = arg;
	const char *name = s->a->full;
	int r = list_having(s, &name, 1, ret, e);

	if (r == 0 && !ret->len)
		return err_set(e, -ENOENT, "volume %s has no snapshot %s", s->a->volname,
			       s->a->snap);
	return r;
}

/* Proxmox asks for one disk after the other, and a guest's disks mostly have the same snapshots. */
static int fetch_guest(void *arg, struct buf *ret, struct err *e)
{
	const struct seeing *s = arg;
	struct call *c = s->c;
	struct snapdisks disks = {};
	char full[256];
	int r = snapdisks_read(c->ctx->pve, c->node, s->a->parsed.vmid, c->conf.storage, s->a->snap,
			       &c->arena, &disks, e);
	const char **names = arena_alloc(&c->arena, (disks.n + 1) * sizeof(*names));

	for (size_t i = 0; i < disks.n && r == 0; i++) {
		r = array_name_of(&c->conf, disks.volnames[i], full, e);
		names[i] = arena_str(&c->arena, slice_of(full));
	}
	return r || !disks.n ? r : list_having(s, names, disks.n, ret, e);
}

static bool has_line(const struct buf *lines, const char *wanted)
{
	struct slice rest = buf_slice(lines), line;

	while (slice_split(&rest, '\n', &line))
		if (slice_eq(line, wanted))
			return true;
	return false;
}

/* All that is remembered of snapshots begins with it. */
static const char *memo_prefix(struct call *c)
{
	return arena_fmt(&c->arena, "snapshots %s ", c->conf.addresses[0].url);
}

void snapshots_changed(struct call *c)
{
	call_forget(c, "snapshots");
}

/* Proxmox asks this twice a disk and then rolls back, so an answer serves for some seconds; the
 * rollback itself fails when the snapshot is gone by then. A disk that the guest's config has no
 * more, or that shares its guest with one the array does not know, is asked for alone. */
static int is_there(struct call *c, const struct snap_args *a, struct err *e)
{
	CLEANUP(buf_done) struct buf have = {};
	struct seeing s = { .c = c, .a = a };
	const char *of = memo_prefix(c);
	const char *guest = arena_fmt(&c->arena, "%sguest %s,%" PRIu32 ".%s", of, c->conf.storage,
				      a->parsed.vmid, a->suffix);
	const char *one = arena_fmt(&c->arena, "%svolume %s.%s", of, a->full, a->suffix);
	int r = array_memo_get(c->ctx->memo, guest, SEEN_MS, c->fa.deadline, fetch_guest, &s, &have,
			       e);

	if (r == 0 && has_line(&have, a->full))
		return 0;
	if (r && r != -ENOENT && r != -ESTALE && r != -EBADMSG)
		return r;
	return array_memo_get(c->ctx->memo, one, SEEN_MS, c->fa.deadline, fetch_one, &s, &have, e);
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

/* Nobody may have it open while its content is replaced, here or on another node. Each disk of a
 * guest is asked for by itself, in the call that overwrites it: another node may have connected it
 * since the disk before. */
static int rollback_idle(struct call *c, const struct snap_args *a, struct fa_volume *v,
			 struct connected *who, struct err *e)
{
	int r = connected_volume(c, a->volname, a->full, v, who, e);

	if (r == 0)
		r = attach_idle(c, a->volname, v->serial, "rolled back", false, e);
	return r < 0 ? r : connected_idle(c, a->volname, who, e);
}

static int rollback_locked(struct call *c, const struct snap_args *a, struct err *e)
{
	CLEANUP(connected_done) struct connected who = {};
	struct rolling w = { .c = c, .want = { .name = a->full, .overwrite = true } };
	struct attach_target t = { .volname = a->volname, .snap = "", .array_volume = a->full };
	struct fa_volume v;
	int r = rollback_idle(c, a, &v, &who, e);

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
