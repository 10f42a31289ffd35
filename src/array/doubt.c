/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "array/doubt.h"

#include "array/container.h"
#include "util/clock.h"
#include "util/log.h"

enum { LOCK_MS = 20, ASK_MS = 5000, ASK_AT_ONCE = 8 };

/* --- what the arrays say ---------------------------------------------------------------------- */

struct named {
	bool same, other;
};

/* A name is one volume's at a time, and a volume has one name. */
static void hear(struct named *ret, const struct fa_volumes *list,
		 const struct registry_entry *entry)
{
	for (size_t i = 0; i < list->n; i++) {
		const struct fa_volume *v = &list->items[i];
		bool name, serial;

		if (v->destroyed || !v->name || !v->serial)
			continue;
		name = strcmp(v->name, entry->array_volume) == 0;
		serial = strcasecmp(v->serial, entry->serial) == 0;
		ret->same |= name && serial;
		ret->other |= name != serial;
	}
}

/* As call_arrays(): of several arrays without a pod the first one alone has the volumes. */
static size_t arrays_of(const struct survey_storage *row)
{
	struct arena arena = {};
	bool pod = container_pod(&row->storage->conf, &arena) != NULL;

	arena_done(&arena);
	return pod || !row->n_arrays ? row->n_arrays : 1;
}

/* Does the entry's name stand for its serial? Arrays that disagree have seen a change pass. */
static enum tri is_named(const struct survey *s, const struct registry_entry *entry,
			 const struct finding_map *is)
{
	const struct survey_storage *row = survey_storage_of(s, entry->storage);
	struct named said = {};

	for (size_t i = 0; row && i < arrays_of(row); i++) {
		const struct survey_array *a = &s->arrays[row->arrays[i]];

		if (!a->asked || row->away[i])
			continue;
		hear(&said, &a->named, entry);
		hear(&said, &a->all, entry);
	}
	said.other |= is->known && is->state == ARRAY_MAP_GONE;
	return said.same == said.other ? TRI_UNKNOWN : tri_of(said.same);
}

static bool is_right_disk(const struct map_state *is)
{
	return is->present && is->in_use == MAP_OPEN && is->paths_ok && !is->mismatched;
}

enum doubt doubt_of(const struct survey *s, const struct findings *f, size_t at)
{
	const struct survey_map *m = &s->maps[at];
	const struct finding_map *is = &f->maps[at];

	/* What stands for a snapshot has a name that no other node gives or takes, and what it is
	 * of its disk does not know. */
	if (!m->entry || m->entry->leaving || *m->entry->snap || !*m->entry->serial)
		return DOUBT_NONE;
	if (m->entry->verified)
		return (!m->found || map_is_idle(&m->found->state)) &&
				       is_named(s, m->entry, is) == TRI_NO
			       ? DOUBT_NAME
			       : DOUBT_NONE;
	return m->found && is_right_disk(&m->found->state) && is->connected == TRI_YES &&
			       is_named(s, m->entry, is) == TRI_YES
		       ? DOUBT_DISK
		       : DOUBT_NONE;
}

/* --- what is done ----------------------------------------------------------------------------- */

static void drop_belief(struct array_ctx *ctx, struct registry_entry *entry, const char *volume)
{
	struct err e = {};

	entry->verified = false;
	if (registry_put(ctx->registry, entry, &e) < 0)
		log_warn("%s: %s", entry->volname, e.text);
	else
		log_info("%s: serial %s, which is left mapped here, does not have that name any "
			 "more (%s)",
			 entry->volname, entry->serial, volume);
}

static bool is_itself(struct array_ctx *ctx, const struct registry_entry *entry, struct err *e)
{
	struct map_state is = {};

	return workers_ask(ctx->workers, entry->serial, entry->protocol, ASK_MS, e) == 0 &&
	       workers_look(ctx->workers, entry->serial, entry->protocol, &is, e) == 0 &&
	       is_right_disk(&is);
}

/* Whether it was connected on all arrays nobody knows: the next activation does it. */
static void believe(struct array_ctx *ctx, struct registry_entry *entry)
{
	struct err e = {};

	if (!is_itself(ctx, entry, &e))
		return;
	entry->verified = entry->partial = true;
	entry->checked = clock_boot_ms();
	if (registry_put(ctx->registry, entry, &e) < 0)
		log_warn("%s: %s", entry->volname, e.text);
	else
		log_info("%s: its activation was cut; it is open here, and the disk is the right "
			 "one",
			 entry->volname);
}

static void settle(struct array_ctx *ctx, const struct registry_entry *seen, enum doubt doubt,
		   const char *volume)
{
	CLEANUP_FD int lock = registry_lock_volume(ctx->registry, seen->storage, seen->volname,
						   clock_mono_ms() + LOCK_MS, NULL);
	struct registry_entry entry = {};
	struct arena arena = {};

	if (lock < 0)
		return;
	if (registry_find(ctx->registry, seen->storage, seen->volname, seen->snap, &arena,
			  &entry) == 0 &&
	    entry.put == seen->put) {
		if (doubt == DOUBT_NAME)
			drop_belief(ctx, &entry, volume);
		else
			believe(ctx, &entry);
	}
	arena_done(&arena);
}

void doubts_settle(struct array_ctx *ctx, const struct survey *s, const struct findings *f)
{
	size_t asked = 0;

	for (size_t i = 0; i < s->n_maps; i++) {
		enum doubt doubt = doubt_of(s, f, i);

		if (doubt == DOUBT_NONE || (doubt == DOUBT_DISK && asked++ >= ASK_AT_ONCE))
			continue;
		settle(ctx, s->maps[i].entry, doubt, f->maps[i].volume);
	}
}
