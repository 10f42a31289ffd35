/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "pve/task.h"

#include <errno.h>

#include "pve/guest.h"
#include "pve/procstat.h"
#include "util/str.h"

#define ACTIVE_FILE	 "var/log/pve/tasks/active"
#define ACTIVE_BYTES_MAX ((size_t)16 * 1024 * 1024)

/* Takes the part up to the next ':' off @rest; its length must lie within @min and @max. */
static bool part(struct slice *rest, size_t min, size_t max, struct slice *ret)
{
	size_t colon = slice_find(*rest, ':');

	if (colon == rest->n || colon < min || colon > max)
		return false;
	*ret = (struct slice){ rest->p, colon };
	*rest = slice_from(*rest, colon + 1);
	return true;
}

static bool hex_part(struct slice *rest, size_t min, size_t max, uint64_t *ret)
{
	struct slice s;

	return part(rest, min, max, &s) && str_hex_to_u64(s, ret);
}

/* Letters, digits and inner hyphens. */
static bool is_node_name(struct slice s)
{
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i], low = (char)(c | 0x20);
		bool inner = i > 0 && i + 1 < s.n;

		if ((c < '0' || c > '9') && (low < 'a' || low > 'z') && (c != '-' || !inner))
			return false;
	}
	return s.n > 0;
}

/* Neither blank nor slash: a UPID is also the name of its log file. */
static bool is_word(struct slice s)
{
	for (size_t i = 0; i < s.n; i++)
		if (str_is_space(s.p[i]) || s.p[i] == '/')
			return false;
	return true;
}

bool upid_parse(struct slice text, struct upid *ret)
{
	struct upid u;

	if (!slice_starts(text, "UPID:"))
		return false;
	text = slice_from(text, 5);
	/* The start in ticks outgrows eight digits after 497 days. */
	if (!part(&text, 1, SIZE_MAX, &u.node) || !hex_part(&text, 8, 8, &u.pid) ||
	    !hex_part(&text, 8, 9, &u.pstart) || !hex_part(&text, 8, 8, &u.start) ||
	    !part(&text, 1, SIZE_MAX, &u.type) || !part(&text, 0, SIZE_MAX, &u.id) ||
	    !part(&text, 1, SIZE_MAX, &u.user) || !slice_empty(text))
		return false;
	if (!is_node_name(u.node) || !is_word(u.type) || !is_word(u.id) || !is_word(u.user))
		return false;
	*ret = u;
	return true;
}

static bool is_one_of(struct slice type, const char *const types[], size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (slice_eq(type, types[i]))
			return true;
	return false;
}

static bool is_console(struct slice type)
{
	static const char *const types[] = {
		"vncproxy", "vncshell", "spiceproxy", "termproxy", "spiceshell",
	};

	return is_one_of(type, types, ARRAY_SIZE(types));
}

/* "100" and "100@storage"; other ids belong to no guest. */
static uint32_t vmid_of(struct slice id)
{
	uint32_t vmid;

	id.n = slice_find(id, '@');
	if (!str_to_u32(id, &vmid) || vmid < VMID_MIN || vmid > VMID_MAX)
		return 0;
	return vmid;
}

/* A pid alone may have been given to another process since. */
static bool is_alive(const struct root *r, const struct upid *u)
{
	struct procstat st;

	return u->pid > 0 && u->pid <= INT32_MAX && procstat_read(r, (pid_t)u->pid, &st) &&
	       st.state != 'Z' && st.start == u->pstart;
}

static bool is_listed(const struct tasks *t, struct slice upid)
{
	for (size_t i = 0; i < t->n; i++)
		if (slice_eq(upid, t->items[i].upid))
			return true;
	return false;
}

static void read_line(struct tasks *t, const struct root *r, struct slice line, struct arena *a)
{
	struct slice rest = line, upid;
	struct upid u;
	struct task *task;

	if (!slice_split(&rest, ' ', &upid) || !upid_parse(upid, &u) || is_console(u.type) ||
	    !is_alive(r, &u) || is_listed(t, upid))
		return;
	task = vec_push(t);
	task->upid = arena_str(a, upid);
	task->type = arena_str(a, u.type);
	task->vmid = vmid_of(u.id);
	task->pid = (pid_t)u.pid;
}

int tasks_read(struct tasks *ret, const struct root *r, struct arena *a, struct err *e)
{
	CLEANUP(buf_done) struct buf text = {};
	struct tasks found = {};
	struct slice rest, line;
	int code = root_read(r, ACTIVE_FILE, ACTIVE_BYTES_MAX, &text);

	if (code < 0 && code != -ENOENT)
		return err_set(e, code, ACTIVE_FILE ": %s", strerror(-code));
	rest = buf_slice(&text);
	while (slice_split(&rest, '\n', &line))
		read_line(&found, r, line, a);
	*ret = found;
	return 0;
}

static bool is_stop(struct slice type)
{
	static const char *const types[] = {
		"qmstop", "qmshutdown", "qmreboot", "vzstop", "vzshutdown", "vzreboot", "hastop",
	};

	return is_one_of(type, types, ARRAY_SIZE(types));
}

static uint64_t number_of(struct slice upid)
{
	uint64_t h = 14695981039346656037ULL; /* FNV-1a */

	for (size_t i = 0; i < upid.n; i++)
		h = (h ^ (unsigned char)upid.p[i]) * 1099511628211ULL;
	return h;
}

static bool is_among(uint64_t number, const uint64_t *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (list[i] == number)
			return true;
	return false;
}

ssize_t tasks_stops(const struct root *r, uint32_t vmid, int64_t since, uint64_t *ret, size_t max,
		    struct err *e)
{
	CLEANUP(buf_done) struct buf text = {};
	struct slice rest, line, upid;
	struct upid u;
	size_t n = 0;
	int code = root_read(r, ACTIVE_FILE, ACTIVE_BYTES_MAX, &text);

	if (code < 0 && code != -ENOENT)
		return err_set(e, code, ACTIVE_FILE ": %s", strerror(-code));
	rest = buf_slice(&text);
	while (n < max && slice_split(&rest, '\n', &line)) {
		if (!slice_split(&line, ' ', &upid) || !upid_parse(upid, &u))
			continue;
		if (vmid_of(u.id) == vmid && is_stop(u.type) && (int64_t)u.start >= since &&
		    !is_among(number_of(upid), ret, n))
			ret[n++] = number_of(upid);
	}
	return (ssize_t)n;
}

bool task_is_of_node(const struct task *t)
{
	static const char *const types[] = { "startall", "stopall", "migrateall", "suspendall" };

	return is_one_of(slice_of(t->type), types, ARRAY_SIZE(types));
}

void tasks_done(struct tasks *t)
{
	vec_free(t);
}

const struct task *tasks_find(const struct tasks *t, uint32_t vmid)
{
	for (size_t i = 0; vmid && i < t->n; i++)
		if (t->items[i].vmid == vmid)
			return &t->items[i];
	return NULL;
}
