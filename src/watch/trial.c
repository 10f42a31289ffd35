/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "watch/trial.h"

#include <netdb.h>
#include <poll.h>
#include <pwd.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "util/clock.h"
#include "watch/guestsocket.h"
#include "watch/probe_words.h"
#include "watch/prober.h"
#include "watch/resolver.h"

enum { AT_ONCE = 64, SLACK_MS = 2000 };

struct attempt {
	struct trial *trial;
	struct prober prober;
	int64_t until;
};

static void take_addresses(struct probe_ask *ask, const char *name)
{
	const struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
	struct addrinfo *list = NULL;
	struct probe_address literal;

	if (resolver_literal(name, &literal)) {
		ask->addresses[0] = literal;
		ask->n_addresses = 1;
		return;
	}
	if (getaddrinfo(name, NULL, &hints, &list) != 0)
		return;
	for (const struct addrinfo *i = list; i; i = i->ai_next)
		resolver_take(ask->addresses, &ask->n_addresses, i);
	freeaddrinfo(list);
}

static void begin(struct attempt *a, struct trial *t)
{
	const struct passwd *user = getpwnam("pvewarden-watch");
	struct prober_limits limits = { .vmid = t->vmid,
					.uid = user ? user->pw_uid : 65534,
					.gid = user ? user->pw_gid : 65534 };
	int fd = -1;
	struct probe_ask ask = { .serial = 1 };
	uint16_t ports[PROBE_TARGETS_MAX];
	struct err e = {};

	*a = (struct attempt){ .trial = t, .prober = { .pidfd = -1, .fd = -1 } };
	ask.timeout_ms = (uint32_t)t->settings.probe_timeout;
	ask.n_targets = (uint8_t)watch_settings_targets(&t->settings, ask.targets);
	for (size_t i = 0; i < ask.n_targets; i++)
		if (ask.targets[i].port)
			ports[limits.n_ports++] = ask.targets[i].port;
	limits.ports = ports;
	if (t->settings.ip[0])
		take_addresses(&ask, t->settings.ip);
	t->resolved = ask.n_addresses > 0;
	if (prober_start(&a->prober, &limits, &e) < 0) {
		t->failed = "no prober could be started";
		return;
	}
	if (t->settings.agent)
		fd = guest_socket(t->vmid, "qga");
	fd = fd < 0 ? -1 : fd;
	if (prober_ask(&a->prober, &ask, &fd, t->settings.agent) < 0)
		t->failed = "the prober does not listen";
	if (fd >= 0)
		(void)close(fd);
	a->until = clock_boot_ms() + t->settings.probe_timeout + SLACK_MS;
}

static void end(struct attempt *a)
{
	struct trial *t = a->trial;

	while (!t->failed && !t->tried) {
		struct pollfd p = { .fd = a->prober.fd, .events = POLLIN };
		int64_t left = a->until - clock_boot_ms();

		if (left <= 0 || poll(&p, 1, (int)left) < 0)
			t->failed = "the prober does not answer";
		else if (prober_answer(&a->prober, &t->answer) == 0)
			t->tried = true;
	}
	if (t->tried)
		t->verdict = watch_settings_verdict(&t->settings, &t->answer);
	prober_end(&a->prober);
}

static bool is_to_be_tried(const struct trial *t)
{
	return t->here && t->runs && !t->problem && t->settings.enabled != TRI_NO;
}

void trials_run(struct trial *trials, size_t n)
{
	static struct attempt attempts[AT_ONCE];
	size_t i = 0;

	while (i < n) {
		size_t begun = 0;

		for (; i < n && begun < AT_ONCE; i++)
			if (is_to_be_tried(&trials[i]))
				begin(&attempts[begun++], &trials[i]);
		for (size_t k = 0; k < begun; k++)
			end(&attempts[k]);
	}
}

/* --- showing --------------------------------------------------------------------------------- */

static const char *means(const struct trial *t)
{
	if (t->settings.enabled == TRI_NO)
		return "disabled";
	if (t->problem)
		return t->problem;
	if (!t->here)
		return "on another node";
	if (!t->runs)
		return "not running";
	if (t->failed)
		return t->failed;
	return t->settings.enabled == TRI_UNKNOWN && t->by_file ? "watched (its file says nothing)"
								: "watched";
}

static void add_probe_row(const struct probe_target *target,
			  const typeof(((struct probe_answer *)0)->targets[0]) *a,
			  struct table *table)
{
	char what[PROBE_PATH_MAX + 32];

	table_add(table, "");
	table_add(table, "");
	probe_target_text(target, what, sizeof(what));
	table_add(table, what);
	table_add_styled(table,
			 a->result == PROBE_GOOD  ? TERM_GREEN
			 : a->result == PROBE_BAD ? TERM_RED
						  : TERM_DIM,
			 probe_result_name((enum probe_result)a->result));
	table_addf(table, "%s%s%.1f ms", a->why ? probe_why_text((enum probe_why)a->why) : "",
		   a->why ? ", " : "", (double)a->us / 1000);
}

void trials_table(const struct trial *trials, size_t n, struct table *t)
{
	table_column(t, "GUEST", TABLE_RIGHT);
	table_column(t, "NAME", 0);
	table_column(t, "PROBE", 0);
	table_column(t, "RESULT", 0);
	table_column(t, "", TABLE_ELASTIC);
	for (size_t i = 0; i < n; i++) {
		const struct trial *g = &trials[i];
		struct probe_target targets[PROBE_TARGETS_MAX];
		size_t count = watch_settings_targets(&g->settings, targets);

		table_addf(t, "%u", g->vmid);
		table_add(t, g->name);
		table_add(t, g->settings.ip);
		table_add(t, g->tried ? probe_result_name(g->verdict) : "");
		table_add(t, means(g));
		for (size_t k = 0; g->tried && k < count && k < g->answer.n_targets; k++)
			add_probe_row(&targets[k], &g->answer.targets[k], t);
	}
}

static void probes_json(const struct trial *g, struct jsonw *w)
{
	struct probe_target targets[PROBE_TARGETS_MAX];
	size_t count = watch_settings_targets(&g->settings, targets);
	char what[PROBE_PATH_MAX + 32];

	jsonw_array(w, "probes");
	for (size_t k = 0; g->tried && k < count && k < g->answer.n_targets; k++) {
		const typeof(g->answer.targets[0]) *a = &g->answer.targets[k];

		jsonw_row(w, NULL);
		probe_target_text(&targets[k], what, sizeof(what));
		jsonw_str(w, "probe", what);
		jsonw_str(w, "result", probe_result_name((enum probe_result)a->result));
		jsonw_str(w, "why", a->why ? probe_why_text((enum probe_why)a->why) : NULL);
		jsonw_num(w, "ms", (double)a->us / 1000);
		jsonw_close(w);
	}
	jsonw_close(w);
}

void trials_json(const struct trial *trials, size_t n, struct jsonw *w)
{
	jsonw_array(w, "guests");
	for (size_t i = 0; i < n; i++) {
		const struct trial *g = &trials[i];

		jsonw_object(w, NULL);
		jsonw_u64(w, "vmid", g->vmid);
		jsonw_str(w, "name", g->name);
		jsonw_str(w, "node", g->node);
		jsonw_str(w, "ip", g->settings.ip[0] ? g->settings.ip : NULL);
		jsonw_bool(w, "by_file", g->by_file);
		jsonw_bool(w, "running_here", g->here && g->runs);
		jsonw_str(w, "means", means(g));
		jsonw_str(w, "verdict", g->tried ? probe_result_name(g->verdict) : NULL);
		probes_json(g, w);
		jsonw_close(w);
	}
	jsonw_close(w);
}
