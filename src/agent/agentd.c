/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "agent/agentd.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/random.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "util/clock.h"
#include "util/file.h"

#define MS 1000ULL /* in microseconds */

enum {
	TICK_MS = 1000,
	PUBLISH_MS = 10 * 1000,
	CHANGED_MS = 1000,
	TOKEN_CHECK_MS = 2000,
	JITTER_MAX_MS = 15 * 1000,
	CONF_AGAIN_MS = 10 * 1000,
};

/* Spreads what many agents would do at once: the clock is good enough for that. */
uint32_t agentd_random(void)
{
	uint32_t n;

	if (getrandom(&n, sizeof(n), GRND_NONBLOCK) == (ssize_t)sizeof(n))
		return n;
	return (uint32_t)clock_boot_us();
}

/* --- when ------------------------------------------------------------------------------------ */

static int64_t period_ms(const struct agentd *d)
{
	bool nanny_only = d->nanny.url && !d->hub.url;

	return (int64_t)(nanny_only ? d->conf.proxmox_interval : d->conf.interval) * 1000;
}

/* In the same phase, whatever a cycle took; what was missed is not made up for. */
void agentd_schedule(struct agentd *d, int64_t now)
{
	int64_t period = period_ms(d);

	d->collect_at += period;
	if (d->collect_at <= now || d->collect_at > now + period)
		d->collect_at = now + period;
}

/* A thousand agents that are upgraded in one night do not begin in one second. */
static void schedule_first(struct agentd *d, int64_t now)
{
	int64_t limit = period_ms(d) / 4;

	if (limit > JITTER_MAX_MS)
		limit = JITTER_MAX_MS;
	d->collect_at = now + agentd_random() % (limit + 1);
}

static void look_for_conf(struct agentd *d, int64_t now);

static int on_tick(sd_event_source *s, uint64_t usec, void *ctx)
{
	struct agentd *d = ctx;
	int64_t now = clock_boot_ms();

	look_for_conf(d, now);
	agentd_collect_tick(d, now);
	if (now - d->token_checked_at >= TOKEN_CHECK_MS) {
		agentd_token_tick(&d->hub, now);
		agentd_token_tick(&d->nanny, now);
		d->token_checked_at = now;
	}
	agentd_push(&d->hub, now);
	agentd_push(&d->nanny, now);
	if (now - d->published_at >= (d->changed ? CHANGED_MS : PUBLISH_MS))
		agentd_publish(d, now);
	(void)sd_event_source_set_time(s, usec + TICK_MS * MS);
	return sd_event_source_set_enabled(s, SD_EVENT_ONESHOT);
}

/* --- configuration --------------------------------------------------------------------------- */

static const char *environment(const char *name)
{
	return getenv(name);
}

static void set_level(const struct agentd *d)
{
	static const enum log_level levels[] = { [AGENT_LOG_ERROR] = LOG_LEVEL_ERROR,
						 [AGENT_LOG_WARN] = LOG_LEVEL_WARN,
						 [AGENT_LOG_INFO] = LOG_LEVEL_INFO,
						 [AGENT_LOG_DEBUG] = LOG_LEVEL_DEBUG };

	log_set_level(levels[d->conf.log]);
}

static void read_conf(struct agentd *d, struct agent_conf *ret)
{
	agent_conf_read(ret, &d->root, environment, d->cli);
	for (size_t i = 0; i < ret->diags.n; i++) {
		const struct diag *g = &ret->diags.items[i];

		if (g->line)
			log_warn("%s:%u: %s", g->file, g->line, g->text);
		else
			log_warn("%s: %s", g->file, g->text);
	}
}

static void apply_conf(struct agentd *d)
{
	set_level(d);
	agentd_server_set(&d->hub, d->conf.hub_url, d->conf.hub_ca);
	agentd_server_set(&d->nanny, d->conf.nannyapi_url, d->conf.nannyapi_ca);
	d->spool.max_bytes = d->conf.spool_size;
	if (!d->hub.url && !d->nanny.url)
		log_warn("no server is set: hub_url or nannyapi_url in [agent] of "
			 "/" AGENT_NODE_CONF);
	d->nanny_at = 0;
	d->changed = true;
}

/* A mistake in a file, or a file that cannot be read just now, is no reason to fall silent. */
static bool loses_a_server(const struct agent_conf *was, const struct agent_conf *is)
{
	return is->diags.n &&
	       ((was->hub_url && !is->hub_url) || (was->nannyapi_url && !is->nannyapi_url));
}

static void read_conf_anew(struct agentd *d)
{
	struct agent_conf *was = xmalloc(sizeof(*was));

	*was = d->conf;
	read_conf(d, &d->conf);
	if (!loses_a_server(was, &d->conf)) {
		apply_conf(d);
		agent_conf_done(was);
	} else {
		log_error("a server would be lost: the configuration stays as it was");
		agent_conf_done(&d->conf);
		d->conf = *was;
		d->conf.diags.arena = &d->conf.arena;
	}
	free(was);
}

/* What was not there at the beginning: an agent that begins while pmxcfs hangs, or before it, must
 * not stay without a server. Only where the collector has just had its answer: each reader that is
 * left behind in a file system that hangs stays there. */
static void look_for_conf(struct agentd *d, int64_t now)
{
	struct agent_conf *is;
	bool better;

	if ((!d->conf.unread && (d->hub.url || d->nanny.url)) || !d->answered ||
	    now - d->conf_at < CONF_AGAIN_MS)
		return;
	d->conf_at = now;
	is = xmalloc(sizeof(*is));
	agent_conf_read(is, &d->root, environment, d->cli);
	better = !is->unread && (d->conf.unread || is->hub_url || is->nannyapi_url);
	agent_conf_done(is);
	free(is);
	if (!better)
		return;
	log_info("the configuration is read anew: it was not there before");
	read_conf_anew(d);
	d->collect_at = now;
}

static int on_signal(sd_event_source *s, const struct signalfd_siginfo *si, void *ctx)
{
	struct agentd *d = ctx;

	(void)s;
	if (si->ssi_signo == SIGHUP) {
		log_info("the configuration is read anew");
		read_conf_anew(d);
		d->collect_at = clock_boot_ms();
		return 0;
	}
	(void)sd_notify(0, "STOPPING=1");
	return sd_event_exit(d->loop, 0);
}

/* --- beginning ------------------------------------------------------------------------------- */

static int open_folder(struct agentd *d, const char *path, mode_t mode, struct err *e)
{
	int r = file_mkdirs(d->root.fd, path + 1, mode);
	int fd = r < 0 ? r : root_openat(&d->root, path + 1, O_RDONLY | O_DIRECTORY);

	if (fd < 0)
		return err_set(e, fd, "%s: %s", path, strerror(-fd));
	return fd;
}

static int open_below(const struct agentd *d, const char *name, struct err *e)
{
	int r = file_mkdirs(d->state_fd, name, 0700);
	int fd = r < 0 ? r : openat(d->state_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (r == 0 && fd < 0)
		fd = -errno;
	return fd < 0 ? err_set(e, fd, "%s/%s: %s", d->conf.state_dir, name, strerror(-fd)) : fd;
}

static int take_lock(struct agentd *d, struct err *e)
{
	d->lock_fd = openat(d->state_fd, "lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (d->lock_fd < 0)
		return err_set(e, -errno, "%s/lock: %s", d->conf.state_dir, strerror(errno));
	if (flock(d->lock_fd, LOCK_EX | LOCK_NB) < 0)
		return err_set(e, -EBUSY, "another agent is running on this node already");
	return 0;
}

static int open_folders(struct agentd *d, struct err *e)
{
	d->state_fd = open_folder(d, d->conf.state_dir, 0700, e);
	if (d->state_fd < 0)
		return d->state_fd;
	d->run_fd = open_folder(d, AGENT_RUN_DIR, 0755, e);
	if (d->run_fd < 0)
		return d->run_fd;
	d->spool_fd = open_below(d, "spool", e);
	if (d->spool_fd < 0)
		return d->spool_fd;
	d->parked_fd = open_below(d, "refused", e);
	return d->parked_fd < 0 ? d->parked_fd : take_lock(d, e);
}

/* What was left over there is refused already, or was being put aside at a crash. */
static int open_spools(struct agentd *d, struct err *e)
{
	int r = spool_open(&d->spool, d->spool_fd, d->conf.spool_size, e);

	if (r == 0)
		r = spool_open(&d->parked, d->parked_fd, AGENT_PARK_BYTES, e);
	while (r == 0 && d->parked.n)
		spool_park(&d->parked, d->parked.items[0].sequence, "refused");
	return r;
}

static int add_sources(struct agentd *d)
{
	static const int signals[] = { SIGTERM, SIGINT, SIGHUP };
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
				      100 * MS, on_tick, d);
	if (r >= 0)
		r = sd_event_set_watchdog(d->loop, true);
	return r;
}

static void name_servers(struct agentd *d)
{
	d->hub = (struct agent_server){
		.d = d, .name = "hub", .file = TOKEN_HUB_FILE, .is_hub = true, .sender.fd = -1
	};
	d->nanny = (struct agent_server){
		.d = d, .name = "NannyAPI", .file = TOKEN_NANNY_FILE, .sender.fd = -1
	};
	d->collector.fd = -1;
}

/* Asked once: names may come from a server that does not answer later. */
static gid_t readers(void)
{
	const struct group *group = getgrnam("www-data");

	return group && group->gr_gid != getegid() ? group->gr_gid : (gid_t)-1;
}

/* > 0: an exit status; what is wrong has been said. */
static int open_all(struct agentd *d, struct err *e)
{
	int r = root_open(&d->root, cli_value(d->cli, "root"), e);

	if (r < 0)
		return r;
	name_servers(d);
	read_conf(d, &d->conf);
	if (agent_conf_wrong_option(&d->conf))
		return CLI_USAGE;
	set_level(d);
	r = open_folders(d, e);
	if (r == 0)
		r = token_instance(d->state_fd, d->instance, e);
	if (r == 0)
		r = open_spools(d, e);
	if (r < 0)
		return r;
	r = add_sources(d);
	if (r < 0)
		return err_set(e, r, "the event loop: %s", strerror(-r));
	agentd_load_identity(d);
	d->group = readers();
	d->proxmox = TRI_UNKNOWN;
	d->started = clock_now();
	/* A collector that begins has told nobody anything yet. */
	d->ask.all_configs = true;
	apply_conf(d);
	schedule_first(d, clock_boot_ms());
	return 0;
}

static void close_all(struct agentd *d)
{
	agentd_collect_end(d);
	agentd_server_end(&d->hub);
	agentd_server_end(&d->nanny);
	spool_close(&d->spool);
	spool_close(&d->parked);
	(void)unlinkat(d->run_fd, AGENT_STATE_FILE, 0);
	vec_free(&d->refusals);
	buf_done(&d->memory);
	buf_done(&d->posts);
	buf_done(&d->newer);
	agent_conf_done(&d->conf);
	d->loop = sd_event_unref(d->loop);
	root_close(&d->root);
	log_info("the agent ends");
	free(d);
}

int agentd_run(const struct cli *cli)
{
	struct agentd *d = xcalloc(1, sizeof(*d));
	struct err e = {};
	int r;

	d->cli = cli;
	/* A limit of file sizes is a disk that is full. */
	(void)signal(SIGXFSZ, SIG_IGN);
	(void)signal(SIGPIPE, SIG_IGN);
	log_set_level(LOG_LEVEL_INFO);
	r = open_all(d, &e);
	if (r != 0) {
		if (r < 0)
			log_error("%s", e.text);
		agent_conf_done(&d->conf);
		free(d);
		return r < 0 ? CLI_CRITICAL : r;
	}
	log_info("pvewarden agent " PVEWARDEN_VERSION " started");
	(void)sd_notify(0, "READY=1");
	r = sd_event_loop(d->loop);
	close_all(d);
	return r < 0 ? CLI_INTERNAL : CLI_OK;
}
