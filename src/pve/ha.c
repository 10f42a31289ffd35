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
