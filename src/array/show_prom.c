/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include <inttypes.h>

#include "array/show_status.h"
#include "pve/session.h"
#include "util/prom.h"

#define ARRAY "pvewarden_array_"

static void sample(struct buf *out, const char *name, const char *label, const char *value,
		   uint64_t n)
{
	buf_addf(out, "%s{%s=\"", name, label);
	prom_label(out, value);
	buf_addf(out, "\"} %" PRIu64 "\n", n);
}

/* Two storages may use one array with two host objects: hgsuffix. */
static void sample_array(struct buf *out, const char *name, const struct array_status_array *a,
			 uint64_t n)
{
	buf_addf(out, "%s{url=\"", name);
	prom_label(out, a->url);
	buf_adds(out, "\",host=\"");
	prom_label(out, a->host ? a->host : "");
	buf_addf(out, "\"} %" PRIu64 "\n", n);
}

static void one(struct buf *out, const char *name, const char *help, uint64_t n)
{
	prom_gauge(out, name, help);
	buf_addf(out, "%s %" PRIu64 "\n", name, n);
}

static bool is_same(const struct array_status_array *a, const struct array_status_array *b)
{
	return strcmp(a->url, b->url) == 0 && strcmp(a->host ?: "", b->host ?: "") == 0;
}

/* Storages that reach one array in different ways (check_ssl, another token) have a row each of it,
 * and a series that is there twice spoils all that stands beside it. False: an earlier row is the
 * same one's. */
static bool sum_of(const struct array_status *s, size_t at, struct array_status_array *ret)
{
	for (size_t i = 0; i < at; i++)
		if (is_same(&s->arrays[i], &s->arrays[at]))
			return false;
	*ret = s->arrays[at];
	for (size_t i = at + 1; i < s->n_arrays; i++) {
		const struct array_status_array *a = &s->arrays[i];

		if (!is_same(a, ret))
			continue;
		ret->ok = ret->ok && a->ok;
		ret->requests += a->requests;
		ret->logins += a->logins;
		ret->errors += a->errors;
		ret->limited += a->limited;
	}
	return true;
}

static void add_arrays(const struct array_status *s, struct buf *out)
{
	static const struct {
		const char *name, *help;
		bool counter;
		size_t offset;
	} rows[] = {
		{ ARRAY "requests_total", "Requests since the service began.", true,
		  offsetof(struct array_status_array, requests) },
		{ ARRAY "logins_total", "Logins since the service began.", true,
		  offsetof(struct array_status_array, logins) },
		{ ARRAY "errors_total", "Requests that failed.", true,
		  offsetof(struct array_status_array, errors) },
		{ ARRAY "limited_total", "Requests that the array put off (429, 503).", true,
		  offsetof(struct array_status_array, limited) },
	};

	struct array_status_array a;

	prom_gauge(out, ARRAY "up", "1 while the array answers.");
	for (size_t i = 0; i < s->n_arrays; i++)
		if (sum_of(s, i, &a))
			sample_array(out, ARRAY "up", &a, a.ok);
	for (size_t r = 0; r < ARRAY_SIZE(rows); r++) {
		prom_counter(out, rows[r].name, rows[r].help);
		for (size_t i = 0; i < s->n_arrays; i++) {
			uint64_t n;

			if (!sum_of(s, i, &a))
				continue;
			memcpy(&n, (const char *)&a + rows[r].offset, sizeof(n));
			sample_array(out, rows[r].name, &a, n);
		}
	}
}

static void add_storages(const struct array_status *s, struct buf *out)
{
	prom_gauge(out, ARRAY "storage_up", "1 while the storage is in reach.");
	for (size_t i = 0; i < s->n_storages; i++)
		sample(out, ARRAY "storage_up", "storage", s->storages[i].id,
		       !s->storages[i].problem);
	prom_gauge(out, ARRAY "storage_used_bytes", "What it holds.");
	for (size_t i = 0; i < s->n_storages; i++)
		if (!s->storages[i].problem)
			sample(out, ARRAY "storage_used_bytes", "storage", s->storages[i].id,
			       s->storages[i].used);
	prom_gauge(out, ARRAY "storage_total_bytes", "What it can hold.");
	for (size_t i = 0; i < s->n_storages; i++)
		if (!s->storages[i].problem)
			sample(out, ARRAY "storage_total_bytes", "storage", s->storages[i].id,
			       s->storages[i].total);
}

static void add_maps(const struct array_status *s, struct buf *out)
{
	static const char *const states[] = { "connected", "gone", "not-connected", "unknown" };
	uint64_t lost = 0, without = 0;

	prom_gauge(out, ARRAY "volumes",
		   "FlashArray volumes on this node, by what the array says.");
	for (size_t i = 0; i < ARRAY_SIZE(states); i++) {
		uint64_t n = 0;

		for (size_t j = 0; j < s->n_maps; j++)
			n += strcmp(s->maps[j].state, states[i]) == 0;
		sample(out, ARRAY "volumes", "state", states[i], n);
	}
	for (size_t i = 0; i < s->n_maps; i++) {
		const struct array_status_map *m = &s->maps[i];

		lost += m->paths > m->paths_ok ? m->paths - m->paths_ok : 0;
		without += !m->paths_ok;
	}
	one(out, ARRAY "failed_paths", "Paths that do not work.", lost);
	one(out, ARRAY "volumes_without_path", "Volumes none of whose paths works.", without);
}

void array_show_prometheus(const struct array_status *s, struct buf *out)
{
	uint64_t drift[3] = {};

	if (s->absent) {
		session_unknown_metric(ARRAY_STATUS_SCHEMA, s->absent, out);
		return;
	}
	for (size_t i = 0; i < s->n_drift; i++)
		drift[s->drift[i].level]++;
	one(out, ARRAY "answer", "0 ok, 1 warning, 2 critical, 3 could not tell.",
	    (uint64_t)array_status_exit(s));
	add_arrays(s, out);
	add_storages(s, out);
	add_maps(s, out);
	prom_gauge(out, ARRAY "drift", "What differs from how it should be.");
	sample(out, ARRAY "drift", "level", "notice", drift[0]);
	sample(out, ARRAY "drift", "level", "warning", drift[1]);
	sample(out, ARRAY "drift", "level", "critical", drift[2]);
	one(out, ARRAY "stuck", "Calls that the kernel has not given back.", s->n_stuck);
	one(out, ARRAY "calls", "Calls answered since the service began.", s->calls);
}
