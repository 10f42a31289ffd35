/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * Starting and stopping guests, always by Proxmox' own commands: they take its locks, write its
 * task log, ask for quorum, deactivate volumes. Each runs in a transient unit of its own, because
 * QEMU is a child of the command that starts it and must inherit nothing of ours, and because our
 * end must not cut it short (decisions 4). The only file that acts on guests.
 */

#include "pve/guestconf.h"
#include "util/bus.h"

struct power;

enum power_op { POWER_SHUTDOWN, POWER_STOP, POWER_START };

struct power_command {
	uint32_t vmid;
	enum guest_type type;
	enum power_op op;
	bool ha;       /* HA manages it: ask HA */
	int timeout_s; /* for a shutdown or a stop */
};

/* @done: the command of that guest has ended; @error is NULL when it says that all is well; @end
 * says how much of that is known. For a guest of HA an end means only that HA has taken the
 * request.
 */
typedef void (*power_done_fn)(void *ctx, uint32_t vmid, const char *error, enum bus_end end);

int power_open(struct power **ret, struct sd_event *loop, power_done_fn done, void *ctx,
	       struct err *e);
void power_close(struct power *p);

/* Begins it and returns. -errno: it was not begun, and @done will not be called. */
int power_run(struct power *p, const struct power_command *c, struct err *e);

/* "qm shutdown 100 --timeout 15", for people. */
const char *power_command_text(const struct power_command *c, char *buf, size_t n);
