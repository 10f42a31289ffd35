/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/* Nodes for what stands around the judge: one with two groups, to which disks are added, and one
 * with something of everything. */

#include "node_fixture.h"

/* With group vg, which is returned, and san, which is shared. */
struct fx_vg *node_make(struct fixture *f);

/* A guest's disk that is mapped; the same of which the volume is gone. */
struct fx_map *disk(struct fixture *f, struct fx_vg *vg, unsigned int vmid, unsigned int n);
struct fx_map *ghost_disk(struct fixture *f, struct fx_vg *vg, unsigned int vmid, unsigned int n);

/* A running guest, a leftover, an open ghost, a duplicate, one elsewhere. */
void mixed_node(struct fixture *f);
