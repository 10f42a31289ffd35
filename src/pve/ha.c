/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "pve/ha.h"

#include <errno.h>
#include <stdio.h>

#include "pve/sectionconf.h"
#include "util/json.h"
#include "util/str.h"

#define RESOURCES "etc/pve/ha/resources.cfg"
#define STATUS	  "etc/pve/ha/manager_status"
#define BYTES_MAX ((size_t)1024 * 1024)

static void copy(char *to, size_t n, const char *from)
{
	(void)snprintf(to, n, "%s", from);
}

/* Sections are "vm: 100"; older files also know "vm:100" as the id. */
static bool is_section_of(const struct section *s, const char *type, const char *id,
			  const char *sid)
{
	return (strcmp(s->type, type) == 0 && strcmp(s->id, id) == 0) || strcmp(s->id, sid) == 0;
}

static void take_resource(struct ha_service *ret, struct slice text, const char *type,
			  const char *id, const char *sid)
{
	CLEANUP(arena_done) struct arena a = {};
	struct diags diags = { .arena = &a };
	struct section_file file;

	section_file_parse(&file, RESOURCES, text, &a, &diags);
	for (size_t i = 0; i < file.n_sections; i++) {
		const struct section *s = &file.sections[i];
		const char *state;

		if (!is_section_of(s, type, id, sid))
			continue;
		state = section_get(s, "state");
		copy(ret->state, sizeof(ret->state), state ? state : "started");
		if (strcmp(ret->state, "enabled") == 0)
			copy(ret->state, sizeof(ret->state), "started");
		ret->managed = strcmp(ret->state, "ignored") != 0;
	}
	diags_done(&diags);
}

static void take_status(struct ha_service *ret, const json_t *doc, const char *sid, int64_t now)
{
	const json_t *disarm = json_obj(doc, "disarm");
	const json_t *service = json_obj(json_obj(doc, "service_status"), sid);
	const char *mode = json_str(disarm, "mode"), *state = json_str(service, "state");
	const char *node = json_str(service, "node");
	int64_t timestamp = 0;

	if (mode && strcmp(mode, "ignore") == 0)
		ret->managed = false;
	if (state)
		copy(ret->state, sizeof(ret->state), state);
	if (node)
		copy(ret->node, sizeof(ret->node), node);
	ret->awake = json_i64(doc, "timestamp", &timestamp) && now - timestamp <= HA_STALE_AFTER;
}

int ha_service_parse(struct ha_service *ret, struct slice resources, struct slice status,
		     enum guest_type type, uint32_t vmid, int64_t now, struct err *e)
{
	const char *kind = type == GUEST_QEMU ? "vm" : "ct";
	char sid[32], id[16];
	json_t *doc = NULL;
	int r;

	*ret = (struct ha_service){};
	(void)snprintf(id, sizeof(id), "%u", vmid);
	(void)snprintf(sid, sizeof(sid), "%s:%u", kind, vmid);
	take_resource(ret, resources, kind, id, sid);
	if (!ret->managed || slice_empty(slice_trim(status)))
		return 0;
	r = json_parse(status, STATUS, &doc, e);
	if (r < 0)
		return r;
	take_status(ret, doc, sid, now);
	json_decref(doc);
	return 0;
}

static int read_or_nothing(const struct root *r, const char *path, struct buf *ret, struct err *e)
{
	int code = root_read(r, path, BYTES_MAX, ret);

	if (code < 0 && code != -ENOENT)
		return err_set(e, code, "%s: %s", path, strerror(-code));
	return 0;
}

int ha_service_read(struct ha_service *ret, const struct root *r, enum guest_type type,
		    uint32_t vmid, int64_t now, struct err *e)
{
	CLEANUP(buf_done) struct buf resources = {}, status = {};
	int code = read_or_nothing(r, RESOURCES, &resources, e);

	if (code == 0)
		code = read_or_nothing(r, STATUS, &status, e);
	if (code < 0)
		return code;
	return ha_service_parse(ret, buf_slice(&resources), buf_slice(&status), type, vmid, now, e);
}

/* --- all of it ---------------------------------------------------------------------------------
 */

/* "100" in a section "vm: 100", "vm:100" as its id in an older file. */
static bool resource_of(const struct section *s, struct ha_resource *ret)
{
	struct slice type = slice_of(s->type), id = slice_of(s->id);
	size_t colon = slice_find(id, ':');

	if (colon < id.n) {
		type = (struct slice){ id.p, colon };
		id = slice_from(id, colon + 1);
	}
	if (!slice_eq(type, "vm") && !slice_eq(type, "ct"))
		return false;
	ret->type = slice_eq(type, "vm") ? GUEST_QEMU : GUEST_LXC;
	return str_to_u32(id, &ret->vmid);
}

static int cmp_resource(const void *a, const void *b)
{
	const struct ha_resource *x = a, *y = b;

	if (x->vmid != y->vmid)
		return x->vmid < y->vmid ? -1 : 1;
	return (int)x->type - (int)y->type;
}

static void read_resources(struct ha_table *t, struct slice text, struct arena *a)
{
	struct diags diags = { .arena = a };
	struct section_file file;

	section_file_parse(&file, RESOURCES, text, a, &diags);
	diags_done(&diags);
	t->resources = arena_alloc(a, file.n_sections * sizeof(*t->resources));
	for (size_t i = 0; i < file.n_sections; i++) {
		struct ha_resource *r = &t->resources[t->n];
		const char *state = section_get(&file.sections[i], "state");

		if (!resource_of(&file.sections[i], r) || (state && strcmp(state, "ignored") == 0))
			continue;
		r->wanted = !state || strcmp(state, "enabled") == 0 ? "started" : state;
		t->n++;
	}
	if (t->n > 1)
		qsort(t->resources, t->n, sizeof(*t->resources), cmp_resource);
}

static const char *kept(const json_t *obj, const char *key, struct arena *a)
{
	const char *text = json_str(obj, key);

	return text ? arena_str(a, slice_of(text)) : NULL;
}

static void read_states(struct ha_table *t, const json_t *doc, struct arena *a)
{
	const json_t *services = json_obj(doc, "service_status");
	const char *mode = json_str(json_obj(doc, "disarm"), "mode");
	char sid[32];

	if (mode && strcmp(mode, "ignore") == 0)
		t->n = 0;
	t->master = kept(doc, "master_node", a);
	(void)json_i64(doc, "timestamp", &t->at);
	for (size_t i = 0; i < t->n; i++) {
		struct ha_resource *r = &t->resources[i];
		const json_t *service;

		(void)snprintf(sid, sizeof(sid), "%s:%u", r->type == GUEST_QEMU ? "vm" : "ct",
			       r->vmid);
		service = json_obj(services, sid);
		r->state = kept(service, "state", a);
		r->node = kept(service, "node", a);
	}
}

int ha_table_parse(struct ha_table *ret, struct slice resources, struct slice status,
		   struct arena *a, struct err *e)
{
	json_t *doc = NULL;
	int code;

	*ret = (struct ha_table){};
	read_resources(ret, resources, a);
	if (slice_empty(slice_trim(status)))
		return 0;
	code = json_parse(status, STATUS, &doc, e);
	if (code < 0)
		return code;
	read_states(ret, doc, a);
	json_decref(doc);
	return 0;
}

const struct ha_resource *ha_table_find(const struct ha_table *t, enum guest_type type,
					uint32_t vmid)
{
	const struct ha_resource key = { .type = type, .vmid = vmid };

	return t->n ? bsearch(&key, t->resources, t->n, sizeof(key), cmp_resource) : NULL;
}
