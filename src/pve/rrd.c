/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "pve/rrd.h"

#include <errno.h>
#include <math.h>
#include <time.h>

#include "pve/guest.h"
#include "util/str.h"

#define RRD_FILE      "etc/pve/.rrd"
#define RRD_BYTES_MAX ((size_t)64 * 1024 * 1024)

/* As for the other generated files: a torn text is whole at the next open. */
#define READ_TRIES    5
#define READ_PAUSE_NS (5 * 1000 * 1000)

struct parse {
	struct arena *arena;
	VEC(struct rrd_entry) found;
};

/* "pve2-node/" and "pve-node-9.0/", whatever version a later Proxmox puts there. */
static bool key_rest(struct slice key, const char *old, const char *newer, struct slice *ret)
{
	size_t slash = slice_find(key, '/');

	if (slash + 1 >= key.n)
		return false;
	*ret = slice_from(key, slash + 1);
	key.n = slash;
	return slice_eq(key, old) || (slice_starts(key, newer) && key.n > strlen(newer));
}

static bool read_storage_key(struct rrd_line *l, struct slice rest)
{
	size_t slash = slice_find(rest, '/');

	if (slash == 0 || slash + 1 >= rest.n)
		return false;
	l->kind = RRD_STORAGE;
	l->node = (struct slice){ rest.p, slash };
	l->storage = slice_from(rest, slash + 1);
	return true;
}

static bool read_key(struct rrd_line *l, struct slice key)
{
	struct slice rest;

	if (key_rest(key, "pve2-node", "pve-node-", &rest)) {
		l->kind = RRD_NODE;
		l->node = rest;
		return true;
	}
	if (key_rest(key, "pve2.3-vm", "pve-vm-", &rest)) {
		l->kind = RRD_GUEST;
		return str_to_u32(rest, &l->vmid) && l->vmid >= VMID_MIN && l->vmid <= VMID_MAX;
	}
	return key_rest(key, "pve2-storage", "pve-storage-", &rest) && read_storage_key(l, rest);
}

struct rrd_number rrd_number_parse(struct slice s)
{
	char text[64], *end;
	double v;

	if (s.n == 0 || s.n >= sizeof(text))
		return (struct rrd_number){};
	memcpy(text, s.p, s.n);
	text[s.n] = '\0';
	/* strtod() takes blanks, "inf" and hexadecimal too. */
	if (strspn(text, "+-.0123456789eE") != s.n)
		return (struct rrd_number){};
	v = strtod(text, &end);
	if (end != text + s.n || !isfinite(v))
		return (struct rrd_number){};
	return (struct rrd_number){ .known = true, .value = v };
}

/* Which field holds the time of the sample. */
static size_t ctime_index(enum rrd_kind kind)
{
	switch (kind) {
	case RRD_NODE:
		return RRD_NODE_CTIME;
	case RRD_GUEST:
		return RRD_GUEST_CTIME;
	case RRD_STORAGE:
		break;
	}
	return 0;
}

bool rrd_line_parse(struct slice line, struct rrd_line *ret)
{
	size_t colon = slice_find(line, ':');
	struct rrd_number ctime = {};

	/* Names end up as strings: a NUL would make two names one. */
	if (colon == line.n || memchr(line.p, '\0', line.n) ||
	    !read_key(ret, (struct slice){ line.p, colon }))
		return false;
	ret->n_fields = 0;
	for (size_t at = colon + 1; at <= line.n && ret->n_fields < RRD_FIELDS_MAX;) {
		struct slice rest = slice_from(line, at);
		struct slice field = { rest.p, slice_find(rest, ':') };

		ret->fields[ret->n_fields++] = field;
		at += field.n + 1;
	}
	if (ctime_index(ret->kind) < ret->n_fields)
		ctime = rrd_number_parse(ret->fields[ctime_index(ret->kind)]);
	if (!ctime.known || ctime.value < 0 || ctime.value > 1e15)
		return false;
	ret->ctime = (int64_t)ctime.value;
	return true;
}

static void keep_line(struct rrd_entry *e, const struct rrd_line *l, struct arena *a)
{
	e->kind = l->kind;
	e->vmid = l->vmid;
	e->ctime = l->ctime;
	if (l->kind != RRD_GUEST)
		e->node = arena_str(a, l->node);
	if (l->kind == RRD_STORAGE)
		e->storage = arena_str(a, l->storage);
	if (l->kind == RRD_GUEST) {
		e->name = arena_str(a, l->fields[RRD_GUEST_NAME]);
		e->status = arena_str(a, l->fields[RRD_GUEST_STATUS]);
	}
	for (size_t i = 0; i < l->n_fields; i++)
		e->fields[i] = rrd_number_parse(l->fields[i]);
	e->n_fields = l->n_fields;
}

static int cmp_key(const struct rrd_entry *x, const struct rrd_entry *y)
{
	int r = 0;

	if (x->kind != y->kind)
		return x->kind < y->kind ? -1 : 1;
	if (x->kind == RRD_GUEST)
		return x->vmid < y->vmid ? -1 : x->vmid > y->vmid;
	r = strcmp(x->node, y->node);
	if (r || x->kind == RRD_NODE)
		return r;
	return strcmp(x->storage, y->storage);
}

static int cmp_entry(const void *a, const void *b)
{
	const struct rrd_entry *x = a, *y = b;
	int r = cmp_key(x, y);

	if (r)
		return r;
	return x->ctime > y->ctime ? -1 : x->ctime < y->ctime;
}

/* During an upgrade nodes send both generations of a key: the younger sample is the true one. */
static void keep_youngest(struct parse *p)
{
	size_t n = 0;

	if (p->found.n > 1)
		qsort(p->found.items, p->found.n, sizeof(*p->found.items), cmp_entry);
	for (size_t i = 0; i < p->found.n; i++)
		if (n == 0 || cmp_key(&p->found.items[n - 1], &p->found.items[i]) != 0)
			p->found.items[n++] = p->found.items[i];
	p->found.n = n;
}

int rrd_whole(struct slice *text, struct err *e)
{
	/* What comes over pmxcfs' socket ends in a NUL. */
	while (text->n && text->p[text->n - 1] == '\0')
		text->n--;
	if (text->n && text->p[text->n - 1] != '\n')
		return err_set(e, -EBADMSG, RRD_FILE ": the last line is cut: expected a newline");
	return 0;
}

int rrd_parse(struct rrd *ret, struct slice text, struct arena *a, struct err *e)
{
	struct parse p = { .arena = a };
	struct rrd_line read = {};
	struct slice line;
	int code = rrd_whole(&text, e);

	if (code < 0)
		return code;
	while (slice_split(&text, '\n', &line))
		if (rrd_line_parse(line, &read))
			keep_line(vec_push(&p.found), &read, a);
	keep_youngest(&p);
	*ret = (struct rrd){ .n = p.found.n };
	ret->entries = arena_alloc(a, p.found.n * sizeof(*ret->entries));
	if (p.found.n)
		memcpy(ret->entries, p.found.items, p.found.n * sizeof(*ret->entries));
	vec_free(&p.found);
	return 0;
}

int rrd_read_text(struct buf *ret, const struct root *r, struct err *e)
{
	const struct timespec pause = { .tv_nsec = READ_PAUSE_NS };
	int tries = r->live ? READ_TRIES : 1, code;
	struct slice whole;

	for (;;) {
		code = root_read(r, RRD_FILE, RRD_BYTES_MAX, ret);
		if (code < 0)
			return err_set(e, code, RRD_FILE ": %s", strerror(-code));
		whole = buf_slice(ret);
		code = rrd_whole(&whole, e);
		if (code == 0 || --tries <= 0)
			return code;
		(void)nanosleep(&pause, NULL);
	}
}

int rrd_read(struct rrd *ret, const struct root *r, struct arena *a, struct err *e)
{
	CLEANUP(buf_done) struct buf text = {};
	int code = rrd_read_text(&text, r, e);

	return code < 0 ? code : rrd_parse(ret, buf_slice(&text), a, e);
}

static int cmp_found(const void *key, const void *item)
{
	const struct rrd_entry *x = key, *y = item;

	return cmp_key(x, y);
}

const struct rrd_entry *rrd_guest(const struct rrd *rrd, uint32_t vmid)
{
	struct rrd_entry key = { .kind = RRD_GUEST, .vmid = vmid };

	if (!rrd->n)
		return NULL;
	return bsearch(&key, rrd->entries, rrd->n, sizeof(key), cmp_found);
}

const struct rrd_entry *rrd_node(const struct rrd *rrd, const char *node)
{
	struct rrd_entry key = { .kind = RRD_NODE, .node = node };

	if (!rrd->n)
		return NULL;
	return bsearch(&key, rrd->entries, rrd->n, sizeof(key), cmp_found);
}
