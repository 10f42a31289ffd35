/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * Everything that /etc/pve says, read once and whole: members, storages, every guest of every node.
 * It also says what it could not read, because what was not seen must not be called an orphan.
 */

#include "pve/guest.h"
#include "pve/node.h"
#include "pve/pmxcfs.h"
#include "pve/rrd.h"
#include "pve/storagecfg.h"

struct cluster {
	struct node node;
	struct members members;
	struct storage_cfg storages;
	struct guest *guests; /* sorted by vmid, then node; an id twice is a diagnostic */
	size_t n_guests;
	struct rrd rrd; /* empty if it could not be read */
	uint32_t next_id_lower,
		next_id_upper; /* datacenter.cfg next-id, 100 to 1000000 by default */
	struct diags diags;
	const char **blind; /* why guests or storages may be missing; empty: all was seen */
	size_t n_blind;
	struct arena arena;
};

/*
 * Reads it all. Fails (-ENODEV, -errno with a sentence) only where there is no node to speak of;
 * lost quorum, an empty /etc/pve, an unreadable or broken file end up in blind.
 */
int cluster_read(struct cluster *c, const struct root *r, struct err *e);
void cluster_done(struct cluster *c);

/* First guest with that id, NULL without one. */
const struct guest *cluster_guest(const struct cluster *c, uint32_t vmid);
