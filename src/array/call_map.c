/* SPDX-License-Identifier: AGPL-3.0-or-later */

/* The methods that make a volume a device of this node: docs/array.md, 4. */

#include <errno.h>

#include "array/absent.h"
#include "array/attach.h"
#include "array/attach_step.h"
#include "array/attach_snap.h"
#include "array/byname.h"
#include "array/plan.h"
#include "array/space.h"
#include "array/volumes.h"
#include "util/clock.h"

enum {
	PATH_MS = 10000,
	ACTIVATE_MS = 60000,
	DEACTIVATE_MS = 45000,
	RESIZE_MS = 30000,
	SIZE_MS = 3000,
	LEAVE_MS = 6000,
	LEAVE_SILENT_MS = 3000,
	SECTOR = 512,
	TRUST_MS = 60000, /* from an activation until what it made usable is open */
};

static struct attach_target target_of(const char *volname, const struct fa_volume *v)
{
	return (struct attach_target){ .volname = volname,
				       .snap = "",
				       .array_volume = v->name,
				       .volume_id = v->id,
				       .serial = v->serial,
				       .size = v->size,
				       .connections = v->connections };
}

/* The array's answer is outside data, and what becomes a path of it must be a serial. */
static int check_serial(const char *volname, const char *serial, struct err *e)
{
	if (serial && array_serial_ok(serial))
		return 0;
	return err_set(e, -EPROTO, "%s: the array gave no serial of a FlashArray's volume",
		       volname);
}

/* ---- path ---- */

/*
 * Does the registry alone say what the name stands for? Another node may rename what this one left
 * mapped, and give the name to a new volume. Not what is open here, nor what is about to be: its
 * guest is on this node.
 */
static bool is_certain(struct call *c, const struct registry_entry *entry)
{
	int64_t age = clock_boot_ms() - entry->checked;
	struct map_state here = {};

	if (!entry->verified || entry->leaving)
		return false;
	if (entry->checked && age >= 0 && age < TRUST_MS)
		return true;
	if (attach_look(c, entry->serial, &here, NULL) < 0 || !here.present ||
	    here.in_use != MAP_OPEN || here.lvm_only)
		return false;
	/* Who has it open is found among all processes: not again for a while. */
	(void)registry_checked(c->ctx->registry, entry, NULL);
	return true;
}

/* The serial that stands for it now, without a question to the array where that is certain. */
static int serial_of(struct call *c, const char *volname, const char *snap, const char **ret,
		     struct err *e)
{
	struct registry_entry entry;
	struct fa_volume v = {};
	char name[256];
	int error =
		registry_find(c->ctx->registry, c->conf.storage, volname, snap, &c->arena, &entry);

	if (error == 0 && is_certain(c, &entry)) {
		*ret = entry.serial;
		return 0;
	}
	if (!*snap) {
		error = volume_find(c, volname, &v, e);
	} else {
		error = array_tmp_name_of(&c->conf, volname, snap, name, e);
		if (error == 0)
			error = volume_get(c, name, &v, e);
		if (error == -ENOENT || error == -ESTALE)
			error = err_set(e, error, "snapshot %s of %s is not activated on this node",
					snap, volname);
	}
	*ret = v.serial;
	return error ? error : check_serial(volname, v.serial, e);
}

static void write_path(struct call *c, const char *path, const uint32_t *vmid)
{
	jsonw_row(c->out, "result");
	jsonw_str(c->out, "path", path);
	if (vmid)
		jsonw_u64(c->out, "vmid", *vmid);
	jsonw_close(c->out);
}

static int run_path(struct call *c, struct err *e)
{
	const char *volname, *snap = call_opt(c, "snap"), *serial;
	char path[ARRAY_PATH_MAX], named[BYNAME_MAX];
	struct array_volname v;
	int ret = call_volname(c, &volname, &v, e);

	if (ret == 0)
		ret = serial_of(c, volname, snap ? snap : "", &serial, e);
	/* The array says that there is none: Proxmox may be about to make it, or to remove its
	 * guest. */
	if ((ret == -ENOENT || ret == -ESTALE) && !snap) {
		byname_path(c->conf.storage, volname, named);
		write_path(c, named, &v.vmid);
		return 0;
	}
	if (ret)
		return ret;
	if (!snap)
		told_note(c->ctx->tolds, c->conf.storage, volname, serial);
	array_path_of(&c->conf, serial, path);
	write_path(c, path, &v.vmid);
	return 0;
}

/* ---- activate, deactivate ---- */

/* What the registry still has of the other one is believed no more, so that the next path() asks.
 */
static int refuse_told(struct call *c, const char *volname, const char *was, const char *is,
		       struct err *e)
{
	struct registry_entry entry;
	struct err why = {};

	if (registry_find(c->ctx->registry, c->conf.storage, volname, "", &c->arena, &entry) == 0 &&
	    entry.verified && strcmp(entry.serial, is) != 0) {
		entry.verified = false;
		if (registry_put(c->ctx->registry, &entry, &why) < 0)
			call_log(c, 0, "%s", why.text);
	}
	told_forget(c->ctx->tolds, c->conf.storage, volname);
	return err_set(e, -EAGAIN,
		       "%s was serial %s when its path was asked for, and is serial %s by now: "
		       "start again",
		       volname, was, is);
}

static int activate_volume(struct call *c, const char *volname, const char **ret_serial,
			   struct err *e)
{
	char was[ARRAY_SERIAL_LEN + 1];
	struct attach_target t;
	struct fa_volume v = {};
	int ret = volume_find(c, volname, &v, e);

	if (ret == 0)
		ret = check_serial(volname, v.serial, e);
	if (ret)
		return ret;
	if (!call_flag(c, "heal") &&
	    told_other(c->ctx->tolds, c->conf.storage, volname, v.serial, was))
		return refuse_told(c, volname, was, v.serial, e);
	t = target_of(volname, &v);
	*ret_serial = v.serial;
	return attach_volume(c, &t, e);
}

/* "heal": only the entry that was looked at, which was without the lock: a guest may have been
 * stopped or moved away since. */
static int check_healing(struct call *c, const char *volname, const char *snap, struct err *e)
{
	struct registry_entry entry;
	uint64_t put = 0;
	int ret;

	if (!call_flag(c, "heal"))
		return 0;
	ret = call_u64(c, "put", &put, e);
	if (ret)
		return ret;
	ret = registry_find(c->ctx->registry, c->conf.storage, volname, snap ? snap : "", &c->arena,
			    &entry);
	if (ret == -ENOENT || (ret == 0 && entry.leaving))
		return err_set(e, -ECANCELED, "%s is no longer mapped here", volname);
	if (ret == 0 && entry.put != (int64_t)put)
		return err_set(e, -ECANCELED, "%s was activated anew meanwhile", volname);
	return ret ? err_set(e, ret, "%s: the registry cannot be read", volname) : 0;
}

/* "ask", with "heal": what says that it is another volume leaves the map, and nothing else is done.
 */
static int ask_paths(struct call *c, const char *volname, const char *snap, struct err *e)
{
	struct registry_entry entry;
	int ret = registry_find(c->ctx->registry, c->conf.storage, volname, snap ? snap : "",
				&c->arena, &entry);

	return ret ? err_set(e, ret, "%s: the registry cannot be read", volname)
		   : workers_ask(c->ctx->workers, entry.serial, entry.protocol, call_left(c, 0), e);
}

static int run_activate(struct call *c, struct err *e)
{
	const char *volname, *snap = call_opt(c, "snap"), *serial = NULL;
	char path[ARRAY_PATH_MAX];
	struct array_volname parsed;
	CLEANUP_FD int lock = -1;
	int ret = call_volname(c, &volname, &parsed, e);

	if (ret)
		return ret;
	lock = attach_lock(c, volname, e);
	if (lock < 0)
		return lock;
	ret = check_healing(c, volname, snap, e);
	if (ret)
		return ret;
	if (call_flag(c, "heal") && call_flag(c, "ask"))
		return ask_paths(c, volname, snap, e);
	ret = snap ? attach_snapshot(c, volname, snap, &serial, e)
		   : activate_volume(c, volname, &serial, e);
	if (ret)
		return ret;
	array_path_of(&c->conf, serial, path);
	write_path(c, path, NULL);
	return 0;
}

/* So long at most the array is waited for, where the guest's other disks wait as well. */
static int find_soon(struct call *c, const char *volname, bool no_entry, struct fa_volume *ret,
		     struct err *e)
{
	int64_t all = c->fa.deadline;
	int64_t soon = clock_mono_ms() + (call_is_silent(c) ? LEAVE_SILENT_MS : LEAVE_MS);
	int error;

	if (soon < all)
		c->fa.deadline = soon;
	/* What has no entry was not connected by this node since it was asked for. */
	error = no_entry ? volume_find_kept(c, volname, ret, e) : volume_find(c, volname, ret, e);
	c->fa.deadline = all;
	return error ? error : check_serial(volname, ret->serial, e);
}

/* Without an entry the array is asked what the name stands for, as another program may have mapped
 * it; but where it says nothing, and nothing of it can be here, all is done. */
static int deactivate_unknown(struct call *c, const char *volname, bool no_entry, struct err *e)
{
	struct attach_target t;
	struct fa_volume v = {};
	struct err why = {};
	bool silent = call_is_silent(c);
	char full[256];
	int ret = array_name_of(&c->conf, volname, full, e);

	if (ret)
		return ret;
	if (silent && absent_here(c, full)) {
		call_log(c, 1, "nothing of %s is mapped here", volname);
		return 0;
	}
	ret = find_soon(c, volname, no_entry, &v, &why);
	if (ret == -ENOENT || ret == -ESTALE) {
		call_log(c, 1, "%s", why.text);
		return 0;
	}
	if (ret && !silent && absent_here(c, full)) {
		call_log(c, 0, "%s; nothing of %s is mapped here", why.text, volname);
		return 0;
	}
	if (ret)
		return err_set(e, ret, "%s", why.text);
	t = target_of(volname, &v);
	return attach_remove(c, &t, e);
}

static int deactivate_volume(struct call *c, const char *volname, struct err *e)
{
	struct registry_entry entry;
	struct attach_target t;
	int ret = registry_find(c->ctx->registry, c->conf.storage, volname, "", &c->arena, &entry);

	if (ret < 0)
		return deactivate_unknown(c, volname, ret == -ENOENT, e);
	t = (struct attach_target){ .volname = volname,
				    .snap = "",
				    .array_volume = entry.array_volume,
				    .volume_id = entry.volume_id,
				    .serial = entry.serial,
				    .size = entry.size,
				    .connections = UINT64_MAX };
	return attach_remove(c, &t, e);
}

/* "put": only while the entry is the one that was looked at, and nothing says that it is wanted. */
static int check_still(struct call *c, const char *volname, const char *snap, struct err *e)
{
	const struct registry_entry *now = NULL;
	struct registry_entry entry;
	struct map_state here = {};
	struct plan p;
	uint64_t put;
	int ret;

	if (!json_object_get(c->args, "put"))
		return 0;
	ret = call_u64(c, "put", &put, e);
	if (ret)
		return ret;
	ret = registry_find(c->ctx->registry, c->conf.storage, volname, snap, &c->arena, &entry);
	if (ret == 0)
		now = &entry;
	else if (ret != -ENOENT)
		return err_set(e, ret, "%s: the registry cannot be read", volname);
	if (now && *now->serial)
		ret = attach_look(c, now->serial, &here, e);
	else
		ret = 0;
	if (ret)
		return ret;
	/* A copy whose snapshot is gone has paths that work. */
	plan_still(now, (int64_t)put, &here,
		   !call_flag(c, "orphan") && ((c->conf.multipath && !map_is_bare(&here)) ||
					       c->conf.protocol == ARRAY_NVME_TCP),
		   &p);
	return p.refuse ? err_set(e, p.refuse, "%s: %s", volname, p.why) : 0;
}

static int run_deactivate(struct call *c, struct err *e)
{
	const char *volname, *snap = call_opt(c, "snap");
	struct array_volname parsed;
	CLEANUP_FD int lock = -1;
	int ret = call_volname(c, &volname, &parsed, e);

	if (ret)
		return ret;
	lock = attach_lock(c, volname, e);
	if (lock < 0)
		return lock;
	ret = check_still(c, volname, snap ? snap : "", e);
	if (ret)
		return ret;
	if (snap && call_flag(c, "orphan"))
		return attach_remove_orphan(c, volname, snap, e);
	if (snap)
		return attach_remove_snapshot(c, volname, snap, e);
	ret = deactivate_volume(c, volname, e);
	/* Its guest is stopped or moved: nobody starts with the path of before. */
	if (ret == 0 && !json_object_get(c->args, "put"))
		told_forget(c->ctx->tolds, c->conf.storage, volname);
	return ret;
}

/* ---- size, resize ---- */

static int get_now(struct call *c, const char **volname, struct fa_volume *ret, struct err *e)
{
	struct array_volname parsed;
	char full[256];
	int error = call_volname(c, volname, &parsed, e);

	if (error == 0)
		error = array_name_of(&c->conf, *volname, full, e);
	if (error == 0)
		error = volume_get(c, arena_str(&c->arena, slice_of(full)), ret, e);
	return error;
}

static int run_size(struct call *c, struct err *e)
{
	const char *volname;
	struct fa_volume v = {};
	int ret = get_now(c, &volname, &v, e);

	if (ret)
		return ret;
	jsonw_row(c->out, "result");
	jsonw_u64(c->out, "size", v.size);
	jsonw_u64(c->out, "used", v.used);
	jsonw_i64(c->out, "ctime", v.created);
	jsonw_close(c->out);
	return 0;
}

struct resize {
	struct call *c;
	const char *name;
	uint64_t size;
	struct fa_volume now;
};

static int resize_on(struct fa *f, void *arg, struct err *e)
{
	struct resize *r = arg;

	return fa_volume_resize(f, &r->c->fa, r->name, r->size, &r->c->arena, &r->now, e);
}

/* 1: it has that size. */
static int check_size(struct call *c, struct resize *r, struct err *e)
{
	int ret = volume_get(c, r->name, &r->now, e);

	if (ret)
		return ret;
	if (r->size < r->now.size)
		return err_set(e, -EINVAL,
			       "%s has %llu bytes and is not made smaller: what lies behind %llu "
			       "would be lost",
			       r->name, (unsigned long long)r->now.size,
			       (unsigned long long)r->size);
	return r->size == r->now.size;
}

/* The array itself makes no volume smaller unless it is asked to truncate, so that its size is only
 * read where there is a quota, or to say why it refused. */
static int resize_there(struct call *c, struct resize *r, struct err *e)
{
	struct err why = {};
	int seen, ret = 0;

	if (c->conf.quota) {
		ret = check_size(c, r, e);
		if (ret == 0)
			ret = space_room_for(c, r->size - r->now.size, e);
		if (ret)
			return ret < 0 ? ret : 0;
	}
	ret = call_first(c, resize_on, r, &why);
	volumes_changed(c);
	if (ret == 0)
		return 0;
	seen = ret == -EINVAL ? check_size(c, r, e) : 0;
	if (seen)
		return seen < 0 ? seen : 0;
	return err_set(e, ret, "%s", why.text);
}

/* Proxmox adds what it is asked for to the size that the array says: a resize that this node cannot
 * follow is refused before the array has made it, or the next try makes it twice. */
static int can_follow(struct call *c, const char *volname, struct err *e)
{
	const struct registry_entry *entry = attach_entry(c, volname, "");
	struct map_state here = {};
	int ret = entry && *entry->serial ? attach_look(c, entry->serial, &here, e) : 0;

	if (ret == 0 && here.in_use == MAP_UNKNOWN && !here.present)
		return err_set(e, -EALREADY, "%s: %s", volname, here.why);
	if (ret || !here.deaf)
		return ret;
	return err_set(
		e, -EAGAIN,
		"%s has %u paths here that are away and cannot be told a new size: try again "
		"when they are back (multipathd show paths), or log out of what is gone for "
		"good",
		volname, here.deaf);
}

static int run_resize(struct call *c, struct err *e)
{
	const char *volname;
	struct attach_target t;
	struct resize r = { .c = c };
	struct array_volname parsed;
	uint64_t size;
	char full[256];
	CLEANUP_FD int lock = -1;
	int ret = call_u64(c, "size", &size, e);

	if (ret == 0)
		ret = call_volname(c, &volname, &parsed, e);
	if (ret == 0)
		ret = array_name_of(&c->conf, volname, full, e);
	if (ret)
		return ret;
	if (size > UINT64_MAX - SECTOR)
		return err_set(e, -EINVAL, "%s: no disk is that large", volname);
	lock = attach_lock(c, volname, e);
	if (lock < 0)
		return lock;
	r.name = full;
	r.size = (size + SECTOR - 1) / SECTOR * SECTOR;
	ret = can_follow(c, volname, e);
	if (ret == 0)
		ret = resize_there(c, &r, e);
	if (ret == 0)
		ret = check_serial(volname, r.now.serial, e);
	if (ret)
		return ret;
	t = target_of(volname, &r.now);
	t.size = r.size;
	return attach_resize(c, &t, e);
}

const struct call_method call_map_methods[] = {
	{ "path", run_path, PATH_MS },
	{ "activate", run_activate, ACTIVATE_MS },
	{ "deactivate", run_deactivate, DEACTIVATE_MS },
	{ "size", run_size, SIZE_MS },
	{ "resize", run_resize, RESIZE_MS, false, true },
	{},
};
