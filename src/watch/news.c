/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "watch/watchd.h"

#include <errno.h>
#include <stdio.h>
#include <sys/wait.h>
#include <systemd/sd-daemon.h>

#include "util/clock.h"
#include "watch/schedule.h"

enum {
	SCOUT_AGAIN_MS = 5 * 1000,
	DEFAULTS_SHOWN = 50, /* check-config shows all */
};

/* Text of a file that the scout sent, kept as it is: settings are read over each other again
 * whenever one of the files changes. */
static void keep_text(char **text, size_t *len, const char *from, size_t n)
{
	free(*text);
	*text = xmalloc(n + 1);
	memcpy(*text, from, n);
	(*text)[n] = '\0';
	*len = n;
}

static struct slice text_of(const char *text, size_t len)
{
	return (struct slice){ text ? text : "", text ? len : 0 };
}

static void tell_diags(struct watchd *d, struct diags *diags)
{
	for (size_t i = 0; i < diags->n; i++)
		watchd_log(d, NULL, LOG_LEVEL_WARN, "%s line %u: %s", diags->items[i].file,
			   diags->items[i].line, diags->items[i].text);
}

/* What is wrong with one file, said once for each of its versions. */
static void tell_problems(struct watchd *d, uint32_t id, struct slice text)
{
	CLEANUP(arena_done) struct arena a = {};
	struct diags diags = { .arena = &a };
	struct watch_settings s;
	char file[64];

	if (id == SCOUT_GLOBAL)
		(void)snprintf(file, sizeof(file), "/etc/pve/mvmm/mvmm.conf");
	else
		(void)snprintf(file, sizeof(file), "/etc/pve/mvmm/%u.conf", id);
	watch_settings_default(&s);
	watch_settings_read(&s, text, file, &diags);
	tell_diags(d, &diags);
	diags_done(&diags);
}

/* --- settings -------------------------------------------------------------------------------- */

static void next_due(struct watch_guest *g)
{
	int minute = g->settings.restart_at;

	g->due_at = g->watched && minute >= 0 ? schedule_next(clock_now(), minute) : 0;
}

static void settle(struct watchd *d, struct watch_guest *g)
{
	CLEANUP(arena_done) struct arena a = {};
	struct diags unsaid = { .arena = &a };
	struct watch_settings old = g->settings;
	bool was_watched = g->watched;

	watch_settings_of(&g->settings, text_of(d->global_text, d->global_len),
			  (struct slice){ g->text, g->text ? g->text_len : 0 }, "",
			  g->here ? &g->config.optin : NULL, &unsaid);
	diags_done(&unsaid);
	g->watched = g->text || (g->here && g->config.optin.tagged);
	if (g->watched == was_watched && memcmp(&old, &g->settings, sizeof(old)) == 0)
		return;
	if (strcmp(old.ip, g->settings.ip) != 0) {
		g->n_addresses = 0;
		g->resolve_at = 0;
	}
	next_due(g);
	d->changed = true;
	watchd_event(d, g, WATCH_EV_CONF);
	if (g->watched && watch_settings_problem(&g->settings))
		watchd_log(d, g, LOG_LEVEL_ERROR, "%u is not watched: %s", g->vmid,
			   watch_settings_problem(&g->settings));
}

static void settle_node(struct watchd *d)
{
	static const char *const files[] = { "/etc/pve/pvewarden/pvewarden.conf",
					     "/etc/pvewarden/pvewarden.conf" };
	struct diags diags;

	arena_done(&d->node_arena);
	d->node_arena = (struct arena){};
	diags = (struct diags){ .arena = &d->node_arena };
	watch_node_default(&d->node);
	for (size_t i = 0; i < ARRAY_SIZE(files); i++)
		watch_node_read(&d->node, text_of(d->conf_text[i], d->conf_len[i]), files[i],
				&d->node_arena, &diags);
	tell_diags(d, &diags);
	diags_done(&diags);
	watchd_open_gateway(d);
	/* The scout was given the tag for its life. */
	if (strcmp(d->node.tag, d->scout_tag) != 0)
		d->other_tag = true;
}

void watchd_reload(struct watchd *d)
{
	settle_node(d);
	for (size_t i = 0; i < d->guests.n; i++)
		settle(d, d->guests.items[i]);
	watchd_log(d, NULL, LOG_LEVEL_INFO, "configuration read again");
}

/* --- one message ----------------------------------------------------------------------------- */

struct watch_guest *watchd_guest(struct watchd *d, uint32_t vmid)
{
	struct watch_guest *g = watch_guests_get(&d->guests, vmid);

	g->touched = true;
	if (g->owner)
		return g;
	g->owner = d;
	g->prober = (struct prober){ .pidfd = -1, .fd = -1 };
	g->stats.since = clock_now();
	watch_fsm_init(&g->fsm, true, clock_boot_ms());
	watchd_load_record(d, g);
	watchd_load_stats_of(d, g);
	return g;
}

static void take_conf(struct watchd *d, uint32_t id, const char *text, size_t n)
{
	struct watch_guest *g;

	if (id == SCOUT_CLUSTER_CONF || id == SCOUT_NODE_CONF) {
		keep_text(&d->conf_text[id - 1], &d->conf_len[id - 1], text, n);
		settle_node(d);
		return;
	}
	tell_problems(d, id, (struct slice){ text, n });
	if (id == SCOUT_GLOBAL) {
		keep_text(&d->global_text, &d->global_len, text, n);
		d->stale_conf = true;
		return;
	}
	g = watchd_guest(d, id);
	keep_text(&g->text, &g->text_len, text, n);
	g->heard_text = d->scout_number;
}

static void drop_conf(struct watchd *d, uint32_t id)
{
	struct watch_guest *g = id >= 100 ? watch_guests_find(&d->guests, id) : NULL;

	if (g) {
		free(take_ptr(g->text));
		g->touched = true;
	} else if (id == SCOUT_GLOBAL) {
		free(take_ptr(d->global_text));
		d->stale_conf = true;
	} else if (id == SCOUT_CLUSTER_CONF || id == SCOUT_NODE_CONF) {
		free(take_ptr(d->conf_text[id - 1]));
		settle_node(d);
	}
}

static void take_guest(struct watchd *d, uint32_t vmid, const struct scout_guest *told)
{
	struct watch_guest *g = watchd_guest(d, vmid);

	g->config = *told;
	g->here = true;
	g->heard_here = d->scout_number;
	g->fsm.vm = told->optin.type == GUEST_QEMU;
}

static void take_runs(struct watchd *d, uint32_t vmid, const struct scout_runs *told)
{
	struct watch_guest *g = watchd_guest(d, vmid);

	g->run = *told;
	g->runs = true;
	g->heard_runs = d->scout_number;
}

struct watch_event watchd_seen(const struct watch_guest *g, int64_t now)
{
	return (struct watch_event){ .kind = WATCH_EV_SEEN,
				     .now = now,
				     .running = g->runs,
				     .ours = g->here && !(g->run.incoming && g->config.coming),
				     .started = g->run.started };
}

/* --- a whole look ---------------------------------------------------------------------------- */

/* A new scout tells everything anew: what it did not tell is not there any more. */
static void forget_unheard(struct watchd *d)
{
	for (size_t i = 0; i < d->guests.n; i++) {
		struct watch_guest *g = d->guests.items[i];

		g->here = g->here && g->heard_here == d->scout_number;
		g->runs = g->runs && g->heard_runs == d->scout_number;
		if (g->text && g->heard_text != d->scout_number)
			free(take_ptr(g->text));
		g->touched = true;
	}
}

static bool is_needless(const struct watch_guest *g)
{
	return !g->text && !g->here && !g->runs && !g->record.owed && !g->has_prober &&
	       g->fsm.state == WATCH_ABSENT;
}

static void drop_needless(struct watchd *d)
{
	for (size_t i = d->guests.n; i-- > 0;) {
		struct watch_guest *g = d->guests.items[i];

		if (!is_needless(g))
			continue;
		(void)sd_event_source_disable_unref(g->timer);
		watch_guests_remove(&d->guests, g->vmid);
	}
}

static int on_timer(sd_event_source *s, uint64_t usec, void *ctx)
{
	struct watch_guest *g = ctx;
	struct watchd *d = g->owner;
	int64_t now = clock_boot_ms();

	(void)s;
	(void)usec;
	watchd_check_round(d, g, now);
	watchd_check_question(d, g, now);
	watchd_check_permit(d, g, now);
	watchd_check_done(d, g, now);
	if (g->due_at && clock_now() >= g->due_at) {
		/* A clock that jumped far ahead has not made it the hour that was meant. */
		if (clock_now() - g->due_at < 300)
			watchd_event(d, g, WATCH_EV_DUE);
		next_due(g);
	}
	watchd_event(d, g, WATCH_EV_TIME);
	return 0;
}

static void see(struct watchd *d, struct watch_guest *g, bool settings_too)
{
	if (!g->timer) {
		(void)sd_event_add_time(d->loop, &g->timer, CLOCK_BOOTTIME, UINT64_MAX, 20000,
					on_timer, g);
		(void)sd_event_source_set_enabled(g->timer, SD_EVENT_OFF);
	}
	if (settings_too || g->touched)
		settle(d, g);
	if (!g->touched)
		return;
	g->touched = false;
	if (watch_fsm_restarting(&g->fsm) || g->watched || g->fsm.state != WATCH_ABSENT)
		watchd_step(d, g, watchd_seen(g, clock_boot_ms()));
	watchd_check_done(d, g, clock_boot_ms());
	if (g->resuming)
		watchd_resume(d, g, clock_boot_ms());
}

static void tell_defaults(struct watchd *d)
{
	CLEANUP(buf_done) struct buf list = {};
	size_t n = 0;

	for (size_t i = 0; i < d->guests.n; i++) {
		const struct watch_guest *g = d->guests.items[i];

		if (!g->text || g->settings.enabled != TRI_UNKNOWN)
			continue;
		if (n++ < DEFAULTS_SHOWN)
			buf_addf(&list, " %u", g->vmid);
	}
	if (n > DEFAULTS_SHOWN)
		buf_addf(&list, " and %zu more", n - DEFAULTS_SHOWN);
	if (n)
		watchd_log(d, NULL, LOG_LEVEL_WARN,
			   "enabled because they have a file that does not say otherwise "
			   "(mvmm left these alone):%s",
			   buf_str(&list));
}

static void is_ready(struct watchd *d)
{
	d->ready = true;
	tell_defaults(d);
	watchd_log(d, NULL, LOG_LEVEL_INFO, "Supervisor - monitoring %u VMs",
		   watch_guests_watched(&d->guests));
	(void)sd_notify(0, "READY=1");
}

static void tell_change(struct watchd *d, const struct scout_round *now)
{
	if (now->mvmm && !d->round.mvmm)
		watchd_log(d, NULL, LOG_LEVEL_ERROR,
			   "mvmm runs on this node: nothing is restarted while it does");
	if (!now->readable && (d->round.readable || !d->round_at))
		watchd_log(d, NULL, LOG_LEVEL_ERROR, "nothing can be decided: %s", now->problem);
	if (now->readable && d->round_at && !d->round.readable)
		watchd_log(d, NULL, LOG_LEVEL_INFO, "/etc/pve can be read again");
}

static void take_round(struct watchd *d, const struct scout_round *round)
{
	bool stale = d->stale_conf;

	tell_change(d, round);
	if (d->blind)
		watchd_log(d, NULL, LOG_LEVEL_INFO, "/etc/pve answers again");
	d->blind = false;
	d->round = *round;
	d->round_at = clock_boot_ms();
	if (!round->readable)
		return;
	if (d->scout_started && round->whole) {
		forget_unheard(d);
		d->scout_started = 0;
	}
	d->stale_conf = false;
	for (size_t i = 0; i < d->guests.n; i++)
		see(d, d->guests.items[i], stale);
	drop_needless(d);
	if (!d->ready)
		is_ready(d);
}

static void take_message(struct watchd *d, const struct scout_message *m, size_t n)
{
	struct watch_guest *g = watch_guests_find(&d->guests, m->head.vmid);

	switch ((enum scout_kind)m->head.kind) {
	case SCOUT_ROUND:
		take_round(d, &m->round);
		break;
	case SCOUT_CONF:
		take_conf(d, m->head.vmid, m->text, n);
		break;
	case SCOUT_CONF_GONE:
		drop_conf(d, m->head.vmid);
		break;
	case SCOUT_CONF_BAD:
		watchd_log(d, NULL, LOG_LEVEL_ERROR, "%s", m->text);
		break;
	case SCOUT_GUEST:
		take_guest(d, m->head.vmid, &m->guest);
		break;
	case SCOUT_RUNS:
		take_runs(d, m->head.vmid, &m->runs);
		break;
	case SCOUT_GUEST_GONE:
	case SCOUT_RUNS_NOT:
		if (!g)
			break;
		*(m->head.kind == SCOUT_GUEST_GONE ? &g->here : &g->runs) = false;
		g->touched = true;
		break;
	case SCOUT_FACTS:
		if (g)
			watchd_take_facts(d, g, &m->facts, m->head.serial);
		break;
	case SCOUT_KIND_MAX:
		break;
	}
}

/* --- the scout itself ------------------------------------------------------------------------ */

static void end_scout(struct watchd *d)
{
	pid_t pid = d->scout.pid;

	d->scout_io = sd_event_source_disable_unref(d->scout_io);
	if (!role_end(&d->scout))
		d->stuck_scout = pid;
	watchd_lose_questions(d);
}

static int on_scout(sd_event_source *s, int fd, uint32_t events, void *ctx)
{
	struct watchd *d = ctx;
	size_t n;
	int r;

	(void)s;
	(void)fd;
	(void)events;
	while ((r = scout_receive(&d->scout, d->message, &n)) == 0)
		take_message(d, d->message, n);
	if (r != -EAGAIN)
		end_scout(d);
	return 0;
}

int watchd_start_scout(struct watchd *d, struct err *e)
{
	/* The scout keeps what it is given for its whole life. */
	struct scout_options o = { .root = &d->root, .tag = d->scout_tag };
	int r;

	(void)snprintf(d->scout_tag, sizeof(d->scout_tag), "%s", d->node.tag);
	d->other_tag = false;
	r = scout_start(&d->scout, &o, e);
	if (r < 0)
		return r;
	d->scout_number++;
	d->scout_started = clock_boot_ms();
	r = sd_event_add_io(d->loop, &d->scout_io, d->scout.fd, EPOLLIN, on_scout, d);
	return r < 0 ? err_set(e, r, "the event loop: %s", strerror(-r)) : 0;
}

/* A killed scout that sits in the kernel keeps the next one waiting: it would only sit there as
 * well. */
static bool is_stuck(struct watchd *d)
{
	if (d->stuck_scout > 0 && waitpid(d->stuck_scout, NULL, WNOHANG) != 0)
		d->stuck_scout = 0;
	return d->stuck_scout > 0;
}

/* A scout that is silent is stuck where no signal may reach it: another one tries. */
static void check_silence(struct watchd *d, int64_t now)
{
	int64_t heard = d->scout_started > d->round_at ? d->scout_started : d->round_at;
	struct err e = {};

	if (d->scout.pid > 0 && now - heard < SCOUT_SILENT_MS)
		return;
	if (d->scout.pid > 0 || !d->blind) {
		d->blind = true;
		watchd_log(d, NULL, LOG_LEVEL_ERROR,
			   "/etc/pve does not answer: nothing is restarted until it does");
		end_scout(d);
	}
	if (is_stuck(d))
		return;
	if (now - d->scout_started >= SCOUT_AGAIN_MS && watchd_start_scout(d, &e) < 0)
		watchd_log(d, NULL, LOG_LEVEL_ERROR, "%s", e.text);
}

void watchd_check_scout(struct watchd *d, int64_t now)
{
	struct err e = {};

	if (!d->other_tag || is_stuck(d)) {
		check_silence(d, now);
		return;
	}
	end_scout(d);
	if (!is_stuck(d) && watchd_start_scout(d, &e) < 0)
		watchd_log(d, NULL, LOG_LEVEL_ERROR, "%s", e.text);
}
