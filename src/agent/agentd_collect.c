/* SPDX-License-Identifier: AGPL-3.0-or-later */

/* Asks the collector once for each interval, and goes on without it when it hangs. */

#include <errno.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/agentd.h"
#include "util/clock.h"
#include "util/file.h"
#include "util/json.h"
#include "util/jsonw.h"

#define IDENTITY_FILE "identity.json"

/* --- who we are, also before /etc/pve answers ------------------------------------------------ */

void agentd_load_identity(struct agentd *d)
{
	CLEANUP(buf_done) struct buf text = {};
	const char *node, *uuid;
	json_t *doc = NULL;

	if (file_read_at(d->state_fd, IDENTITY_FILE, 4096, &text) < 0 ||
	    json_parse(buf_slice(&text), IDENTITY_FILE, &doc, NULL) < 0)
		return;
	node = json_str(doc, "node");
	uuid = json_str(doc, "cluster_uuid");
	(void)snprintf(d->node, sizeof(d->node), "%s", node ? node : "");
	(void)snprintf(d->uuid, sizeof(d->uuid), "%s", uuid ? uuid : "");
	json_decref(doc);
}

static void save_identity(struct agentd *d)
{
	CLEANUP(buf_done) struct buf text = {};
	struct jsonw w;

	jsonw_begin(&w, &text);
	jsonw_str(&w, "node", d->node);
	jsonw_str(&w, "cluster_uuid", d->uuid);
	jsonw_end(&w);
	if (file_write_atomic(d->state_fd, IDENTITY_FILE, buf_slice(&text), 0600) < 0)
		log_debug(IDENTITY_FILE " could not be written");
}

static void take_identity(struct agentd *d, const struct collect_answer *a)
{
	bool changed = a->node[0] && strcmp(a->node, d->node) != 0;

	if (a->node[0])
		(void)snprintf(d->node, sizeof(d->node), "%s", a->node);
	if (a->cluster_uuid[0] && strcmp(a->cluster_uuid, d->uuid) != 0) {
		(void)snprintf(d->uuid, sizeof(d->uuid), "%s", a->cluster_uuid);
		changed = true;
	}
	if (changed)
		save_identity(d);
}

/* --- what came ------------------------------------------------------------------------------- */

static void tell_cluster(struct agentd *d, const struct collect_answer *a)
{
	if (d->clustered == a->clustered && strcmp(d->cluster, a->cluster) == 0)
		return;
	d->clustered = a->clustered;
	(void)snprintf(d->cluster, sizeof(d->cluster), "%s", a->cluster);
	if (a->clustered)
		log_info("Node is part of cluster: %s", a->cluster);
	else
		log_info("Node is not part of a cluster");
}

static void tell_proxmox(struct agentd *d, enum tri is)
{
	if (d->proxmox == is)
		return;
	d->proxmox = is;
	if (is == TRI_YES)
		log_info("Proxmox VE detected, starting collector");
	else
		log_info("Proxmox VE not detected, skipping Proxmox collector (it is looked for "
			 "again in each cycle)");
}

static void tell_unread(struct agentd *d, const char *why)
{
	if (strcmp(d->unread, why) != 0 && *why)
		log_error("nothing could be collected: %s", why);
	(void)snprintf(d->unread, sizeof(d->unread), "%s", why);
}

/* The next round, unless this one brings nothing. Half a cycle early: cycles are some milliseconds
 * off, and none is to be skipped for that. */
static int64_t next_round(const struct agentd *d, int64_t now)
{
	int64_t cycle = (int64_t)d->conf.interval * 500;
	int64_t round = (int64_t)d->conf.proxmox_interval * 1000;

	return now + (cycle < round / 2 ? round - cycle : round / 2);
}

static void keep(struct agentd *d, struct collect_answer *a)
{
	d->collections++;
	d->collected_at = clock_now();
	d->guests = a->guests;
	d->took_ms = a->milliseconds;
	d->took_cpu_us = a->cpu_microseconds;
	if (a->document.len && d->hub.url)
		agentd_keep_document(d, &a->document);
	if (a->posts.len && d->nanny.url) {
		agentd_keep_posts(d, &a->posts);
		d->nanny_at = next_round(d, d->asked_at);
	}
}

static void take_answer(struct agentd *d, struct collect_answer *a)
{
	d->changed = true;
	if (d->hangs)
		log_info("/etc/pve answers again");
	d->hangs = false;
	d->answered = true;
	if (a->error == -ENODEV) {
		tell_proxmox(d, TRI_NO);
		return;
	}
	tell_unread(d, a->error ? a->why : "");
	if (a->error)
		return;
	tell_proxmox(d, TRI_YES);
	tell_cluster(d, a);
	take_identity(d, a);
	keep(d, a);
}

static void after_answer(struct agentd *d)
{
	int64_t now = clock_boot_ms();

	agentd_push(&d->hub, now);
	agentd_push(&d->nanny, now);
}

/* --- without /etc/pve ------------------------------------------------------------------------ */

static void collect_blind(struct agentd *d)
{
	struct collect_answer a = {};
	char host[COLLECT_NODE_MAX] = "";

	if (!d->hangs)
		log_error("/etc/pve does not answer within %d s: pmxcfs hangs; the document says "
			  "so, and has what can be known without it",
			  AGENT_COLLECT_MS / 1000);
	d->hangs = d->changed = true;
	d->answered = false;
	if (!d->uuid[0]) {
		tell_unread(d, "/etc/pve hangs, and which cluster this is was never read");
		return;
	}
	(void)gethostname(host, sizeof(host) - 1);
	host[strcspn(host, ".")] = '\0';
	collect_without_pmxcfs(&d->root, &d->ask, d->node[0] ? d->node : host, d->uuid, &a);
	if (a.error)
		tell_unread(d, a.why);
	else
		keep(d, &a);
	collect_answer_done(&a);
}

static void reap_stuck(struct agentd *d)
{
	for (size_t i = 0; i < d->n_stuck;) {
		if (waitpid(d->stuck[i], NULL, WNOHANG) == 0)
			i++;
		else
			d->stuck[i] = d->stuck[--d->n_stuck];
	}
}

static void end_collector(struct agentd *d)
{
	pid_t pid = 0;

	d->collector_io = sd_event_source_disable_unref(d->collector_io);
	d->collecting = false;
	if (d->collector.pid > 0 && collector_stop(&d->collector, &pid) &&
	    d->n_stuck < AGENT_STUCK_MAX)
		d->stuck[d->n_stuck++] = pid;
}

void agentd_collect_end(struct agentd *d)
{
	end_collector(d);
}

/* --- asking ---------------------------------------------------------------------------------- */

static int on_collector(sd_event_source *s, int fd, uint32_t events, void *ctx)
{
	struct agentd *d = ctx;
	struct collect_answer a = {};
	int r = collector_take(&d->collector, &a);

	(void)s;
	(void)fd;
	(void)events;
	if (r == 0)
		return 0;
	if (r < 0) {
		log_error("the collector has died, another one is started");
		tell_unread(d, "the collector has died");
		end_collector(d);
		return 0;
	}
	d->collecting = false;
	take_answer(d, &a);
	collect_answer_done(&a);
	after_answer(d);
	return 0;
}

static bool start_collector(struct agentd *d)
{
	struct err e = {};
	int r;

	if (d->collector.pid > 0)
		return true;
	reap_stuck(d);
	if (d->n_stuck >= AGENT_STUCK_MAX)
		return false;
	r = collector_start(&d->collector, &d->root, &e);
	if (r == 0)
		r = sd_event_add_io(d->loop, &d->collector_io, d->collector.fd, EPOLLIN,
				    on_collector, d);
	if (r < 0) {
		tell_unread(d, e.text[0] ? e.text : strerror(-r));
		end_collector(d);
	}
	return r >= 0;
}

static void prepare(struct agentd *d, int64_t now)
{
	uint64_t clock = (uint64_t)clock_now();

	d->ask.hub = d->hub.url != NULL;
	d->ask.nanny = d->nanny.url && now >= d->nanny_at;
	d->ask.interval = d->conf.interval;
	d->ask.sequence = d->spool.next;
	/* Nothing on disk will tell that this number was used: one that no other run takes. */
	if (d->direct && d->ask.sequence < clock)
		d->ask.sequence = d->spool.next = clock;
	d->asked_all = d->ask.all_configs;
	(void)snprintf(d->ask.instance, sizeof(d->ask.instance), "%s", d->instance);
	(void)snprintf(d->ask.cluster_uuid, sizeof(d->ask.cluster_uuid), "%s", d->uuid);
}

static void ask(struct agentd *d, int64_t now)
{
	d->asked_at = now;
	prepare(d, now);
	if (!start_collector(d)) {
		if (d->n_stuck >= AGENT_STUCK_MAX)
			collect_blind(d);
		return;
	}
	if (collector_ask(&d->collector, &d->ask) < 0) {
		end_collector(d);
		if (!start_collector(d) || collector_ask(&d->collector, &d->ask) < 0)
			return;
	}
	d->collecting = true;
	d->collect_by = now + AGENT_COLLECT_MS;
}

void agentd_collect_tick(struct agentd *d, int64_t now)
{
	if (d->collecting && now >= d->collect_by) {
		d->unanswered++;
		end_collector(d);
		collect_blind(d);
		after_answer(d);
	}
	if (d->collecting || now < d->collect_at)
		return;
	agentd_schedule(d, now);
	ask(d, now);
	after_answer(d);
}
