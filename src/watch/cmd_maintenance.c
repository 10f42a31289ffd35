/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include <errno.h>
#include <stdio.h>

#include "cmd.h"
#include "pve/guest.h"
#include "pve/node.h"
#include "pve/pmxcfs.h"
#include "pve/session.h"
#include "util/clock.h"
#include "util/jsonw.h"
#include "util/log.h"
#include "util/str.h"
#include "util/term.h"
#include "watch/maintenance.h"

#define SCHEMA "pvewarden.watch-maintenance/1"

const struct cli_option watch_maintenance_options[] = {
	{ "for", "DURATION", "on: ends by itself after that (default: when somebody says off)" },
	{ "cluster", NULL, "for all nodes of the cluster instead of this one" },
	{},
};

struct run {
	const struct cli *cli;
	struct root root;
	struct arena arena;
	const char *node; /* its name */
	int64_t now;
	bool change, on, cluster;
	uint32_t vmid;
	int64_t length; /* seconds, 0: open end */
	struct buf out;
};

static int parse_options(struct run *r)
{
	const struct cli *cli = r->cli;
	const char *word = cli->n_operands ? cli->operands[0] : NULL;
	const char *vmid = cli->n_operands > 1 ? cli->operands[1] : NULL;

	r->change = word != NULL;
	r->on = word && strcmp(word, "on") == 0;
	r->cluster = cli_has(cli, "cluster");
	if (word && !r->on && strcmp(word, "off") != 0)
		return cli_usage(cli, "'%s': expected on or off", word);
	if (vmid &&
	    (!str_to_u32(slice_of(vmid), &r->vmid) || r->vmid < VMID_MIN || r->vmid > VMID_MAX))
		return cli_usage(cli, "'%s': expected a guest's id, 100 to 999999999", vmid);
	if (cli_has(cli, "for") && !r->on)
		return cli_usage(cli, "--for goes with on");
	if (!r->change && r->cluster)
		return cli_usage(cli, "--cluster goes with on or off");
	if (!cli_duration(cli, "for", &r->length))
		return CLI_USAGE;
	if (cli_has(cli, "for") && r->length == 0)
		return cli_usage(cli, "--for: expected some time");
	return 0;
}

/* --- what holds ---------------------------------------------------------------------------- */

static void say(struct run *r, const struct maintenance_switch *s, bool cluster)
{
	char when[CLOCK_TEXT_MAX], left[CLOCK_TEXT_MAX], by[128];

	if (s->vmid)
		buf_addf(&r->out, "Guest %u is", s->vmid);
	else
		buf_adds(&r->out, "All guests are");
	buf_addf(&r->out, " in maintenance %s", cluster ? "in the whole cluster" : "on this node");
	if (s->since)
		buf_addf(&r->out, " since %s", clock_rfc3339(s->since, when));
	if (s->until)
		buf_addf(&r->out, " until %s (%s left)", clock_rfc3339(s->until, when),
			 clock_duration(s->until - r->now, left));
	str_printable(by, sizeof(by), slice_of(s->by));
	buf_addf(&r->out, ", by %s.\n", by);
}

static void write_row(struct jsonw *w, const struct maintenance_switch *s, bool cluster)
{
	jsonw_row(w, NULL);
	jsonw_u64(w, "vmid", s->vmid);
	jsonw_str(w, "scope", cluster ? "cluster" : "node");
	jsonw_time(w, "since", s->since);
	jsonw_time(w, "until", s->until);
	jsonw_str(w, "by", s->by);
	jsonw_close(w);
}

/* One file's switches that hold, in one of both ways; how many. */
static size_t add_file(struct run *r, struct jsonw *w, const char *file, struct err *e)
{
	bool cluster = strcmp(file, MAINTENANCE_CLUSTER_FILE) == 0;
	struct maintenance m;
	size_t n = 0;

	(void)maintenance_read(&m, &r->root, file, &r->arena, e);
	vec_each (s, &m) {
		if (s->until && s->until <= r->now)
			continue;
		n++;
		if (w)
			write_row(w, s, cluster);
		else
			say(r, s, cluster);
	}
	maintenance_done(&m);
	return n;
}

static int show_json(struct run *r, struct err e[2])
{
	struct jsonw w;

	jsonw_begin(&w, &r->out);
	jsonw_str(&w, "schema", SCHEMA);
	jsonw_str(&w, "node", r->node);
	jsonw_time(&w, "time", r->now);
	jsonw_array(&w, "maintenance");
	(void)add_file(r, &w, MAINTENANCE_CLUSTER_FILE, &e[0]);
	(void)add_file(r, &w, MAINTENANCE_FILE, &e[1]);
	jsonw_close(&w);
	jsonw_array(&w, "blind");
	for (int i = 0; i < 2; i++)
		if (*e[i].text)
			jsonw_str(&w, NULL, e[i].text);
	jsonw_close(&w);
	jsonw_end(&w);
	return *e[0].text || *e[1].text ? CLI_UNKNOWN : CLI_OK;
}

static int show(struct run *r)
{
	struct err e[2] = {};
	size_t n;

	if (r->cli->json)
		return show_json(r, e);
	n = add_file(r, NULL, MAINTENANCE_CLUSTER_FILE, &e[0]);
	n += add_file(r, NULL, MAINTENANCE_FILE, &e[1]);
	if (!n)
		buf_addf(&r->out,
			 "Nothing is in maintenance on %s: guests that fail are restarted.\n",
			 r->node);
	for (int i = 0; i < 2; i++)
		if (*e[i].text)
			log_error("%s (say on or off to write it anew)", e[i].text);
	return *e[0].text || *e[1].text ? CLI_UNKNOWN : CLI_OK;
}

/* --- the change ---------------------------------------------------------------------------- */

/* A switch for a guest that is not there is a typing error; taking one away is always allowed. */
static int check_guest(struct run *r)
{
	struct vmlist list;
	const struct vmlist_entry *found = NULL;

	if (!r->vmid || !r->on || vmlist_read(&list, &r->root, &r->arena, NULL) < 0)
		return 0;
	for (size_t i = 0; i < list.n; i++)
		if (list.guests[i].vmid == r->vmid)
			found = &list.guests[i];
	if (!found)
		return cli_usage(r->cli, "there is no guest %u", r->vmid);
	if (!r->cluster && strcmp(found->node, r->node) != 0)
		log_warn("guest %u is on node %s: this switch holds while it is here (--cluster "
			 "holds everywhere)",
			 r->vmid, found->node);
	return 0;
}

static const char *why_not_in_cluster(const struct root *root)
{
	switch (pmxcfs_quorate(root)) {
	case TRI_NO:
		return "this node has no quorum, so nobody can write to /etc/pve: nothing was changed "
		       "(without --cluster it holds on this node)";
	case TRI_UNKNOWN:
		return "/etc/pve is not there, so nothing was changed (does pve-cluster run?)";
	case TRI_YES:
	default:
		return NULL;
	}
}

/* sudo tells who it was. */
static const char *who(struct arena *a)
{
	const char *user = getenv("SUDO_USER");
	char shown[64];

	if (!user || !*user)
		return "root";
	str_printable(shown, sizeof(shown), slice_of(user));
	return arena_str(a, slice_of(shown));
}

static int change(struct run *r)
{
	const char *why_not = r->cluster ? why_not_in_cluster(&r->root) : NULL;
	struct err e = {};
	int code;

	if (why_not) {
		log_error("%s", why_not);
		return CLI_CRITICAL;
	}
	code = check_guest(r);
	if (code)
		return code;
	code = maintenance_set(&r->root, r->cluster ? MAINTENANCE_CLUSTER_FILE : MAINTENANCE_FILE,
			       r->vmid, r->on, r->now, r->length ? r->now + r->length : 0,
			       who(&r->arena), &e);
	if (code < 0) {
		log_error("%s", e.text);
		return CLI_CRITICAL;
	}
	return 0;
}

/* A node that contradicts itself, or one without /etc/pve, can be put into maintenance all the
 * same.
 */
static void read_node(struct run *r)
{
	struct node node;

	r->now = clock_now();
	r->node = "this node";
	if (node_read(&node, &r->root, &r->arena, NULL) < 0)
		return;
	r->node = node.name;
	r->now = node.now;
}

static int with_root(struct run *r)
{
	int code = 0;

	if (r->change && !r->root.live)
		return cli_usage(r->cli, "a recorded node's maintenance cannot be changed");
	read_node(r);
	if (r->change)
		code = change(r);
	if (code == 0)
		code = show(r);
	return r->out.len ? session_answer(&r->out, code) : code;
}

int cmd_watch_maintenance(const struct cli *cli)
{
	struct run r = { .cli = cli };
	int code = parse_options(&r);

	if (code == 0)
		code = session_begin(cli, SCHEMA, &r.root);
	if (code)
		return code;
	code = with_root(&r);
	session_end(&r.root);
	buf_done(&r.out);
	arena_done(&r.arena);
	return code;
}
