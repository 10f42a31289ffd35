/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "array/heal.h"

#include <errno.h>

#include "util/clock.h"

enum { LOCK_MS = 10000 };

/* "vm-100-disk-0" or "vm-100-disk-0 at snapshot x" are two. */
static bool is_same(const struct mend *m, const struct finding *f)
{
	return m->finding->map == f->map;
}

void mends_of(struct mends *ret, const struct survey *s, const struct findings *f,
	      bool (*wanted)(const struct finding *), const char *storage)
{
	*ret = (struct mends){};
	for (size_t i = 0; i < f->n; i++) {
		const struct finding *x = &f->items[i];
		const struct array_storage *of =
			x->storage ? array_storages_find(&s->storages, x->storage) : NULL;
		bool known = false;

		if (!of || !wanted(x) || (storage && strcmp(storage, x->storage) != 0))
			continue;
		vec_each (m, ret)
			known |= is_same(m, x);
		if (!known)
			*vec_push(ret) = (struct mend){ x, of };
	}
}

void mends_done(struct mends *m)
{
	vec_free(m);
}

static int code_of(const char *name)
{
	for (int i = 1; name && i < 200; i++) {
		const char *known = strerrorname_np(i);

		if (known && strcmp(known, name) == 0)
			return -i;
	}
	return -EIO;
}

static int read_reply(const struct buf *reply, struct err *e)
{
	json_t *doc = NULL;
	int r;

	if (json_parse(buf_slice(reply), "the reply", &doc, e) < 0)
		return -EBADMSG;
	if (json_is_true(json_object_get(doc, "ok")))
		r = 0;
	else
		r = err_set(e, code_of(json_str(doc, "code")), "%s",
			    json_str(doc, "error") ?: "no reason was given");
	json_decref(doc);
	return r;
}

int mend_call(struct array_ctx *ctx, const struct mend *m, const char *method, json_t *more,
	      struct err *e)
{
	const struct registry_entry *entry = m->finding->map->entry;
	CLEANUP(buf_wipe) struct buf request = {};
	CLEANUP(buf_done) struct buf reply = {};
	json_t *args = json_pack("{s:s}", "volname", entry->volname);

	if (strcmp(method, "activate") == 0)
		(void)json_object_set_new(args, "heal", json_true());
	if (more)
		(void)json_object_update(args, more);
	json_decref(more);
	if (*entry->snap)
		(void)json_object_set_new(args, "snap", json_string(entry->snap));
	array_storage_request(m->storage, ctx->node, method, args, &request);
	(void)array_call(ctx, buf_slice(&request), &reply);
	return read_reply(&reply, e);
}

/* An entry that says "partial" is connected anew on every array by the next activation; one that
 * does not and works is left alone there. */
static int mark(struct array_ctx *ctx, const struct registry_entry *was, struct err *e)
{
	CLEANUP(arena_done) struct arena a = {};
	CLEANUP_FD int lock = registry_lock_volume(ctx->registry, was->storage, was->volname,
						   clock_mono_ms() + LOCK_MS, e);
	struct registry_entry now;
	int r;

	if (lock < 0)
		return lock;
	/* Between the look and the deed a guest may have been stopped or moved. */
	if (registry_find(ctx->registry, was->storage, was->volname, was->snap, &a, &now) < 0 ||
	    now.leaving || strcmp(now.serial, was->serial) != 0)
		return err_set(e, -ECANCELED, "it is no longer mapped here, or leaving");
	now.partial = true;
	r = registry_put(ctx->registry, &now, e);
	return r < 0 ? r : 0;
}

int heal_one(struct array_ctx *ctx, const struct mend *m, struct err *e)
{
	int r = mark(ctx, m->finding->map->entry, e);

	return r < 0 ? r : mend_call(ctx, m, "activate", NULL, e);
}
