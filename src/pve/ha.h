/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * What the HA stack knows of one guest: /etc/pve/ha/resources.cfg says whether it is managed,
 * /etc/pve/ha/manager_status what its manager is doing with it (PVE::HA::Config, Manager.pm).
 */

#include "pve/guestconf.h"
#include "pve/root.h"

/* A manager writes its status every ten seconds. */
enum { HA_STALE_AFTER = 30 };

struct ha_service {
	bool managed;	/* has a section, and is not ignored */
	char state[32]; /* of the service; without one, the wanted state; "" if not known */
	char node[64];	/* where the manager has it; "" if not known */
	bool awake;	/* the status is younger than HA_STALE_AFTER at @now */
};

/* -errno with a sentence when a file is there and cannot be read or understood. */
int ha_service_read(struct ha_service *ret, const struct root *r, enum guest_type type,
		    uint32_t vmid, int64_t now, struct err *e);

/* The texts alone; @status may be empty. */
int ha_service_parse(struct ha_service *ret, struct slice resources, struct slice status,
		     enum guest_type type, uint32_t vmid, int64_t now, struct err *e);
