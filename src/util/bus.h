/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * systemd by D-Bus: starting a command in a transient unit of its own, outside our sandbox and not
 * cut short by our end. The only place that knows sd-bus.
 */

#include "util/err.h"

struct sd_event;
struct bus;

struct bus_unit {
	const char *name; /* "pvewarden-guest-100.service" */
	const char *description;
	const char *const *argv; /* absolute path first, NULL terminated */
	int timeout_s;		 /* systemd ends it after that */
};

/* How much is known of a command's end. */
enum bus_end {
	BUS_ENDED,   /* it ran, and this is how it ended */
	BUS_REFUSED, /* systemd said no: nothing has happened */
	BUS_LOST,    /* it may have run, may still run, or may yet be begun */
};

/*
 * Connects, and calls @done with a unit's name when its command has ended; @error is NULL when it
 * ended with status 0, else a word on how. All calls of @done come from @loop.
 */
int bus_open(struct bus **ret, struct sd_event *loop,
	     void (*done)(void *ctx, const char *unit, const char *error, enum bus_end end),
	     void *ctx, struct err *e);
void bus_close(struct bus *b);

/* Asks for it and returns; @done tells everything else, also that systemd refused. */
int bus_start(struct bus *b, const struct bus_unit *u, struct err *e);

/* systemd's SystemState: "running", "degraded", "stopping". Waits a second at most. */
int bus_system_state(char *buf, size_t n);
