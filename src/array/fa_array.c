/* SPDX-License-Identifier: AGPL-3.0-or-later */

/* The array itself: what it is, its ports and hosts, where volumes can be, and how full it is. */

#include <errno.h>

#include "array/fa_inside.h"

enum { PORTS_MS = 10 * 60 * 1000 };

/* --- one object by its name ------------------------------------------------------------------ */

/* The item of @name among those of @kind ("hosts"), a reference that the caller frees. With @name
 * NULL the first one. */
struct one {
	const char *name;
	json_t *item;
};

static int take_one(void *arg, const json_t *item, struct err *e)
{
	struct one *o = arg;

	(void)e;
	if (!o->item && (!o->name || strcmp(fa_read_name(item), o->name) == 0))
		o->item = json_incref((json_t *)item);
	return 0;
}

static int get_one(struct fa *f, const struct fa_call *c, const char *kind, const char *name,
		   json_t **ret, struct err *e)
{
	CLEANUP(buf_done) struct buf filter = {}, path = {};
	struct one o = { .name = name };
	int r = name ? fa_names_check(kind, &name, 1, e) : 0;

	if (r < 0)
		return r;
	buf_adds(&path, kind);
	if (name) {
		fa_filter_any(&filter, "name", &name, 1);
		fa_query_add(&path, "filter", buf_str(&filter));
	}
	r = fa_list(f, c, kind, buf_str(&path), take_one, &o, e);
	if (r == 0 && !o.item)
		r = err_set(e, -ENOENT, "%s: %s: there is no %s", fa_url(f), kind,
			    name ? name : "answer");
	if (r < 0) {
		json_decref(o.item);
		return r;
	}
	*ret = o.item;
	return 0;
}

int fa_host_get(struct fa *f, const struct fa_call *c, const char *name, struct arena *a,
		struct fa_host *ret, struct err *e)
{
	json_t *item;
	int r = get_one(f, c, "hosts", name, &item, e);

	if (r < 0)
		return r;
	r = fa_read_host(item, a, ret, e);
	json_decref(item);
	return r < 0 ? err_wrap(e, r, "%s", fa_url(f)) : 0;
}

/* What is told of it by then may be as old as the question. */
static int get_pod(struct fa *f, const struct fa_call *c, const char *name, json_t **ret,
		   struct err *e)
{
	int64_t asked = rest_now_ms();
	int r = get_one(f, c, "pods", name, ret, e);

	if (r == 0)
		fa_pods_learn(f, *ret, asked);
	return r;
}

int fa_pod_get(struct fa *f, const struct fa_call *c, const char *name, struct arena *a,
	       struct fa_pod *ret, struct err *e)
{
	json_t *item;
	int r = get_pod(f, c, name, &item, e);

	if (r < 0)
		return r;
	r = fa_read_pod(item, a, ret, e);
	json_decref(item);
	return r < 0 ? err_wrap(e, r, "%s", fa_url(f)) : 0;
}

int fa_vgroup_get(struct fa *f, const struct fa_call *c, const char *name, struct err *e)
{
	json_t *item;
	bool destroyed;
	int r = get_one(f, c, "volume-groups", name, &item, e);

	if (r < 0)
		return r;
	destroyed = fa_read_destroyed(item);
	json_decref(item);
	return destroyed ? err_set(e, -ESTALE, "%s: volume group %s is destroyed", fa_url(f), name)
			 : 0;
}

int fa_about_get(struct fa *f, const struct fa_call *c, struct arena *a, struct fa_about *ret,
		 struct err *e)
{
	char version[16];
	json_t *item;
	int r = get_one(f, c, "arrays", NULL, &item, e);

	if (r < 0)
		return r;
	r = fa_read_about(item, a, ret, e);
	json_decref(item);
	if (r < 0)
		return err_wrap(e, r, "%s", fa_url(f));
	fa_own_id_learn(f, ret->id);
	rest_version(f->rest, version);
	ret->api = arena_str(a, slice_of(version));
	return 0;
}

/* --- space ----------------------------------------------------------------------------------- */

static int array_space(struct fa *f, const struct fa_call *c, struct fa_space *ret, struct err *e)
{
	json_t *item;
	int r = get_one(f, c, "arrays/space", NULL, &item, e);

	if (r < 0)
		return r;
	r = fa_read_array_space(item, ret, e);
	json_decref(item);
	return r < 0 ? err_wrap(e, r, "%s", fa_url(f)) : 0;
}

static int vgroup_space(struct fa *f, const struct fa_call *c, const char *vg, struct fa_space *ret,
			struct err *e)
{
	json_t *item;
	int r = get_one(f, c, "volume-groups", vg, &item, e);

	if (r < 0)
		return r;
	r = fa_read_vgroup_space(item, ret, e);
	json_decref(item);
	return r < 0 ? err_wrap(e, r, "%s", fa_url(f)) : 0;
}

int fa_pod_space_get(struct fa *f, const struct fa_call *c, const char *pod, struct fa_space *ret,
		     struct err *e)
{
	json_t *item;
	int r = get_pod(f, c, pod, &item, e);

	if (r < 0)
		return r;
	fa_read_pod_space(item, ret);
	json_decref(item);
	return 0;
}

int fa_space_get(struct fa *f, const struct fa_call *c, const char *vg, struct fa_space *ret,
		 struct err *e)
{
	return vg ? vgroup_space(f, c, vg, ret, e) : array_space(f, c, ret, e);
}

/* --- ports ----------------------------------------------------------------------------------- */

static int take_item(void *arg, const json_t *item, struct err *e)
{
	(void)e;
	return json_array_append(arg, (json_t *)item) == 0 ? 0 : -ENOMEM;
}

static void keep_ports(struct fa *f, const json_t *list)
{
	(void)pthread_mutex_lock(&f->lock);
	json_decref(f->ports);
	f->ports = json_deep_copy(list);
	f->ports_until = rest_now_ms() + PORTS_MS;
	(void)pthread_mutex_unlock(&f->lock);
}

/* The list as it was said, a reference of the caller's. */
static int ports_of(struct fa *f, const struct fa_call *c, json_t **ret, struct err *e)
{
	json_t *list = NULL;
	int r;

	(void)pthread_mutex_lock(&f->lock);
	if (f->ports && rest_now_ms() < f->ports_until)
		list = json_deep_copy(f->ports);
	(void)pthread_mutex_unlock(&f->lock);
	if (list) {
		*ret = list;
		return 0;
	}
	list = json_array();
	r = fa_list(f, c, "ports", "ports", take_item, list, e);
	if (r < 0) {
		json_decref(list);
		return r;
	}
	/* None are those of an array that is starting. */
	if (json_array_size(list))
		keep_ports(f, list);
	*ret = list;
	return 0;
}

int fa_ports_get(struct fa *f, const struct fa_call *c, struct arena *a, struct fa_ports *ret,
		 struct err *e)
{
	json_t *list;
	struct fa_port *ports;
	size_t n;
	int r = ports_of(f, c, &list, e);

	if (r < 0)
		return r;
	n = json_array_size(list);
	ports = arena_alloc(a, (n ? n : 1) * sizeof(*ports));
	for (size_t i = 0; r == 0 && i < n; i++)
		r = fa_read_port(json_array_get(list, i), a, &ports[i], e);
	json_decref(list);
	if (r < 0)
		return err_wrap(e, r, "%s", fa_url(f));
	*ret = (struct fa_ports){ ports, n };
	return 0;
}
