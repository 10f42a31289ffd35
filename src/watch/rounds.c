/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "watch/watchd.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "util/clock.h"
#include "watch/guestsocket.h"
#include "watch/resolver.h"

enum {
	ANSWER_SLACK_MS = 3000, /* a prober that takes longer than its probes may is replaced */
	RESOLVE_EVERY_MS = 60 * 1000,
	SWEEP_EVERY_MS = 5000,
	SWEEP_FRESH_MS = 1000,
	DEATH_IS_QUICK_MS = 1000,
	DEATHS_MAX = 5,
	DEATHS_PAUSE_MS = 10 * 1000,
};

/* --- probers --------------------------------------------------------------------------------- */

static bool needs_prober(const struct watch_guest *g)
{
	switch (g->fsm.state) {
	case WATCH_BOOTING:
	case WATCH_SERVING:
	case WATCH_FAILING:
	case WATCH_HELD:
	case WATCH_STOPPING:
	case WATCH_STARTING:
	case WATCH_EXHAUSTED:
	case WATCH_STUCK:
		return g->watched;
	case WATCH_ABSENT:
	case WATCH_DISABLED:
	case WATCH_MISCONFIGURED:
	case WATCH_OFF:
	case WATCH_STATE_MAX:
		break;
	}
	return false;
}

static size_t ports_of(const struct watch_settings *s, uint16_t ports[PROBE_TARGETS_MAX],
		       uint64_t *digest)
{
	struct probe_target targets[PROBE_TARGETS_MAX];
	size_t n = watch_settings_targets(s, targets), found = 0;

	*digest = 1;
	for (size_t i = 0; i < n; i++) {
		if (targets[i].kind != PROBE_TCP && targets[i].kind != PROBE_HTTP)
			continue;
		ports[found++] = targets[i].port;
		*digest = *digest * 65599 + targets[i].port;
	}
	return found;
}

void watchd_end_prober(struct watch_guest *g)
{
	g->answers = sd_event_source_disable_unref(g->answers);
	g->prober_ends = sd_event_source_disable_unref(g->prober_ends);
	if (g->has_prober)
		prober_end(&g->prober);
	g->has_prober = false;
}

/* What was asked will not be answered. */
static void lose_round(struct watchd *d, struct watch_guest *g)
{
	if (!g->answer_by)
		return;
	g->answer_by = 0;
	watchd_step(d, g,
		    (struct watch_event){ .kind = WATCH_EV_ROUND,
					  .now = clock_boot_ms(),
					  .verdict = PROBE_UNKNOWN });
}

static int on_answer(sd_event_source *s, int fd, uint32_t events, void *ctx);
static int on_prober_end(sd_event_source *s, int fd, uint32_t events, void *ctx);

static int start_prober(struct watchd *d, struct watch_guest *g, struct err *e)
{
	uint16_t ports[PROBE_TARGETS_MAX];
	struct prober_limits limits = {
		.vmid = g->vmid, .uid = d->prober_uid, .gid = d->prober_gid, .ports = ports
	};
	int r;

	limits.n_ports = ports_of(&g->settings, ports, &g->ports_digest);
	r = prober_start(&g->prober, &limits, e);
	if (r < 0)
		return r;
	g->has_prober = true;
	g->prober_since = clock_boot_ms();
	r = sd_event_add_io(d->loop, &g->answers, g->prober.fd, EPOLLIN, on_answer, g);
	if (r >= 0)
		r = sd_event_add_io(d->loop, &g->prober_ends, g->prober.pidfd, EPOLLIN,
				    on_prober_end, g);
	return r < 0 ? err_set(e, r, "the event loop: %s", strerror(-r)) : 0;
}

void watchd_fit_prober(struct watchd *d, struct watch_guest *g)
{
	uint16_t ports[PROBE_TARGETS_MAX];
	struct err e = {};
	uint64_t digest;

	if (!needs_prober(g)) {
		watchd_end_prober(g);
		return;
	}
	/* It has bound itself to its ports: other ports are another prober. */
	if (g->has_prober && (ports_of(&g->settings, ports, &digest), digest != g->ports_digest)) {
		watchd_end_prober(g);
		lose_round(d, g);
	}
	if (g->has_prober || g->quick_deaths >= DEATHS_MAX)
		return;
	if (start_prober(d, g, &e) < 0) {
		watchd_end_prober(g);
		watchd_log(d, g, LOG_LEVEL_ERROR, "no monitor: %s", e.text);
		g->quick_deaths = DEATHS_MAX;
		g->prober_since = clock_boot_ms();
	}
}

static void replace_prober(struct watchd *d, struct watch_guest *g, const char *why)
{
	int64_t now = clock_boot_ms();
	bool quick = now - g->prober_since < DEATH_IS_QUICK_MS;

	g->quick_deaths = quick ? g->quick_deaths + 1 : 0;
	watchd_log(d, g, LOG_LEVEL_WARN, "monitor %d %s, another one is started",
		   (int)g->prober.pid, why);
	watchd_end_prober(g);
	watchd_fit_prober(d, g);
	lose_round(d, g);
	watchd_rearm(d, g);
}

static int on_prober_end(sd_event_source *s, int fd, uint32_t events, void *ctx)
{
	struct watch_guest *g = ctx;

	(void)s;
	(void)fd;
	(void)events;
	replace_prober(g->owner, g, "ended");
	return 0;
}

/* --- names ----------------------------------------------------------------------------------- */

static void resolve(struct watchd *d, struct watch_guest *g, int64_t now)
{
	struct resolver_question q = { .vmid = g->vmid };
	struct probe_address literal;

	if (!g->settings.ip[0])
		return;
	if (resolver_literal(g->settings.ip, &literal)) {
		g->addresses[0] = literal;
		g->n_addresses = 1;
		return;
	}
	if (now < g->resolve_at)
		return;
	(void)snprintf(q.name, sizeof(q.name), "%s", g->settings.ip);
	if (d->resolver.pid > 0)
		(void)resolver_ask(&d->resolver, &q);
	g->resolve_at = now + (g->n_addresses ? RESOLVE_EVERY_MS : RESOLVE_EVERY_MS / 12);
}

static void take_addresses(struct watchd *d, const struct resolver_answer *a)
{
	struct watch_guest *g = watch_guests_find(&d->guests, a->vmid);

	if (!g || strcmp(g->settings.ip, a->name) != 0)
		return;
	/* A name server's bad minute is no reason to forget where the guest is. */
	if (a->n == 0 && g->n_addresses)
		return;
	if (a->n == 0 && !g->unresolved)
		watchd_log(d, g, LOG_LEVEL_WARN,
			   "the name %s does not resolve: it cannot be told how the guest does",
			   a->name);
	memcpy(g->addresses, a->addresses, sizeof(g->addresses));
	g->n_addresses = a->n;
	g->unresolved = a->n == 0;
}

static int on_resolver(sd_event_source *s, int fd, uint32_t events, void *ctx)
{
	struct watchd *d = ctx;
	struct resolver_answer a;
	struct err e = {};
	int r;

	(void)s;
	(void)fd;
	(void)events;
	while ((r = resolver_receive(&d->resolver, &a)) == 0)
		take_addresses(d, &a);
	if (r == -EAGAIN)
		return 0;
	d->resolver_io = sd_event_source_disable_unref(d->resolver_io);
	(void)role_end(&d->resolver);
	if (watchd_start_resolver(d, &e) < 0)
		watchd_log(d, NULL, LOG_LEVEL_ERROR, "%s", e.text);
	return 0;
}

int watchd_start_resolver(struct watchd *d, struct err *e)
{
	int r = resolver_start(&d->resolver, e);

	if (r < 0)
		return r;
	r = sd_event_add_io(d->loop, &d->resolver_io, d->resolver.fd, EPOLLIN, on_resolver, d);
	return r < 0 ? err_set(e, r, "the event loop: %s", strerror(-r)) : 0;
}

/* --- a round --------------------------------------------------------------------------------- */

/* The agent is the last of the targets, if it is one at all. */
static int connect_agent(const struct watch_guest *g, const struct probe_ask *ask, size_t *ret_n)
{
	*ret_n = ask->n_targets && ask->targets[ask->n_targets - 1].kind == PROBE_AGENT;
	return *ret_n ? guest_socket(g->vmid, "qga") : -1;
}

void watchd_probe(struct watchd *d, struct watch_guest *g, bool with_qmp)
{
	static struct probe_ask ask;
	int64_t now = clock_boot_ms();
	size_t n_fds;
	int fd, r = -EPIPE;

	resolve(d, g, now);
	memset(&ask, 0, offsetof(struct probe_ask, targets));
	ask.serial = g->serial = ++d->serial;
	ask.timeout_ms = (uint32_t)g->settings.probe_timeout;
	ask.n_addresses = g->n_addresses;
	memcpy(ask.addresses, g->addresses, sizeof(ask.addresses));
	ask.n_targets = (uint8_t)watch_settings_targets(&g->settings, ask.targets);
	fd = connect_agent(g, &ask, &n_fds);
	if (fd < 0)
		fd = -1;
	if (g->has_prober)
		r = prober_ask(&g->prober, &ask, &fd, n_fds);
	if (fd >= 0)
		(void)close(fd);
	g->answered = false;
	g->qmp = QMP_NOT_ASKED;
	/* Also without an answer the round ends: then nothing could be told. */
	g->answer_by = r < 0 ? now + 1 : now + g->settings.probe_timeout + ANSWER_SLACK_MS;
	if (with_qmp && r == 0)
		watchd_ask_qmp(d, g);
}

void watchd_end_round(struct watchd *d, struct watch_guest *g)
{
	struct watch_event ev = { .kind = WATCH_EV_ROUND,
				  .now = clock_boot_ms(),
				  .verdict = PROBE_UNKNOWN,
				  .qmp = g->qmp };

	g->answer_by = 0;
	g->qmp_awaited = false;
	g->qmp_said = g->qmp;
	if (g->answered) {
		ev.verdict = watch_settings_verdict(&g->settings, &g->answer);
		g->answered_at = clock_now();
		g->stats.checks++;
		g->stats.failed += ev.verdict == PROBE_BAD;
	}
	watchd_step(d, g, ev);
}

static bool differs(const struct probe_answer *a, const struct probe_answer *b)
{
	if (a->n_targets != b->n_targets)
		return true;
	for (size_t i = 0; i < a->n_targets; i++)
		if (a->targets[i].result != b->targets[i].result)
			return true;
	return false;
}

static void take_answer(struct watchd *d, struct watch_guest *g, const struct probe_answer *a)
{
	if (a->serial != g->serial || !g->answer_by)
		return;
	g->quick_deaths = 0;
	d->changed = d->changed || differs(&g->answer, a);
	g->answer = *a;
	g->answered = true;
	if (!g->qmp_awaited)
		watchd_end_round(d, g);
}

static int on_answer(sd_event_source *s, int fd, uint32_t events, void *ctx)
{
	struct watch_guest *g = ctx;
	struct probe_answer a;
	int r;

	(void)s;
	(void)fd;
	(void)events;
	r = prober_answer(&g->prober, &a);
	if (r == 0)
		take_answer(g->owner, g, &a);
	else if (r != -EAGAIN)
		replace_prober(g->owner, g, r == -EPIPE ? "ended" : "talked nonsense");
	return 0;
}

void watchd_check_round(struct watchd *d, struct watch_guest *g, int64_t now)
{
	if (g->quick_deaths >= DEATHS_MAX && now - g->prober_since >= DEATHS_PAUSE_MS) {
		g->quick_deaths = 0;
		watchd_fit_prober(d, g);
	}
	if (!g->answer_by || now < g->answer_by)
		return;
	if (g->answered || !g->has_prober)
		watchd_end_round(d, g);
	else if (now - g->prober_since > g->settings.probe_timeout + ANSWER_SLACK_MS)
		replace_prober(d, g, "does not answer");
	else
		lose_round(d, g);
}

void watchd_sweep(struct watchd *d, const struct watch_guest *but, int64_t now)
{
	if (now - d->swept_at < SWEEP_EVERY_MS)
		return;
	d->swept_at = now;
	for (size_t i = 0; i < d->guests.n; i++) {
		struct watch_guest *g = d->guests.items[i];

		if (g == but || g->fsm.state != WATCH_SERVING || g->fsm.asked ||
		    clock_now() - g->answered_at < SWEEP_FRESH_MS / 1000)
			continue;
		g->fsm.next_probe = now;
		watchd_event(d, g, WATCH_EV_TIME);
	}
}
