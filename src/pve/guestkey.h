/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/* What Proxmox means by the keys of a guest's config, as far as volumes go. */

#include "pve/guestconf.h"

enum guest_key_class {
	KEY_UNKNOWN, /* anything that looks like a volume id or a path counts */
	KEY_DRIVE,   /* property string whose default key is the volume */
	KEY_VOLIDS,  /* volume ids, also in a list or behind "key=" */
	KEY_PLAIN,   /* never a volume, but it may name a device of the node by its path */
};

struct guest_key {
	enum guest_key_class class;
	const char *drive; /* a drive whose number is none: "scsi" of "scsi31"; otherwise NULL */
	int max;	   /* its highest number */
};

struct guest_key guest_key_classify(enum guest_type type, struct slice key);

/* Its value is a secret, or may hold one, and goes nowhere: passwords, and a container's
 * environment. */
bool guest_key_is_secret(struct slice key);
