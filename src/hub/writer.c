/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "hub/writer.h"

#include <errno.h>
#include <pthread.h>
#include <unistd.h>

#include "hub/hold.h"
#include "util/clock.h"
#include "util/log.h"

enum {
	BUSY_MS = 5000, /* after that nothing is tried again: somebody waits for the answer */
	BUSY_WAIT_US = 100000,
	TROUBLE_QUIET_MS = 60000,
	/* A batch's bytes follow the time that the last one took. */
	BATCH_BYTES_MIN = 64 * 1024,
	BATCH_BYTES_MAX = 16 * 1024 * 1024,
	BATCH_LONG_US = 60000,
	BATCH_SHORT_US = 30000,
};

struct writer {
	pthread_t thread;
	struct queue *queue;
	struct hold hold;
	struct counts *counts;
	size_t batch_bytes;
	int64_t quiet_until_ms;
};

struct writers {
	size_t n;
	struct writer writers[];
};

static void answer(struct write_item *item, int error, const struct err *why)
{
	item->error = error;
	if (why)
		item->why = *why;
	item->done(item);
}

static void count_documents(struct writer *w, struct write_item *const *items, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const struct store_document *d = &items[i]->document;

		if (d->error)
			continue;
		counts_add(w->counts, d->duplicate ? COUNT_DUPLICATES : COUNT_DOCUMENTS, 1);
		if (!d->duplicate)
			counts_org(w->counts, d->org, 1);
	}
}

/* At most once a minute: there may be as many as documents. */
static void tell_trouble(struct writer *w, struct write_item *const *items, size_t n)
{
	int64_t now = clock_boot_ms();

	for (size_t i = 0; i < n && now >= w->quiet_until_ms; i++)
		if (items[i]->document.error == -EREMOTEIO) {
			log_error("the database cannot take a document: %s",
				  items[i]->document.why);
			w->quiet_until_ms = now + TROUBLE_QUIET_MS;
		}
}

static int try_ingest(struct store *s, struct store_document *const *docs, size_t n, struct err *e)
{
	int64_t until = clock_boot_ms() + BUSY_MS;
	int r = store_ingest(s, docs, n, e);

	while (r == -EBUSY && clock_boot_ms() < until) {
		(void)usleep(BUSY_WAIT_US);
		r = store_ingest(s, docs, n, e);
	}
	return r;
}

static void write_documents(struct writer *w, struct write_item *const *items, size_t n)
{
	struct store_document *docs[WRITER_BATCH];
	struct err e = {};
	struct store *s = hold_get(&w->hold, &e);
	int r = -EIO;

	for (size_t i = 0; i < n; i++)
		docs[i] = &items[i]->document;
	if (s)
		r = try_ingest(s, docs, n, &e);
	counts_add(w->counts, r ? COUNT_COMMITS_FAILED : COUNT_COMMITS, 1);
	/* One that somebody else holds is not away. */
	if (s && r && store_is_lost(s))
		hold_failed(&w->hold, e.text);
	else if (s && r != -EBUSY)
		hold_wrote(&w->hold, r, e.text);
	if (!r)
		count_documents(w, items, n);
	tell_trouble(w, items, n);
	for (size_t i = 0; i < n; i++)
		answer(items[i], r, &e);
}

static void write_object(struct writer *w, struct write_item *item)
{
	struct err e = {};
	struct store *s = hold_get(&w->hold, &e);
	int r = -EIO;

	if (s)
		r = store_object(s, item->object.kind, item->object.org, item->object.agent,
				 item->object.body, item->object.now, item->object.id, &e);
	if (s && store_is_lost(s))
		hold_failed(&w->hold, e.text);
	if (!r)
		counts_add(w->counts, COUNT_OBJECTS, 1);
	answer(item, r, &e);
}

static size_t write_batch(struct writer *w, struct queue_item *const *taken, size_t n)
{
	struct write_item *documents[WRITER_BATCH];
	size_t n_documents = 0;

	for (size_t i = 0; i < n; i++)
		if (!((struct write_item *)taken[i])->is_object)
			documents[n_documents++] = (struct write_item *)taken[i];
	if (n_documents)
		write_documents(w, documents, n_documents);
	return n_documents;
}

/* Each is a transaction of its own: they come after the documents. */
static void write_objects(struct writer *w, struct queue_item *const *taken, const bool *objects,
			  size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (objects[i])
			write_object(w, (struct write_item *)taken[i]);
}

static void adapt(struct writer *w, int64_t took_us)
{
	if (took_us > BATCH_LONG_US && w->batch_bytes > BATCH_BYTES_MIN)
		w->batch_bytes /= 2;
	else if (took_us < BATCH_SHORT_US && w->batch_bytes < BATCH_BYTES_MAX)
		w->batch_bytes *= 2;
}

static void *writer_main(void *arg)
{
	struct writer *w = arg;
	struct queue_item *taken[WRITER_BATCH];
	size_t n;

	(void)pthread_setname_np(pthread_self(), "writer");
	while ((n = queue_take(w->queue, taken, WRITER_BATCH, w->batch_bytes)) > 0) {
		int64_t begun = clock_boot_us();
		bool objects[WRITER_BATCH];

		/* What is answered may be gone. */
		for (size_t i = 0; i < n; i++)
			objects[i] = ((struct write_item *)taken[i])->is_object;
		if (write_batch(w, taken, n))
			adapt(w, clock_boot_us() - begun);
		write_objects(w, taken, objects, n);
	}
	hold_done(&w->hold);
	return NULL;
}

int writers_start(struct writers **ret, const char *where, size_t n, struct counts *counts,
		  struct err *e)
{
	struct writers *w = xcalloc(1, sizeof(*w) + n * sizeof(w->writers[0]));

	for (; w->n < n; w->n++) {
		struct writer *one = &w->writers[w->n];
		int r;

		one->queue = queue_new();
		one->hold.where = where;
		one->counts = counts;
		one->batch_bytes = BATCH_BYTES_MAX;
		r = pthread_create(&one->thread, NULL, writer_main, one);
		if (r) {
			queue_free(one->queue);
			writers_end(w);
			writers_free(w);
			return err_set(e, -r, "cannot start a thread: %s", strerror(r));
		}
	}
	*ret = w;
	return 0;
}

/* Which thread: by what names the cluster, whose documents would wait for one another in two of
 * them, or for an object the agent. */
static size_t lane(const struct writers *w, const struct write_item *item)
{
	const char *parts[2] = { item->document.org, item->document.cluster };
	uint32_t h = 5381;

	if (item->is_object) {
		parts[0] = item->object.org;
		parts[1] = item->object.agent;
	}
	for (size_t i = 0; i < ARRAY_SIZE(parts); i++)
		for (const char *c = parts[i]; *c; c++)
			h = h * 33 + (unsigned char)*c;
	return h % w->n;
}

int writers_put(struct writers *w, struct write_item *item)
{
	return queue_put(w->writers[lane(w, item)].queue, &item->queue);
}

void writers_end(struct writers *w)
{
	for (size_t i = 0; i < w->n; i++)
		queue_stop(w->writers[i].queue);
	for (size_t i = 0; i < w->n; i++)
		(void)pthread_join(w->writers[i].thread, NULL);
}

void writers_free(struct writers *w)
{
	if (!w)
		return;
	for (size_t i = 0; i < w->n; i++)
		queue_free(w->writers[i].queue);
	free(w);
}
