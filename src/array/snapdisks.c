/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "array/snapdisks.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <strings.h>

#include "array/name.h"
#include "pve/prop.h"
#include "util/str.h"

static bool is_numbered(const char *key, const char *bus)
{
	uint32_t number;
	size_t n = strlen(bus);

	return strncmp(key, bus, n) == 0 && str_to_u32(slice_of(key + n), &number);
}

static bool is_drive_key(enum guest_type type, const char *key)
{
	static const char *const buses[] = {
		"ide", "sata", "scsi", "virtio", "efidisk", "tpmstate"
	};

	if (type == GUEST_LXC)
		return strcmp(key, "rootfs") == 0 || is_numbered(key, "mp");
	for (size_t i = 0; i < ARRAY_SIZE(buses); i++)
		if (is_numbered(key, buses[i]))
			return true;
	return false;
}

static bool prop_is(const char *value, const char *key, const char *wanted)
{
	struct slice found;

	return prop_get(slice_of(value), key, NULL, &found) && slice_eq(found, wanted);
}

static bool is_backed_up(const char *value)
{
	struct slice found;
	bool on = false;

	return prop_get(slice_of(value), "backup", NULL, &found) && prop_bool(found, &on) && on;
}

static bool is_taken(const struct guest *g, const char *key, const char *snap)
{
	const char *value = guest_option(&g->sections[0], key);

	if (!value || !is_drive_key(g->type, key))
		return false;
	if (g->type == GUEST_QEMU)
		return !prop_is(value, "media", "cdrom");
	return strcmp(snap, "vzdump") != 0 || strcmp(key, "rootfs") == 0 || is_backed_up(value);
}

bool snapdisks_have(const struct snapdisks *d, const char *volname)
{
	for (size_t i = 0; i < d->n; i++)
		if (strcmp(d->volnames[i], volname) == 0)
			return true;
	return false;
}

void snapdisks_of(const struct guest *g, const char *storage, const char *snap, struct arena *a,
		  struct snapdisks *ret)
{
	struct array_volname name;

	ret->n = 0;
	ret->volnames = arena_alloc(a, (g->n_volumes + 1) * sizeof(*ret->volnames));
	for (size_t i = 0; i < g->n_volumes; i++) {
		const struct guest_volume *v = &g->volumes[i];

		if (v->section != &g->sections[0] || !v->known_key || !v->storage ||
		    strcmp(v->storage, storage) != 0 || !array_volname_parse(v->volname, &name))
			continue;
		/* Asked for by its name, it would be looked for in that guest's set. */
		if (name.vmid != g->vmid)
			continue;
		if (is_taken(g, v->key, snap) && !snapdisks_have(ret, v->volname))
			ret->volnames[ret->n++] = v->volname;
	}
}

int64_t snapdisks_prepared(const struct guest *g, const char *snap)
{
	const struct guest_section *s = guest_snapshot(g, slice_of(snap));
	const char *state = s ? guest_option(s, "snapstate") : NULL;
	const char *time = s ? guest_option(s, "snaptime") : NULL;
	uint64_t ret = 0;

	if (!g->lock || strcmp(g->lock, "snapshot") != 0 || !state ||
	    strcmp(state, "prepare") != 0 || !time || !str_to_u64(slice_of(time), &ret) ||
	    ret > INT64_MAX)
		return 0;
	return (int64_t)ret;
}

bool snapdisks_has_alike(const struct guest *g, const char *snap)
{
	for (size_t i = 0; i < g->n_sections; i++) {
		const struct guest_section *s = &g->sections[i];

		if (s->kind == GUEST_SECTION_SNAPSHOT && strcasecmp(s->name, snap) == 0 &&
		    strcmp(s->name, snap) != 0)
			return true;
	}
	return false;
}

/* The text of one config. */
struct reading {
	char *node;
	uint32_t vmid;
	enum guest_type type; /* what it was found as, or looked for last */
	char file[256];
	struct buf text;
};

static int read_config(void *arg, const struct root *root, struct err *e)
{
	static const enum guest_type types[] = { GUEST_QEMU, GUEST_LXC };
	struct reading *q = arg;
	int r = -ENOENT;

	for (size_t i = 0; i < ARRAY_SIZE(types) && r == -ENOENT; i++) {
		q->type = types[i];
		(void)snprintf(q->file, sizeof(q->file), "etc/pve/nodes/%s/%s/%" PRIu32 ".conf",
			       q->node, types[i] == GUEST_QEMU ? "qemu-server" : "lxc", q->vmid);
		r = root_read(root, q->file, GUEST_CONFIG_MAX, &q->text);
	}
	return r < 0 ? err_set(e, r, "/%s: %s", q->file, strerror(-r)) : 0;
}

static void drop(void *arg)
{
	struct reading *q = arg;

	free(q->node);
	buf_done(&q->text);
	free(q);
}

static void parse(const struct reading *q, struct arena *a, struct guest *ret)
{
	CLEANUP(diags_done) struct diags diags = { .arena = a };

	*ret = (struct guest){ .vmid = q->vmid,
			       .type = q->type,
			       .node = arena_str(a, slice_of(q->node)),
			       .file = arena_str(a, slice_of(q->file)) };
	guest_parse(ret, buf_slice(&q->text), a, &diags);
}

int snapdisks_guest(struct pvefs *p, const char *node, uint32_t vmid, struct arena *a,
		    struct guest *ret, struct err *e)
{
	struct reading *q = xcalloc(1, sizeof(*q));
	void *job = q;
	int r;

	q->node = xstrdup(node);
	q->vmid = vmid;
	r = pvefs_run(p, read_config, drop, &job, PVEFS_FILE_MS, e);
	if (!job)
		return r;
	if (r == 0)
		parse(q, a, ret);
	drop(q);
	return r;
}

int snapdisks_read(struct pvefs *p, const char *node, uint32_t vmid, const char *storage,
		   const char *snap, struct arena *a, struct snapdisks *ret, struct err *e)
{
	struct guest guest;
	int r = snapdisks_guest(p, node, vmid, a, &guest, e);

	if (r == 0)
		snapdisks_of(&guest, storage, snap, a, ret);
	return r;
}
