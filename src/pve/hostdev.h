/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/* The parts of struct host that stand in folders: sensors, network devices, ZFS pools. */

#include "pve/host.h"

/* The hottest of the processor's own sensors, else of the thermal zones. */
struct host_figure hostdev_celsius(const struct root *root);

/* Physical ports, bonds and Proxmox' bridges, in the kernel's order; guests' ends are left out. */
void hostdev_nets(struct host_nets *ret, const struct root *root, struct arena *a);

/* From the kernel's own counters, without asking zpool. */
void hostdev_pools(struct host_pools *ret, const struct root *root, struct arena *a);
