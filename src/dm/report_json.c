/* SPDX-License-Identifier: AGPL-3.0-or-later */

/* The host in the document pvewarden.dm/1. */

#include "dm/report.h"
#include "dm/show.h"
#include "util/jsonw.h"

static void write_figure(struct jsonw *w, const char *key, struct host_figure f)
{
	if (f.known)
		jsonw_num(w, key, f.value);
	else
		jsonw_null(w, key);
}

static void write_space(struct jsonw *w, const char *key, struct host_space s)
{
	if (!s.known) {
		jsonw_null(w, key);
		return;
	}
	jsonw_row(w, key);
	jsonw_u64(w, "total", s.total);
	jsonw_u64(w, "used", s.used);
	jsonw_close(w);
}

static void write_cpu(struct jsonw *w, const struct host *h)
{
	static const char *const loads[] = { "load1", "load5", "load15" };

	jsonw_row(w, "cpu");
	jsonw_str(w, "model", h->cpu.model);
	if (h->cpu.threads)
		jsonw_u64(w, "threads", h->cpu.threads);
	else
		jsonw_null(w, "threads");
	write_figure(w, "percent", h->cpu_percent);
	write_figure(w, "celsius", h->celsius);
	for (size_t i = 0; i < ARRAY_SIZE(loads); i++)
		write_figure(w, loads[i], h->load[i]);
	jsonw_close(w);
}

static void write_nets(struct jsonw *w, const struct host *h)
{
	jsonw_array(w, "network");
	vec_each (n, &h->nets) {
		jsonw_row(w, NULL);
		jsonw_str(w, "name", n->name);
		jsonw_str(w, "kind", n->bridge ? "bridge" : n->bond ? "bond" : "port");
		jsonw_u64(w, "received", n->received);
		jsonw_u64(w, "sent", n->sent);
		jsonw_close(w);
	}
	jsonw_close(w);
}

static void write_groups(struct jsonw *w, const struct lvm_report *lvm)
{
	jsonw_array(w, "volume_groups");
	for (size_t i = 0; i < lvm->n_vgs; i++) {
		jsonw_row(w, NULL);
		jsonw_str(w, "name", lvm->vgs[i].name);
		if (lvm->vgs[i].have_size) {
			jsonw_u64(w, "size", lvm->vgs[i].size);
			jsonw_u64(w, "free", lvm->vgs[i].free);
		}
		jsonw_str(w, "doubt", lvm_vg_doubt(&lvm->vgs[i]));
		jsonw_close(w);
	}
	jsonw_close(w);
}

static void write_pools(struct jsonw *w, const struct host *h)
{
	jsonw_array(w, "zfs_pools");
	vec_each (p, &h->pools) {
		jsonw_row(w, NULL);
		jsonw_str(w, "name", p->name);
		jsonw_str(w, "state", p->state);
		jsonw_close(w);
	}
	jsonw_close(w);
}

static void write_top(struct jsonw *w, const struct dm_report *r)
{
	jsonw_array(w, "top_processes");
	for (size_t i = 0; i < r->host.n_top; i++) {
		uint32_t vmid = dm_report_vmid_of(r, r->host.top[i].pid);

		jsonw_row(w, NULL);
		jsonw_i64(w, "pid", r->host.top[i].pid);
		jsonw_str(w, "command", r->host.top[i].command);
		if (vmid)
			jsonw_u64(w, "vmid", vmid);
		jsonw_num(w, "cpu_percent", r->host.top[i].cpu_percent);
		jsonw_close(w);
	}
	jsonw_close(w);
}

void dm_report_write_host(struct jsonw *w, const struct dm_report *r)
{
	const struct node *n = &r->check->look->scan.cluster.node;
	const struct host *h = &r->host;

	jsonw_object(w, "host");
	jsonw_str(w, "product", h->product);
	jsonw_str(w, "release", n->release);
	jsonw_str(w, "kernel", n->kernel);
	jsonw_str(w, "address", h->address);
	if (h->uptime)
		jsonw_i64(w, "uptime", h->uptime);
	else
		jsonw_null(w, "uptime");
	jsonw_time(w, "boot_time", n->boot_time);
	write_cpu(w, h);
	write_space(w, "memory", h->memory);
	write_space(w, "swap", h->swap);
	write_space(w, "root", h->root);
	write_space(w, "var", h->var);
	write_pools(w, h);
	write_groups(w, &r->check->look->scan.lvm);
	write_nets(w, h);
	write_top(w, r);
	jsonw_str(w, "grade_reason", r->grade.reason);
	jsonw_close(w);
}

void dm_report_json(const struct dm_report *r, struct buf *out)
{
	const struct dm_view all = { .report = r };

	dm_show_json(r->check, &all, out);
}
