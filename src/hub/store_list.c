/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "hub/store_engine.h"

#include <errno.h>
#include <stdio.h>

#include "util/clock.h"
#include "util/str.h"

/* Fragments: @ is the value's place, # the engine's word for the place of a text in another. */
enum { KIND_TEXT = 't', KIND_INT = 'i', KIND_BOOL = 'b', KIND_TIME = 'w' };

struct filter {
	const char *key;
	char kind;
	const char *sql;
};

struct sort {
	const char *name;
	const char *columns[5]; /* the last ones make it one of its kind */
	const char *kinds;
};

struct list {
	enum sql base;
	bool newest_first;
	struct filter filters[16];
	struct sort sorts[5]; /* the first is the list's own */
};

#define GUEST_TAIL "g.cluster", "g.vmid", "g.identity"

static const struct list lists[] = {
	[STORE_LIST_CLUSTERS] = {
		SQL_LIST_CLUSTERS, false,
		{ { "cluster", 't', "c.cluster = @" }, { "name", 't', "c.name = @" },
		  { "quorate", 'b', "c.quorate = @" } },
		{ { "cluster", { "c.cluster" }, "t" }, { "name", { "c.name", "c.cluster" }, "tt" } },
	},
	[STORE_LIST_NODES] = {
		SQL_LIST_NODES, false,
		{ { "cluster", 't', "n.cluster = @" }, { "name", 't', "n.node = @" },
		  { "online", 'b', "n.online = @" } },
		{ { "cluster", { "n.cluster", "n.node" }, "tt" },
		  { "name", { "n.node", "n.cluster" }, "tt" } },
	},
	[STORE_LIST_GUESTS] = {
		SQL_LIST_GUESTS, false,
		{ { "cluster", 't', "g.cluster = @" }, { "node", 't', "g.node = @" },
		  { "type", 't', "g.type = @" }, { "status", 't', "g.status = @" },
		  { "name", 't', "g.name = @" }, { "vmid", 'i', "g.vmid = @" },
		  { "tag", 't', "#(';' || g.tags || ';', ';' || @ || ';') > 0" },
		  { "state", 't', "" }, { "backup", 'b', "g.backup = @" },
		  { "lock", 't', "(CASE @ WHEN 'true' THEN g.locked IS NOT NULL WHEN 'false' THEN "
				 "g.locked IS NULL ELSE g.locked = @ END)" },
		  { "template", 'b', "coalesce(g.template, 0) = @" },
		  { "q", 't', "(#(lower(g.name), lower(@)) > 0 OR #(CAST(g.vmid AS TEXT), @) > 0)" } },
		{ { "vmid", { "g.vmid", "g.cluster", "g.identity" }, "itt" },
		  { "name", { "g.name", GUEST_TAIL }, "ttit" },
		  { "node", { "g.node", GUEST_TAIL }, "ttit" },
		  { "status", { "g.status", GUEST_TAIL }, "ttit" } },
	},
	[STORE_LIST_STORAGES] = {
		SQL_LIST_STORAGES, false,
		{ { "cluster", 't', "t.cluster = @" }, { "node", 't', "t.node = @" },
		  { "name", 't', "t.name = @" }, { "type", 't', "t.type = @" } },
		{ { "cluster", { "t.cluster", "t.node", "t.name" }, "ttt" },
		  { "name", { "t.name", "t.cluster", "t.node" }, "ttt" } },
	},
	[STORE_LIST_FINDINGS] = {
		SQL_LIST_FINDINGS, false,
		{ { "cluster", 't', "f.cluster = @" }, { "node", 't', "f.node = @" },
		  { "part", 't', "f.part = @" }, { "class", 't', "f.class = @" },
		  { "severity", 't', "f.severity = @" }, { "vmid", 'i', "f.vmid = @" } },
		{ { "cluster", { "f.cluster", "f.node", "f.part", "f.number" }, "ttti" } },
	},
	[STORE_LIST_EVENTS] = {
		SQL_LIST_EVENTS, true,
		{ { "cluster", 't', "v.cluster = @" }, { "node", 't', "v.node = @" },
		  { "vmid", 'i', "v.vmid = @" }, { "kind", 't', "v.kind = @" },
		  { "since", 'w', "v.at >= @" }, { "until", 'w', "v.at <= @" } },
		{ { "at", { "v.at", "v.cluster", "v.id" }, "itt" } },
	},
};

const char *const *store_list_filters(enum store_list list)
{
	static _Thread_local const char *names[17];
	size_t n = 0;

	for (const struct filter *f = lists[list].filters; n < 16 && f->key; f++)
		names[n++] = f->key;
	names[n] = NULL;
	return names;
}

const char *const *store_list_sorts(enum store_list list)
{
	static _Thread_local const char *names[6];
	size_t n = 0;

	for (const struct sort *s = lists[list].sorts; n < 5 && s->name; s++)
		names[n++] = s->name;
	names[n] = NULL;
	return names;
}

struct query {
	struct store *s;
	struct buf sql;
	struct store_value values[STORE_PARAMS];
	size_t n;
};

static void add_place(struct query *q, size_t number)
{
	buf_addf(&q->sql, "%c%zu", q->s->ops->postgres ? '$' : '?', number);
}

static void add_fragment(struct query *q, const char *sql, struct store_value v)
{
	q->values[q->n++] = v;
	for (const char *c = sql; *c; c++) {
		if (*c == '@')
			add_place(q, q->n);
		else if (*c == '#')
			buf_adds(&q->sql, q->s->ops->postgres ? "strpos" : "instr");
		else
			buf_addc(&q->sql, *c);
	}
}

static int read_value(const struct filter *f, const char *text, struct store_value *ret,
		      struct err *e)
{
	struct slice s = slice_of(text);
	uint64_t number = 0;
	int64_t when;

	*ret = val_text(text);
	if (f->kind == KIND_TEXT)
		return 0;
	if (f->kind == KIND_BOOL && (slice_eq(s, "true") || slice_eq(s, "1")))
		number = 1;
	else if (f->kind == KIND_BOOL && (slice_eq(s, "false") || slice_eq(s, "0")))
		number = 0;
	else if (f->kind == KIND_TIME && clock_parse(s, &when))
		number = (uint64_t)when;
	else if (f->kind == KIND_BOOL || !str_to_u64(s, &number) || number > INT64_MAX)
		return err_set(e, -EINVAL, "%s: '%.100s' is no value for it", f->key, text);
	*ret = val_int((int64_t)number);
	return 0;
}

static int add_state(struct query *q, const char *state, struct err *e)
{
	if (!state || strcmp(state, "open") == 0)
		buf_adds(&q->sql, " AND g.closed_at IS NULL");
	else if (strcmp(state, "closed") == 0)
		buf_adds(&q->sql, " AND g.closed_at IS NOT NULL");
	else if (strcmp(state, "all") != 0)
		return err_set(e, -EINVAL, "state: open, closed or all");
	return 0;
}

static int add_filter(struct query *q, const struct list *l, const struct store_filter *want,
		      struct err *e)
{
	struct store_value v;
	int r;

	for (const struct filter *f = l->filters; f < l->filters + 16 && f->key; f++) {
		if (strcmp(f->key, want->key))
			continue;
		if (!*f->sql)
			return 0;
		r = read_value(f, want->value, &v, e);
		if (r < 0)
			return r;
		buf_adds(&q->sql, " AND ");
		add_fragment(q, f->sql, v);
		return 0;
	}
	return err_set(e, -EINVAL, "there is no filter '%.100s'", want->key);
}

static int add_filters(struct query *q, const struct list *l, const struct store_query *sq,
		       struct err *e)
{
	const char *state = NULL;
	int r = 0;

	for (size_t i = 0; r == 0 && i < sq->n_filters; i++) {
		r = add_filter(q, l, &sq->filters[i], e);
		if (strcmp(sq->filters[i].key, "state") == 0)
			state = sq->filters[i].value;
	}
	return r == 0 && sq->list == STORE_LIST_GUESTS ? add_state(q, state, e) : r;
}

/* --- cursors: the values of the order's columns, each behind its length, in hexadecimal --- */

static void write_cursor(const struct store_row *row, size_t n, const struct sort *sort,
			 struct buf *ret)
{
	CLEANUP(buf_done) struct buf plain = {};

	buf_addf(&plain, "%s\n", sort->name);
	for (size_t i = 0; i < n; i++) {
		buf_addf(&plain, "%zu:", row->col[i].n);
		buf_add(&plain, row->col[i].p, row->col[i].n);
	}
	buf_reset(ret);
	for (size_t i = 0; i < plain.len; i++)
		buf_addf(ret, "%02x", (uint8_t)plain.data[i]);
}

static bool from_hex(const char *text, struct buf *ret)
{
	size_t n = strlen(text);
	uint64_t byte;

	if (n % 2 || n > 8192)
		return false;
	for (size_t i = 0; i < n; i += 2) {
		if (!str_hex_to_u64((struct slice){ text + i, 2 }, &byte))
			return false;
		buf_addc(ret, (char)byte);
	}
	return true;
}

static bool take_value(struct slice *rest, struct slice *ret)
{
	size_t colon = slice_find(*rest, ':');
	uint64_t n;

	if (!str_to_u64((struct slice){ rest->p, colon }, &n) || colon >= rest->n ||
	    n > rest->n - colon - 1)
		return false;
	*ret = (struct slice){ rest->p + colon + 1, (size_t)n };
	*rest = slice_from(*rest, colon + 1 + (size_t)n);
	return true;
}

/* Anybody may write a cursor: what no column holds does not reach the database. */
static bool value_of(struct slice text, char kind, struct store_value *ret)
{
	uint64_t number;

	if (kind != KIND_INT) {
		*ret = val_slice(text);
		return str_utf8_valid(text) && !memchr(text.p, '\0', text.n);
	}
	if (!str_to_u64(text, &number) || number > INT64_MAX)
		return false;
	*ret = val_int((int64_t)number);
	return true;
}

/* "AND (a, b) > (x, y)": the row behind which the page begins. */
static int add_cursor(struct query *q, const struct sort *sort, const char *cursor, bool down,
		      struct buf *plain, struct err *e)
{
	struct slice rest, name, value;
	size_t n = strlen(sort->kinds);
	struct store_value v;

	if (!from_hex(cursor, plain))
		return err_set(e, -EINVAL, "this cursor is none of ours");
	rest = buf_slice(plain);
	if (!slice_split(&rest, '\n', &name) || !slice_eq(name, sort->name))
		return err_set(e, -EINVAL, "this cursor belongs to another order");
	buf_adds(&q->sql, " AND (");
	for (size_t i = 0; i < n; i++)
		buf_addf(&q->sql, "%s%s", i ? ", " : "", sort->columns[i]);
	buf_addf(&q->sql, ") %c (", down ? '<' : '>');
	for (size_t i = 0; i < n; i++) {
		if (!take_value(&rest, &value) || !value_of(value, sort->kinds[i], &v))
			return err_set(e, -EINVAL, "this cursor is none of ours");
		buf_adds(&q->sql, i ? ", " : "");
		add_fragment(q, "@", v);
	}
	buf_adds(&q->sql, ")");
	return 0;
}

static const struct sort *find_sort(const struct list *l, const char *name)
{
	if (!name)
		return &l->sorts[0];
	for (const struct sort *s = l->sorts; s < l->sorts + 5 && s->name; s++)
		if (strcmp(s->name, name) == 0)
			return s;
	return NULL;
}

struct page {
	const struct sort *sort;
	struct buf *ret, *ret_cursor;
	size_t n, limit, columns;
};

static int add_item(void *ctx, const struct store_row *row)
{
	struct page *p = ctx;

	if (p->n == p->limit)
		return 0;
	buf_adds(p->ret, p->n++ ? "," : "");
	buf_add(p->ret, row->col[p->columns].p, row->col[p->columns].n);
	/* Kept only if one more row comes. */
	write_cursor(row, p->columns, p->sort, p->ret_cursor);
	return 0;
}

static int count_item(void *ctx, const struct store_row *row)
{
	struct page *p = ctx;
	bool last = p->n == p->limit;

	if (last)
		p->columns = 0; /* there is more: the cursor stays */
	return last ? 0 : add_item(ctx, row);
}

static void begin_query(struct query *q, const struct list *l, const struct sort *sort,
			const char *org)
{
	const char *base = sql_texts[q->s->ops->postgres][l->base];

	buf_adds(&q->sql, "SELECT ");
	for (size_t i = 0; i < strlen(sort->kinds); i++)
		buf_addf(&q->sql, "%s, ", sort->columns[i]);
	buf_adds(&q->sql, base + strlen("SELECT "));
	q->values[q->n++] = val_text(org);
	q->values[q->n++] = val_int(clock_now());
}

static void end_query(struct query *q, const struct sort *sort, bool down, size_t limit)
{
	buf_adds(&q->sql, " ORDER BY ");
	for (size_t i = 0; i < strlen(sort->kinds); i++)
		buf_addf(&q->sql, "%s%s%s", i ? ", " : "", sort->columns[i], down ? " DESC" : "");
	buf_addf(&q->sql, " LIMIT %zu", limit);
}

static int run_query(struct query *q, store_row_fn *each, void *ctx, struct err *e)
{
	return q->s->ops->query(q->s, buf_str(&q->sql), q->values, q->n, each, ctx, e);
}

int store_list(struct store *s, const struct store_query *sq, struct buf *ret,
	       struct buf *ret_cursor, struct err *e)
{
	CLEANUP(buf_done) struct buf plain = {};
	const struct list *l = &lists[sq->list];
	const struct sort *sort = find_sort(l, sq->sort);
	bool down = sq->descending || (l->newest_first && !sq->sort);
	struct page page = { sort, ret, ret_cursor, 0, sq->limit, 0 };
	struct query q = { .s = s };
	int r = s->ops->ready(s, e);

	if (!sort || !sq->limit || sq->limit > 500)
		return err_set(e, -EINVAL, sort ? "limit: 1 to 500" : "there is no such sort");
	page.columns = strlen(sort->kinds);
	begin_query(&q, l, sort, sq->org);
	if (r == 0)
		r = add_filters(&q, l, sq, e);
	if (r == 0 && sq->cursor && *sq->cursor)
		r = add_cursor(&q, sort, sq->cursor, down, &plain, e);
	if (r == 0) {
		end_query(&q, sort, down, (size_t)sq->limit + 1);
		buf_addc(ret, '[');
		r = run_query(&q, count_item, &page, e);
		buf_addc(ret, ']');
	}
	if (page.columns)
		buf_reset(ret_cursor);
	buf_done(&q.sql);
	return r;
}

/* --- one --- */

struct one {
	struct buf *ret;
	const char *member;
	bool any;
	size_t columns;
};

static int take_one(void *ctx, const struct store_row *row)
{
	struct one *o = ctx;

	o->any = true;
	buf_add(o->ret, row->col[o->columns].p, row->col[o->columns].n);
	return 0;
}

/* One more member at the end of the object. */
static int take_member(void *ctx, const struct store_row *row)
{
	struct one *o = ctx;

	if (!row->col[0].p || !o->ret->len)
		return 0;
	o->ret->len--;
	buf_addf(o->ret, ",\"%s\":", o->member);
	buf_add(o->ret, row->col[0].p, row->col[0].n);
	buf_addc(o->ret, '}');
	return 0;
}

static int add_rest(struct store *s, const char *org, enum store_list list, const char *cluster,
		    const char *key, struct one *o, struct err *e)
{
	uint64_t vmid = 0;

	o->member = list == STORE_LIST_GUESTS ? "config" : "parts";
	if (list == STORE_LIST_NODES)
		return STORE_RUN(s, SQL_PARTS_ONE, take_member, o, NULL, e, val_text(org),
				 val_text(cluster), val_text(key));
	if (list != STORE_LIST_GUESTS || !str_to_u64(slice_of(key), &vmid))
		return 0;
	return STORE_RUN(s, SQL_CONFIG_ONE, take_member, o, NULL, e, val_text(org),
			 val_text(cluster), val_int((int64_t)vmid));
}

int store_one(struct store *s, const char *org, enum store_list list, const char *cluster,
	      const char *key, struct buf *ret, struct err *e)
{
	const struct list *l = &lists[list];
	struct query q = { .s = s };
	struct one o = { .ret = ret, .columns = strlen(l->sorts[0].kinds) };
	struct store_filter by_cluster = { "cluster", cluster };
	struct store_filter by_key = { list == STORE_LIST_GUESTS ? "vmid" : "name", key };
	int r = s->ops->ready(s, e);

	if (list > STORE_LIST_GUESTS)
		return err_set(e, -EINVAL, "only clusters, nodes and guests are found one by one");
	begin_query(&q, l, &l->sorts[0], org);
	if (r == 0)
		r = add_filter(&q, l, &by_cluster, e);
	if (r == 0 && list != STORE_LIST_CLUSTERS)
		r = add_filter(&q, l, &by_key, e);
	if (list == STORE_LIST_GUESTS)
		buf_adds(&q.sql, " ORDER BY CASE WHEN g.closed_at IS NULL THEN 0 ELSE 1 END, "
				 "coalesce(s.at, g.seen_at) DESC LIMIT 1");
	if (r == 0)
		r = run_query(&q, take_one, &o, e);
	buf_done(&q.sql);
	if (r == 0 && !o.any)
		return err_set(e, -ENOENT, "there is no such one");
	return r < 0 ? r : add_rest(s, org, list, cluster, key, &o, e);
}

/* --- history --- */

enum { ROWS_MAX = 2000, HOUR = 3600, FINE_KEPT = 48 * HOUR };

static int add_plain(void *ctx, const struct store_row *row)
{
	struct buf *ret = ctx;

	buf_adds(ret, ret->data[ret->len - 1] == '[' ? "" : ",");
	buf_add(ret, row->col[0].p, row->col[0].n);
	return 0;
}

int store_history(struct store *s, const char *org, const char *cluster, const char *subject,
		  int64_t from, int64_t to, struct buf *ret, struct err *e)
{
	static const struct {
		const char *prefix;
		enum sql fine, hours;
		int step;
	} kinds[] = {
		{ "node/", SQL_HISTORY_NODE, SQL_HOURS_NODE, 60 },
		{ "storage/", SQL_HISTORY_STORAGE, SQL_HOURS_STORAGE, 60 },
		{ "guest/", SQL_HISTORY_GUEST, SQL_HOURS_GUEST, 300 },
	};
	struct slice rest, first;
	int r = s->ops->ready(s, e);
	uint64_t vmid;

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(kinds); i++) {
		bool hours =
			(to - from) / kinds[i].step > ROWS_MAX || from < clock_now() - FINE_KEPT;

		if (!slice_starts(slice_of(subject), kinds[i].prefix))
			continue;
		rest = slice_from(slice_of(subject), strlen(kinds[i].prefix));
		(void)slice_split(&rest, '/', &first);
		if (kinds[i].step == 300 && (!str_to_u64(first, &vmid) || vmid > INT64_MAX))
			break;
		buf_addc(ret, '[');
		r = s->ops->run(
			s, hours ? kinds[i].hours : kinds[i].fine,
			(struct store_value[]){ val_text(org), val_text(cluster), val_slice(first),
						val_int(from), val_int(to), val_slice(rest) },
			kinds[i].step == 60 && i == 1 ? 6 : 5, add_plain, ret, NULL, e);
		buf_addc(ret, ']');
		return r;
	}
	return r < 0 ? r : err_set(e, -EINVAL, "'%.100s' is no subject of history", subject);
}
