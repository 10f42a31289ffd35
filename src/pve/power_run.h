/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * How power.c gets a command run: by systemd in a transient unit (power_unit.c), or, in builds for
 * the tests where no systemd is (-Dtest_power=true), as a detached process (power_direct.c).
 */

#include "util/bus.h"

struct sd_event;
struct power_runner;

int power_runner_open(struct power_runner **ret, struct sd_event *loop,
		      void (*done)(void *ctx, const char *unit, const char *error,
				   enum bus_end end),
		      void *ctx, struct err *e);
void power_runner_close(struct power_runner *p);
int power_runner_start(struct power_runner *p, const char *unit, const char *description,
		       const char *const argv[], int timeout_s, struct err *e);
