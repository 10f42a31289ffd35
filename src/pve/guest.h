/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * One guest as its configuration file describes it: what it is called, whether it is locked, and
 * every volume that any of its sections refers to. Options of all sections are kept as they stand.
 */

#include "pve/guestconf.h"
#include "util/diag.h"

/* A config of pmxcfs cannot be larger. */
enum { GUEST_CONFIG_MAX = 1024 * 1024 };

enum { VMID_MIN = 100, VMID_MAX = 999999999 };

struct guest_option {
	const char *key, *value;
	unsigned int line;
};

struct guest_section {
	enum guest_section_kind kind;
	const char *name; /* NULL for the main section */
	const char *description;
	struct guest_option *options;
	size_t n_options;
};

/*
 * A reference from a config to storage. Any value under any key that parses as a volume id counts,
 * because an LV that an unknown key of a newer Proxmox refers to is not unreferenced.
 */
struct guest_volume {
	const struct guest_section *section;
	const char *key;     /* "scsi0", "rootfs", "vmstate", ... */
	const char *storage; /* NULL when volname is an absolute path of the node */
	const char *volname; /* "vm-100-disk-0", "/dev/mapper/x" */
	unsigned int line;
	bool known_key; /* a key that Proxmox itself takes for a volume */
};

struct guest {
	uint32_t vmid;
	enum guest_type type;
	const char *node; /* whose folder the config stands in */
	const char *file; /* "etc/pve/nodes/pve1/qemu-server/100.conf" */
	const char *name; /* name, hostname, else "VM 100" or "CT100" as Proxmox shows it */
	const char *lock; /* of the main section, NULL without */
	bool template;
	struct guest_section *sections; /* [0] is the main section */
	size_t n_sections;
	struct guest_volume *volumes;
	size_t n_volumes;
};

/*
 * Parses @text (any bytes) into @ret, which lives in @a. Never fails: what Proxmox would drop is
 * said in @diags under the name ret->file, which the caller has set together with vmid, type and
 * node.
 */
void guest_parse(struct guest *ret, struct slice text, struct arena *a, struct diags *diags);

/* Last value of @key in @section as Proxmox takes it, NULL if absent. */
const char *guest_option(const struct guest_section *section, const char *key);

/* The snapshot section of that name, NULL without one. */
const struct guest_section *guest_snapshot(const struct guest *g, struct slice name);

static inline const char *guest_type_name(enum guest_type t)
{
	return t == GUEST_QEMU ? "qemu" : "lxc";
}
