/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "pve/storagecfg.h"

#include "pve/prop.h"
#include "util/str.h"

#define LOCAL_PATH "/var/lib/vz"

struct parse {
	const char *file;
	struct arena *arena;
	struct diags *diags;
};

/* Types whose content is the same seen from every node, whatever the file says. */
static bool type_is_shared(const char *type)
{
	static const char *const types[] = {
		"iscsi",       "nfs", "cifs", "rbd", "cephfs",
		"iscsidirect", "zfs", "drbd", "pbs", "glusterfs",
	};

	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		if (strcmp(type, types[i]) == 0)
			return true;
	return false;
}

static bool type_has_vg(const char *type)
{
	return strcmp(type, "lvm") == 0 || strcmp(type, "lvmthin") == 0;
}

/* A key without a value is a flag that is set; one with a value that is no boolean is dropped. */
static bool flag(const struct parse *p, const struct section *s, const char *key)
{
	const char *value = section_get(s, key);
	bool on = false;

	if (!value)
		return false;
	if (!*value)
		return true;
	if (!prop_bool(slice_of(value), &on)) {
		char shown[64];

		str_printable(shown, sizeof(shown), slice_of(value));
		diag_add(p->diags, p->file, s->line,
			 "storage '%s': %s is \"%s\": expected 0 or 1; Proxmox ignores it", s->id,
			 key, shown);
	}
	return on;
}

static void read_storage(const struct parse *p, const struct section *s, struct storage *ret)
{
	*ret = (struct storage){
		.id = s->id,
		.type = s->type,
		.content = section_get(s, "content"),
		.nodes = section_get(s, "nodes"),
		.section = s,
	};
	ret->disabled = flag(p, s, "disable");
	ret->shared = flag(p, s, "shared") || type_is_shared(s->type);
	ret->tagged_only = flag(p, s, "tagged_only");
	/* A list of nobody is no list: Proxmox refuses it and then asks no node. */
	if (ret->nodes && !*ret->nodes)
		ret->nodes = NULL;
	/* Only these types mean a VG by it; another plugin's key of that name may mean anything. */
	if (type_has_vg(s->type)) {
		ret->vgname = section_get(s, "vgname");
		ret->thinpool = section_get(s, "thinpool");
		if (!ret->vgname || !*ret->vgname) {
			ret->vgname = NULL;
			diag_add(p->diags, p->file, s->line,
				 "storage '%s' of type %s has no vgname: expected one", s->id,
				 s->type);
		}
	}
}

static bool is_usable_local(const struct section *s)
{
	const char *path = section_get(s, "path");

	return strcmp(s->type, "dir") == 0 && (!path || !*path || strcmp(path, LOCAL_PATH) == 0);
}

static bool is_replaced_local(const struct parse *p, const struct section *s)
{
	if (strcmp(s->id, "local") != 0 || is_usable_local(s))
		return false;
	diag_add(p->diags, p->file, s->line,
		 "storage 'local' must be of type dir on " LOCAL_PATH
		 "; Proxmox uses that instead of this section");
	return true;
}

static bool is_wanted(const struct parse *p, const struct section *s)
{
	if (!storage_id_valid(slice_of(s->id))) {
		char shown[64];

		str_printable(shown, sizeof(shown), slice_of(s->id));
		diag_add(p->diags, p->file, s->line,
			 "\"%s\" is no storage name: expected letters, digits, '-', '_' and '.'; "
			 "Proxmox ignores this section",
			 shown);
		return false;
	}
	return !is_replaced_local(p, s);
}

/* Overwrites the storage of the same id: of two sections Proxmox takes the later one. */
static void put(struct storage_cfg *cfg, const struct storage *s, bool duplicate)
{
	for (size_t i = 0; duplicate && i < cfg->n; i++) {
		if (strcmp(cfg->storages[i].id, s->id) == 0) {
			cfg->storages[i] = *s;
			return;
		}
	}
	cfg->storages[cfg->n++] = *s;
}

static void add_local(struct storage_cfg *cfg)
{
	struct storage local = { .id = "local", .type = "dir" };
	struct storage *known = (struct storage *)storage_find(cfg, SLICE("local"));

	if (known)
		known->nodes = NULL;
	else
		cfg->storages[cfg->n++] = local;
}

void storage_cfg_parse(struct storage_cfg *ret, const char *file, struct slice text,
		       struct arena *a, struct diags *diags)
{
	struct parse p = { .file = file, .arena = a, .diags = diags };
	struct section_file f;
	struct storage s;

	section_file_parse(&f, file, text, a, diags);
	*ret = (struct storage_cfg){};
	ret->storages = arena_alloc(a, (f.n_sections + 1) * sizeof(*ret->storages));
	for (size_t i = 0; i < f.n_sections; i++) {
		if (!is_wanted(&p, &f.sections[i]))
			continue;
		read_storage(&p, &f.sections[i], &s);
		put(ret, &s, f.sections[i].duplicate);
	}
	add_local(ret);
}

const struct storage *storage_find(const struct storage_cfg *cfg, struct slice id)
{
	for (size_t i = 0; i < cfg->n; i++)
		if (slice_eq(id, cfg->storages[i].id))
			return &cfg->storages[i];
	return NULL;
}

bool storage_on_node(const struct storage *s, const char *node)
{
	struct slice rest, one;

	if (!s->nodes)
		return true;
	rest = slice_of(s->nodes);
	while (list_next(&rest, &one))
		if (slice_eq(one, node))
			return true;
	return false;
}
