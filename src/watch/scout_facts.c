/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "watch/scout.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>

#include "pve/guest.h"
#include "pve/ha.h"
#include "pve/node.h"
#include "pve/pmxcfs.h"
#include "pve/stopping.h"
#include "pve/task.h"
#include "util/file.h"
#include "util/str.h"
#include "watch/maintenance.h"
#include "watch/scout_runs.h"

/* FNV-1a: tells one config from another, no more. */
static uint64_t add_text(uint64_t h, const char *text)
{
	for (; *text; text++)
		h = (h ^ (unsigned char)*text) * 1099511628211ULL;
	return (h ^ '\n') * 1099511628211ULL;
}

/*
 * Of what the guest is now, without its lock. A stop brings pending changes into effect (Proxmox
 * writes them into the config then), so with such changes there is nothing to compare.
 */
static uint64_t digest_of(const struct guest *g)
{
	uint64_t h = 14695981039346656037ULL;

	for (size_t i = 0; i < g->n_sections; i++)
		if (g->sections[i].kind == GUEST_SECTION_PENDING && g->sections[i].n_options)
			return 0;
	for (size_t i = 0; i < g->sections[0].n_options; i++) {
		const struct guest_option *o = &g->sections[0].options[i];

		if (strcmp(o->key, "lock") != 0)
			h = add_text(add_text(h, o->key), o->value);
	}
	return h ? h : 1;
}

static void take_config(struct scout_facts *ret, const struct guest *g)
{
	const char *onboot = guest_option(&g->sections[0], "onboot");

	(void)snprintf(ret->facts.lock, sizeof(ret->facts.lock), "%s", g->lock ? g->lock : "");
	ret->facts.template = g->template;
	ret->facts.onboot_no = onboot && strcmp(onboot, "0") == 0;
	ret->facts.here = TRI_YES;
	ret->digest = digest_of(g);
}

static void read_config(struct scout_facts *ret, const struct root *root, const char *node,
			const struct scout_question *q, struct arena *a)
{
	CLEANUP(buf_done) struct buf text = {};
	struct diags diags = { .arena = a };
	struct guest g = { .vmid = q->vmid, .type = q->type, .node = node };
	char path[160];
	int r;

	(void)snprintf(path, sizeof(path), "etc/pve/nodes/%s/%s/%u.conf", node,
		       q->type == GUEST_QEMU ? "qemu-server" : "lxc", q->vmid);
	r = root_read(root, path, GUEST_CONFIG_MAX, &text);
	if (r < 0) {
		ret->facts.here = r == -ENOENT ? TRI_NO : TRI_UNKNOWN;
		return;
	}
	g.file = path;
	guest_parse(&g, buf_slice(&text), a, &diags);
	take_config(ret, &g);
	diags_done(&diags);
}

/* An unreadable list of tasks is work under way, as far as we can tell. */
static void read_tasks(struct scout_facts *ret, const struct root *root,
		       const struct scout_question *q, struct arena *a)
{
	struct tasks tasks = {};
	const struct task *t;
	ssize_t stops = 0;

	if (tasks_read(&tasks, root, a, NULL) < 0) {
		(void)snprintf(ret->facts.task, sizeof(ret->facts.task), "unreadable list");
		return;
	}
	vec_each (each, &tasks)
		ret->facts.node_task = ret->facts.node_task || task_is_of_node(each);
	t = tasks_find(&tasks, q->vmid);
	if (t)
		(void)snprintf(ret->facts.task, sizeof(ret->facts.task), "%.31s", t->type);
	if (q->stops_since)
		stops = tasks_stops(root, q->vmid, q->stops_since, ret->stops, WATCH_STOPS_MAX,
				    NULL);
	ret->n_stops = stops > 0 ? (size_t)stops : 0;
	tasks_done(&tasks);
}

static void read_locks(struct scout_facts *ret, const struct root *root,
		       const struct scout_question *q)
{
	struct guest_locks locks = {};

	ret->facts.flocked = guest_locks_read(&locks, root, NULL) < 0 ||
			     guest_locks_find(&locks, q->vmid) != NULL;
	guest_locks_done(&locks);
}

static void read_ha(struct scout_facts *ret, const struct root *root,
		    const struct scout_question *q, int64_t now)
{
	struct ha_service ha;

	if (ha_service_read(&ha, root, q->type, q->vmid, now, NULL) < 0) {
		/* Managed by somebody who cannot be asked: hands off. */
		ret->facts.ha_managed = true;
		return;
	}
	ret->facts.ha_managed = ha.managed;
	ret->facts.ha_awake = ha.awake;
	(void)snprintf(ret->facts.ha_state, sizeof(ret->facts.ha_state), "%s", ha.state);
}

static void read_maintenance(struct scout_facts *ret, const struct root *root,
			     const struct scout_question *q, int64_t now)
{
	CLEANUP(arena_done) struct arena a = {};
	struct maintenance cluster = {}, node = {};
	const struct maintenance_switch *s;

	(void)maintenance_read(&cluster, root, MAINTENANCE_CLUSTER_FILE, &a, NULL);
	(void)maintenance_read(&node, root, MAINTENANCE_FILE, &a, NULL);
	ret->facts.maintenance_cluster = maintenance_find(&cluster, q->vmid, now) != NULL;
	s = maintenance_find(&node, q->vmid, now);
	ret->facts.maintenance_node = s && s->vmid == MAINTENANCE_NODE;
	ret->facts.maintenance_guest = s && s->vmid != MAINTENANCE_NODE;
	maintenance_done(&cluster);
	maintenance_done(&node);
}

static bool is_frozen(const struct root *root, uint32_t vmid)
{
	static const char *const places[] = { "", "/ns" };
	CLEANUP(buf_done) struct buf text = {};
	char path[80];

	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		(void)snprintf(path, sizeof(path), "sys/fs/cgroup/lxc/%u%s/cgroup.events", vmid,
			       places[i]);
		if (root_read(root, path, 4096, &text) >= 0 && strstr(buf_str(&text), "frozen 1"))
			return true;
	}
	return false;
}

/* What ran a second ago may have been stopped since, by the very person who closed its ports. */
static void read_run(struct scout_facts *ret, const struct root *root,
		     const struct scout_question *q)
{
	struct running running = {};
	const struct running_guest *g;

	ret->runs = TRI_UNKNOWN;
	if (running_read(&running, root, NULL) < 0)
		return;
	scout_runs_drop_pretenders(&running, root);
	g = running_find(&running, q->vmid);
	ret->runs = tri_of(g != NULL);
	if (g)
		ret->run = (struct scout_runs){ .type = g->type,
						.incoming = g->incoming,
						.started = scout_runs_started(g) };
	running_done(&running);
}

void scout_facts_read(struct scout_facts *ret, const struct root *root,
		      const struct scout_question *q, int64_t now)
{
	CLEANUP(arena_done) struct arena a = {};
	struct node node;

	*ret = (struct scout_facts){ .facts = { .here = TRI_UNKNOWN, .quorate = TRI_UNKNOWN } };
	if (node_read(&node, root, &a, NULL) < 0)
		return;
	ret->facts.quorate = pmxcfs_quorate(root);
	ret->facts.mvmm = scout_mvmm_lives(root);
	ret->facts.stopping = node_is_stopping(root);
	read_config(ret, root, node.name, q, &a);
	read_run(ret, root, q);
	read_tasks(ret, root, q, &a);
	read_locks(ret, root, q);
	read_ha(ret, root, q, now);
	read_maintenance(ret, root, q, now);
	ret->facts.frozen = q->type == GUEST_LXC && is_frozen(root, q->vmid);
}

/* "/usr/bin/perl -w /usr/local/bin/mvmm", and its children "mvmm monitor for VM 100 [web]". */
static bool is_mvmm(struct slice cmdline)
{
	struct slice rest = cmdline, arg;

	if (slice_starts(cmdline, "mvmm monitor for VM ") ||
	    slice_starts(cmdline, "mvmm supervisor"))
		return true;
	if (!slice_split(&rest, '\0', &arg) || !strstr(cmdline.p, "perl"))
		return false;
	while (slice_split(&rest, '\0', &arg)) {
		if (slice_starts(arg, "-"))
			continue;
		return slice_eq(arg, "mvmm") || slice_ends(arg, "/mvmm");
	}
	return false;
}

/* Not in a container: anybody may give a process any name there. */
static bool is_here(const struct root *root, const char *pid)
{
	CLEANUP(buf_done) struct buf ours = {}, theirs = {};
	char path[300];

	(void)snprintf(path, sizeof(path), "proc/%s/ns/pid", pid);
	return root_readlink(root, "proc/self/ns/pid", &ours) == 0 &&
	       root_readlink(root, path, &theirs) == 0 &&
	       slice_eq2(buf_slice(&ours), buf_slice(&theirs));
}

static bool is_mvmm_process(const struct root *root, int proc, const char *pid, struct buf *text)
{
	char path[300];
	struct stat st;

	/* Root's alone: anybody may give a process any name. */
	if (fstatat(proc, pid, &st, 0) < 0 || st.st_uid != 0)
		return false;
	(void)snprintf(path, sizeof(path), "%s/cmdline", pid);
	return file_read_at(proc, path, 4096, text) >= 0 && text->len &&
	       is_mvmm((struct slice){ buf_str(text), text->len }) && is_here(root, pid);
}

static void close_dir(DIR *const *d)
{
	if (*d)
		(void)closedir(*d);
}

bool scout_mvmm_lives(const struct root *root)
{
	CLEANUP(close_dir) DIR *d = root_opendir(root, "proc");
	CLEANUP(buf_done) struct buf text = {};

	for (const struct dirent *entry; d && (entry = readdir(d));)
		if (isdigit((unsigned char)entry->d_name[0]) &&
		    is_mvmm_process(root, dirfd(d), entry->d_name, &text))
			return true;
	return false;
}
