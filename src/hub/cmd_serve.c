/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <systemd/sd-daemon.h>
#include <time.h>

#include "hub/cmds.h"
#include "hub/retain.h"
#include "hub/tls.h"
#include "hub/web.h"
#include "util/clock.h"
#include "util/file.h"
#include "util/log.h"

enum {
	LOOK_S = 5,	  /* how often the certificate's files are looked at */
	DRAIN_MS = 10000, /* what is under way may take so long after SIGTERM */
	LIMIT_BUCKETS = 65536,
	STRANGERS = 8, /* their part of the memory, and of that the part of one address */
	ARENAS = 2,    /* malloc's, for a hub whose threads hand everything on */
};

const struct cli_option hub_serve_options[] = {
	HUB_CONF_OPTIONS,
	{ "listen", "ADDR:PORT", "listen there (127.0.0.1:8480)" },
	{ "tls-cert", "FILE", "serve https with this certificate (PEM, with its chain)" },
	{ "tls-key", "FILE", "and this key; both are read anew when they change" },
	{ "public-url", "URL", "how people reach this hub" },
	{ "routes", NULL, "print what this hub answers, and end" },
	{},
};

struct server {
	const struct cli *cli;
	struct arena arena; /* of the first configuration */
	struct hub_conf conf;
	struct hub hub;
	struct web *web;
	struct retain *retain;
	sigset_t signals;
};

static int print_routes(void)
{
	size_t n;
	const struct route *routes = route_table(&n);

	for (size_t i = 0; i < n; i++)
		printf("%s %s\n", routes[i].method, routes[i].path);
	return CLI_OK;
}

/* As the other verbs answer. */
static int exit_status(int r)
{
	if (r == -EACCES || r == -EPERM)
		return CLI_NOPERM;
	return r ? CLI_CRITICAL : CLI_OK;
}

static int migrate(const struct hub_conf *conf, bool *ret_postgres)
{
	struct store *s = NULL;
	unsigned int from = 0, to = 0;
	struct err e = {};
	int r;

	/* Only its own: a database elsewhere may be on a disk that is not there yet. */
	if (strncmp(conf->db, conf->state_dir, strlen(conf->state_dir)) == 0)
		(void)file_mkdirs(AT_FDCWD, conf->state_dir, 0700);
	r = store_open(&s, conf->db, STORE_CREATE | STORE_ANY_VERSION, &e);
	if (!r)
		r = store_migrate(s, &from, &to, &e);
	if (!r && from != to)
		log_info("the database's schema is now %u, it was %u", to, from);
	*ret_postgres = !r && store_is_postgres(s);
	store_close(s);
	if (r)
		log_error("%s", e.text);
	return r;
}

/* --- start --------------------------------------------------------------------------------- */

static void make_hub(struct server *s)
{
	struct hub *hub = &s->hub;
	size_t memory = (size_t)s->conf.memory_mib * 1024 * 1024;

	atomic_store(&hub->conf, &s->conf);
	hub->auth = auth_new();
	hub->limit = limit_new(LIMIT_BUCKETS);
	hub->budget = budget_new(memory - memory / STRANGERS, memory / 2);
	hub->strangers = budget_new(memory / STRANGERS, memory / STRANGERS / STRANGERS);
	hub->counts = counts_new();
}

static int start_threads(struct server *s, bool postgres, struct err *e)
{
	struct hub *hub = &s->hub;
	int r = writers_start(&hub->writers, s->conf.db, postgres ? s->conf.writers : 1,
			      hub->counts, e);

	if (!r)
		r = pool_start(&hub->pool, s->conf.db, s->conf.workers, e);
	if (!r)
		r = retain_start(&s->retain, s->conf.db, hub->auth, e);
	return r;
}

static int start_web(struct server *s, struct err *e)
{
	const struct hub_conf *conf = &s->conf;
	char address[64];
	uint16_t port;
	int r = conf->tls_cert ? tls_load(conf->tls_cert, conf->tls_key, e) : 0;

	if (r || !hub_conf_split_listen(conf->listen, address, &port))
		return r;
	(void)snprintf(s->hub.base, sizeof(s->hub.base), "%s",
		       conf->public_url ? conf->public_url : "");
	r = web_start(&s->web, &s->hub, &port, e);
	if (r)
		return r;
	if (!conf->public_url)
		(void)snprintf(s->hub.base, sizeof(s->hub.base),
			       strchr(address, ':') ? "%s://[%s]:%u" : "%s://%s:%u",
			       conf->tls_cert ? "https" : "http", address, port);
	return 0;
}

static void told_ready(const struct server *s)
{
	char shown[256];

	log_info("serving %s from %s", s->hub.base, hub_conf_db_shown(s->conf.db, shown));
	if (!s->conf.tls_cert && strncmp(s->conf.listen, "127.", 4) != 0 &&
	    strncmp(s->conf.listen, "[::1]", 5) != 0)
		log_warn("without a certificate, tokens are taken from this machine alone");
	(void)sd_notify(0, "READY=1");
}

/* --- while it runs ------------------------------------------------------------------------- */

static void refresh_certificate(struct server *s, bool always)
{
	const struct hub_conf *conf = &s->conf;
	struct err e = {};
	int r;

	if (!conf->tls_cert)
		return;
	r = always ? tls_load(conf->tls_cert, conf->tls_key, &e)
		   : tls_refresh(conf->tls_cert, conf->tls_key, &e);
	if (r < 0)
		log_error("the old certificate stays: %s", e.text);
	else if (r > 0 || always)
		log_info("the certificate has been read anew");
}

/* The rates and times of the file; addresses, paths and threads are those of the start. Threads may
 * hold what was before, so it stays; it is small, and people do this by hand. */
static void reload(struct server *s)
{
	struct arena *a = xcalloc(1, sizeof(*a));
	struct hub_conf *conf = xcalloc(1, sizeof(*conf));

	(void)sd_notify(0, "RELOADING=1");
	if (hub_conf_load(s->cli, conf, a)) {
		log_error("the old configuration stays");
		arena_done(a);
		free(a);
		free(conf);
	} else {
		atomic_store(&s->hub.conf, conf);
		log_info("the configuration has been read anew");
	}
	refresh_certificate(s, true);
	(void)sd_notify(0, "READY=1");
}

static void serve(struct server *s)
{
	static const struct timespec tick = { .tv_sec = LOOK_S };

	for (;;) {
		int sig = sigtimedwait(&s->signals, NULL, &tick);

		if (sig == SIGTERM || sig == SIGINT)
			return;
		if (sig == SIGHUP)
			reload(s);
		else
			refresh_certificate(s, false);
		(void)sd_notify(0, "WATCHDOG=1");
	}
}

/* --- stop ---------------------------------------------------------------------------------- */

static void drain(struct server *s)
{
	static const struct timespec pause = { .tv_nsec = 5000000 };
	int64_t until = clock_boot_ms() + DRAIN_MS;

	(void)sd_notify(0, "STOPPING=1");
	if (!s->web)
		return;
	web_drain(s->web);
	while (atomic_load(&s->hub.requests) && clock_boot_ms() < until)
		(void)nanosleep(&pause, NULL);
}

static void stop(struct server *s)
{
	struct hub *hub = &s->hub;

	drain(s);
	if (hub->pool)
		pool_end(hub->pool);
	if (hub->writers)
		writers_end(hub->writers);
	web_stop(s->web);
	retain_stop(s->retain);
	pool_free(hub->pool);
	writers_free(hub->writers);
	counts_free(hub->counts);
	budget_free(hub->budget);
	budget_free(hub->strangers);
	limit_free(hub->limit);
	auth_free(hub->auth);
	arena_done(&s->arena);
}

/* Threads inherit it: signals are for the main thread. */
static void block_signals(struct server *s)
{
	(void)sigemptyset(&s->signals);
	(void)sigaddset(&s->signals, SIGTERM);
	(void)sigaddset(&s->signals, SIGINT);
	(void)sigaddset(&s->signals, SIGHUP);
	(void)pthread_sigmask(SIG_BLOCK, &s->signals, NULL);
	(void)signal(SIGPIPE, SIG_IGN);
}

int cmd_hub_serve(const struct cli *cli)
{
	struct server s = { .cli = cli };
	struct err e = {};
	bool postgres;
	int r;

	if (cli_has(cli, "routes"))
		return print_routes();
	r = hub_conf_load(cli, &s.conf, &s.arena);
	if (r) {
		arena_done(&s.arena);
		return r;
	}
	if (!cli_has(cli, "verbose"))
		log_set_level(LOG_LEVEL_INFO);
	(void)mallopt(M_ARENA_MAX, ARENAS);
	block_signals(&s);
	r = migrate(&s.conf, &postgres);
	if (r) {
		arena_done(&s.arena);
		return exit_status(r);
	}
	make_hub(&s);
	r = start_threads(&s, postgres, &e);
	if (!r)
		r = start_web(&s, &e);
	if (r) {
		log_error("%s", e.text);
	} else {
		told_ready(&s);
		serve(&s);
	}
	stop(&s);
	return exit_status(r);
}
