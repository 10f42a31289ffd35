/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <pwd.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "cmd.h"
#include "pve/cluster.h"
#include "pve/running.h"
#include "util/clock.h"
#include "util/jsonw.h"
#include "util/log.h"
#include "util/str.h"
#include "util/table.h"
#include "watch/optin.h"
#include "watch/prober.h"
#include "watch/resolver.h"
#include "watch/trial.h"

/*
 * The configuration as the supervisor would take it, and every probe tried once, by the same
 * probers. Nothing is kept and nothing is acted on.
 */

#define SCHEMA "pvewarden.watch-config/1"

struct check {
	const struct cli *cli;
	struct root root;
	struct cluster cluster;
	struct running running;
	struct watch_node node;
	struct buf global, text;
	struct diags diags;
	struct arena arena;
	VEC(struct trial) trials;
	bool bad;
};

static void read_file(struct check *c, const char *path, struct buf *ret)
{
	int r = root_read(&c->root, path, 128 * 1024, ret);

	if (r >= 0 || r == -ENOENT)
		return;
	diag_add(&c->diags, path, 0, "%s", strerror(-r));
}

static const char *problem_of(const struct trial *t, bool known)
{
	return known ? watch_settings_problem(&t->settings) : "no guest of the cluster has this id";
}

/* @own: the text of its file, NULL p without one. */
static void add_trial(struct check *c, uint32_t vmid, const struct guest *g, struct slice own,
		      const char *file)
{
	struct trial *t = vec_push(&c->trials);
	struct watch_optin optin;

	if (g)
		watch_optin_read(&optin, g, c->node.tag);
	watch_settings_of(&t->settings, buf_slice(&c->global), own, file, g ? &optin : NULL,
			  &c->diags);
	t->vmid = vmid;
	t->name = t->settings.name[0] ? t->settings.name : g ? g->name : "no such guest";
	t->by_file = own.p != NULL;
	t->here = g && strcmp(g->node, c->cluster.node.name) == 0;
	t->node = g ? g->node : NULL;
	t->runs = running_find(&c->running, vmid) != NULL;
	t->problem = problem_of(t, g != NULL);
	c->bad = c->bad || (t->problem && t->settings.enabled != TRI_NO);
}

static bool is_listed(const struct check *c, uint32_t vmid)
{
	for (size_t i = 0; i < c->trials.n; i++)
		if (c->trials.items[i].vmid == vmid)
			return true;
	return false;
}

static void add_file(struct check *c, uint32_t vmid)
{
	char path[64];

	(void)snprintf(path, sizeof(path), "etc/pve/mvmm/%u.conf", vmid);
	buf_reset(&c->text);
	read_file(c, path, &c->text);
	add_trial(c, vmid, cluster_guest(&c->cluster, vmid), buf_slice(&c->text),
		  arena_str(&c->arena, slice_of(path)));
}

static void add_files(struct check *c)
{
	DIR *d = root_opendir(&c->root, "etc/pve/mvmm");
	uint32_t vmid;

	for (struct dirent *entry; d && (entry = readdir(d));) {
		struct slice name = slice_of(entry->d_name);

		if (!slice_ends(name, ".conf"))
			continue;
		name.n -= strlen(".conf");
		if (str_to_u32(name, &vmid) && vmid >= VMID_MIN && vmid <= VMID_MAX)
			add_file(c, vmid);
	}
	if (d)
		(void)closedir(d);
}

static void add_tagged(struct check *c)
{
	for (size_t i = 0; i < c->cluster.n_guests; i++) {
		const struct guest *g = &c->cluster.guests[i];
		struct watch_optin optin;

		watch_optin_read(&optin, g, c->node.tag);
		if (optin.tagged && !is_listed(c, g->vmid))
			add_trial(c, g->vmid, g, (struct slice){}, "");
	}
}

static int by_vmid(const void *a, const void *b)
{
	const struct trial *x = a, *y = b;

	return x->vmid < y->vmid ? -1 : x->vmid > y->vmid;
}

static void read_all(struct check *c)
{
	static const char *const files[] = { "etc/pve/pvewarden/pvewarden.conf",
					     "etc/pvewarden/pvewarden.conf" };
	struct watch_settings unused;

	c->diags.arena = &c->arena;
	watch_node_default(&c->node);
	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		buf_reset(&c->text);
		read_file(c, files[i], &c->text);
		watch_node_read(&c->node, buf_slice(&c->text), files[i], &c->arena, &c->diags);
	}
	read_file(c, "etc/pve/mvmm/mvmm.conf", &c->global);
	watch_settings_default(&unused);
	watch_settings_read(&unused, buf_slice(&c->global), "etc/pve/mvmm/mvmm.conf", &c->diags);
	add_files(c);
	add_tagged(c);
	if (c->trials.n)
		qsort(c->trials.items, c->trials.n, sizeof(c->trials.items[0]), by_vmid);
}

static void show_text(const struct check *c, struct buf *out)
{
	struct table t = {};

	for (size_t i = 0; i < c->diags.n; i++)
		buf_addf(out, "/%s, line %u: %s\n", c->diags.items[i].file, c->diags.items[i].line,
			 c->diags.items[i].text);
	if (c->diags.n)
		buf_addc(out, '\n');
	trials_table(c->trials.items, c->trials.n, &t);
	table_write(&t, out, 0, term_width(), c->cli->color);
	table_done(&t);
	if (!c->trials.n)
		buf_adds(out, "No guest is watched: write /etc/pve/mvmm/VMID.conf, or give a guest "
			      "the tag mon-restart.\n");
}

static void show_json(const struct check *c, struct buf *out)
{
	struct jsonw w;

	jsonw_begin(&w, out);
	jsonw_str(&w, "schema", SCHEMA);
	jsonw_str(&w, "node", c->cluster.node.name);
	jsonw_array(&w, "problems");
	for (size_t i = 0; i < c->diags.n; i++) {
		jsonw_row(&w, NULL);
		jsonw_fmt(&w, "file", "/%s", c->diags.items[i].file);
		jsonw_u64(&w, "line", c->diags.items[i].line);
		jsonw_str(&w, "text", c->diags.items[i].text);
		jsonw_close(&w);
	}
	jsonw_close(&w);
	trials_json(c->trials.items, c->trials.n, &w);
	jsonw_end(&w);
}

static int answer(struct check *c)
{
	CLEANUP(buf_done) struct buf out = {};
	int status = c->bad || c->diags.n ? CLI_WARNING : CLI_OK;

	if (c->cli->json)
		show_json(c, &out);
	else
		show_text(c, &out);
	for (size_t i = 0; i < c->trials.n && status == CLI_OK; i++)
		if (c->trials.items[i].tried && c->trials.items[i].verdict != PROBE_GOOD)
			status = CLI_WARNING;
	fwrite(out.data, 1, out.len, stdout);
	return fflush(stdout) == 0 ? status : CLI_INTERNAL;
}

static void check_done(struct check *c)
{
	vec_free(&c->trials);
	diags_done(&c->diags);
	buf_done(&c->global);
	buf_done(&c->text);
	running_done(&c->running);
	cluster_done(&c->cluster);
	arena_done(&c->arena);
	root_close(&c->root);
}

int cmd_watch_check_config(const struct cli *cli)
{
	CLEANUP(check_done) struct check c = { .cli = cli };
	struct err e = {};

	/* No session: its guard is a thread, and probers are forked. */
	if (root_open(&c.root, cli_value(cli, "root"), &e) < 0)
		return cli_usage(cli, "--root: %s", e.text);
	if (c.root.live && geteuid() != 0) {
		log_error("watch check-config needs root: it opens QEMU's sockets");
		return CLI_NOPERM;
	}
	if (cluster_read(&c.cluster, &c.root, &e) < 0) {
		log_error("%s", e.text);
		return CLI_UNKNOWN;
	}
	(void)running_read(&c.running, &c.root, NULL);
	read_all(&c);
	if (c.root.live)
		trials_run(c.trials.items, c.trials.n);
	return answer(&c);
}
