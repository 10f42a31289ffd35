/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "pve/power_run.h"

#include "util/bus.h"

/* A runner is a connection to systemd: the type is only named here. */
static struct bus *bus_of(struct power_runner *p)
{
	return (struct bus *)p;
}

int power_runner_open(struct power_runner **ret, struct sd_event *loop,
		      void (*done)(void *ctx, const char *unit, const char *error,
				   enum bus_end end),
		      void *ctx, struct err *e)
{
	struct bus *b;
	int r = bus_open(&b, loop, done, ctx, e);

	if (r == 0)
		*ret = (struct power_runner *)b;
	return r;
}

void power_runner_close(struct power_runner *p)
{
	bus_close(bus_of(p));
}

int power_runner_start(struct power_runner *p, const char *unit, const char *description,
		       const char *const argv[], int timeout_s, struct err *e)
{
	const struct bus_unit u = {
		.name = unit, .description = description, .argv = argv, .timeout_s = timeout_s
	};

	return bus_start(bus_of(p), &u, e);
}
