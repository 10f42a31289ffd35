/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * Would anything on this node keep a new guest from getting an id? Asked before the guest is made,
 * so that "Device or resource busy" does not come in the middle of it. Pure, from a finished check.
 */

#include "dm/check.h"

enum dm_blocker_kind {
	DM_BLOCKER_TAKEN,   /* a guest has that id */
	DM_BLOCKER_MAPPING, /* a finding: an entry that has a name the guest's disks will get */
	DM_BLOCKER_VOLUME,  /* an LV of that id exists, no guest refers to it */
	DM_BLOCKER_WORK,    /* somebody works on that id at this moment */
};

struct dm_blocker {
	enum dm_blocker_kind kind;
	enum dm_severity severity; /* critical: creating the guest would fail */
	size_t mapping;		   /* of DM_BLOCKER_MAPPING */
	const struct guest *guest; /* of DM_BLOCKER_TAKEN */
	const struct lvm_lv *lv;   /* of DM_BLOCKER_VOLUME */
};

struct dm_blockers {
	struct dm_blocker *items; /* VEC() */
	size_t n, cap;
};

void dm_blockers_find(struct dm_blockers *ret, const struct dm_check *c, uint32_t vmid);
void dm_blockers_done(struct dm_blockers *b);

/* The id that Proxmox would give next to a new guest, at or after @from; 0 when none is left. */
uint32_t dm_next_vmid(const struct dm_check *c, uint32_t from);

/* A guest's id as a person types it. */
bool dm_parse_vmid(const char *text, uint32_t *ret);
