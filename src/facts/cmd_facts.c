/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "cmd.h"

#include <stdio.h>

#include "pve/cluster.h"
#include "pve/running.h"
#include "pve/session.h"
#include "util/clock.h"
#include "util/jsonw.h"
#include "util/table.h"

/*
 * `facts`: what the program understood of this node, so that a person can see why it judged as it
 * did. Reads Proxmox' files only.
 */

struct facts {
	const struct cli *cli;
	struct cluster cluster;
	struct running running;
	struct buf out;
	struct jsonw json;
	struct table table;
};

struct subject {
	const char *schema;
	const char *list; /* key of the rows in the document, NULL: no list */
	void (*columns)(struct table *t);
	void (*rows)(struct facts *f);
	void (*members)(struct facts *f); /* beside the list, JSON only; may be NULL */
};

static const char *guest_status(const struct facts *f, const struct guest *g)
{
	const struct running_guest *r = running_find(&f->running, g->vmid);
	const struct rrd_entry *sample = rrd_guest(&f->cluster.rrd, g->vmid);

	if (strcmp(g->node, f->cluster.node.name) == 0)
		return r && r->type == g->type ? "running" : "stopped";
	return sample && sample->status ? sample->status : "unknown";
}

static void json_volumes(struct jsonw *w, const struct guest *g)
{
	jsonw_array(w, "volumes");
	for (size_t i = 0; i < g->n_volumes; i++) {
		const struct guest_volume *v = &g->volumes[i];

		jsonw_row(w, NULL);
		jsonw_str(w, "section", v->section ? v->section->name : NULL);
		jsonw_str(w, "key", v->key);
		jsonw_str(w, "storage", v->storage);
		jsonw_str(w, "volume", v->volname);
		jsonw_u64(w, "line", v->line);
		jsonw_close(w);
	}
	jsonw_close(w);
}

static void json_guest(struct facts *f, const struct guest *g)
{
	struct jsonw *w = &f->json;

	jsonw_object(w, NULL);
	jsonw_u64(w, "vmid", g->vmid);
	jsonw_str(w, "type", guest_type_name(g->type));
	jsonw_str(w, "name", g->name);
	jsonw_str(w, "node", g->node);
	jsonw_str(w, "status", guest_status(f, g));
	jsonw_str(w, "lock", g->lock);
	jsonw_bool(w, "template", g->template);
	jsonw_str(w, "file", g->file);
	jsonw_array(w, "snapshots");
	for (size_t i = 0; i < g->n_sections; i++)
		if (g->sections[i].kind == GUEST_SECTION_SNAPSHOT)
			jsonw_str(w, NULL, g->sections[i].name);
	jsonw_close(w);
	json_volumes(w, g);
	jsonw_close(w);
}

static size_t count_snapshots(const struct guest *g)
{
	size_t n = 0;

	for (size_t i = 0; i < g->n_sections; i++)
		n += g->sections[i].kind == GUEST_SECTION_SNAPSHOT;
	return n;
}

static void guest_columns(struct table *t)
{
	table_column(t, "ID", TABLE_RIGHT);
	table_column(t, "TYPE", 0);
	table_column(t, "NAME", TABLE_ELASTIC);
	table_column(t, "NODE", 0);
	table_column(t, "STATUS", 0);
	table_column(t, "LOCK", 0);
	table_column(t, "VOLUMES", TABLE_RIGHT);
	table_column(t, "SNAPSHOTS", TABLE_RIGHT);
}

static void guest_rows(struct facts *f)
{
	for (size_t i = 0; i < f->cluster.n_guests; i++) {
		const struct guest *g = &f->cluster.guests[i];

		if (f->cli->json) {
			json_guest(f, g);
			continue;
		}
		table_addf(&f->table, "%u", g->vmid);
		table_add(&f->table, g->type == GUEST_QEMU ? "VM" : "CT");
		table_add(&f->table, g->name);
		table_add(&f->table, g->node);
		table_add(&f->table, guest_status(f, g));
		table_add(&f->table, g->lock);
		table_addf(&f->table, "%zu", g->n_volumes);
		table_addf(&f->table, "%zu", count_snapshots(g));
	}
}

static void storage_columns(struct table *t)
{
	table_column(t, "ID", 0);
	table_column(t, "TYPE", 0);
	table_column(t, "VG", 0);
	table_column(t, "THIN POOL", 0);
	table_column(t, "SHARED", 0);
	table_column(t, "HERE", 0);
	table_column(t, "NODES", TABLE_ELASTIC);
	table_column(t, "CONTENT", TABLE_ELASTIC);
}

static void json_storage(struct jsonw *w, const struct storage *s, bool here)
{
	jsonw_row(w, NULL);
	jsonw_str(w, "id", s->id);
	jsonw_str(w, "type", s->type);
	jsonw_str(w, "vgname", s->vgname);
	jsonw_str(w, "thinpool", s->thinpool);
	jsonw_bool(w, "shared", s->shared);
	jsonw_bool(w, "disabled", s->disabled);
	jsonw_bool(w, "tagged_only", s->tagged_only);
	jsonw_bool(w, "here", here);
	jsonw_str(w, "nodes", s->nodes);
	jsonw_str(w, "content", s->content);
	jsonw_close(w);
}

static void storage_rows(struct facts *f)
{
	for (size_t i = 0; i < f->cluster.storages.n; i++) {
		const struct storage *s = &f->cluster.storages.storages[i];
		bool here = !s->disabled && storage_on_node(s, f->cluster.node.name);

		if (f->cli->json) {
			json_storage(&f->json, s, here);
			continue;
		}
		table_add(&f->table, s->id);
		table_add(&f->table, s->type);
		table_add(&f->table, s->vgname);
		table_add(&f->table, s->thinpool);
		table_add(&f->table, s->shared ? "yes" : "no");
		table_add(&f->table, here ? "yes" : s->disabled ? "disabled" : "no");
		table_add(&f->table, s->nodes ? s->nodes : "all");
		table_add(&f->table, s->content);
	}
}

static void pair_columns(struct table *t)
{
	table_column(t, "FACT", 0);
	table_column(t, "VALUE", TABLE_ELASTIC);
}

static void pair(struct facts *f, const char *key, const char *value)
{
	if (f->cli->json) {
		jsonw_str(&f->json, key, value);
		return;
	}
	table_add(&f->table, key);
	table_add(&f->table, value);
}

static void pair_time(struct facts *f, const char *key, int64_t value)
{
	char text[CLOCK_TEXT_MAX];

	pair(f, key, value ? clock_rfc3339(value, text) : NULL);
}

static void node_rows(struct facts *f)
{
	const struct node *n = &f->cluster.node;

	pair(f, "node", n->name);
	pair(f, "release", n->release);
	pair(f, "kernel", n->kernel);
	pair_time(f, "time", n->now);
	pair_time(f, "boot_time", n->boot_time);
	pair(f, "recorded", n->recorded ? "yes" : "no");
}

static void member_columns(struct table *t)
{
	table_column(t, "NODE", 0);
	table_column(t, "ID", TABLE_RIGHT);
	table_column(t, "ONLINE", 0);
	table_column(t, "ADDRESS", 0);
}

static void member_rows(struct facts *f)
{
	for (size_t i = 0; i < f->cluster.members.n_nodes; i++) {
		const struct member *m = &f->cluster.members.nodes[i];

		if (f->cli->json) {
			jsonw_row(&f->json, NULL);
			jsonw_str(&f->json, "name", m->name);
			jsonw_u64(&f->json, "id", m->id);
			jsonw_bool(&f->json, "online", m->online);
			jsonw_str(&f->json, "ip", m->ip);
			jsonw_close(&f->json);
			continue;
		}
		table_add(&f->table, m->name);
		table_addf(&f->table, "%u", m->id);
		table_add(&f->table, m->online ? "yes" : "no");
		table_add(&f->table, m->ip);
	}
}

static const char *quorum(const struct cluster *c)
{
	static const char *const words[] = { "no", "yes", "unknown" };
	enum tri q = c->node.quorate;

	if (q == TRI_UNKNOWN && c->members.nodename)
		q = tri_of(c->members.quorate);
	return words[q];
}

static void cluster_members(struct facts *f)
{
	const struct cluster *c = &f->cluster;

	if (f->cli->json) {
		jsonw_str(&f->json, "kind", c->members.clustered ? "cluster" : "standalone");
		jsonw_str(&f->json, "name", c->members.cluster_name);
		jsonw_str(&f->json, "quorate", quorum(c));
		jsonw_u64(&f->json, "config_version", c->members.config_version);
		return;
	}
	if (c->members.clustered)
		buf_addf(&f->out, "cluster %s, ", c->members.cluster_name);
	else
		buf_adds(&f->out, "standalone node, ");
	buf_addf(&f->out, "quorum: %s\n", quorum(c));
}

static void show_blind(struct facts *f)
{
	const struct cluster *c = &f->cluster;

	if (f->cli->json) {
		jsonw_array(&f->json, "blind");
		for (size_t i = 0; i < c->n_blind; i++)
			jsonw_str(&f->json, NULL, c->blind[i]);
		jsonw_close(&f->json);
		return;
	}
	for (size_t i = 0; i < c->n_blind; i++) {
		buf_adds(&f->out, "could not tell everything: ");
		term_add(&f->out, f->cli->color, TERM_YELLOW, c->blind[i]);
		buf_addc(&f->out, '\n');
	}
}

static void show_diags(struct facts *f)
{
	const struct diags *d = &f->cluster.diags;

	if (f->cli->json)
		jsonw_array(&f->json, "diagnostics");
	for (size_t i = 0; i < d->n; i++) {
		const struct diag *x = &d->items[i];

		if (f->cli->json) {
			jsonw_row(&f->json, NULL);
			jsonw_str(&f->json, "file", x->file);
			jsonw_u64(&f->json, "line", x->line);
			jsonw_str(&f->json, "text", x->text);
			jsonw_close(&f->json);
		} else {
			buf_addf(&f->out, "%s/%s, line %u: ", i ? "" : "\n", x->file, x->line);
			term_add(&f->out, false, TERM_PLAIN, x->text);
			buf_addc(&f->out, '\n');
		}
	}
	if (f->cli->json)
		jsonw_close(&f->json);
}

static void show_json(struct facts *f, const struct subject *s)
{
	jsonw_begin(&f->json, &f->out);
	jsonw_str(&f->json, "schema", s->schema);
	if (s->list)
		jsonw_str(&f->json, "node", f->cluster.node.name);
	if (s->members)
		s->members(f);
	if (s->list)
		jsonw_array(&f->json, s->list);
	s->rows(f);
	if (s->list)
		jsonw_close(&f->json);
	show_blind(f);
	show_diags(f);
	jsonw_end(&f->json);
}

static void show_text(struct facts *f, const struct subject *s)
{
	show_blind(f);
	if (s->members)
		s->members(f);
	s->columns(&f->table);
	s->rows(f);
	if (f->table.n)
		table_write(&f->table, &f->out, 0, term_width(), f->cli->color);
	show_diags(f);
}

static int show(const struct cli *cli, const struct subject *s)
{
	struct facts f = { .cli = cli };
	struct err e = {};
	struct root root;
	int r = session_begin(cli, s->schema, &root);

	if (r)
		return r;
	if (cluster_read(&f.cluster, &root, &e) < 0 || running_read(&f.running, &root, &e) < 0) {
		r = session_could_not_tell(cli, s->schema, e.text);
	} else {
		if (cli->json)
			show_json(&f, s);
		else
			show_text(&f, s);
		r = session_answer(&f.out, f.cluster.n_blind ? CLI_UNKNOWN : CLI_OK);
	}
	table_done(&f.table);
	buf_done(&f.out);
	running_done(&f.running);
	cluster_done(&f.cluster);
	session_end(&root);
	return r;
}

int cmd_facts_guests(const struct cli *cli)
{
	static const struct subject s = { "pvewarden.guests/1", "guests", guest_columns, guest_rows,
					  NULL };

	return show(cli, &s);
}

int cmd_facts_storages(const struct cli *cli)
{
	static const struct subject s = { "pvewarden.storages/1", "storages", storage_columns,
					  storage_rows, NULL };

	return show(cli, &s);
}

int cmd_facts_node(const struct cli *cli)
{
	static const struct subject s = { "pvewarden.node/1", NULL, pair_columns, node_rows, NULL };

	return show(cli, &s);
}

int cmd_facts_cluster(const struct cli *cli)
{
	static const struct subject s = { "pvewarden.cluster/1", "nodes", member_columns,
					  member_rows, cluster_members };

	return show(cli, &s);
}
