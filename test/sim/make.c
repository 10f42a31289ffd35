/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include <errno.h>
#include <stdio.h>

#include "sim.h"

/*
 * Objects for a test, made through the same doors as everybody's, so that nothing is made that an
 * array would not have.
 */

struct maker {
	struct sim *s;
	struct sim_array *a;
	struct err *e;
	int r;
};

/* One request of our own; @body is taken. */
static void ask(struct maker *m, const char *method, const char *path, const char *key,
		const char *value, const char *key2, const char *value2, json_t *body)
{
	struct sim_request r = { .sim = m->s,
				 .array = m->a,
				 .method = method,
				 .path = path,
				 .minor = m->s->versions[m->s->n_versions - 1],
				 .trusted = true,
				 .body = body };

	if (m->r == 0) {
		sim_request_arg(&r, key, value);
		if (key2)
			sim_request_arg(&r, key2, value2);
		sim_rest(&r);
	}
	if (r.spoilt) {
		const char *text =
			json_str(json_array_get(json_arr(r.reply, "errors"), 0), "message");

		m->r = err_set(m->e, -EINVAL, "%s %s %s: %s", method, path, value, text);
	}
	sim_request_done(&r);
}

/* A member that is the object's name, or an object with a member "name". */
static const char *name_of(struct maker *m, const json_t *j)
{
	const char *name = json_is_string(j) ? json_string_value(j) : json_str(j, "name");

	if (!name && m->r == 0)
		m->r = err_set(m->e, -EINVAL, "an object has no name");
	return name;
}

/* The object without the members that are ours. */
static json_t *body_of(const json_t *j, const char *const *ours)
{
	json_t *body = json_is_object(j) ? json_copy((json_t *)(uintptr_t)j) : json_object();

	(void)json_object_del(body, "name");
	for (; *ours; ours++)
		(void)json_object_del(body, *ours);
	return body;
}

static void make_host(struct maker *m, const json_t *j)
{
	const char *name = name_of(m, j);

	if (name)
		ask(m, "POST", "hosts", "names", name, NULL, NULL,
		    body_of(j, (const char *const[]){ NULL }));
}

static void make_group(struct maker *m, const json_t *j)
{
	const char *name = name_of(m, j);
	const json_t *hosts = json_arr(j, "hosts");

	if (name)
		ask(m, "POST", "host-groups", "names", name, NULL, NULL, NULL);
	for (size_t i = 0; name && i < json_array_size(hosts); i++) {
		const char *host = name_of(m, json_array_get(hosts, i));

		if (host)
			ask(m, "POST", "host-groups/hosts", "group_names", name, "member_names",
			    host, NULL);
	}
}

static void make_pod(struct maker *m, const json_t *j)
{
	const char *name = name_of(m, j);
	const json_t *arrays = json_arr(j, "arrays");
	struct sim_pod *p;

	if (!name)
		return;
	ask(m, "POST", "pods", "names", name, NULL, NULL,
	    body_of(j, (const char *const[]){ "arrays", "safemode", NULL }));
	for (size_t i = 0; i < json_array_size(arrays); i++) {
		const char *array = name_of(m, json_array_get(arrays, i));

		if (array && strcmp(array, m->a->name) != 0)
			ask(m, "POST", "pods/arrays", "group_names", name, "member_names", array,
			    NULL);
	}
	p = m->r == 0 ? sim_pod_find(m->a, name) : NULL;
	if (p)
		p->safemode = json_is_true(json_object_get(j, "safemode"));
}

static void make_vgroup(struct maker *m, const json_t *j)
{
	const char *name = name_of(m, j);

	if (name)
		ask(m, "POST", "volume-groups", "names", name, NULL, NULL,
		    body_of(j, (const char *const[]){ NULL }));
}

static void make_volume(struct maker *m, const json_t *j)
{
	const char *name = name_of(m, j);
	struct sim_volume *v;
	uint64_t used;

	if (!name)
		return;
	ask(m, "POST", "volumes", "names", name, NULL, NULL,
	    body_of(j, (const char *const[]){ "used", NULL }));
	v = m->r == 0 ? sim_volume_find(m->a, name) : NULL;
	if (v && json_u64(j, "used", &used))
		v->used = used;
}

static void make_all(struct maker *m, const json_t *j, const char *key,
		     void (*make)(struct maker *m, const json_t *j))
{
	const json_t *list = json_arr(j, key);

	for (size_t i = 0; i < json_array_size(list) && m->r == 0; i++)
		make(m, json_array_get(list, i));
}

int sim_make(struct sim *s, const json_t *j, struct err *e)
{
	const char *array = json_str(j, "array");
	struct maker m = { .s = s, .e = e };

	m.a = array ? sim_array_find(s, array) : &s->arrays[0];
	if (!m.a)
		return err_set(e, -ENOENT, "no array %s", array);
	if (json_obj(j, "config"))
		m.r = sim_configure(m.a, json_obj(j, "config"), e);
	make_all(&m, j, "hosts", make_host);
	make_all(&m, j, "host_groups", make_group);
	make_all(&m, j, "pods", make_pod);
	make_all(&m, j, "volume_groups", make_vgroup);
	make_all(&m, j, "volumes", make_volume);
	return m.r;
}

static void set_bool(const json_t *j, const char *key, bool *ret)
{
	const json_t *v = json_object_get(j, key);

	if (v)
		*ret = json_is_true(v);
}

static void set_names(const json_t *j, const char *key, struct sim_names *ret)
{
	const json_t *list = json_arr(j, key);

	if (!list)
		return;
	sim_names_free(ret);
	for (size_t i = 0; i < json_array_size(list); i++)
		if (json_is_string(json_array_get(list, i)))
			sim_names_add(ret, json_string_value(json_array_get(list, i)));
}

int sim_configure(struct sim_array *a, const json_t *j, struct err *e)
{
	static const char *const KNOWN[] = {
		"api_token",	      "capacity", "idle_timeout",    "enabled_delay",
		"disabled_delay",     "safemode", "portals",	     "nvme_portals",
		"destroys_connected", "wwns",	  "no_pod_patterns", "nqn",
	};
	const char *token = json_str(j, "api_token"), *nqn = json_str(j, "nqn"), *key;
	json_t *value;

	json_object_foreach((json_t *)(uintptr_t)j, key, value)
	{
		size_t i = 0;

		while (i < ARRAY_SIZE(KNOWN) && strcmp(KNOWN[i], key) != 0)
			i++;
		if (i == ARRAY_SIZE(KNOWN))
			return err_set(e, -EINVAL, "nothing is called %s", key);
	}
	if (token) {
		free(a->api_token);
		a->api_token = xstrdup(token);
	}
	if (nqn)
		(void)snprintf(a->nqn, sizeof(a->nqn), "%s", nqn);
	(void)json_u64(j, "capacity", &a->capacity);
	(void)json_i64(j, "idle_timeout", &a->idle_timeout);
	(void)json_i64(j, "enabled_delay", &a->enabled_delay);
	(void)json_i64(j, "disabled_delay", &a->disabled_delay);
	set_bool(j, "safemode", &a->safemode);
	set_bool(j, "destroys_connected", &a->destroys_connected);
	set_bool(j, "no_pod_patterns", &a->no_pod_patterns);
	set_names(j, "portals", &a->portals);
	set_names(j, "nvme_portals", &a->nvme_portals);
	set_names(j, "wwns", &a->wwns);
	return 0;
}
