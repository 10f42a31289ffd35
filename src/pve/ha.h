/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * What the HA stack knows of one guest: /etc/pve/ha/resources.cfg says whether it is managed,
 * /etc/pve/ha/manager_status what its manager is doing with it (PVE::HA::Config, Manager.pm).
 */

#include "pve/guestconf.h"
#include "pve/root.h"
#include "util/arena.h"

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

/* All of it at once. Texts are the arena's. */
struct ha_resource {
	enum guest_type type;
	uint32_t vmid;
	const char *wanted; /* "started", "stopped", ... */
	const char *state;  /* what the manager says; NULL: nothing */
	const char *node;   /* the same */
};

struct ha_table {
	const char *master;	       /* NULL: none was ever elected */
	int64_t at;		       /* the manager's last word, Unix seconds; 0: never */
	struct ha_resource *resources; /* those that are managed, sorted by vmid, then type */
	size_t n;
};

/* @status may be empty. -EBADMSG when it is no JSON: what is wanted is there nevertheless. */
int ha_table_parse(struct ha_table *ret, struct slice resources, struct slice status,
		   struct arena *a, struct err *e);
const struct ha_resource *ha_table_find(const struct ha_table *t, enum guest_type type,
					uint32_t vmid);
