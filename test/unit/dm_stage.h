/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/* A node that many cases of dm's tests have in common, and the mapping in question. */

#include "dm/seen.h"

#include "node_fixture.h"

struct stage {
	struct fixture f;
	struct fx_vg *vg, *san;
	struct fx_lv *pool, *lv;
	struct fx_map *map;
	struct dm_seen seen; /* by earlier looks: nothing, or seen_entry */
	struct dm_seen_entry seen_entry;
	bool downwards; /* what stands on something gets the lower number */
};

#define DISK "vm-100-disk-0"

void stage_make(struct stage *s);

/* A volume and its mapping: thick, thin, in the group that both nodes see. */
struct fx_lv *thick(struct stage *s, const char *name);
struct fx_lv *thin(struct stage *s, const char *name);
struct fx_lv *shared(struct stage *s, const char *name);
void delete_lv(struct stage *s);

/* Guests of this node and of the other one. */
void vm(struct stage *s, unsigned int vmid, const char *conf);
void vm_there(struct stage *s, unsigned int vmid, const char *conf);

/* What cases begin with; DISK is VM 100's. */
void healthy(struct stage *s);
void stopped(struct stage *s);
void root_volume(struct stage *s);
void vg_of_nobody(struct stage *s);
void ghost(struct stage *s);
void renamed(struct stage *s);
void grown(struct stage *s);
void moved(struct stage *s);
void foreign(struct stage *s);
void copy(struct stage *s);
void unreferenced(struct stage *s);
void guest_locked(struct stage *s);
struct fx_map *multipath(struct stage *s, struct devno path);
