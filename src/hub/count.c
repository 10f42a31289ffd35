/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "hub/count.h"

#include <pthread.h>
#include <stdatomic.h>

#include "util/prom.h"

/* Bounds of the histogram in microseconds; what is above the last counts for +Inf alone. */
static const int64_t bounds_us[] = {
	1000, 2500, 5000, 10000, 25000, 50000, 100000, 250000, 1000000
};

struct org_count {
	char org[STORE_ORG_MAX];
	uint64_t documents;
};

struct counts {
	atomic_uint_fast64_t n[COUNT_MAX];
	atomic_uint_fast64_t took[ARRAY_SIZE(bounds_us) + 1], took_us;
	pthread_mutex_t lock;
	VEC(struct org_count) orgs;
};

static const struct {
	const char *name, *help;
} names[COUNT_MAX] = {
	[COUNT_DOCUMENTS] = { "pvewarden_hub_documents_total", "Documents stored" },
	[COUNT_DUPLICATES] = { "pvewarden_hub_duplicates_total",
			       "Documents that were there already" },
	[COUNT_OBJECTS] = { "pvewarden_hub_objects_total", "Objects of NannyAPI agents stored" },
	[COUNT_REFUSED] = { "pvewarden_hub_refused_total", "Posts of agents refused as wrong" },
	[COUNT_LIMITED] = { "pvewarden_hub_limited_total", "Requests refused as too many" },
	[COUNT_COMMITS] = { "pvewarden_hub_commits_total", "Commits of documents" },
	[COUNT_COMMITS_FAILED] = { "pvewarden_hub_commits_failed_total",
				   "Commits of documents that failed" },
	[COUNT_REQUESTS] = { "pvewarden_hub_requests_total", "HTTP requests" },
	[COUNT_CUT] = { "pvewarden_hub_cut_total", "Requests cut off as too slow or too large" },
};

struct counts *counts_new(void)
{
	struct counts *c = xcalloc(1, sizeof(*c));

	(void)pthread_mutex_init(&c->lock, NULL);
	return c;
}

void counts_free(struct counts *c)
{
	if (!c)
		return;
	vec_free(&c->orgs);
	(void)pthread_mutex_destroy(&c->lock);
	free(c);
}

void counts_add(struct counts *c, enum count_what what, uint64_t n)
{
	atomic_fetch_add_explicit(&c->n[what], n, memory_order_relaxed);
}

uint64_t counts_get(const struct counts *c, enum count_what what)
{
	return atomic_load_explicit(&c->n[what], memory_order_relaxed);
}

void counts_took(struct counts *c, int64_t us)
{
	size_t i = 0;

	while (i < ARRAY_SIZE(bounds_us) && us > bounds_us[i])
		i++;
	atomic_fetch_add_explicit(&c->took[i], 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&c->took_us, (uint64_t)us, memory_order_relaxed);
}

void counts_org(struct counts *c, const char *org, uint64_t documents)
{
	struct org_count *found = NULL;

	(void)pthread_mutex_lock(&c->lock);
	vec_each (o, &c->orgs)
		if (strcmp(o->org, org) == 0)
			found = o;
	if (!found) {
		found = vec_push(&c->orgs);
		memccpy(found->org, org, '\0', sizeof(found->org) - 1);
	}
	found->documents += documents;
	(void)pthread_mutex_unlock(&c->lock);
}

static void write_orgs(struct counts *c, const char *org, struct buf *out)
{
	prom_counter(out, "pvewarden_hub_org_documents_total", "Documents stored of an org");
	(void)pthread_mutex_lock(&c->lock);
	vec_each (o, &c->orgs)
		if (!org || strcmp(o->org, org) == 0)
			buf_addf(out, "pvewarden_hub_org_documents_total{org=\"%s\"} %llu\n",
				 o->org, (unsigned long long)o->documents);
	(void)pthread_mutex_unlock(&c->lock);
}

static void write_histogram(struct counts *c, struct buf *out)
{
	static const char name[] = "pvewarden_hub_document_seconds";
	uint64_t sum = 0;

	buf_addf(out, "# HELP %s From a whole document to its answer\n# TYPE %s histogram\n", name,
		 name);
	for (size_t i = 0; i < ARRAY_SIZE(bounds_us); i++) {
		sum += atomic_load(&c->took[i]);
		buf_addf(out, "%s_bucket{le=\"%g\"} %llu\n", name, (double)bounds_us[i] / 1e6,
			 (unsigned long long)sum);
	}
	sum += atomic_load(&c->took[ARRAY_SIZE(bounds_us)]);
	buf_addf(out, "%s_bucket{le=\"+Inf\"} %llu\n%s_sum %g\n%s_count %llu\n", name,
		 (unsigned long long)sum, name, (double)atomic_load(&c->took_us) / 1e6, name,
		 (unsigned long long)sum);
}

void counts_write(struct counts *c, const char *org, const struct counts_now *now, struct buf *out)
{
	write_orgs(c, org, out);
	if (org)
		return;
	for (size_t i = 0; i < COUNT_MAX; i++) {
		prom_counter(out, names[i].name, names[i].help);
		buf_addf(out, "%s %llu\n", names[i].name,
			 (unsigned long long)counts_get(c, (enum count_what)i));
	}
	prom_gauge(out, "pvewarden_hub_waiting_bytes", "Bodies on their way to the disk");
	buf_addf(out, "pvewarden_hub_waiting_bytes %zu\n", now->waiting_bytes);
	prom_gauge(out, "pvewarden_hub_connections", "Open connections");
	buf_addf(out, "pvewarden_hub_connections %u\n", now->connections);
	write_histogram(c, out);
}
