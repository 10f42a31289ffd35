/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "array/attach_snap.h"

#include <errno.h>

#include "array/attach_step.h"
#include "array/volumes.h"

#define TAG "tmp"

struct tmp {
	struct call *c;
	const char *volname, *snap;
	const char *name; /* of the temporary volume */
	const char *of;	  /* of the snapshot's, and its id; NULL: not known */
	const char *of_id;
	const char *source; /* VOLUME.SUFFIX */
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
	t->of = arena_str(&c->arena, slice_of(volume));
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
				       .size = t->volume.size,
				       .connections = t->volume.connections };
}

static int list_both(struct fa *f, void *arg, struct err *e)
{
	struct tmp *t = arg;
	const char *const names[] = { t->name, t->of };
	struct fa_volumes found = {};
	int ret = fa_volumes_list(f, &t->c->fa, names, ARRAY_SIZE(names), NULL, true, &t->c->arena,
				  &found, e);

	for (size_t i = 0; ret == 0 && i < found.n; i++) {
		const struct fa_volume *v = &found.items[i];

		if (strcmp(v->name, t->of) == 0) {
			t->of_id = v->id;
			continue;
		}
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
	return call_first(t->c, list_both, t, e);
}

/* Made of a volume that had this name before, which another node has renamed or destroyed since. */
static bool is_of_another(const struct tmp *t)
{
	return t->of_id && t->volume.source_id && strcmp(t->of_id, t->volume.source_id) != 0;
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
static bool is_in_place(struct call *c, const struct registry_entry *entry, const struct tmp *t)
{
	struct map_state here = {};

	return entry && entry->verified && !entry->leaving && t->volume.serial && !t->destroyed &&
	       !is_of_another(t) && strcmp(entry->serial, t->volume.serial) == 0 &&
	       attach_look(c, entry->serial, &here, NULL) == 0 && here.present;
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

int attach_snapshot(struct call *c, const char *volname, const char *snap, const char **ret_serial,
		    struct err *e)
{
	struct tmp t = { .c = c, .volname = volname, .snap = snap };
	const struct registry_entry *entry;
	struct attach_target target;
	int ret = names_of(&t, e);

	if (ret == 0)
		ret = look_for(&t, e);
	if (ret)
		return ret;
	entry = attach_entry(c, volname, snap);
	if (!is_in_place(c, entry, &t)) {
		/* Its content is replaced: nobody may have the old one, not even in a cache. */
		target = target_of(&t);
		target.doomed = true;
		if (entry || t.volume.serial)
			ret = attach_remove(c, &target, e);
		if (ret == 0)
			ret = begin(&t, e);
		if (ret == 0)
			ret = call_first(c, make, &t, e);
	}
	if (ret == 0) {
		target = target_of(&t);
		ret = attach_volume(c, &target, e);
	}
	if (ret)
		drop_useless(&t, ret);
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
