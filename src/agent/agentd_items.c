/* SPDX-License-Identifier: AGPL-3.0-or-later */

/* What is sent next: to the hub every document in its order, to NannyAPI the newest state alone,
 * since it takes the time of arrival for the time of the state. */

#include <errno.h>
#include <stdio.h>

#include "agent/agentd.h"
#include "agent/delivery.h"
#include "agent/wire.h"
#include "util/clock.h"
#include "util/str.h"

enum { HUB_REFUSED_WHY = 600 };

/* --- keeping --------------------------------------------------------------------------------- */

static void disk_is_full(struct agentd *d, const char *why)
{
	if (strcmp(d->full, why) != 0)
		log_error("%s; the agent goes on, and sends the newest one as long as the disk "
			  "takes none",
			  why);
	(void)snprintf(d->full, sizeof(d->full), "%s", why);
	d->direct = true;
	/* What this document had of changed configs is not in the spool. */
	d->ask.all_configs = true;
}

static void disk_is_good(struct agentd *d)
{
	if (d->direct)
		log_info("documents are kept on disk again");
	d->direct = false;
	d->full[0] = '\0';
	/* The hub may have asked meanwhile. */
	if (d->asked_all)
		d->ask.all_configs = false;
}

void agentd_keep_document(struct agentd *d, struct buf *document)
{
	uint64_t dropped = d->spool.dropped;
	bool was_direct = d->direct;
	struct err e = {};

	if (spool_add(&d->spool, buf_slice(document), NULL, &e) == 0) {
		disk_is_good(d);
		if (d->spool.dropped != dropped && d->spool.dropped / 100 != dropped / 100)
			log_warn("the spool is full: %llu documents were dropped, oldest first",
				 (unsigned long long)d->spool.dropped);
		return;
	}
	disk_is_full(d, e.text);
	if (!was_direct) {
		/* Its number may be used again after a crash, when nothing on disk tells of it:
		 * from here on they are of the clock, and it is collected once more. */
		d->collect_at = clock_boot_ms();
		return;
	}
	d->unkept += d->memory.len != 0;
	buf_done(&d->memory);
	d->memory = *document;
	*document = (struct buf){};
	d->memory_sequence = d->ask.sequence;
	d->spool.next = d->ask.sequence + 1;
}

static void take_posts(struct agentd *d, struct buf *posts)
{
	buf_done(&d->posts);
	d->posts = *posts;
	*posts = (struct buf){};
	d->posts_at = d->posts_done = 0;
	d->posts_n = posts_count(buf_slice(&d->posts));
	d->has_posts = true;
	d->has_newer = d->behind = false;
}

void agentd_keep_posts(struct agentd *d, struct buf *posts)
{
	buf_done(&d->newer);
	d->newer = *posts;
	*posts = (struct buf){};
	d->has_newer = true;
}

/* --- next ------------------------------------------------------------------------------------ */

static bool next_document(struct agentd *d, struct buf *body)
{
	bool memory = d->memory.len != 0;
	struct err e = {};
	int r;

	if (memory && (!d->spool.n || d->spool.items[0].sequence > d->memory_sequence)) {
		buf_add(body, d->memory.data, d->memory.len);
		d->sending = d->memory_sequence;
		return true;
	}
	r = spool_oldest(&d->spool, body, &d->sending, &e);
	if (r < 0 && r != -ENOENT) {
		if (strcmp(d->hub.problem, e.text) != 0)
			log_error("%s", e.text);
		(void)snprintf(d->hub.problem, sizeof(d->hub.problem), "%s", e.text);
	}
	return r == 0;
}

static bool next_post(struct agentd *d, struct buf *body, char path[64])
{
	if (d->has_newer && (!d->has_posts || d->behind))
		take_posts(d, &d->newer);
	d->post_end = d->posts_at;
	if (!d->has_posts)
		return false;
	if (!posts_next(buf_slice(&d->posts), &d->post_end, &d->post)) {
		buf_done(&d->posts);
		d->has_posts = false;
		return d->has_newer && next_post(d, body, path);
	}
	(void)snprintf(path, 64, SLICE_FMT, SLICE_ARG(d->post.path));
	buf_add(body, d->post.body.p, d->post.body.n);
	return true;
}

bool agentd_next_item(struct agent_server *s, struct buf *body, char path[64])
{
	if (!s->is_hub)
		return next_post(s->d, body, path);
	(void)snprintf(path, 64, "%s", WIRE_DOCUMENTS_PATH);
	return next_document(s->d, body);
}

/* --- what became of it ----------------------------------------------------------------------- */

static uint64_t hash_of(const char *text)
{
	uint64_t h = 0xcbf29ce484222325ULL;

	for (; *text; text++)
		h = (h ^ (unsigned char)*text) * 0x100000001b3ULL;
	return h;
}

static size_t place_of(const struct agentd *d, uint64_t hash)
{
	size_t i = 0;

	while (i < d->refusals.n && d->refusals.items[i] != hash)
		i++;
	return i;
}

static void forget_refusal(struct agentd *d, const char *name)
{
	size_t i = place_of(d, hash_of(name));

	if (i < d->refusals.n)
		d->refusals.items[i] = d->refusals.items[--d->refusals.n];
}

static void end_document(struct agentd *d)
{
	if (d->memory.len && d->sending == d->memory_sequence)
		buf_done(&d->memory);
	else
		spool_done(&d->spool, d->sending);
}

static void end_post(struct agentd *d)
{
	d->posts_at = d->post_end;
	d->posts_done++;
}

/*
 * One that was taken and whose answer was lost comes twice. Two in a row mean that our numbers went
 * back, as with a state directory from a backup: the hub would take nothing until they have caught
 * up, so they go on from the clock.
 */
static void count_duplicates(struct agentd *d, bool duplicate)
{
	uint64_t clock = (uint64_t)clock_now();

	d->duplicates = duplicate ? d->duplicates + 1 : 0;
	if (d->duplicates < 2 || d->spool.next >= clock)
		return;
	log_warn("the hub has had the documents up to number %llu already (is the state directory "
		 "from a backup?): they are numbered from %llu on",
		 (unsigned long long)d->sending, (unsigned long long)clock);
	d->spool.next = clock;
	d->ask.all_configs = true;
	d->duplicates = 0;
}

void agentd_item_done(struct agent_server *s, struct slice answer)
{
	struct agentd *d = s->d;
	char name[128];

	s->delivered++;
	if (s->is_hub) {
		end_document(d);
		count_duplicates(d, delivery_take_reply(answer, &d->ask));
		return;
	}
	if (d->refusals.n) {
		posts_name(&d->post, name, sizeof(name));
		forget_refusal(d, name);
	}
	end_post(d);
}

static void park_document(struct agentd *d, const char *why)
{
	if (d->memory.len && d->sending == d->memory_sequence)
		buf_done(&d->memory);
	else
		spool_park(&d->spool, d->sending, why);
	d->ask.all_configs = true;
	log_error("the hub refuses document %llu, it is put aside: %s",
		  (unsigned long long)d->sending, why);
}

/* Once for each object, until it is taken: the same comes again in five minutes. */
static void park_post(struct agentd *d, const char *why)
{
	char name[128], text[HUB_REFUSED_WHY];
	uint64_t hash, sequence;

	posts_name(&d->post, name, sizeof(name));
	hash = hash_of(name);
	if (place_of(d, hash) < d->refusals.n)
		return;
	if (d->refusals.n >= AGENT_REFUSED_MAX)
		d->refusals.n = 0;
	*vec_push(&d->refusals) = hash;
	(void)snprintf(text, sizeof(text), "%s: %s", name, why);
	log_error("NannyAPI refuses %s, it is put aside", text);
	if (spool_add(&d->parked, d->post.body, &sequence, NULL) == 0)
		spool_park(&d->parked, sequence, text);
}

void agentd_item_refused(struct agent_server *s, const char *why)
{
	s->refused++;
	s->d->parked_at = clock_now();
	if (s->is_hub) {
		park_document(s->d, why);
		return;
	}
	park_post(s->d, why);
	end_post(s->d);
}

/* What was sent may have been dropped meanwhile: then it is another one that is the oldest. */
bool agentd_item_is_of_a_clock(struct agent_server *s, struct slice answer)
{
	CLEANUP(buf_done) struct buf body = {};
	struct agentd *d = s->d;
	uint64_t sent = d->sending;
	bool is = s->is_hub && next_document(d, &body) && d->sending == sent &&
		  delivery_is_of_a_clock(answer, buf_slice(&body), clock_now());

	d->sending = sent;
	return is;
}

void agentd_item_later(struct agent_server *s)
{
	s->d->behind = s->d->behind || !s->is_hub;
}
