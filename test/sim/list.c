/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include <inttypes.h>
#include <stdio.h>
#include <strings.h>

#include "filter.h"
#include "sim.h"

void sim_row(struct sim_rows *rows, uint64_t seq, json_t *item)
{
	*vec_push(&rows->rows) = (struct sim_row){ seq, item };
}

static void rows_free(struct sim_rows *rows)
{
	vec_each (row, &rows->rows)
		json_decref(row->item);
	vec_free(&rows->rows);
}

bool sim_wanted_begin(struct sim_request *r, struct sim_wanted *w, const char *names,
		      const char *ids)
{
	const char *destroyed = sim_arg(r, "destroyed");

	*w = (struct sim_wanted){ .destroyed = TRI_UNKNOWN };
	w->names = sim_list(r, names, &w->by_name);
	w->ids = sim_list(r, ids, &w->by_id);
	if (destroyed)
		w->destroyed = tri_of(strcasecmp(destroyed, "true") == 0);
	if (!w->by_name || !w->by_id)
		return true;
	sim_error(r, 400, NULL, "Cannot provide both %s and %s.", names, ids);
	sim_names_free(&w->names);
	sim_names_free(&w->ids);
	return false;
}

bool sim_wanted(struct sim_wanted *w, const char *name, const char *id, bool destroyed)
{
	if (w->destroyed != TRI_UNKNOWN && w->destroyed != tri_of(destroyed))
		return false;
	if (w->by_name)
		return sim_names_remove(&w->names, name);
	if (w->by_id)
		return sim_names_remove(&w->ids, id);
	return true;
}

bool sim_wanted_end(struct sim_request *r, struct sim_wanted *w, const char *missing)
{
	bool ok = w->names.list.n + w->ids.list.n == 0;

	vec_each (name, &w->names.list)
		sim_error(r, 400, *name, "%s", missing);
	vec_each (id, &w->ids.list)
		sim_error(r, 400, *id, "%s", missing);
	sim_names_free(&w->names);
	sim_names_free(&w->ids);
	return ok;
}

static bool number_arg(struct sim_request *r, const char *key, uint64_t *ret)
{
	const char *text = sim_arg(r, key);
	char *end;

	if (!text)
		return true;
	*ret = strtoull(text, &end, 10);
	if (*text && !*end && *text != '-')
		return true;
	sim_error(r, 400, NULL, "Invalid value for %s.", key);
	return false;
}

static bool keep_matching(struct sim_request *r, struct sim_rows *rows)
{
	const char *text = sim_arg(r, "filter");
	struct filter *f;
	struct err e = {};
	size_t kept = 0;
	int match = 0;

	if (!text || !*text)
		return true;
	if (filter_parse(text, &f, &e) < 0) {
		sim_error(r, 400, NULL, "%s", e.text);
		return false;
	}
	vec_each (row, &rows->rows) {
		if (match >= 0)
			match = filter_match(f, row->item, r->array->no_pod_patterns, &e);
		if (match > 0)
			rows->rows.items[kept++] = *row;
		else
			json_decref(row->item);
	}
	rows->rows.n = kept;
	filter_free(f);
	if (match < 0)
		sim_error(r, 400, NULL, "%s", e.text);
	return match >= 0;
}

static int order_values(const json_t *a, const json_t *b)
{
	if (json_is_number(a) && json_is_number(b))
		return (json_number_value(a) > json_number_value(b)) -
		       (json_number_value(a) < json_number_value(b));
	if (json_is_string(a) && json_is_string(b))
		return strcasecmp(json_string_value(a), json_string_value(b));
	return json_is_true(a) - json_is_true(b);
}

static int order_rows(const void *a, const void *b, void *arg)
{
	const struct sim_row *x = a, *y = b;
	const struct sim_names *keys = arg;

	vec_each (key, &keys->list) {
		size_t n = strlen(*key);
		bool down = n && (*key)[n - 1] == '-';
		char path[64];
		int order;

		(void)snprintf(path, sizeof(path), "%.*s", (int)(n - down), *key);
		order = order_values(filter_member(x->item, path), filter_member(y->item, path));
		if (order)
			return down ? -order : order;
	}
	return (x->seq > y->seq) - (x->seq < y->seq);
}

/* What a list's sum has: the members that add up. */
static json_t *total(const struct sim_rows *rows)
{
	static const char *const SUMS[] = {
		"total_used",	    "total_physical", "total_provisioned",
		"used_provisioned", "unique",	      "snapshots"
	};
	json_t *space = json_object(), *ret;
	json_int_t provisioned = 0;

	for (size_t i = 0; i < ARRAY_SIZE(SUMS); i++) {
		json_int_t sum = 0;

		vec_each (row, &rows->rows)
			sum += json_integer_value(
				json_object_get(json_object_get(row->item, "space"), SUMS[i]));
		json_object_set_new(space, SUMS[i], json_integer(sum));
	}
	vec_each (row, &rows->rows)
		provisioned += json_integer_value(json_object_get(row->item, "provisioned"));
	ret = json_pack("{s:n, s:n, s:o}", "id", "name", "space", space);
	if (rows->rows.n && json_object_get(rows->rows.items[0].item, "provisioned"))
		json_object_set_new(ret, "provisioned", json_integer(provisioned));
	return ret;
}

struct page {
	uint64_t limit, offset, after;
	bool sorted;
};

static bool page_from(struct sim_request *r, struct page *p)
{
	const char *token = sim_arg(r, "continuation_token");

	*p = (struct page){ .limit = SIM_PAGE_MAX };
	if (!number_arg(r, "limit", &p->limit) || !number_arg(r, "offset", &p->offset))
		return false;
	if (p->limit == 0) {
		sim_error(r, 400, NULL, "Invalid value for limit.");
		return false;
	}
	if (p->limit > SIM_PAGE_MAX)
		p->limit = SIM_PAGE_MAX;
	if (token && *token && sscanf(token, "t%16" SCNx64, &p->after) != 1) {
		sim_error(r, 400, NULL, "Invalid continuation token.");
		return false;
	}
	return true;
}

static void sort_rows(struct sim_request *r, struct sim_rows *rows, struct page *p)
{
	struct sim_names keys = sim_list(r, "sort", &p->sorted);

	if (p->sorted && rows->rows.n)
		qsort_r(rows->rows.items, rows->rows.n, sizeof(rows->rows.items[0]), order_rows,
			&keys);
	sim_names_free(&keys);
}

/* Rows of this page into @items; true if more follow. */
static bool cut(const struct sim_rows *rows, const struct page *p, json_t *items, uint64_t *last)
{
	uint64_t skipped = 0;

	vec_each (row, &rows->rows) {
		if (p->after && row->seq <= p->after)
			continue;
		if (skipped < p->offset) {
			skipped++;
			continue;
		}
		if (json_array_size(items) == p->limit)
			return true;
		json_array_append(items, row->item);
		*last = row->seq;
	}
	return false;
}

static void reply(struct sim_request *r, struct sim_rows *rows, const struct page *p)
{
	bool total_only = sim_flag(r, "total_only"), more = false;
	json_t *items = json_array();
	uint64_t last = 0;

	if (!total_only)
		more = cut(rows, p, items, &last);
	if (more && !p->sorted)
		(void)snprintf(r->next, sizeof(r->next), "t%" PRIx64, last);
	r->reply = json_pack("{s:o, s:b, s:s?, s:n}", "items", items, "more_items_remaining",
			     (int)more, "continuation_token", r->next[0] ? r->next : NULL,
			     "total_item_count");
	if (sim_flag(r, "total_item_count"))
		json_object_set_new(r->reply, "total_item_count",
				    json_integer((json_int_t)rows->rows.n));
	if (total_only)
		json_object_set_new(r->reply, "total", json_pack("[o]", total(rows)));
	r->status = 200;
}

void sim_list_reply(struct sim_request *r, struct sim_rows *rows)
{
	struct page p;

	if (!r->spoilt && page_from(r, &p) && keep_matching(r, rows)) {
		sort_rows(r, rows, &p);
		reply(r, rows, &p);
	}
	rows_free(rows);
}
