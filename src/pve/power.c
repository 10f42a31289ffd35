/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "pve/power.h"

#include <errno.h>
#include <stdio.h>

#include "pve/power_run.h"
#include "util/clock.h"
#include "util/str.h"

enum {
	ARGS_MAX = 8,
	START_S = 300,	/* what systemd gives a start before it ends the command */
	MARGIN_S = 100, /* Proxmox itself waits up to a minute and more after a time-out */
};

struct power {
	struct power_runner *runner;
	power_done_fn done;
	void *ctx;
};

struct command_line {
	char numbers[2][16], sid[24];
	const char *argv[ARGS_MAX];
	size_t n;
};

static void arg(struct command_line *l, const char *text)
{
	l->argv[l->n++] = text;
	l->argv[l->n] = NULL;
}

/* HA's own words: a stop is a request to its manager, a start the wanted state. */
static void ha_line(struct command_line *l, const struct power_command *c)
{
	(void)snprintf(l->sid, sizeof(l->sid), "%s:%u", c->type == GUEST_QEMU ? "vm" : "ct",
		       c->vmid);
	(void)snprintf(l->numbers[0], sizeof(l->numbers[0]), "%d",
		       c->op == POWER_SHUTDOWN ? c->timeout_s : 0);
	arg(l, "/usr/sbin/ha-manager");
	if (c->op == POWER_START) {
		arg(l, "set");
		arg(l, l->sid);
		arg(l, "--state");
		arg(l, "started");
		return;
	}
	arg(l, "crm-command");
	arg(l, "stop");
	arg(l, l->sid);
	arg(l, l->numbers[0]);
}

static void line_of(struct command_line *l, const struct power_command *c)
{
	static const char *const verbs[] = {
		[POWER_SHUTDOWN] = "shutdown", [POWER_STOP] = "stop", [POWER_START] = "start"
	};

	*l = (struct command_line){};
	if (c->ha) {
		ha_line(l, c);
		return;
	}
	(void)snprintf(l->numbers[0], sizeof(l->numbers[0]), "%u", c->vmid);
	(void)snprintf(l->numbers[1], sizeof(l->numbers[1]), "%d", c->timeout_s);
	arg(l, c->type == GUEST_QEMU ? "/usr/sbin/qm" : "/usr/sbin/pct");
	arg(l, verbs[c->op]);
	arg(l, l->numbers[0]);
	/* pct stop knows no time-out. */
	if (c->op == POWER_SHUTDOWN || (c->op == POWER_STOP && c->type == GUEST_QEMU)) {
		arg(l, "--timeout");
		arg(l, l->numbers[1]);
	}
}

const char *power_command_text(const struct power_command *c, char *buf, size_t n)
{
	struct command_line l;
	size_t used = 0;

	line_of(&l, c);
	for (size_t i = 0; i < l.n && used < n; i++)
		used += (size_t)snprintf(buf + used, n - used, "%s%s", i ? " " : "",
					 i ? l.argv[i] : l.argv[i] + strlen("/usr/sbin/"));
	return buf;
}

static void on_done(void *ctx, const char *unit, const char *error, enum bus_end end)
{
	struct power *p = ctx;
	uint32_t vmid;
	struct slice id = slice_of(unit);

	if (!slice_starts(id, "pvewarden-guest-"))
		return;
	id = slice_from(id, strlen("pvewarden-guest-"));
	id.n = slice_find(id, '-');
	if (str_to_u32(id, &vmid))
		p->done(p->ctx, vmid, error, end);
}

int power_open(struct power **ret, struct sd_event *loop, power_done_fn done, void *ctx,
	       struct err *e)
{
	struct power *p = xcalloc(1, sizeof(*p));
	int r;

	p->done = done;
	p->ctx = ctx;
	r = power_runner_open(&p->runner, loop, on_done, p, e);
	if (r < 0) {
		free(p);
		return r;
	}
	*ret = p;
	return 0;
}

void power_close(struct power *p)
{
	if (!p)
		return;
	power_runner_close(p->runner);
	free(p);
}

int power_run(struct power *p, const struct power_command *c, struct err *e)
{
	char unit[64], description[160], text[120];
	struct command_line l;

	line_of(&l, c);
	/* A unit in which something was left behind stays, and keeps its name. */
	(void)snprintf(unit, sizeof(unit), "pvewarden-guest-%u-%lld.service", c->vmid,
		       (long long)clock_boot_ms());
	(void)snprintf(description, sizeof(description), "pvewarden watch: %s",
		       power_command_text(c, text, sizeof(text)));
	return power_runner_start(p->runner, unit, description, l.argv,
				  (c->op == POWER_START ? START_S : c->timeout_s + MARGIN_S), e);
}
