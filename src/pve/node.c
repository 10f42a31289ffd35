/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "pve/node.h"

#include <errno.h>
#include <sys/utsname.h>

#include "pve/capture.h"
#include "pve/pmxcfs.h"
#include "pve/procstat.h"
#include "util/clock.h"
#include "util/str.h"

#define PVECFG_FILE "usr/share/perl5/PVE/pvecfg.pm"

/* Who says that the node has which name; NULL where nobody does. */
struct names {
	const char *machine; /* uname, or capture.json under a recorded root */
	const char *members;
	const char *local; /* NAME of the link etc/pve/local -> nodes/NAME */
};

static bool exists(const struct root *r, const char *path)
{
	struct stat st;

	return root_stat(r, path, &st) == 0;
}

/* The text between the first pair of quotes, of either kind, in @s. */
static bool quoted(struct slice s, struct slice *ret)
{
	for (size_t i = 0; i < s.n; i++) {
		size_t len;

		if (s.p[i] != '\'' && s.p[i] != '"')
			continue;
		len = slice_find(slice_from(s, i + 1), s.p[i]);
		*ret = (struct slice){ s.p + i + 1, len };
		return len > 0 && i + 1 + len < s.n;
	}
	return false;
}

/* What the sub of that name returns; not version_text where version is asked for. */
static bool sub_value(struct slice rest, const char *sub, struct slice *ret)
{
	for (;;) {
		const char *at = memmem(rest.p, rest.n, sub, strlen(sub));

		if (!at)
			return false;
		rest = slice_from(rest, (size_t)(at - rest.p) + strlen(sub));
		if (rest.n && (str_is_space(rest.p[0]) || rest.p[0] == '{'))
			return quoted(rest, ret);
	}
}

const char *node_pve_release(const struct root *r, struct arena *a)
{
	CLEANUP(buf_done) struct buf text = {};
	struct slice version;

	if (root_read(r, PVECFG_FILE, 65536, &text) < 0 ||
	    !sub_value(buf_slice(&text), "sub version", &version))
		return NULL;
	return arena_str(a, version);
}

const char *node_pve_manager(const struct root *r, struct arena *a)
{
	CLEANUP(buf_done) struct buf text = {};
	struct slice version, repoid;

	if (root_read(r, PVECFG_FILE, 65536, &text) < 0 ||
	    !sub_value(buf_slice(&text), "sub version", &version) ||
	    !sub_value(buf_slice(&text), "sub repoid", &repoid))
		return NULL;
	return arena_fmt(a, "pve-manager/" SLICE_FMT "/" SLICE_FMT, SLICE_ARG(version),
			 SLICE_ARG(repoid));
}

static const char *local_name(const struct root *r, struct arena *a)
{
	CLEANUP(buf_done) struct buf target = {};
	struct slice s;

	if (root_readlink(r, "etc/pve/local", &target) < 0)
		return NULL;
	s = buf_slice(&target);
	if (slice_starts(s, "/etc/pve/"))
		s = slice_from(s, strlen("/etc/pve/"));
	if (!slice_starts(s, "nodes/") || s.n == strlen("nodes/"))
		return NULL;
	return arena_str(a, slice_from(s, strlen("nodes/")));
}

static const char *members_name(const struct root *r, struct arena *a)
{
	struct members m;

	return members_read(&m, r, a, NULL) == 0 ? m.nodename : NULL;
}

/* Proxmox takes the host's name up to the first dot. */
static void read_live(struct node *n, struct names *names, const struct root *r, struct arena *a)
{
	struct utsname u;

	n->now = clock_now();
	n->boot_time = procstat_boot_time(r);
	n->quorate = pmxcfs_quorate(r);
	if (uname(&u) < 0)
		return;
	n->kernel = arena_str(a, slice_of(u.release));
	names->machine = arena_strndup(a, u.nodename, strcspn(u.nodename, "."));
}

/* An RFC 3339 member; false when it is there and cannot be read. */
static bool capture_time(const json_t *doc, const char *key, int64_t *ret)
{
	const json_t *v = json_object_get(doc, key);

	if (!v || json_is_null(v))
		return true;
	return json_is_string(v) && clock_parse(slice_of(json_string_value(v)), ret);
}

static int take_capture(struct node *n, struct names *names, const json_t *doc, struct arena *a,
			struct err *e)
{
	const json_t *quorate = json_object_get(doc, "quorate");
	const char *name = json_str(doc, "node"), *kernel = json_str(doc, "kernel");

	if (!capture_time(doc, "time", &n->now) || !capture_time(doc, "boot_time", &n->boot_time))
		return err_set(e, -EBADMSG,
			       "capture.json: time and boot_time: expected RFC 3339 in UTC");
	if (json_is_boolean(quorate))
		n->quorate = tri_of(json_is_true(quorate));
	if (name && *name)
		names->machine = arena_str(a, slice_of(name));
	if (kernel)
		n->kernel = arena_str(a, slice_of(kernel));
	return 0;
}

static int read_recorded(struct node *n, struct names *names, const struct root *r, struct arena *a,
			 struct err *e)
{
	CLEANUP(capture_free) json_t *doc = NULL;
	CLEANUP(buf_done) struct buf release = {};
	int code;

	n->now = clock_now();
	n->boot_time = procstat_boot_time(r);
	n->quorate = TRI_UNKNOWN;
	if (root_read_line(r, "proc/sys/kernel/osrelease", &release) == 0)
		n->kernel = arena_str(a, buf_slice(&release));
	code = capture_read(r, &doc, e);
	if (code < 0)
		return code == -ENOENT ? 0 : code;
	return take_capture(n, names, doc, a, e);
}

static const char *first_of(const struct names *n)
{
	return n->machine ? n->machine : n->members ? n->members : n->local;
}

static bool differs(const char *a, const char *b)
{
	return a && b && strcmp(a, b) != 0;
}

static int check_names(const struct names *n, bool live, struct err *e)
{
	const char *machine = live ? "the host name" : "capture.json";

	if (differs(n->machine, n->members))
		return err_set(e, -EUCLEAN,
			       "%s says node '%.100s', etc/pve/.members says '%.100s': expected "
			       "one name",
			       machine, n->machine, n->members);
	if (differs(n->machine, n->local))
		return err_set(e, -EUCLEAN,
			       "%s says node '%.100s', etc/pve/local leads to '%.100s': expected "
			       "one name",
			       machine, n->machine, n->local);
	if (differs(n->members, n->local))
		return err_set(e, -EUCLEAN,
			       "etc/pve/.members says node '%.100s', etc/pve/local leads to "
			       "'%.100s': expected one name",
			       n->members, n->local);
	return 0;
}

int node_read(struct node *ret, const struct root *r, struct arena *a, struct err *e)
{
	struct node n = { .recorded = !r->live };
	struct names names = {};
	int code = 0;

	if (!exists(r, "etc/pve") && !exists(r, PVECFG_FILE))
		return err_set(e, -ENODEV,
			       "%s is no Proxmox VE node: neither etc/pve nor " PVECFG_FILE
			       " is there%s",
			       r->live ? "this machine" : r->path,
			       r->live ? " (--root DIR looks at a recorded node)" : "");
	if (r->live)
		read_live(&n, &names, r, a);
	else
		code = read_recorded(&n, &names, r, a, e);
	if (code < 0)
		return code;
	names.members = members_name(r, a);
	names.local = local_name(r, a);
	n.name = first_of(&names);
	if (!n.name)
		n.name = "unknown";
	n.release = node_pve_release(r, a);
	*ret = n;
	return check_names(&names, r->live, e);
}
