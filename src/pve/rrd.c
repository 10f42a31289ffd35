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

static bool read_storage_key(struct rrd_entry *e, struct slice rest, struct arena *a)
{
	size_t slash = slice_find(rest, '/');

	if (slash == 0 || slash + 1 >= rest.n)
		return false;
	e->kind = RRD_STORAGE;
	e->node = arena_strndup(a, rest.p, slash);
	e->storage = arena_str(a, slice_from(rest, slash + 1));
	return true;
}

static bool read_key(struct rrd_entry *e, struct slice key, struct arena *a)
{
	struct slice rest;

	if (key_rest(key, "pve2-node", "pve-node-", &rest)) {
		e->kind = RRD_NODE;
		e->node = arena_str(a, rest);
		return true;
	}
	if (key_rest(key, "pve2.3-vm", "pve-vm-", &rest)) {
		e->kind = RRD_GUEST;
		return str_to_u32(rest, &e->vmid) && e->vmid >= VMID_MIN && e->vmid <= VMID_MAX;
	}
	return key_rest(key, "pve2-storage", "pve-storage-", &rest) && read_storage_key(e, rest, a);
}

static struct rrd_number number(struct slice s)
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

static void read_fields(struct rrd_entry *e, struct slice data, struct arena *a)
{
	for (size_t at = 0, i = 0; at <= data.n && i < RRD_FIELDS_MAX; i++) {
		struct slice rest = slice_from(data, at);
		struct slice field = { rest.p, slice_find(rest, ':') };

		e->fields[i] = number(field);
		e->n_fields = i + 1;
		if (e->kind == RRD_GUEST && i == RRD_GUEST_NAME)
			e->name = arena_str(a, field);
		if (e->kind == RRD_GUEST && i == RRD_GUEST_STATUS)
			e->status = arena_str(a, field);
		at += field.n + 1;
	}
}

/* A sample without its time says nothing that could be trusted. */
static bool read_line(struct rrd_entry *e, struct slice line, struct arena *a)
{
	size_t colon = slice_find(line, ':');
	struct rrd_number ctime;

	/* Names end up as strings: a NUL would make two names one. */
	if (colon == line.n || memchr(line.p, '\0', line.n) ||
	    !read_key(e, (struct slice){ line.p, colon }, a))
		return false;
	read_fields(e, slice_from(line, colon + 1), a);
	ctime = e->fields[ctime_index(e->kind)];
	if (!ctime.known || ctime.value < 0 || ctime.value > 1e15)
		return false;
	e->ctime = (int64_t)ctime.value;
	return true;
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

int rrd_parse(struct rrd *ret, struct slice text, struct arena *a, struct err *e)
{
	struct parse p = { .arena = a };
	struct slice line;

	/* What comes over pmxcfs' socket ends in a NUL. */
	while (text.n && text.p[text.n - 1] == '\0')
		text.n--;
	if (text.n && text.p[text.n - 1] != '\n')
		return err_set(e, -EBADMSG, RRD_FILE ": the last line is cut: expected a newline");
	while (slice_split(&text, '\n', &line)) {
		struct rrd_entry *entry = vec_push(&p.found);

		if (!read_line(entry, line, a))
			p.found.n--;
	}
	keep_youngest(&p);
	*ret = (struct rrd){ .n = p.found.n };
	ret->entries = arena_alloc(a, p.found.n * sizeof(*ret->entries));
	if (p.found.n)
		memcpy(ret->entries, p.found.items, p.found.n * sizeof(*ret->entries));
	vec_free(&p.found);
	return 0;
}

int rrd_read(struct rrd *ret, const struct root *r, struct arena *a, struct err *e)
{
	CLEANUP(buf_done) struct buf text = {};
	const struct timespec pause = { .tv_nsec = READ_PAUSE_NS };
	int tries = r->live ? READ_TRIES : 1, code;

	for (;;) {
		code = root_read(r, RRD_FILE, RRD_BYTES_MAX, &text);
		if (code < 0)
			return err_set(e, code, RRD_FILE ": %s", strerror(-code));
		code = rrd_parse(ret, buf_slice(&text), a, e);
		if (code != -EBADMSG || --tries <= 0)
			return code;
		(void)nanosleep(&pause, NULL);
	}
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
