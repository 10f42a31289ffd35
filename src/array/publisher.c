/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "array/publisher.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#include "array/doubt.h"
#include "array/orphans.h"
#include "array/publish.h"
#include "array/reap.h"
#include "array/tries.h"
#include "util/clock.h"
#include "util/log.h"

enum { STOP_S = 5 };

struct publisher {
	struct array_ctx *ctx;
	pthread_t writer, healer;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool stopping, heal; /* under lock */
	atomic_uint_fast64_t calls, failed, healed;
	int64_t started;
	struct survey_memory memory; /* the writer's */
	VEC(char *) silent;	     /* URLs of arrays; the writer's */
	bool unwritten;
	struct tries tries;
	struct orphans orphans; /* the healer's */
};

void publisher_count(struct publisher *p, bool failed)
{
	atomic_fetch_add(&p->calls, 1);
	if (failed)
		atomic_fetch_add(&p->failed, 1);
}

/* --- the document ---------------------------------------------------------------------------- */

static bool has_some_to_mend(const struct findings *f)
{
	for (size_t i = 0; i < f->n; i++)
		if (tries_connect(&f->items[i]) || tries_look_again(&f->items[i]) ||
		    orphan_is(&f->items[i]))
			return true;
	return false;
}

static void write_document(struct publisher *p, const struct survey *s, const struct findings *f)
{
	struct array_daemon d = { .node = p->ctx->node,
				  .now = clock_now(),
				  .started = p->started,
				  .calls = atomic_load(&p->calls),
				  .failed = atomic_load(&p->failed),
				  .healed = atomic_load(&p->healed) };
	CLEANUP(buf_done) struct buf text = {};
	struct err e = {};
	int r;

	array_document(s, f, &d, &text);
	r = array_publish(p->ctx->run_dir, buf_slice(&text), &e);
	if (r < 0 && !p->unwritten)
		log_warn("array status and dm check will not know: %s", e.text);
	p->unwritten = r < 0;
}

/* Storages that reach one array in different ways have a row each of it. */
static bool is_well(const struct survey *s, const char *url)
{
	bool asked = false;

	for (size_t i = 0; i < s->n_arrays; i++) {
		if (strcmp(s->arrays[i].url, url) != 0)
			continue;
		if (s->arrays[i].answer < 0)
			return false;
		/* A node without maps asks an array only how it is. */
		asked = asked || s->arrays[i].asked || !s->n_maps;
	}
	return asked;
}

/* Once when it changes: while another array of the pod serves, no call fails of it. */
static void tell_silent(struct publisher *p, const struct survey *s, const struct survey_array *a)
{
	size_t i = 0;

	while (i < p->silent.n && strcmp(p->silent.items[i], a->url) != 0)
		i++;
	if (a->answer < 0 && i == p->silent.n) {
		log_warn("%s", a->why);
		*vec_push(&p->silent) = xstrdup(a->url);
	} else if (i < p->silent.n && is_well(s, a->url)) {
		log_info("%s answers again", a->url);
		free(p->silent.items[i]);
		p->silent.items[i] = p->silent.items[--p->silent.n];
	}
}

static bool publish(struct publisher *p)
{
	CLEANUP(survey_done) struct survey s = {};
	CLEANUP(findings_done) struct findings f = {};

	survey_make(&s, p->ctx, &p->memory, true, clock_mono_ms() + PUBLISH_DEADLINE_MS);
	findings_of(&f, &s);
	for (size_t i = 0; i < s.n_arrays; i++)
		tell_silent(p, &s, &s.arrays[i]);
	tries_forget(&p->tries, &s, &f);
	write_document(p, &s, &f);
	doubts_settle(p->ctx, &s, &f);
	return has_some_to_mend(&f);
}

/* Waits so long, or until stopped: then false. */
static bool rest(struct publisher *p, int seconds)
{
	struct timespec end;
	bool stopping;

	(void)clock_gettime(CLOCK_MONOTONIC, &end);
	end.tv_sec += seconds;
	(void)pthread_mutex_lock(&p->lock);
	while (!p->stopping && pthread_cond_timedwait(&p->changed, &p->lock, &end) != ETIMEDOUT)
		;
	stopping = p->stopping;
	(void)pthread_mutex_unlock(&p->lock);
	return !stopping;
}

static void *write_run(void *arg)
{
	struct publisher *p = arg;

	do {
		if (!publish(p))
			continue;
		(void)pthread_mutex_lock(&p->lock);
		p->heal = true;
		(void)pthread_cond_broadcast(&p->changed);
		(void)pthread_mutex_unlock(&p->lock);
	} while (rest(p, PUBLISH_S));
	return NULL;
}

/* --- healing --------------------------------------------------------------------------------- */

/* An activation succeeds when one array connects the volume. */
static bool is_partial(struct publisher *p, const struct registry_entry *e)
{
	struct registry_entry is = {};
	struct arena arena = {};
	bool ret = registry_find(p->ctx->registry, e->storage, e->volname, e->snap, &arena, &is) ==
			   0 &&
		   is.partial;

	arena_done(&arena);
	return ret;
}

static bool heal(struct publisher *p, const struct mend *m, int64_t now)
{
	const struct finding *f = m->finding;
	struct err e = {};
	int r = heal_one(p->ctx, m, &e);

	if (r == 0 && f->kind != FINDING_PATHS && is_partial(p, f->map->entry))
		r = err_set(&e, -EHOSTUNREACH, "not every array of its pod has connected it");
	if (r == 0) {
		atomic_fetch_add(&p->healed, 1);
		log_info(f->kind == FINDING_PATHS ? "%s: %s: its paths were looked for again"
						  : "%s: was %s; it is connected again",
			 f->volume, f->what);
	} else if (r != -ECANCELED) {
		log_warn("%s: %s, and that could not be mended: %s", f->volume, f->what, e.text);
	}
	tries_note(&p->tries, f, r, now);
	return r == 0;
}

static bool is_stopping(struct publisher *p)
{
	bool ret;

	(void)pthread_mutex_lock(&p->lock);
	ret = p->stopping;
	(void)pthread_mutex_unlock(&p->lock);
	return ret;
}

struct healing {
	size_t tried, healed;
	bool more; /* than one round does */
};

static void heal_some(struct publisher *p, const struct survey *s, const struct findings *f,
		      bool (*wanted)(const struct finding *), struct healing *h)
{
	CLEANUP(mends_done) struct mends m = {};
	int64_t now = clock_boot_ms();

	mends_of(&m, s, f, wanted, NULL);
	for (size_t i = 0; i < m.n && !is_stopping(p); i++) {
		if (!tries_is_due(&p->tries, m.items[i].finding, now))
			continue;
		h->more = h->tried == HEAL_AT_ONCE;
		if (h->more)
			return;
		h->tried++;
		h->healed += heal(p, &m.items[i], now);
	}
}

/* --- what stands for something that is no more ------------------------------------------------
 */

static void take_away(struct publisher *p, const struct mend *m, int64_t now)
{
	const struct finding *f = m->finding;
	struct err e = {};
	int r = reap_one(p->ctx, m, &e);

	if (r == 0)
		log_info("%s: %s; it was taken away", f->volume, f->what);
	else if (r != -ECANCELED)
		log_warn("%s: %s, and it could not be taken away: %s", f->volume, f->what, e.text);
	if (r)
		orphans_put_off(&p->orphans, f, now);
}

static void take_away_orphans(struct publisher *p, const struct survey *s, const struct findings *f)
{
	CLEANUP(mends_done) struct mends m = {};
	int64_t now = clock_boot_ms();
	char why[256];

	orphans_note(&p->orphans, f, now);
	mends_of(&m, s, f, orphan_is, NULL);
	for (size_t i = 0; i < m.n && !is_stopping(p); i++)
		if (orphans_are_due(&p->orphans, m.items[i].finding, now) &&
		    finding_may_go(f, s, m.items[i].finding, why))
			take_away(p, &m.items[i], now);
}

/* --- a round -------------------------------------------------------------------------------------
 */

/*
 * Looks anew: what the document saw may have passed. True: there is more to do, and it makes
 * progress; where nothing could be healed it is tried again with a later document.
 */
static bool heal_round(struct publisher *p)
{
	CLEANUP(survey_done) struct survey s = {};
	CLEANUP(findings_done) struct findings f = {};
	struct healing h = {};

	survey_make(&s, p->ctx, NULL, false, clock_mono_ms() + PUBLISH_DEADLINE_MS);
	findings_of(&f, &s);
	heal_some(p, &s, &f, tries_connect, &h);
	heal_some(p, &s, &f, tries_look_again, &h);
	take_away_orphans(p, &s, &f);
	return h.more && h.healed > 0;
}

static void *heal_run(void *arg)
{
	struct publisher *p = arg;
	bool stopping;

	for (;;) {
		(void)pthread_mutex_lock(&p->lock);
		while (!p->stopping && !p->heal)
			(void)pthread_cond_wait(&p->changed, &p->lock);
		stopping = p->stopping;
		p->heal = false;
		(void)pthread_mutex_unlock(&p->lock);
		if (stopping)
			return NULL;
		while (heal_round(p))
			;
	}
}

/* --- life ------------------------------------------------------------------------------------ */

int publisher_start(struct publisher **ret, struct array_ctx *ctx, struct err *e)
{
	struct publisher *p = xcalloc(1, sizeof(*p));
	pthread_condattr_t attr;
	int r;

	p->ctx = ctx;
	p->started = clock_now();
	(void)pthread_mutex_init(&p->lock, NULL);
	tries_init(&p->tries);
	(void)pthread_condattr_init(&attr);
	(void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	(void)pthread_cond_init(&p->changed, &attr);
	(void)pthread_condattr_destroy(&attr);
	r = pthread_create(&p->writer, NULL, write_run, p);
	if (r) {
		free(p);
		return err_set(e, -r, "no thread for the document: %s", strerror(r));
	}
	r = pthread_create(&p->healer, NULL, heal_run, p);
	*ret = p;
	if (!r)
		return 0;
	p->healer = p->writer;
	return err_set(e, -r, "no thread for healing: %s", strerror(r));
}

static bool join(pthread_t thread)
{
	struct timespec end;

	(void)clock_gettime(CLOCK_MONOTONIC, &end);
	end.tv_sec += STOP_S;
	return pthread_clockjoin_np(thread, NULL, CLOCK_MONOTONIC, &end) == 0;
}

bool publisher_stop(struct publisher *p)
{
	bool ended;

	if (!p)
		return true;
	(void)pthread_mutex_lock(&p->lock);
	p->stopping = true;
	(void)pthread_cond_broadcast(&p->changed);
	(void)pthread_mutex_unlock(&p->lock);
	ended = join(p->writer);
	if (!pthread_equal(p->healer, p->writer))
		ended &= join(p->healer);
	if (!ended)
		return false; /* it ends with the process */
	survey_memory_done(&p->memory);
	vec_each (url, &p->silent)
		free(*url);
	vec_free(&p->silent);
	tries_done(&p->tries);
	vec_free(&p->orphans);
	(void)pthread_cond_destroy(&p->changed);
	(void)pthread_mutex_destroy(&p->lock);
	free(p);
	return true;
}
