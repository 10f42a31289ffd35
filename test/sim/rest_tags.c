/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include <strings.h>

#include "sim.h"

enum { KEY_MAX = 64, VALUE_MAX = 256 };
static const char DEFAULT_SPACE[] = "default";

/* Volumes of resource_names= or resource_ids=; an error for each that is not there. */
static bool is_asked(const struct sim_request *r, const struct sim_volume *v)
{
	bool by_name, by_id, asked;
	struct sim_names names = sim_list(r, "resource_names", &by_name);
	struct sim_names ids = sim_list(r, "resource_ids", &by_id);

	asked = (by_name && sim_names_has(&names, v->o.name)) ||
		(by_id && sim_names_has(&ids, v->o.id)) || (!by_name && !by_id);
	sim_names_free(&names);
	sim_names_free(&ids);
	return asked;
}

static void must_exist(struct sim_request *r)
{
	bool by_name, by_id;
	struct sim_names names = sim_list(r, "resource_names", &by_name);
	struct sim_names ids = sim_list(r, "resource_ids", &by_id);

	vec_each (name, &names.list)
		if (!sim_volume_find(r->array, *name))
			sim_error(r, 400, *name, "Volume does not exist.");
	vec_each (id, &ids.list)
		if (!sim_volume_by_id(r->array, *id))
			sim_error(r, 400, *id, "Volume does not exist.");
	if (!by_name && !by_id && !sim_is(r, "GET"))
		sim_error(r, 400, NULL, "Missing required parameter: resource_names.");
	sim_names_free(&names);
	sim_names_free(&ids);
}

/* Without namespaces= only the default one is told; "*" in it stands for any text. */
static bool space_asked(const struct sim_names *spaces, bool there, const char *space)
{
	if (!there)
		return strcmp(space, DEFAULT_SPACE) == 0;
	return sim_names_has(spaces, space) || sim_names_has(spaces, "*");
}

static void list(struct sim_request *r)
{
	bool there;
	struct sim_names spaces = sim_list(r, "namespaces", &there);
	const char *destroyed = sim_arg(r, "resource_destroyed");
	struct sim_rows rows = {};

	vec_each (v, &r->sim->volumes) {
		if (!sim_volume_on(*v, r->array) || !is_asked(r, *v) ||
		    (destroyed && (strcasecmp(destroyed, "true") == 0) != (*v)->o.destroyed))
			continue;
		vec_each (t, &(*v)->tags)
			if (space_asked(&spaces, there, t->space))
				sim_row(&rows, t->seq, sim_tag_json(*v, t));
	}
	sim_names_free(&spaces);
	sim_list_reply(r, &rows);
}

static void drop(struct sim_volume *v, size_t i)
{
	free(v->tags.items[i].space);
	free(v->tags.items[i].key);
	free(v->tags.items[i].value);
	v->tags.n--;
	memmove(&v->tags.items[i], &v->tags.items[i + 1],
		(v->tags.n - i) * sizeof(v->tags.items[0]));
}

static void delete_keys(struct sim_request *r)
{
	bool by_key, by_space;
	struct sim_names keys = sim_list(r, "keys", &by_key);
	struct sim_names spaces = sim_list(r, "namespaces", &by_space);

	if (!by_key)
		sim_error(r, 400, NULL, "Missing required parameter: keys.");
	vec_each (v, &r->sim->volumes) {
		if (r->spoilt || !sim_volume_on(*v, r->array) || !is_asked(r, *v))
			continue;
		for (size_t i = (*v)->tags.n; i-- > 0;)
			if (sim_names_has(&keys, (*v)->tags.items[i].key) &&
			    space_asked(&spaces, by_space, (*v)->tags.items[i].space))
				drop(*v, i);
	}
	sim_names_free(&keys);
	sim_names_free(&spaces);
}

void rest_tags(struct sim_request *r)
{
	must_exist(r);
	if (r->spoilt)
		return;
	if (sim_is(r, "GET"))
		list(r);
	else
		delete_keys(r);
}

static const char *space_of(const json_t *tag)
{
	const char *space = json_str(tag, "namespace");

	return space ? space : DEFAULT_SPACE;
}

static struct sim_tag *tag_at(struct sim *s, struct sim_volume *v, const json_t *tag)
{
	struct sim_tag *t;

	vec_each (there, &v->tags)
		if (strcmp(there->space, space_of(tag)) == 0 &&
		    strcmp(there->key, json_str(tag, "key")) == 0)
			return there;
	t = vec_push(&v->tags);
	*t = (struct sim_tag){ .seq = ++s->seq,
			       .space = xstrdup(space_of(tag)),
			       .key = xstrdup(json_str(tag, "key")),
			       .copyable = true };
	return t;
}

static void put(struct sim_request *r, struct sim_volume *v, json_t *items)
{
	for (size_t i = 0; i < json_array_size(r->body); i++) {
		const json_t *tag = json_array_get(r->body, i);
		const json_t *copyable = json_object_get(tag, "copyable");
		struct sim_tag *t = tag_at(r->sim, v, tag);

		free(t->value);
		t->value = xstrdup(json_str(tag, "value"));
		if (copyable)
			t->copyable = json_is_true(copyable);
		json_array_append_new(items, sim_tag_json(v, t));
	}
}

/* "Up to 256 Unicode characters": not bytes. */
static size_t characters(const char *text)
{
	size_t n = 0;

	for (; *text; text++)
		n += ((unsigned char)*text & 0xc0) != 0x80;
	return n;
}

static void check_body(struct sim_request *r)
{
	if (!json_is_array(r->body) || json_array_size(r->body) == 0)
		sim_error(r, 400, NULL, "No attribute specified.");
	for (size_t i = 0; i < json_array_size(r->body); i++) {
		const json_t *tag = json_array_get(r->body, i);
		const char *key = json_str(tag, "key"), *value = json_str(tag, "value");

		if (!key || !*key || strlen(key) > KEY_MAX)
			sim_error(r, 400, key, "Tag key is invalid.");
		else if (!value || characters(value) > VALUE_MAX)
			sim_error(r, 400, key, "Tag value is invalid.");
	}
}

void rest_tags_batch(struct sim_request *r)
{
	json_t *items = json_array();

	check_body(r);
	must_exist(r);
	vec_each (v, &r->sim->volumes)
		if (!r->spoilt && sim_volume_on(*v, r->array) && is_asked(r, *v))
			put(r, *v, items);
	sim_reply_items(r, items);
}
