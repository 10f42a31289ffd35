/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "watch/watchd.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <pwd.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "util/cli.h"
#include "util/clock.h"
#include "util/event.h"
#include "util/file.h"
#include "util/str.h"
#include "watch/note.h"

#define PID_FILE	 WATCH_RUN_DIR "/pid"
#define MVMM_PID_FILE	 "/run/mvmm.pid"
#define WATCH_MESSAGE_ID "5f0f6d0c1c3b4b0f9a1d3a1f5e7b2c41"
#define MS		 1000ULL /* in microseconds */

/* --- telling --------------------------------------------------------------------------------- */

static void log_text(const struct watchd *d, const struct watch_guest *g, enum log_level level,
		     const char *text)
{
	char line[900], vmid[16];
	struct event_field fields[] = {
		{ "PVEWARDEN_VMID", vmid },
		{ "PVEWARDEN_GUEST", g ? watch_guest_name(g) : NULL },
		{ "SYSLOG_IDENTIFIER", d->node.mvmm_names ? "mvmm" : "pvewarden-watch" },
	};

	(void)snprintf(vmid, sizeof(vmid), "%u", g ? g->vmid : 0);
	if (g)
		(void)snprintf(line, sizeof(line), "[%s] %s", watch_guest_name(g), text);
	else
		(void)snprintf(line, sizeof(line), "%s", text);
	/* Under systemd a line would stand there twice. */
	if (getenv("JOURNAL_STREAM"))
		event_log(level, WATCH_MESSAGE_ID, line, fields + (g ? 0 : 2), g ? 3 : 1);
	else
		log_write(level, "%s", line);
}

void watchd_log(struct watchd *d, const struct watch_guest *g, enum log_level level,
		const char *fmt, ...)
{
	char text[800];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	log_text(d, g, level, text);
}

void watchd_alert(struct watchd *d, struct watch_guest *g, const char *text)
{
	char subject[200];
	struct err e = {};

	d->alerts++;
	if (g)
		g->stats.alerts++;
	if (!d->node.notify)
		return;
	if (g)
		(void)snprintf(subject, sizeof(subject), "%s: %s %u (%s)", d->round.node,
			       g->config.optin.type == GUEST_QEMU ? "VM" : "CT", g->vmid,
			       watch_guest_name(g));
	else
		(void)snprintf(subject, sizeof(subject), "%s: guests", d->round.node);
	if (watchd_queue_mail(d, subject, text, &e) < 0)
		watchd_log(d, g, LOG_LEVEL_WARN, "the alert could not be queued: %s", e.text);
}

/* Many guests held for one reason are one alert. */
static bool is_crowd(enum watch_brake b)
{
	return b == BRAKE_CORRELATED || b == BRAKE_GATEWAY;
}

static void tell(struct watchd *d, struct watch_guest *g, enum watch_note n, int64_t now)
{
	struct note_text t;

	if (n == WATCH_NOTE_RESTART)
		(*(g->fsm.reason >= WATCH_FOR_SCHEDULE ? &g->stats.scheduled
						       : &g->stats.restarts))++;
	if (!watch_note_text(n, g, now, &t))
		return;
	log_text(d, g, t.level, t.text);
	if (n == WATCH_NOTE_HELD && is_crowd(g->fsm.held) && !d->crowd_alerted) {
		d->crowd_alerted = true;
		watchd_alert(d, NULL, t.text);
	} else if (t.alert) {
		watchd_alert(d, g, t.text);
	}
}

/* --- stepping -------------------------------------------------------------------------------- */

static void earliest(int64_t *t, int64_t candidate)
{
	if (candidate && candidate < *t)
		*t = candidate;
}

static int64_t boot_time_of(int64_t unix_seconds, int64_t now)
{
	return now + (unix_seconds - clock_now()) * 1000;
}

void watchd_rearm(struct watchd *d, struct watch_guest *g)
{
	int64_t t = watch_fsm_next(&g->fsm, g->watched ? &g->settings : NULL);
	int64_t now = clock_boot_ms();

	(void)d;
	earliest(&t, g->answer_by);
	earliest(&t, g->ask_at);
	earliest(&t, g->resuming ? g->resume_at : 0);
	earliest(&t, g->done_by);
	earliest(&t, g->due_at ? boot_time_of(g->due_at, now) : 0);
	if (!g->timer)
		return;
	if (t == INT64_MAX) {
		(void)sd_event_source_set_enabled(g->timer, SD_EVENT_OFF);
		return;
	}
	(void)sd_event_source_set_time(g->timer, (uint64_t)(t > now ? t : now) * MS);
	(void)sd_event_source_set_enabled(g->timer, SD_EVENT_ONESHOT);
}

void watchd_step(struct watchd *d, struct watch_guest *g, struct watch_event ev)
{
	enum watch_state before = g->fsm.state;
	struct watch_effects e;

	watch_guest_count_time(g, ev.now);
	g->left_since = g->fsm.since;
	watch_fsm_step(&g->fsm, g->watched ? &g->settings : NULL, &ev, &e);
	d->changed = d->changed || g->fsm.state != before || e.n_notes;
	for (size_t i = 0; i < e.n_notes; i++)
		tell(d, g, e.notes[i], ev.now);
	watchd_fit_prober(d, g);
	if (e.probe)
		watchd_probe(d, g, e.probe_qmp);
	if (e.want)
		watchd_want(d, g, e.want, ev.now);
	if (e.act)
		watchd_act(d, g, e.act, ev.now);
	else if (e.intent)
		watchd_keep_intent(d, g);
	watchd_rearm(d, g);
}

void watchd_event(struct watchd *d, struct watch_guest *g, enum watch_event_kind kind)
{
	watchd_step(d, g, (struct watch_event){ .kind = kind, .now = clock_boot_ms() });
}

/* --- the loop's own events ------------------------------------------------------------------- */

static bool in_maintenance(const struct watchd *d)
{
	return maintenance_find(&d->maintenance, MAINTENANCE_NODE, clock_now()) != NULL;
}

/* SIGUSR1: what mvmm's users look for, one line a guest. */
static void tell_guest(struct watchd *d, struct watch_guest *g, int64_t now)
{
	char in_state[32], up[32], served[32], failed[32];

	watch_guest_count_time(g, now);
	watchd_log(d, g, LOG_LEVEL_INFO,
		   "Monitoring - %s for %s, uptime %s; served %s, failed %s, %llu restarts",
		   g->fsm.state == WATCH_SERVING ? "online" : watch_state_name(g->fsm.state),
		   watch_note_duration(now - g->fsm.since, in_state),
		   watch_note_duration(g->runs && g->run.started ? now - g->run.started : 0, up),
		   watch_note_duration(g->stats.up_ms, served),
		   watch_note_duration(g->stats.down_ms, failed),
		   (unsigned long long)(g->stats.restarts + g->stats.scheduled));
}

static void tell_all(struct watchd *d)
{
	int64_t now = clock_boot_ms();
	char since[32];

	watchd_log(d, NULL, LOG_LEVEL_INFO, "Supervisor - maintenance mode: %d", in_maintenance(d));
	watchd_log(d, NULL, LOG_LEVEL_INFO, "Supervisor - monitoring %u VMs, running for %s",
		   watch_guests_watched(&d->guests),
		   watch_note_duration((clock_now() - d->started) * 1000, since));
	for (size_t i = 0; i < d->guests.n; i++)
		if (d->guests.items[i]->watched)
			tell_guest(d, d->guests.items[i], now);
}

static void read_maintenance(struct watchd *d)
{
	struct err e = {};
	struct stat st = {};

	(void)root_stat(&d->root, MAINTENANCE_FILE, &st);
	d->maintenance_mtime = st.st_mtim;
	maintenance_done(&d->maintenance);
	arena_done(&d->maintenance_arena);
	d->maintenance_arena = (struct arena){};
	if (maintenance_read(&d->maintenance, &d->root, MAINTENANCE_FILE, &d->maintenance_arena,
			     &e) < 0)
		watchd_log(d, NULL, LOG_LEVEL_ERROR, "maintenance mode, because of %s", e.text);
	d->changed = true;
}

static void toggle_maintenance(struct watchd *d)
{
	bool on = !in_maintenance(d);
	struct err e = {};

	if (maintenance_set(&d->root, MAINTENANCE_FILE, MAINTENANCE_NODE, on, clock_now(), 0,
			    "SIGUSR2", &e) < 0)
		watchd_log(d, NULL, LOG_LEVEL_ERROR, "maintenance mode was not changed: %s",
			   e.text);
	read_maintenance(d);
	watchd_log(d, NULL, LOG_LEVEL_INFO, "Supervisor maintenance mode toggled to %d",
		   in_maintenance(d));
}

enum { HELPERS_MS = 5000, END_MS = 60 * 1000 };

/* A helper that could not be started is tried again: without the one no name is known, without the
 * other no QEMU is ever asked. */
static void restart_helpers(struct watchd *d, int64_t now)
{
	struct err e = {};

	if ((d->resolver.pid > 0 && d->asker.pid > 0) || now - d->helpers_at < HELPERS_MS)
		return;
	d->helpers_at = now;
	if (d->resolver.pid <= 0 && watchd_start_resolver(d, &e) < 0)
		watchd_log(d, NULL, LOG_LEVEL_ERROR, "%s", e.text);
	if (d->asker.pid <= 0 && watchd_start_asker(d, &e) < 0)
		watchd_log(d, NULL, LOG_LEVEL_ERROR, "QMP cannot be asked: %s", e.text);
}

/* Who was told to end brings back first what it has stopped; nothing new is begun meanwhile. */
static void end_if_done(struct watchd *d, int64_t now)
{
	bool owing = false;

	for (size_t i = 0; i < d->guests.n; i++)
		owing = owing || watch_fsm_restarting(&d->guests.items[i]->fsm);
	if (owing && now < d->end_by)
		return;
	for (size_t i = 0; owing && i < d->guests.n; i++)
		if (watch_fsm_restarting(&d->guests.items[i]->fsm))
			watchd_log(
				d, d->guests.items[i], LOG_LEVEL_ERROR,
				"its restart is not at its end: the next start of the watch goes "
				"on with it");
	(void)sd_event_exit(d->loop, 0);
}

static int on_signal(sd_event_source *s, const struct signalfd_siginfo *si, void *ctx)
{
	struct watchd *d = ctx;

	(void)s;
	switch (si->ssi_signo) {
	case SIGUSR1:
		tell_all(d);
		break;
	case SIGUSR2:
		toggle_maintenance(d);
		break;
	case SIGHUP:
		watchd_reload(d);
		break;
	default:
		watchd_log(d, NULL, LOG_LEVEL_INFO, "Supervisor about to exit, killing children.");
		d->ending = true;
		d->end_by = clock_boot_ms() + END_MS;
		(void)sd_notify(0, "STOPPING=1");
		end_if_done(d, clock_boot_ms());
		break;
	}
	return 0;
}

/* No guest is held for what the others do: the next crowd is a new one. */
static void end_crowd(struct watchd *d)
{
	for (size_t i = 0; i < d->guests.n; i++)
		if (is_crowd(d->guests.items[i]->fsm.held))
			return;
	d->crowd_alerted = false;
}

enum { TICK_MS = 1000, SAVE_MS = 600 * 1000, PUBLISH_MS = 5000, ROUTE_MS = 30 * 1000 };

static int on_tick(sd_event_source *s, uint64_t usec, void *ctx)
{
	struct watchd *d = ctx;
	int64_t now = clock_boot_ms();
	struct stat st = {};

	watchd_check_scout(d, now);
	watchd_check_asker(d, now);
	restart_helpers(d, now);
	if (d->ending)
		end_if_done(d, now);
	(void)root_stat(&d->root, MAINTENANCE_FILE, &st);
	if (memcmp(&st.st_mtim, &d->maintenance_mtime, sizeof(st.st_mtim)) != 0)
		read_maintenance(d);
	if (now - d->gateway_at >= ROUTE_MS && gateway_has_moved(&d->gateway, d->gateway_is)) {
		d->gateway_is[0] = '\0';
		watchd_open_gateway(d);
	}
	if (now - d->gateway_at >= ROUTE_MS)
		d->gateway_at = now;
	if (now - d->gateway.asked_at >= GATEWAY_EVERY_MS)
		gateway_ask(&d->gateway, now);
	watchd_send_mails(d, now);
	if (d->crowd_alerted)
		end_crowd(d);
	if (d->round_at && (d->changed || now - d->published_at >= PUBLISH_MS))
		watchd_publish(d, now);
	if (now - d->saved_at >= SAVE_MS)
		watchd_save_stats(d);
	(void)sd_event_source_set_time(s, usec + TICK_MS * MS);
	return sd_event_source_set_enabled(s, SD_EVENT_ONESHOT);
}

static int on_gateway(sd_event_source *s, int fd, uint32_t events, void *ctx)
{
	struct watchd *d = ctx;

	(void)s;
	(void)fd;
	(void)events;
	gateway_receive(&d->gateway, clock_boot_ms());
	return 0;
}

void watchd_open_gateway(struct watchd *d)
{
	if (strcmp(d->gateway_is, d->node.gateway) == 0)
		return;
	d->gateway_io = sd_event_source_disable_unref(d->gateway_io);
	gateway_close(&d->gateway);
	(void)snprintf(d->gateway_is, sizeof(d->gateway_is), "%s", d->node.gateway);
	gateway_open(&d->gateway, d->node.gateway);
	if (d->gateway.fd >= 0)
		(void)sd_event_add_io(d->loop, &d->gateway_io, d->gateway.fd, EPOLLIN, on_gateway,
				      d);
}

/* --- beginning and end ----------------------------------------------------------------------- */

static int open_folder(const char *path, mode_t mode, struct err *e)
{
	int r = file_mkdirs(AT_FDCWD, path, mode);
	int fd = r < 0 ? r : open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return err_set(e, r < 0 ? r : -errno, "%s: %s", path, strerror(r < 0 ? -r : errno));
	return fd;
}

static int take_lock(struct watchd *d, struct err *e)
{
	d->lock_fd = openat(d->run_fd, "lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (d->lock_fd < 0)
		return err_set(e, -errno, WATCH_RUN_DIR "/lock: %s", strerror(errno));
	if (flock(d->lock_fd, LOCK_EX | LOCK_NB) < 0)
		return err_set(e, -EBUSY, "another watch is running on this node already");
	return 0;
}

static int open_folders(struct watchd *d, struct err *e)
{
	d->run_fd = open_folder(WATCH_RUN_DIR, 0755, e);
	if (d->run_fd < 0)
		return d->run_fd;
	d->state_fd = open_folder(WATCH_STATE_DIR, 0700, e);
	if (d->state_fd < 0)
		return d->state_fd;
	d->records_fd = open_folder(WATCH_STATE_DIR "/guests", 0700, e);
	return d->records_fd < 0 ? d->records_fd : take_lock(d, e);
}

static void write_pid_file(void)
{
	char pid[24];
	struct slice text = { pid, (size_t)snprintf(pid, sizeof(pid), "%d\n", getpid()) };

	/* In our own folder, where mvmm's place links to. */
	(void)file_write_atomic(AT_FDCWD, PID_FILE, text, 0644);
	if (symlink(PID_FILE, MVMM_PID_FILE) < 0)
		log_debug(MVMM_PID_FILE ": %s", strerror(errno));
}

static void read_identity(struct watchd *d)
{
	CLEANUP(buf_done) struct buf id = {};
	const struct passwd *user = getpwnam("pvewarden-watch");

	if (root_read_line(&d->root, "proc/sys/kernel/random/boot_id", &id) == 0)
		(void)snprintf(d->boot_id, sizeof(d->boot_id), "%s", buf_str(&id));
	d->prober_uid = user ? user->pw_uid : 65534;
	d->prober_gid = user ? user->pw_gid : 65534;
	d->started = clock_now();
}

static int add_sources(struct watchd *d)
{
	static const int signals[] = { SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGUSR2 };
	sigset_t set;
	int r;

	(void)sigemptyset(&set);
	for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
		(void)sigaddset(&set, signals[i]);
	(void)sigprocmask(SIG_BLOCK, &set, NULL);
	r = sd_event_new(&d->loop);
	for (size_t i = 0; r >= 0 && i < ARRAY_SIZE(signals); i++)
		r = sd_event_add_signal(d->loop, NULL, signals[i], on_signal, d);
	if (r >= 0)
		r = sd_event_add_time(d->loop, NULL, CLOCK_BOOTTIME, (uint64_t)clock_boot_ms() * MS,
				      10 * MS, on_tick, d);
	if (r >= 0)
		r = sd_event_set_watchdog(d->loop, true);
	return r;
}

static int open_all(struct watchd *d, struct err *e)
{
	int r = root_open(&d->root, NULL, e);

	if (r == 0)
		r = open_folders(d, e);
	if (r < 0)
		return r;
	read_identity(d);
	watch_node_default(&d->node);
	r = add_sources(d);
	if (r < 0)
		return err_set(e, r, "the event loop: %s", strerror(-r));
	watchd_load_stats(d);
	watchd_find_mails(d);
	read_maintenance(d);
	d->saved_at = clock_boot_ms();
	d->gateway.fd = -1;
	watchd_open_gateway(d);
	r = watchd_open_power(d, e);
	if (r == 0)
		r = watchd_start_asker(d, e);
	if (r == 0)
		r = watchd_start_resolver(d, e);
	return r == 0 ? watchd_start_scout(d, e) : r;
}

static void close_all(struct watchd *d)
{
	for (size_t i = 0; i < d->guests.n; i++)
		watchd_end_prober(d->guests.items[i]);
	prober_end(&d->asker);
	(void)role_end(&d->scout);
	(void)role_end(&d->resolver);
	watchd_save_stats(d);
	watchd_close_power(d);
	(void)unlink(PID_FILE);
	(void)unlinkat(d->run_fd, "watch.json", 0);
	watchd_log(d, NULL, LOG_LEVEL_INFO, "Supervisor exiting.");
}

/* Two descriptors for each guest here, one in the scout. */
static void raise_limit(void)
{
	struct rlimit l;

	if (getrlimit(RLIMIT_NOFILE, &l) < 0)
		return;
	l.rlim_cur = l.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &l);
}

int watchd_run(bool dry_run)
{
	struct watchd *d = xcalloc(1, sizeof(*d));
	struct err e = {};
	int r;

	d->message = xmalloc(sizeof(*d->message));
	d->dry_run = dry_run;
	log_set_level(LOG_LEVEL_INFO);
	raise_limit();
	/* Probers give their copy of the heap back: all of it must be in one place. */
	(void)mallopt(M_MMAP_THRESHOLD, 64 * 1024 * 1024);
	r = open_all(d, &e);
	if (r < 0) {
		log_error("%s", e.text);
		return r == -EBUSY ? 10 : CLI_CRITICAL;
	}
	write_pid_file();
	watchd_log(d, NULL, LOG_LEVEL_INFO,
		   "mvmm supervisor v" PVEWARDEN_VERSION " (pvewarden watch%s) started.",
		   dry_run ? ", dry run" : "");
	r = sd_event_loop(d->loop);
	close_all(d);
	return r < 0 ? CLI_INTERNAL : CLI_OK;
}
