/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * What a guest's config means, with Proxmox' own defaults where it says nothing. Slices are the
 * config's.
 */

#include "agent/guestconfig.h"

enum { GUESTFACTS_BOOT_MAX = 32 };

struct guestfacts {
	uint32_t vmid;
	enum guest_type type;
	struct slice name; /* name or hostname, else "VM 100" or "CT100" as Proxmox shows it */
	char own_name[24];
	bool cores_known; /* a container without the key has all of its node's */
	uint64_t cores, sockets;
	struct slice cpu_type; /* "kvm64", "host", ... */
	uint64_t memory_mb, swap_mb;
	struct slice ostype, arch;
	bool kvm, unprivileged, protection, onboot, template;
	struct slice lock, tags; /* as written; empty: none */
	struct slice vmgenid;
	int64_t created;			/* Unix seconds, 0: not said */
	struct slice boot[GUESTFACTS_BOOT_MAX]; /* the order that is used, "order=" or not */
	size_t n_boot;
	size_t pending;		 /* changes that wait */
	int64_t oldest_snapshot; /* 0: none, or none says */
};

/* @ret holds a name of its own: it must not be moved. */
void guestfacts_read(struct guestfacts *ret, const struct guestconfig *c, uint32_t vmid);

/* "a,b" of "a;b", "a b" and "a, b". */
void guestfacts_tags(struct slice tags, struct buf *out);

/* "order=scsi0;net0", or "" where nothing could boot. */
void guestfacts_boot(const struct guestfacts *f, const struct guestconfig *c, struct buf *out);
