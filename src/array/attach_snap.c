/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "array/attach_snap.h"

#include <errno.h>
#include <unistd.h>

#include "array/attach_step.h"
#include "array/connected.h"
#include "array/plan.h"
#include "array/volumes.h"
#include "util/clock.h"

#define TAG "tmp"

enum { CLOSING_MS = 10000, LOOK_AGAIN_MS = 100 };

struct tmp {
	struct call *c;
	const char *volname, *snap;
	const char *name;   /* of the temporary volume */
	const char *source; /* VOLUME.SUFFIX */
	const char *origin; /* that snapshot's id; NULL: not known */
	bool overwrite, destroyed, made;
	struct fa_volume volume;
};

static int names_of(struct tmp *t, struct err *e)
{
	struct call *c = t->c;
	char volume[256], name[256], suffix[80];
	int ret = array_name_of(&c->conf, t->volname, volume, e);

	if (ret == 0)
		ret = array_tmp_name_of(&c->conf, t->volname, t->snap, name, e);
	if (ret == 0)
		ret = array_suffix_of(t->snap, suffix, e);
	if (ret)
		return ret;
	t->name = arena_str(&c->arena, slice_of(name));
	t->source = arena_fmt(&c->arena, "%s.%s", volume, suffix);
	return 0;
}

/* The entry is there before the volume is made, and until it is destroyed: a kill in between leaves
 * nothing on the array that nobody knows of. */
static int begin(const struct tmp *t, struct err *e)
{
	struct attach_target bare = {
		.volname = t->volname, .snap = t->snap, .array_volume = t->name, .serial = ""
	};
	struct registry_entry entry = attach_new_entry(t->c, &bare);

	return attach_put(t->c, &entry, e);
}

static struct attach_target target_of(const struct tmp *t)
{
	return (struct attach_target){ .volname = t->volname,
				       .snap = t->snap,
				       .array_volume = t->name,
				       .volume_id = t->volume.id,
				       .serial = t->volume.serial,
				       .origin = t->origin,
				       .size = t->volume.size,
				       .connections = t->volume.connections };
}

static int list_it(struct fa *f, void *arg, struct err *e)
{
	struct tmp *t = arg;
	struct fa_volumes found = {};
	int ret = fa_volumes_list(f, &t->c->fa, &t->name, 1, NULL, true, &t->c->arena, &found, e);

	for (size_t i = 0; ret == 0 && i < found.n; i++) {
		const struct fa_volume *v = &found.items[i];

		t->overwrite = true;
		t->destroyed = v->destroyed;
		if (!v->destroyed)
			t->volume = *v;
	}
	return ret;
}

/* Is there one of this name? 0 also when there is none: t->volume.name is NULL then. */
static int look_for(struct tmp *t, struct err *e)
{
	return call_first(t->c, list_it, t, e);
}

static int find_origin(struct fa *f, void *arg, struct err *e)
{
	struct tmp *t = arg;
	struct fa_snapshot s;
	int ret = fa_snapshot_get(f, &t->c->fa, t->source, &t->c->arena, &s, e);

	if (ret == 0)
		t->origin = s.id;
	return ret;
}

static int make(struct fa *f, void *arg, struct err *e)
{
	struct tmp *t = arg;
	struct call *c = t->c;
	struct fa_new_volume v = { .name = t->name,
				   .source = t->source,
				   .overwrite = t->overwrite };
	const char *tag = arena_fmt(&c->arena, "%s %s %s", c->node, t->volname, t->snap);
	int ret = t->destroyed ? fa_volume_recover(f, &c->fa, t->name, e) : 0;

	if (ret == 0)
		ret = fa_volume_create(f, &c->fa, &v, &c->arena, &t->volume, e);
	t->made |= ret == 0;
	if (ret == 0)
		ret = fa_tag_set(f, &c->fa, t->name, TAG, tag, e);
	return ret;
}

static int destroy(struct fa *f, void *arg, struct err *e)
{
	struct tmp *t = arg;
	struct err why = {};
	int ret = fa_volume_destroy(f, &t->c->fa, t->name, e);

	if (ret < 0 && ret != -ESTALE)
		return ret == -ENOENT ? 0 : ret;
	/* Destroyed it goes by itself; the array says when. */
	if (fa_volume_eradicate(f, &t->c->fa, t->name, &why) < 0)
		call_log(t->c, 0, "%s", why.text);
	return 0;
}

/* Then its entry, which stays when the array could not be told, for `array reap`; and one that says
 * that an array was not reached for the disconnect. */
static void destroy_known(struct tmp *t)
{
	struct call *c = t->c;
	const struct registry_entry *entry;
	struct err why = {};
	int ret = call_first(c, destroy, t, &why);

	if (ret) {
		call_log(c, 0, "%s stays on the array for now: %s", t->name, why.text);
		return;
	}
	entry = attach_entry(c, t->volname, t->snap);
	if (entry && !*entry->serial)
		ret = registry_drop(c->ctx->registry, c->conf.storage, t->volname, t->snap, &why);
	if (ret)
		call_log(c, 0, "%s", why.text);
}

/* This boot's, and nobody began to take it away. */
static bool is_mapped(struct call *c, const struct registry_entry *entry, const struct tmp *t)
{
	struct map_state here = {};

	return entry && entry->verified && !entry->leaving && t->volume.serial && !t->destroyed &&
	       strcmp(entry->serial, t->volume.serial) == 0 &&
	       attach_look(c, entry->serial, &here, NULL) == 0 && here.present;
}

/* Its name is this host's own: whoever else is connected was made so by hand, and may read what it
 * has now. */
static int is_alone_on(const struct tmp *t, const struct fa_connections *found, struct err *e)
{
	const struct array_conf *conf = &t->c->conf;

	for (size_t i = 0; i < found->n; i++) {
		const struct fa_connection *it = &found->items[i];
		const char *who = it->host_group ? it->host_group : it->host;

		if (!who || it->host_group || strcmp(who, conf->host) != 0)
			return err_set(e, -EBUSY,
				       "%s stays as it is: it is connected to %s, which may read "
				       "it: purevol disconnect it if nobody does",
				       t->name, who ? who : "somebody unknown");
	}
	return 0;
}

static int is_alone(const struct tmp *t, struct err *e)
{
	CLEANUP(connected_done) struct connected who = {};
	int ret;

	if (!t->volume.name)
		return 0;
	ret = connected_read(t->c, &t->volume, &who, e);
	for (size_t i = 0; i < who.n_arrays && ret == 0; i++)
		ret = is_alone_on(t, &who.on[i].found, e);
	return ret;
}

/* What stands for a snapshot that is no more has nobody left to serve but who reads it. */
static void drop_orphan(const struct tmp *t)
{
	struct err why = {};
	int ret = is_alone(t, &why);

	if (ret == 0)
		ret = attach_remove_snapshot(t->c, t->volname, t->snap, &why);
	if (ret)
		call_log(t->c, 0, "%s", why.text);
}

/*
 * 1: what is mapped here is of this very snapshot, which its name does not tell: any node may have
 * removed that one and taken another, of another volume even. Asked before the copy is made, so
 * that the origin that is kept of it is never younger than its content. Who heals wants what is
 * mapped connected, whatever it is of.
 */
static int is_in_place(struct tmp *t, const struct registry_entry *entry, struct err *e)
{
	struct call *c = t->c;
	bool mapped = is_mapped(c, entry, t);
	int ret;

	if (mapped && call_flag(c, "heal")) {
		t->origin = entry->origin;
		return 1;
	}
	ret = call_first(c, find_origin, t, e);
	if (entry && (ret == -ENOENT || ret == -ESTALE))
		drop_orphan(t);
	if (ret)
		return ret;
	return mapped && t->origin && strcmp(t->origin, entry->origin) == 0;
}

/* Its content is replaced: nobody may have the old one, not even in a cache. */
static int make_way(const struct tmp *t, const struct registry_entry *entry, struct err *e)
{
	struct attach_target target = target_of(t);
	int ret = is_alone(t, e);

	target.doomed = true;
	if (ret == 0 && (entry || t->volume.serial))
		ret = attach_remove(t->c, &target, e);
	return ret == -EBUSY ? err_wrap(e, ret,
					"snapshot %s is not known to be the one that this node has "
					"mapped, which is in the way",
					t->snap)
			     : ret;
}

/* It did not become a device. While the registry has it as one, it stays. @error may leave open
 * whether it is made at this moment: then it is known, and goes later. */
static void drop_useless(struct tmp *t, int error)
{
	struct call *c = t->c;
	struct registry_entry entry;
	int ret = registry_find(c->ctx->registry, c->conf.storage, t->volname, t->snap, &c->arena,
				&entry);

	if (error == -EINPROGRESS)
		return;
	if (ret == 0 ? !*entry.serial : ret == -ENOENT && t->made)
		destroy_known(t);
}

static int make_and_attach(struct tmp *t, bool make_it, struct err *e)
{
	struct attach_target target;
	int ret = 0;

	if (make_it)
		ret = begin(t, e);
	if (make_it && ret == 0)
		ret = call_first(t->c, make, t, e);
	target = target_of(t);
	if (ret == 0)
		ret = attach_volume(t->c, &target, e);
	if (ret)
		drop_useless(t, ret);
	return ret;
}

int attach_snapshot(struct call *c, const char *volname, const char *snap, const char **ret_serial,
		    struct err *e)
{
	struct tmp t = { .c = c, .volname = volname, .snap = snap };
	const struct registry_entry *entry;
	int in_place, ret = names_of(&t, e);

	if (ret == 0)
		ret = look_for(&t, e);
	if (ret)
		return ret;
	entry = attach_entry(c, volname, snap);
	in_place = is_in_place(&t, entry, e);
	ret = in_place ? in_place : make_way(&t, entry, e);
	/* What did not make way is not ours to drop: somebody may use it. */
	if (ret < 0)
		return ret;
	ret = make_and_attach(&t, !in_place, e);
	*ret_serial = t.volume.serial;
	return ret;
}

int attach_remove_snapshot(struct call *c, const char *volname, const char *snap, struct err *e)
{
	struct tmp t = { .c = c, .volname = volname, .snap = snap };
	const struct registry_entry *entry = attach_entry(c, volname, snap);
	struct attach_target target;
	int ret = names_of(&t, e);

	if (ret == 0 && (!entry || !*entry->serial))
		ret = look_for(&t, e);
	if (ret || (!entry && !t.volume.name))
		return ret;
	if (entry && *entry->serial)
		t.volume = (struct fa_volume){ .serial = entry->serial,
					       .id = entry->volume_id,
					       .connections = UINT64_MAX };
	target = target_of(&t);
	target.doomed = true;
	ret = attach_remove(c, &target, e);
	if (ret == 0)
		destroy_known(&t);
	return ret;
}

struct asking {
	const struct tmp *t;
	const struct registry_entry *entry;
	enum tri is[ARRAY_ADDRESSES_MAX]; /* what each array says */
};

static int ask_origin(struct fa *f, void *arg, struct err *e)
{
	struct asking *q = arg;
	const struct call *c = q->t->c;
	struct fa_call fa = fa_call_beside(f, &c->fa, call_arrays(c));
	CLEANUP(arena_done) struct arena a = {};
	struct fa_snapshots found = {};
	size_t at = 0;
	int ret = fa_snapshots_named(f, &fa, &q->t->source, 1, &a, &found, e);

	while (c->arrays[at] != f)
		at++;
	if (ret == 0)
		q->is[at] = plan_origin(q->entry, q->t->source, &found);
	return ret;
}

/* Under the volume's lock: what a survey saw may have passed. */
static int must_be_orphan(const struct tmp *t, const struct registry_entry *entry, struct err *e)
{
	struct asking q = { .t = t, .entry = entry };
	int results[ARRAY_ADDRESSES_MAX] = {};
	struct err why[ARRAY_ADDRESSES_MAX];
	size_t n = call_arrays(t->c);

	fa_each(t->c->arrays, n, ask_origin, &q, results, why);
	for (size_t i = 0; i < n; i++) {
		if (results[i])
			return err_set(e, results[i], "%s", why[i].text);
		if (q.is[i] != TRI_NO)
			return err_set(e, -ECANCELED, "snapshot %s of %s is there", t->snap,
				       t->volname);
	}
	return 0;
}

int attach_remove_orphan(struct call *c, const char *volname, const char *snap, struct err *e)
{
	struct tmp t = { .c = c, .volname = volname, .snap = snap };
	const struct registry_entry *entry = attach_entry(c, volname, snap);
	int ret = names_of(&t, e);

	if (ret == 0 && !entry)
		return err_set(e, -ECANCELED, "%s: somebody else has taken it away", volname);
	if (ret == 0)
		ret = must_be_orphan(&t, entry, e);
	if (ret == 0)
		ret = look_for(&t, e);
	if (ret == 0)
		ret = is_alone(&t, e);
	return ret ? ret : attach_remove_snapshot(c, volname, snap, e);
}

/* Who has just unmounted it lazily, as vzdump does, has it open for a moment longer. */
static void await_close(struct call *c, const char *serial)
{
	int64_t until = clock_mono_ms() + CLOSING_MS;
	struct map_state here = {};

	while (attach_look(c, serial, &here, NULL) == 0 && here.present && !map_is_idle(&here) &&
	       !here.lvm_only && clock_mono_ms() < until && call_left(c, DETACH_RESERVE_MS))
		(void)usleep(LOOK_AGAIN_MS * 1000);
}

/* vzdump leaves its lock on a guest whose snapshot it could not remove, and the guest's next backup
 * stops at that. */
static int still_read(const char *volname, const char *snap, int error, struct err *e)
{
	struct array_volname name;
	struct err why = e ? *e : (struct err){};

	if (error != -EBUSY)
		return err_wrap(e, error, "snapshot %s is not removed", snap);
	if (strcmp(snap, "vzdump") == 0 && array_volname_parse(volname, &name))
		return err_set(
			e, error,
			"snapshot %s is not removed: %.300s. End what has it open, then `pct "
			"unlock %u`: the next backup replaces it",
			snap, why.text, (unsigned int)name.vmid);
	return err_set(e, error,
		       "snapshot %s is not removed: %.350s. End what has it open, and try again",
		       snap, why.text);
}

int attach_end_snapshot(struct call *c, const char *volname, const char *snap, struct err *e)
{
	struct registry_entry entry;
	int ret =
		registry_find(c->ctx->registry, c->conf.storage, volname, snap, &c->arena, &entry);

	if (ret == -ENOENT)
		return 0;
	if (ret == 0 && *entry.serial)
		await_close(c, entry.serial);
	ret = attach_remove_snapshot(c, volname, snap, e);
	return ret ? still_read(volname, snap, ret, e) : 0;
}

int attach_remove_snapshots(struct call *c, const char *volname, struct err *e)
{
	struct registry_entry *all = NULL;
	size_t n = 0;
	int ret = registry_list(c->ctx->registry, &c->arena, &all, &n, e);

	for (size_t i = 0; i < n && ret == 0; i++)
		if (*all[i].snap && strcmp(all[i].storage, c->conf.storage) == 0 &&
		    strcmp(all[i].volname, volname) == 0)
			ret = attach_remove_snapshot(c, volname, all[i].snap, e);
	return ret;
}
