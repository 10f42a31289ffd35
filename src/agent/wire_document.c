/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "agent/wire_document.h"

#include "agent/guestlive.h"
#include "agent/parts.h"
#include "agent/wire.h"
#include "pve/procstat.h"
#include "util/clock.h"
#include "util/str.h"

/* Configs stop here, so that the rest of the document has room below WIRE_BODY_MAX. */
#define CONFIGS_UP_TO ((size_t)6 * 1024 * 1024)

/* pmxcfs answers within milliseconds where all is well. */
enum { SLOW_MS = 1000 };

static void write_head(struct jsonw *w, const struct collect_ask *ask, const char *node,
		       int64_t now)
{
	jsonw_str(w, "schema", WIRE_SCHEMA);
	jsonw_str(w, "node", node);
	jsonw_slice(w, "instance",
		    (struct slice){ ask->instance, strnlen(ask->instance, sizeof(ask->instance)) });
	jsonw_u64(w, "sequence", ask->sequence);
	jsonw_time(w, "collected_at", now);
	jsonw_u64(w, "interval", ask->interval);
}

static const char *or_null(const char *text)
{
	return text && *text ? text : NULL;
}

static void write_cluster(struct jsonw *w, const struct picture *p)
{
	const struct members *m = &p->members;

	jsonw_row(w, "cluster");
	jsonw_str(w, "uuid", or_null(p->uuid));
	jsonw_str(w, "name", m->clustered ? or_null(m->cluster_name) : NULL);
	if (m->clustered)
		jsonw_u64(w, "config_version", m->config_version);
	else
		jsonw_null(w, "config_version");
	if (p->members_known)
		jsonw_bool(w, "clustered", m->clustered);
	else
		jsonw_null(w, "clustered");
	jsonw_close(w);
}

static void write_tri(struct jsonw *w, const char *key, enum tri v)
{
	if (v == TRI_UNKNOWN)
		jsonw_null(w, key);
	else
		jsonw_bool(w, key, v == TRI_YES);
}

static void write_view(struct jsonw *w, const struct picture *p)
{
	write_tri(w, "quorate", p->quorate);
	jsonw_bool(w, "complete", p->complete);
	jsonw_bool(w, "reporter", p->reporter);
	jsonw_array(w, "blind");
	for (size_t i = 0; i < p->n_blind; i++)
		jsonw_str(w, NULL, p->blind[i]);
	if (p->blind_dropped)
		jsonw_fmt(w, NULL, "and %zu more", p->blind_dropped);
	jsonw_close(w);
	jsonw_row(w, "pmxcfs");
	jsonw_str(w, "state", p->milliseconds > SLOW_MS ? "slow" : "ok");
	jsonw_i64(w, "ms", p->milliseconds);
	jsonw_close(w);
}

static void write_node(struct jsonw *w, const struct member *m)
{
	jsonw_row(w, NULL);
	jsonw_str(w, "name", m->name);
	jsonw_u64(w, "id", m->id);
	jsonw_str(w, "ip", or_null(m->ip));
	jsonw_bool(w, "online", m->online);
	jsonw_close(w);
}

/* A node that never joined a cluster is in no list: it is there, and it is alone. */
static void write_nodes(struct jsonw *w, const struct picture *p)
{
	const struct member alone = { .name = p->node.name, .online = true };

	jsonw_array(w, "nodes");
	for (size_t i = 0; i < p->members.n_nodes; i++)
		write_node(w, &p->members.nodes[i]);
	if (!p->members.clustered && p->members.n_nodes == 0)
		write_node(w, &alone);
	jsonw_close(w);
}

/* [100, "qemu", "pve1"] */
static void write_vmids(struct jsonw *w, const struct picture *p)
{
	struct buf *out = w->out;

	jsonw_array(w, "vmids");
	for (size_t i = 0; i < p->vmlist.n && i < WIRE_VMIDS_MAX; i++) {
		const struct vmlist_entry *v = &p->vmlist.guests[i];

		buf_adds(out, i ? ", [" : "[");
		buf_addu(out, v->vmid);
		buf_adds(out, v->type == GUEST_QEMU ? ", \"qemu\", " : ", \"lxc\", ");
		jsonw_quote(out, slice_of(v->node));
		buf_addc(out, ']');
	}
	jsonw_close(w);
}

static void write_host(struct jsonw *w, const struct picture *p)
{
	const struct hostfacts_of of = {
		.root = p->root,
		.fixed = &p->fixed,
		.sample = p->own_known ? &p->own : NULL,
		.pve_manager = p->pve_manager,
		.boot_time = p->node.boot_time,
	};

	jsonw_row(w, "host");
	hostfacts_write(w, &of);
	jsonw_close(w);
}

static void write_guests(struct jsonw *w, struct picture *p)
{
	struct guestlive live = { .picture = p };
	struct buf *out = w->out;
	bool first = true;

	jsonw_array(w, "guests");
	vec_each (g, &p->guests) {
		guestlive_look(&live, g);
		buf_adds(out, first ? "{" : ",\n{");
		first = false;
		buf_add(out, g->texts.row.p, g->texts.row.n);
		guestlive_write(&live, g, out);
		buf_addc(out, '}');
	}
	jsonw_close(w);
}

static void write_configs(struct jsonw *w, struct picture *p, bool all)
{
	struct buf *out = w->out;
	bool first = true;

	jsonw_array(w, "configs");
	vec_each (g, &p->guests) {
		if (all)
			g->told = false;
		if (!g->loaded || g->told ||
		    out->len + g->texts.tail.n + g->texts.raw.n > CONFIGS_UP_TO)
			continue;
		buf_adds(out, first ? "{" : ",\n{");
		first = false;
		buf_add(out, g->texts.head.p, g->texts.head.n);
		buf_adds(out, ", ");
		buf_add(out, g->texts.tail.p, g->texts.tail.n);
		buf_adds(out, ", ");
		buf_add(out, g->texts.raw.p, g->texts.raw.n);
		buf_addc(out, '}');
		g->told = true;
	}
	jsonw_close(w);
}

/* --- storages ----------------------------------------------------------------------------------
 */

/* The younger sample of this node for that storage. */
static bool storage_sample(const struct picture *p, const char *id, struct rrd_line *ret)
{
	struct slice rest = buf_slice(&p->rrd), line;
	struct rrd_line l = {};
	bool found = false;

	while (slice_split(&rest, '\n', &line)) {
		/* Most lines are guests': their keys are told apart before anything is read. */
		if (!slice_starts(line, "pve2-storage/") && !slice_starts(line, "pve-storage-"))
			continue;
		if (!rrd_line_parse(line, &l) || l.kind != RRD_STORAGE ||
		    !slice_eq(l.node, p->node.name) || !slice_eq(l.storage, id) ||
		    (found && ret->ctime >= l.ctime))
			continue;
		*ret = l;
		found = true;
	}
	return found;
}

static void write_storage_sample(struct jsonw *w, const struct rrd_line *l)
{
	static const struct samples_field fields[] = {
		{ "total", 1, SAMPLES_COUNT },
		{ "used", 2, SAMPLES_COUNT },
	};
	struct samples_time kept = {};

	jsonw_bool(w, "active", true);
	samples_write(w->out, l, fields, ARRAY_SIZE(fields));
	samples_write_time(w->out, &kept, l->ctime);
}

static void write_storage(struct jsonw *w, const struct picture *p, const struct storage *s)
{
	bool enabled = !s->disabled && storage_on_node(s, p->node.name);
	struct rrd_line l;

	jsonw_row(w, NULL);
	jsonw_str(w, "name", s->id);
	jsonw_str(w, "type", s->type);
	jsonw_bool(w, "shared", s->shared);
	jsonw_bool(w, "enabled", enabled);
	jsonw_str(w, "content", s->content);
	jsonw_str(w, "nodes", s->nodes);
	if (storage_sample(p, s->id, &l))
		write_storage_sample(w, &l);
	else if (enabled)
		jsonw_null(w, "active");
	else
		jsonw_bool(w, "active", false);
	jsonw_close(w);
}

static bool is_sane(const struct storage *s)
{
	return strlen(s->id) <= WIRE_NAME_MAX && strlen(s->type) <= WIRE_NAME_MAX;
}

static void write_storages(struct jsonw *w, const struct picture *p)
{
	size_t n = 0;

	jsonw_array(w, "storages");
	for (size_t i = 0; i < p->storages.n; i++)
		if (is_sane(&p->storages.storages[i]) && n++ < WIRE_STORAGES_MAX)
			write_storage(w, p, &p->storages.storages[i]);
	jsonw_close(w);
}

/* --- HA and the whole --------------------------------------------------------------------------
 */

static bool is_online(const struct members *m, const char *node)
{
	for (size_t i = 0; i < m->n_nodes; i++)
		if (strcmp(m->nodes[i].name, node) == 0)
			return m->nodes[i].online;
	return false;
}

static void write_ha(struct jsonw *w, const struct picture *p)
{
	const struct ha_table *ha = &p->ha;
	bool sane = ha->at > 0 && ha->at <= CLOCK_YEAR_9999;

	if (!ha->master || !*ha->master) {
		jsonw_null(w, "ha");
		return;
	}
	jsonw_row(w, "ha");
	jsonw_str(w, "master", ha->master);
	jsonw_time(w, "at", sane ? ha->at : 0);
	jsonw_bool(w, "master_alive",
		   sane && p->node.now - ha->at <= HA_STALE_AFTER &&
			   is_online(&p->members, ha->master));
	jsonw_close(w);
}

void wire_document_write(struct buf *out, struct picture *p, const struct collect_ask *ask)
{
	struct jsonw w;

	jsonw_begin_row(&w, out);
	write_head(&w, ask, p->node.name, p->node.now);
	write_cluster(&w, p);
	write_view(&w, p);
	if (p->members_known)
		write_nodes(&w, p);
	write_vmids(&w, p);
	write_host(&w, p);
	write_guests(&w, p);
	write_storages(&w, p);
	write_ha(&w, p);
	parts_write(&w, p->root);
	write_configs(&w, p, ask->all_configs);
	jsonw_end(&w);
}

void wire_document_write_hung(struct buf *out, const struct root *r, const struct collect_ask *ask,
			      const char *node, const char *cluster_uuid)
{
	CLEANUP(hostfacts_fixed_done) struct hostfacts_fixed fixed = {};
	const struct hostfacts_of of = {
		.root = r,
		.fixed = &fixed,
		.pve_manager = node_pve_manager(r, &fixed.arena),
		.boot_time = procstat_boot_time(r),
	};
	struct jsonw w;

	hostfacts_fixed_read(&fixed, r);
	jsonw_begin_row(&w, out);
	write_head(&w, ask, node, clock_now());
	jsonw_row(&w, "cluster");
	jsonw_str(&w, "uuid", or_null(cluster_uuid));
	jsonw_close(&w);
	jsonw_null(&w, "quorate");
	jsonw_bool(&w, "complete", false);
	jsonw_bool(&w, "reporter", false);
	jsonw_array(&w, "blind");
	jsonw_str(&w, NULL, "/etc/pve does not answer: pmxcfs hangs; systemctl status pve-cluster");
	jsonw_close(&w);
	jsonw_row(&w, "pmxcfs");
	jsonw_str(&w, "state", "hung");
	jsonw_close(&w);
	jsonw_row(&w, "host");
	hostfacts_write(&w, &of);
	jsonw_close(&w);
	parts_write(&w, r);
	jsonw_end(&w);
}
