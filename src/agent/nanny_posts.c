/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "agent/nanny_posts.h"

#include "agent/guestlive.h"
#include "agent/guestparts.h"
#include "agent/wire.h"
#include "pve/prop.h"
#include "util/str.h"

enum { HOSTS_MAX = 1024 * 1024 };

static void begin_post(struct jsonw *w, const char *path)
{
	jsonw_row(w, NULL);
	jsonw_str(w, "path", path);
	jsonw_row(w, "body");
}

static void end_post(struct jsonw *w)
{
	jsonw_close(w);
	jsonw_close(w);
}

static void write_origin(struct jsonw *w, const struct picture *p)
{
	jsonw_time(w, "collected_at", p->node.now);
	jsonw_str(w, "cluster_uuid", *p->uuid ? p->uuid : NULL);
}

/* --- the node ----------------------------------------------------------------------------------
 */

/* Proxmox writes its node into /etc/hosts; a standalone one says its address nowhere else. */
static const char *address_of(struct picture *p)
{
	CLEANUP(buf_done) struct buf text = {};
	struct slice rest, line, address, name;

	if (root_read(p->root, "etc/hosts", HOSTS_MAX, &text) < 0)
		return "";
	rest = buf_slice(&text);
	while (slice_split(&rest, '\n', &line)) {
		line.n = slice_find(line, '#');
		if (!list_next(&line, &address) || slice_starts(address, "127.") ||
		    slice_starts(address, "::1") || address.n > 64)
			continue;
		while (list_next(&line, &name))
			if (slice_eq(name, p->node.name))
				return arena_str(&p->arena, address);
	}
	return "";
}

static const struct member *own_member(const struct picture *p)
{
	for (size_t i = 0; i < p->members.n_nodes; i++)
		if (strcmp(p->members.nodes[i].name, p->node.name) == 0)
			return &p->members.nodes[i];
	return NULL;
}

static void write_node(struct jsonw *w, struct picture *p)
{
	const struct member *m = own_member(p);
	const char *version = p->pve_manager ? p->pve_manager : "";
	const struct hostfacts_of of = {
		.root = p->root,
		.fixed = &p->fixed,
		.sample = p->own_known ? &p->own : NULL,
		.boot_time = p->node.boot_time,
	};

	begin_post(w, WIRE_NODE_PATH);
	jsonw_str(w, "agent_id", "");
	jsonw_str(w, "name", p->node.name);
	jsonw_u64(w, "node_id", m ? m->id : 0);
	jsonw_u64(w, "nodeid", m ? m->id : 0);
	jsonw_str(w, "ip", m && m->ip ? m->ip : address_of(p));
	/* Who sends this is there, whatever the others see. */
	jsonw_u64(w, "online", 1);
	jsonw_u64(w, "local", 1);
	jsonw_str(w, "pve_version", version);
	jsonw_str(w, "pveversion", version);
	write_origin(w, p);
	if (!p->own_known)
		jsonw_str(w, "level", "");
	hostfacts_write(w, &of);
	end_post(w);
}

static void write_cluster(struct jsonw *w, const struct picture *p)
{
	const struct members *m = &p->members;
	const char *name = m->cluster_name ? m->cluster_name : "";

	begin_post(w, WIRE_CLUSTER_PATH);
	jsonw_str(w, "cluster_name", name);
	jsonw_str(w, "name", name);
	jsonw_str(w, "cluster_id", p->uuid);
	jsonw_str(w, "px_cluster_id", p->uuid);
	jsonw_u64(w, "nodes", m->n_nodes);
	if (p->quorate != TRI_UNKNOWN)
		jsonw_u64(w, "quorate", p->quorate == TRI_YES);
	jsonw_u64(w, "version", m->config_version);
	write_origin(w, p);
	end_post(w);
}

/* --- guests ------------------------------------------------------------------------------------
 */

static void write_guest(struct jsonw *w, struct guestlive *live, const struct picture_guest *g)
{
	struct buf *out = w->out;

	guestlive_look(live, g);
	begin_post(w, g->type == GUEST_QEMU ? WIRE_QEMU_PATH : WIRE_LXC_PATH);
	jsonw_slice(w, "status", live->status);
	jsonw_u64(w, "uptime", guestlive_uptime(live));
	write_origin(w, live->picture);
	buf_adds(out, ", ");
	buf_add(out, g->texts.nanny.p, g->texts.nanny.n);
	buf_adds(out, ", ");
	buf_add(out, g->texts.tail.p, g->texts.tail.n);
	buf_adds(out, ", ");
	guestparts_config_typed(g->texts.raw, out);
	end_post(w);
}

static void write_guests(struct jsonw *w, struct picture *p, enum guest_type type)
{
	struct guestlive live = { .picture = p };

	vec_each (g, &p->guests)
		if (g->type == type && g->loaded && strcmp(g->node, p->node.name) == 0)
			write_guest(w, &live, g);
}

void nanny_posts_write(struct buf *out, struct picture *p)
{
	struct jsonw w;

	jsonw_begin_row(&w, out);
	jsonw_array(&w, "posts");
	write_node(&w, p);
	if (p->members.clustered)
		write_cluster(&w, p);
	write_guests(&w, p, GUEST_LXC);
	write_guests(&w, p, GUEST_QEMU);
	jsonw_close(&w);
	jsonw_end(&w);
}
