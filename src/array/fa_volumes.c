/* SPDX-License-Identifier: AGPL-3.0-or-later */

/* Volumes: reading them. */

#include <errno.h>

#include "array/fa_inside.h"

struct listing {
	const char *const *names;
	size_t n_names;
	const char *like;
	bool destroyed;
	struct arena *arena;
	VEC(struct fa_volume) found;
};

static bool is_wanted(const struct listing *l, const char *name)
{
	if (!l->names)
		return strncmp(name, l->like, strlen(l->like)) == 0;
	for (size_t i = 0; i < l->n_names; i++)
		if (strcmp(l->names[i], name) == 0)
			return true;
	return false;
}

/* Not a disk: it has no size. */
static bool is_endpoint(const json_t *item)
{
	const char *subtype = json_str(item, "subtype");

	return subtype && strcmp(subtype, "protocol_endpoint") == 0;
}

/* The array's filter is asked to be right, and is not trusted to be. */
static int take(void *arg, const json_t *item, struct err *e)
{
	struct listing *l = arg;
	struct fa_volume v;
	int r;

	if (is_endpoint(item) || !is_wanted(l, fa_read_name(item)) ||
	    (fa_read_destroyed(item) && !l->destroyed))
		return 0;
	r = fa_read_volume(item, l->arena, &v, e);
	if (r == 0)
		*vec_push(&l->found) = v;
	return r;
}

static int list_some(struct fa *f, const struct fa_call *c, struct listing *l, struct err *e)
{
	CLEANUP(buf_done) struct buf filter = {}, path = {};

	if (l->names)
		fa_filter_any(&filter, "name", l->names, l->n_names);
	else if (*l->like)
		fa_filter_prefix(&filter, "name", l->like);
	if (!l->destroyed)
		fa_filter_and(&filter, "destroyed='false'");
	buf_adds(&path, "volumes");
	if (filter.len)
		fa_query_add(&path, "filter", buf_str(&filter));
	return fa_list(f, c, "list of volumes", buf_str(&path), take, l, e);
}

/* Some arrays are said to find nothing by a pattern with "::" in it: nothing is believed only from
 * one that has found something that way before. Else all of the pod is read, and compared here. */
static int list_like(struct fa *f, const struct fa_call *c, struct listing *l, struct err *e)
{
	const char *colons = strstr(l->like, "::");
	CLEANUP(buf_done) struct buf pod = {}, filter = {}, path = {};
	const char *name;
	int r = list_some(f, c, l, e);

	if (r < 0 || !colons)
		return r;
	if (l->found.n)
		f->pod_patterns = true;
	if (f->pod_patterns)
		return 0;
	buf_add(&pod, l->like, (size_t)(colons - l->like));
	name = buf_str(&pod);
	fa_filter_any(&filter, "pod.name", &name, 1);
	buf_adds(&path, "volumes");
	fa_query_add(&path, "filter", buf_str(&filter));
	return fa_list(f, c, "list of volumes", buf_str(&path), take, l, e);
}

static int list_names(struct fa *f, const struct fa_call *c, struct listing *l,
		      const char *const *names, size_t n, struct err *e)
{
	int r = fa_names_check("volume", names, n, e);

	for (size_t i = 0; r == 0 && i < n; i += FA_NAMES_AT_ONCE) {
		l->names = names + i;
		l->n_names = n - i < FA_NAMES_AT_ONCE ? n - i : FA_NAMES_AT_ONCE;
		r = list_some(f, c, l, e);
	}
	return r;
}

int fa_volumes_list(struct fa *f, const struct fa_call *c, const char *const *names, size_t n_names,
		    const char *like, bool destroyed, struct arena *a, struct fa_volumes *ret,
		    struct err *e)
{
	struct listing l = { .like = like ? like : "", .destroyed = destroyed, .arena = a };
	int r;

	if (names)
		r = list_names(f, c, &l, names, n_names, e);
	else
		r = *l.like && !fa_name_ok(like) ? fa_names_check("volume", &like, 1, e)
						 : list_like(f, c, &l, e);
	if (r == 0)
		*ret = (struct fa_volumes){ fa_keep(a, &l.found), l.found.n };
	vec_free(&l.found);
	return r;
}

int fa_volume_find(struct fa *f, const struct fa_call *c, const char *name, struct arena *a,
		   struct fa_volume *ret, struct err *e)
{
	struct fa_volumes found;
	int r = fa_volumes_list(f, c, &name, 1, NULL, true, a, &found, e);

	if (r < 0)
		return r;
	if (found.n == 0)
		return err_set(e, -ENOENT, "%s: there is no volume %s", fa_url(f), name);
	*ret = found.items[0];
	return 0;
}

int fa_volume_get(struct fa *f, const struct fa_call *c, const char *name, struct arena *a,
		  struct fa_volume *ret, struct err *e)
{
	struct fa_volume v;
	int r = fa_volume_find(f, c, name, a, &v, e);

	if (r < 0)
		return r;
	if (v.destroyed)
		return err_set(e, -ESTALE, "%s: volume %s is destroyed, not yet eradicated",
			       fa_url(f), name);
	*ret = v;
	return 0;
}
