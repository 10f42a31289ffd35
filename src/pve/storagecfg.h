/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * /etc/pve/storage.cfg as far as anyone here needs it: which storage is which volume group, on
 * which nodes, and whether it is the same one everywhere.
 */

#include "pve/sectionconf.h"

struct storage {
	const char *id, *type;
	const char *vgname, *thinpool; /* lvm, lvmthin; NULL otherwise */
	const char *content;	       /* the list as written, NULL if absent */
	const char *nodes;	       /* the list as written, NULL: all nodes */
	bool disabled;
	bool shared; /* also by its type: nfs, rbd, ... */
	bool tagged_only;
	const struct section *section; /* everything else; NULL for the implicit "local" */
};

struct storage_cfg {
	struct storage *storages;
	size_t n;
};

/* Never fails on content. The implicit "local" storage is there even if the file does not name it.
 */
void storage_cfg_parse(struct storage_cfg *ret, const char *file, struct slice text,
		       struct arena *a, struct diags *diags);

const struct storage *storage_find(const struct storage_cfg *cfg, struct slice id);

/* @node is in its nodes list (or there is none). Says nothing of `disable`. */
bool storage_on_node(const struct storage *s, const char *node);
