/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "agent/agentd.h"
#include "util/clock.h"
#include "util/file.h"
#include "util/jsonw.h"
#include "util/str.h"

enum { WHY_BYTES = 1024, SHOWN_MAX = 20 };

/* --- what was put aside ---------------------------------------------------------------------- */

struct aside {
	char name[32];
	int64_t at;
};

static int newest_first(const void *a, const void *b)
{
	return -strcmp(((const struct aside *)a)->name, ((const struct aside *)b)->name);
}

static void write_why(struct jsonw *w, int dirfd, const struct aside *a)
{
	CLEANUP(buf_done) struct buf why = {};

	if (file_read_at(dirfd, a->name, WHY_BYTES, &why) < 0)
		return;
	jsonw_row(w, NULL);
	jsonw_time(w, "at", a->at);
	jsonw_slice(w, "why", slice_trim(buf_slice(&why)));
	jsonw_close(w);
}

/* The newest of them, with their reasons. */
static void write_parked(struct jsonw *w, int spool_fd)
{
	int fd = openat(spool_fd, "parked", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct aside all[SPOOL_PARKED_MAX + 8];
	struct stat st;
	size_t n = 0;

	jsonw_array(w, "reasons");
	for (const struct dirent *e; d && (e = readdir(d)) && n < ARRAY_SIZE(all);) {
		size_t size = strlen(e->d_name) + 1;

		if (!slice_ends(slice_of(e->d_name), ".why") || size > sizeof(all[n].name) ||
		    fstatat(fd, e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		memcpy(all[n].name, e->d_name, size);
		all[n++].at = st.st_mtim.tv_sec;
	}
	if (n)
		qsort(all, n, sizeof(all[0]), newest_first);
	for (size_t i = 0; i < n && i < SHOWN_MAX; i++)
		write_why(w, fd, &all[i]);
	jsonw_close(w);
	if (d)
		(void)closedir(d);
}

static void write_spool(struct jsonw *w, const struct agentd *d)
{
	jsonw_object(w, "spool");
	jsonw_u64(w, "documents", d->spool.n + (d->memory.len != 0));
	jsonw_u64(w, "bytes", d->spool.bytes);
	jsonw_u64(w, "max_bytes", d->spool.max_bytes);
	jsonw_u64(w, "dropped", d->spool.dropped);
	jsonw_u64(w, "parked", d->spool.parked);
	jsonw_u64(w, "damaged", d->spool.damaged);
	jsonw_u64(w, "unkept", d->unkept);
	jsonw_str(w, "problem", d->full[0] ? d->full : NULL);
	write_parked(w, d->spool_fd);
	jsonw_close(w);
	jsonw_object(w, "parked");
	jsonw_u64(w, "objects", d->parked.parked);
	jsonw_time(w, "last", d->parked_at);
	write_parked(w, d->parked_fd);
	jsonw_close(w);
}

/* --- the servers ----------------------------------------------------------------------------- */

static void write_token(struct jsonw *w, const struct agent_server *s)
{
	const struct token *t = &s->token;

	jsonw_row(w, "token");
	jsonw_bool(w, "there", token_is_there(t));
	jsonw_bool(w, "ready", t->ready);
	jsonw_time(w, "got_at", t->got);
	jsonw_time(w, "expires_at", t->expires);
	jsonw_time(w, "refresh_expires_at", t->refresh_expires);
	jsonw_bool(w, "given_up", t->given_up);
	jsonw_bool(w, "revoked", s->revoked);
	jsonw_u64(w, "failures", s->session.failures);
	jsonw_u64(w, "refusals", s->session.refusals);
	jsonw_close(w);
}

static void write_server(struct jsonw *w, const struct agent_server *s, int64_t now)
{
	const struct agentd *d = s->d;
	int64_t left = s->wait_until - now;

	if (!s->url)
		return;
	jsonw_object(w, NULL);
	jsonw_str(w, "name", s->name);
	jsonw_str(w, "url", s->url);
	jsonw_u64(w, "interval", s->is_hub ? d->conf.interval : d->conf.proxmox_interval);
	jsonw_time(w, "since", s->since);
	jsonw_time(w, "last_delivery", s->delivered_at);
	jsonw_time(w, "last_try", s->tried_at);
	jsonw_time(w, "next_try", left > 0 ? clock_now() + left / 1000 : 0);
	jsonw_u64(w, "delivered", s->delivered);
	jsonw_u64(w, "refused", s->refused);
	jsonw_u64(w, "waiting",
		  s->is_hub ? d->spool.n + (d->memory.len != 0)
			    : (d->has_posts ? d->posts_n - d->posts_done : 0));
	jsonw_str(w, "problem", s->problem[0] ? s->problem : NULL);
	write_token(w, s);
	jsonw_close(w);
}

/* --- the whole ------------------------------------------------------------------------------- */

static void write_collection(struct jsonw *w, const struct agentd *d)
{
	jsonw_object(w, "collection");
	jsonw_time(w, "last", d->collected_at);
	jsonw_u64(w, "count", d->collections);
	jsonw_u64(w, "unanswered", d->unanswered);
	jsonw_u64(w, "guests", d->guests);
	jsonw_u64(w, "ms", d->took_ms);
	jsonw_u64(w, "cpu_us", d->took_cpu_us);
	jsonw_bool(w, "pmxcfs_hangs", d->hangs);
	jsonw_u64(w, "stuck", d->n_stuck);
	jsonw_str(w, "problem", d->unread[0] ? d->unread : NULL);
	jsonw_close(w);
}

static void write_document(const struct agentd *d, int64_t now, struct buf *out)
{
	struct jsonw w;

	jsonw_begin(&w, out);
	jsonw_str(&w, "schema", AGENT_SCHEMA);
	jsonw_time(&w, "time", clock_now());
	jsonw_str(&w, "version", PVEWARDEN_VERSION);
	jsonw_str(&w, "node", d->node);
	jsonw_u64(&w, "pid", (uint64_t)getpid());
	jsonw_time(&w, "started", d->started);
	jsonw_str(&w, "instance", d->instance);
	if (d->proxmox == TRI_UNKNOWN)
		jsonw_null(&w, "proxmox");
	else
		jsonw_bool(&w, "proxmox", d->proxmox == TRI_YES);
	jsonw_str(&w, "cluster", d->clustered ? d->cluster : NULL);
	jsonw_str(&w, "cluster_uuid", d->uuid[0] ? d->uuid : NULL);
	jsonw_str(&w, "reporter", d->ask.reporter[0] ? d->ask.reporter : NULL);
	jsonw_u64(&w, "interval", d->conf.interval);
	write_collection(&w, d);
	write_spool(&w, d);
	jsonw_array(&w, "servers");
	write_server(&w, &d->hub, now);
	write_server(&w, &d->nanny, now);
	jsonw_close(&w);
	jsonw_end(&w);
}

void agentd_publish(struct agentd *d, int64_t now)
{
	CLEANUP(buf_done) struct buf text = {};
	int r;

	write_document(d, now, &text);
	r = file_write_atomic_for(d->run_fd, AGENT_STATE_FILE, buf_slice(&text), 0640, d->group);
	if (r < 0)
		r = file_write_atomic(d->run_fd, AGENT_STATE_FILE, buf_slice(&text), 0640);
	if (r < 0 && !d->unpublished)
		log_warn(AGENT_STATE_FILE " cannot be written, agent status will not know: %s",
			 strerror(-r));
	d->unpublished = r < 0;
	d->published_at = now;
	d->changed = false;
}
