/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "array/heal.h"

#include <errno.h>

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

	(void)json_object_update(args, more);
	json_decref(more);
	if (*entry->snap)
		(void)json_object_set_new(args, "snap", json_string(entry->snap));
	array_storage_request(m->storage, ctx->node, method, args, &request);
	(void)array_call(ctx, buf_slice(&request), &reply);
	return read_reply(&reply, e);
}

/* "put" has it decided under the volume's lock whether the entry is still the one that was looked
 * at. Who has cut the volume off from this host may have done so on purpose: then nothing is
 * connected. */
int heal_one(struct array_ctx *ctx, const struct mend *m, struct err *e)
{
	const struct finding *f = m->finding;
	json_t *more = json_pack("{s:b, s:b, s:I}", "heal", 1, "ask", (int)f->cut_off, "put",
				 (json_int_t)f->map->entry->put);

	return mend_call(ctx, m, "activate", more, e);
}
