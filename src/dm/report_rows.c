/* SPDX-License-Identifier: AGPL-3.0-or-later */

/* The rows about the host and about what surrounds it. */

#include "dm/report_words.h"

#include "util/clock.h"
#include "util/str.h"

struct rows {
	struct report_rows *ret;
	const struct dm_report *r;
	struct arena *a;
};

#define NOT_KNOWN "not known"

#define VALUE(w, ...) arena_fmt((w)->a, __VA_ARGS__)

const char *report_level_word(enum host_level l)
{
	return l == HOST_TOO_HIGH ? "too high" : l == HOST_HIGH ? "high" : NULL;
}

static void add(const struct rows *w, const char *label, const char *value, enum host_level level)
{
	*vec_push(w->ret) =
		(struct report_row){ label, value && *value ? value : NOT_KNOWN, level };
}

static void plain(const struct rows *w, const char *label, const char *value)
{
	add(w, label, value, HOST_GOOD);
}

static const char *space_text(const struct rows *w, struct host_space s)
{
	char used[24], total[24];

	if (!s.known)
		return NULL;
	if (!s.total)
		return "none";
	return VALUE(w, "%s of %s used (%d %%)", str_human_size(s.used, used),
		     str_human_size(s.total, total), hostgrade_percent(host_percent_of(s).value));
}

static void add_software(const struct rows *w)
{
	const struct node *n = &w->r->check->look->scan.cluster.node;

	if (w->r->host.product)
		plain(w, "Hardware", w->r->host.product);
	plain(w, "Proxmox VE", n->release);
	plain(w, "Kernel", n->kernel);
	if (w->r->host.address)
		plain(w, "Address", w->r->host.address);
}

static void add_uptime(const struct rows *w)
{
	const struct node *n = &w->r->check->look->scan.cluster.node;
	int64_t uptime = w->r->host.uptime ? w->r->host.uptime
			 : n->boot_time	   ? n->now - n->boot_time
					   : 0;
	char text[CLOCK_TEXT_MAX], boot[CLOCK_TEXT_MAX];

	plain(w, "Uptime", uptime > 0 ? VALUE(w, "%s", clock_duration(uptime, text)) : NULL);
	plain(w, "Booted", n->boot_time ? VALUE(w, "%s", clock_rfc3339(n->boot_time, boot)) : NULL);
}

static void add_processor(const struct rows *w)
{
	const struct host *h = &w->r->host;
	CLEANUP(buf_done) struct buf text = {};

	buf_adds(&text, h->cpu.model ? h->cpu.model : "");
	if (h->cpu.threads)
		buf_addf(&text, "%s%u thread%s", text.len ? ", " : "", h->cpu.threads,
			 h->cpu.threads == 1 ? "" : "s");
	if (h->cpu.sockets > 1)
		buf_addf(&text, ", %u sockets", h->cpu.sockets);
	plain(w, "Processor", arena_str(w->a, buf_slice(&text)));
	add(w, "Processor use",
	    h->cpu_percent.known ? VALUE(w, "%d %%", hostgrade_percent(h->cpu_percent.value))
				 : NULL,
	    w->r->grade.cpu);
	if (h->celsius.known)
		plain(w, "Temperature",
		      VALUE(w,
			    "%.0f \xc2\xb0"
			    "C",
			    h->celsius.value));
	add(w, "Load",
	    h->load[0].known ? VALUE(w, "%.2f, %.2f, %.2f", h->load[0].value, h->load[1].value,
				     h->load[2].value)
			     : NULL,
	    h->load[0].known ? hostgrade_load(h->load[0].value, h->cpu.threads)
			     : HOST_LEVEL_UNKNOWN);
}

static void add_spaces(const struct rows *w)
{
	const struct host *h = &w->r->host;

	add(w, "Memory", space_text(w, h->memory), w->r->grade.memory);
	plain(w, "Swap", space_text(w, h->swap));
	plain(w, "Disk /", space_text(w, h->root));
	plain(w, "Disk /var",
	      h->root.known && !h->var_separate ? "on the same file system as /"
						: space_text(w, h->var));
}

static void add_guests(const struct rows *w)
{
	const struct dm_summary *s = &w->r->check->summary;

	plain(w, "Guests",
	      VALUE(w, "%zu VM%s (%zu running), %zu container%s (%zu running)", s->vms,
		    s->vms == 1 ? "" : "s", s->vms_running, s->cts, s->cts == 1 ? "" : "s",
		    s->cts_running));
}

static void add_pools(const struct rows *w)
{
	CLEANUP(buf_done) struct buf text = {};
	bool healthy = true;

	vec_each (p, &w->r->host.pools) {
		buf_addf(&text, "%s%s %s", text.len ? ", " : "", p->name, p->state);
		healthy &= strcmp(p->state, "ONLINE") == 0;
	}
	if (!text.len)
		plain(w, "ZFS pools", "none");
	else
		add(w, "ZFS pools",
		    VALUE(w, "%s%s", buf_str(&text), healthy ? "" : " (not healthy)"),
		    healthy ? HOST_GOOD : HOST_LEVEL_UNKNOWN);
}

static void add_vgs(const struct rows *w)
{
	const struct lvm_report *lvm = &w->r->check->look->scan.lvm;
	CLEANUP(buf_done) struct buf text = {};

	for (size_t i = 0; i < lvm->n_vgs; i++) {
		const struct lvm_vg *vg = &lvm->vgs[i];
		const char *doubt = lvm_vg_doubt(vg);
		char size[24], unused[24];

		buf_addf(&text, "%s%s", text.len ? "; " : "", vg->name);
		if (vg->have_size)
			buf_addf(&text, " %s free of %s", str_human_size(vg->free, unused),
				 str_human_size(vg->size, size));
		if (doubt)
			buf_addf(&text, " (%s)", doubt);
	}
	plain(w, "Volume groups",
	      text.len ? arena_str(w->a, buf_slice(&text))
	      : w->r->check->look->scan.lvm_failed || w->r->check->look->scan.dm_failed ? NULL
											: "none");
}

static void add_nets(const struct rows *w)
{
	CLEANUP(buf_done) struct buf text = {};

	vec_each (n, &w->r->host.nets) {
		char in[24], out[24];

		if (!n->received && !n->sent)
			continue;
		buf_addf(&text, "%s%s%s %s in, %s out", text.len ? "; " : "", n->name,
			 n->bridge ? " (bridge)"
			 : n->bond ? " (bond)"
				   : "",
			 str_human_size(n->received, in), str_human_size(n->sent, out));
	}
	plain(w, "Network since boot", arena_str(w->a, buf_slice(&text)));
}

static void add_top(const struct rows *w)
{
	const struct host *h = &w->r->host;
	CLEANUP(buf_done) struct buf text = {};

	for (size_t i = 0; i < h->n_top; i++) {
		uint32_t vmid = dm_report_vmid_of(w->r, h->top[i].pid);

		buf_addf(&text, "%s%s ", text.len ? "; " : "", h->top[i].command);
		if (vmid)
			buf_addf(&text, "(VM %u) ", vmid);
		buf_addf(&text, "%.0f %%", h->top[i].cpu_percent);
	}
	plain(w, "Top processes",
	      text.len	     ? arena_str(w->a, buf_slice(&text))
	      : h->top_known ? "none is busy"
			     : NULL);
}

void report_host_rows(struct report_rows *ret, const struct dm_report *r, struct arena *a)
{
	const struct rows w = { ret, r, a };

	add_software(&w);
	add_uptime(&w);
	add_processor(&w);
	add_spaces(&w);
	add_guests(&w);
	add_pools(&w);
	add_vgs(&w);
	add_nets(&w);
	add_top(&w);
}

void report_environment_rows(struct report_rows *ret, const struct dm_report *r, struct arena *a)
{
	enum { SHOWN = 16 };
	const struct cluster *c = &r->check->look->scan.cluster;
	const struct rows w = { ret, r, a };
	CLEANUP(buf_done) struct buf nodes = {};

	if (!c->members.clustered) {
		plain(&w, "Kind", "standalone node");
		return;
	}
	plain(&w, "Kind",
	      arena_fmt(a, "cluster %s, %zu nodes", c->members.cluster_name, c->members.n_nodes));
	add(&w, "Quorum",
	    c->node.quorate == TRI_NO ? "lost"
	    : c->members.quorate      ? "yes"
				      : "lost",
	    HOST_GOOD);
	for (size_t i = 0; i < c->members.n_nodes && i < SHOWN; i++)
		buf_addf(&nodes, "%s%s %s", i ? ", " : "", c->members.nodes[i].name,
			 c->members.nodes[i].online ? "online" : "offline");
	if (c->members.n_nodes > SHOWN)
		buf_addf(&nodes, " and %zu more", c->members.n_nodes - SHOWN);
	plain(&w, "Nodes", arena_str(a, buf_slice(&nodes)));
}
