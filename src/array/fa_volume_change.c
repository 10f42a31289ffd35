/* SPDX-License-Identifier: AGPL-3.0-or-later */

/* Volumes that change: size, name, destroyed and back, eradicated. */

#include <errno.h>
#include <inttypes.h>

#include "array/fa_inside.h"
#include "util/jsonw.h"

struct changing {
	const char *name, *to;
	const char *id; /* of a volume that is renamed */
	uint64_t size;
	struct fa_volume *ret; /* as it is then, in *of_ret; or NULL */
	struct arena *of_ret;
	struct arena arena;
};

/* PATCH or DELETE of one volume. @body is "" for the latter. */
static int change(struct fa *f, const struct fa_call *c, const char *method, const char *verb,
		  const char *body, struct changing *k,
		  int (*look)(struct fa *, const struct fa_call *, void *, struct err *),
		  struct err *e)
{
	CLEANUP(buf_done) struct buf path = {}, what = {};
	struct fa_change ch = { .look = look, .arg = k };
	int r = fa_names_check("volume", &k->name, 1, e);

	if (r < 0)
		return r;
	buf_adds(&path, "volumes");
	fa_query_names(&path, "names", &k->name, 1);
	buf_addf(&what, "%s volume %s", verb, k->name);
	ch.request.method = method;
	ch.request.path = buf_str(&path);
	ch.request.what = buf_str(&what);
	if (*body)
		ch.request.body = slice_of(body);
	r = fa_change(f, c, &ch, e);
	if (r == 0 && k->ret)
		r = fa_changed_volume(f, c, &ch, k->name, k->of_ret, k->ret, e);
	fa_change_done(&ch);
	return r;
}

/* --- size ------------------------------------------------------------------------------------ */

static int look_at_size(struct fa *f, const struct fa_call *c, void *arg, struct err *e)
{
	struct changing *k = arg;
	struct fa_volume v;
	int r = fa_volume_get(f, c, k->name, &k->arena, &v, e);

	if (r < 0)
		return r;
	return v.size == k->size ? 0 : FA_AGAIN;
}

int fa_volume_resize(struct fa *f, const struct fa_call *c, const char *name, uint64_t size,
		     struct arena *a, struct fa_volume *ret, struct err *e)
{
	CLEANUP(buf_done) struct buf body = {};
	struct changing k = { .name = name, .size = size, .ret = ret, .of_ret = a };
	int r;

	buf_addf(&body, "{\"provisioned\":%" PRIu64 "}", size);
	r = change(f, c, "PATCH", "resizing", buf_str(&body), &k, look_at_size, e);
	arena_done(&k.arena);
	return r;
}

/* --- name ------------------------------------------------------------------------------------ */

/* By the id, which stays: another volume may have either name by now. */
static int look_at_name(struct fa *f, const struct fa_call *c, void *arg, struct err *e)
{
	struct changing *k = arg;
	const char *const names[] = { k->name, k->to };
	struct fa_volumes found;
	int r = fa_volumes_list(f, c, names, 2, NULL, true, &k->arena, &found, e);

	if (r < 0)
		return r;
	for (size_t i = 0; i < found.n; i++)
		if (strcmp(found.items[i].id, k->id) == 0)
			return strcmp(found.items[i].name, k->to) == 0 ? 0 : FA_AGAIN;
	return err_set(e, -ENOENT, "%s: volume %s is gone, and not to %s", fa_url(f), k->name,
		       k->to);
}

static int rename_known(struct fa *f, const struct fa_call *c, struct changing *k, struct err *e)
{
	CLEANUP(buf_done) struct buf body = {};
	struct fa_volume v;
	/* A request more, so that an unknown outcome can be told from somebody else's doing. */
	int r = fa_volume_get(f, c, k->name, &k->arena, &v, e);

	if (r < 0)
		return r;
	k->id = v.id;
	buf_adds(&body, "{\"name\":");
	jsonw_quote(&body, slice_of(k->to));
	buf_addc(&body, '}');
	return change(f, c, "PATCH", "renaming", buf_str(&body), k, look_at_name, e);
}

int fa_volume_rename(struct fa *f, const struct fa_call *c, const char *name, const char *to,
		     struct err *e)
{
	struct changing k = { .name = name, .to = to };
	int r = fa_names_check("volume", &to, 1, e);

	if (r == 0)
		r = rename_known(f, c, &k, e);
	arena_done(&k.arena);
	return r;
}

/* --- destroyed, recovered, eradicated -------------------------------------------------------- */

static int look_destroyed(struct fa *f, const struct fa_call *c, void *arg, struct err *e)
{
	struct changing *k = arg;
	struct fa_volume v;
	int r = fa_volume_find(f, c, k->name, &k->arena, &v, e);

	if (r == -ENOENT)
		return 0;
	if (r < 0)
		return r;
	return v.destroyed ? 0 : FA_AGAIN;
}

int fa_volume_destroy(struct fa *f, const struct fa_call *c, const char *name, struct err *e)
{
	struct changing k = { .name = name };
	int r = change(f, c, "PATCH", "destroying", "{\"destroyed\":true}", &k, look_destroyed, e);

	arena_done(&k.arena);
	return r == -ESTALE ? 0 : r;
}

static int look_recovered(struct fa *f, const struct fa_call *c, void *arg, struct err *e)
{
	struct changing *k = arg;
	struct fa_volume v;
	int r = fa_volume_find(f, c, k->name, &k->arena, &v, e);

	if (r < 0)
		return r;
	return v.destroyed ? FA_AGAIN : 0;
}

int fa_volume_recover(struct fa *f, const struct fa_call *c, const char *name, struct err *e)
{
	struct changing k = { .name = name };
	int r = change(f, c, "PATCH", "recovering", "{\"destroyed\":false}", &k, look_recovered, e);

	arena_done(&k.arena);
	return r;
}

static int look_eradicated(struct fa *f, const struct fa_call *c, void *arg, struct err *e)
{
	struct changing *k = arg;
	struct fa_volume v;
	int r = fa_volume_find(f, c, k->name, &k->arena, &v, e);

	if (r == -ENOENT)
		return 0;
	if (r < 0)
		return r;
	/* The array refuses to eradicate what is not destroyed; a new volume of that name stays. */
	if (!v.destroyed)
		return err_set(e, -EINVAL, "%s: volume %s is not destroyed", fa_url(f), k->name);
	return FA_AGAIN;
}

int fa_volume_eradicate(struct fa *f, const struct fa_call *c, const char *name, struct err *e)
{
	struct changing k = { .name = name };
	int r = change(f, c, "DELETE", "eradicating", "", &k, look_eradicated, e);

	arena_done(&k.arena);
	return r == -EROFS ? 1 : r;
}
