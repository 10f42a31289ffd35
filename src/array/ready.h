/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * Whether a node would find a storage's token outside storage.cfg: this one by a look at the plugin
 * that Proxmox loads there, the others by asking each over Proxmox' own ssh. Only an answer counts:
 * a node that is off or says nothing may have another plugin.
 */

#include "pve/pmxcfs.h"
#include "util/cli.h"

#define READY_PLUGIN "usr/share/perl5/PVE/Storage/Custom/PureStoragePlugin.pm"

struct ready {
	const char *node;
	bool ok;
	char why[300]; /* what it said; with @ok too, where that is worth a word */
};

/* -ENOENT: this node has no plugin for the type; -EXDEV: another one than ours; -EPROTO: its
 * Proxmox has no place for secrets. */
int ready_here(const struct root *root, struct err *e);

/*
 * @ssh: the program's path. @wanted: the storage is for that node, so it needs the plugin; another
 * one may have none at all.
 */
void ready_ask(struct ready *ret, const struct root *root, const char *ssh, const struct member *m,
	       const char *storage, bool wanted);
