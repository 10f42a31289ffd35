/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "pve/host.h"

#include <fcntl.h>
#include <math.h>
#include <sys/statvfs.h>

#include "pve/capture.h"
#include "pve/hostdev.h"
#include "pve/hostparse.h"
#include "pve/hosttop.h"
#include "util/str.h"

/* The machine with the most processors that Linux knows has a /proc/cpuinfo of some 10 MiB. */
#define FILE_MAX ((size_t)16 * 1024 * 1024)

/* How old pvestatd's sample may be: it comes every ten seconds. */
enum { SAMPLE_MAX_AGE = 60, RRD_NODE_CPU = 5 };

static void read_files(struct host *h, const struct root *root, struct arena *a)
{
	CLEANUP(buf_done) struct buf text = {};

	if (root_read(root, "proc/loadavg", FILE_MAX, &text) == 0)
		(void)hostparse_load(buf_slice(&text), h->load);
	if (root_read(root, "proc/uptime", FILE_MAX, &text) == 0)
		h->uptime = hostparse_uptime(buf_slice(&text));
	if (root_read(root, "proc/cpuinfo", FILE_MAX, &text) == 0)
		hostparse_cpuinfo(buf_slice(&text), &h->cpu, a);
	if (root_read(root, "proc/meminfo", FILE_MAX, &text) == 0)
		hostparse_meminfo(buf_slice(&text), &h->memory, &h->swap);
}

/* Makers that do not know what they built write so. */
static bool says_something(const char *text)
{
	return *text && strcmp(text, "To Be Filled By O.E.M.") != 0 &&
	       strcmp(text, "System manufacturer") != 0 &&
	       strcmp(text, "System Product Name") != 0 && strcmp(text, "Default string") != 0;
}

static void read_product(struct host *h, const struct root *root, struct arena *a)
{
	CLEANUP(buf_done) struct buf vendor = {}, name = {};

	if (root_read_line(root, "sys/class/dmi/id/product_name", &name) < 0 ||
	    !says_something(buf_str(&name)))
		return;
	if (root_read_line(root, "sys/class/dmi/id/sys_vendor", &vendor) < 0 ||
	    !says_something(buf_str(&vendor)) || slice_starts(buf_slice(&name), buf_str(&vendor)))
		buf_reset(&vendor);
	h->product =
		arena_fmt(a, "%s%s%s", buf_str(&vendor), vendor.len ? " " : "", buf_str(&name));
}

static struct host_space space_at(const struct root *root, const char *path, dev_t *ret_dev)
{
	CLEANUP_FD int fd = root_openat(root, path, O_RDONLY | O_DIRECTORY | O_NONBLOCK);
	struct statvfs fs;
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0 || fstatvfs(fd, &fs) < 0 || !fs.f_blocks)
		return (struct host_space){};
	*ret_dev = st.st_dev;
	return (struct host_space){ .known = true,
				    .total = (uint64_t)fs.f_blocks * fs.f_frsize,
				    .used = (uint64_t)(fs.f_blocks - fs.f_bfree) * fs.f_frsize };
}

static void measure(struct host *h, const struct root *root, struct arena *a)
{
	dev_t at_root = 0, at_var = 0;

	h->root = space_at(root, ".", &at_root);
	h->var = space_at(root, "var", &at_var);
	h->var_separate = h->root.known && h->var.known && at_root != at_var;
	hosttop_sample(h, root, a);
}

static struct host_figure json_figure(const json_t *obj, const char *key)
{
	const json_t *v = json_object_get(obj, key);

	if (!json_is_number(v) || !isfinite(json_number_value(v)) || json_number_value(v) < 0)
		return (struct host_figure){};
	return (struct host_figure){ .known = true, .value = json_number_value(v) };
}

static void take_filesystem(struct host *h, const json_t *row)
{
	struct host_space s = { .known = true };
	const char *path = json_str(row, "path");

	if (!path || !json_u64(row, "total", &s.total) || !json_u64(row, "used", &s.used) ||
	    !s.total || s.used > s.total)
		return;
	if (strcmp(path, "/") == 0) {
		h->root = s;
	} else if (strcmp(path, "/var") == 0) {
		h->var = s;
		h->var_separate = true;
	}
}

static void take_process(struct host *h, const json_t *row, struct arena *a)
{
	const char *command = json_str(row, "command");
	struct host_figure cpu = json_figure(row, "cpu_percent");
	int64_t pid;

	if (h->n_top == HOST_TOP_MAX || !command || !cpu.known || !json_i64(row, "pid", &pid) ||
	    pid < 1 || pid > INT32_MAX)
		return;
	h->top[h->n_top++] = (struct host_process){ .pid = (pid_t)pid,
						    .command = arena_str(a, slice_of(command)),
						    .cpu_percent = cpu.value };
}

/* What was measured when the node was recorded. */
static void read_capture(struct host *h, const struct root *root, struct arena *a)
{
	CLEANUP(capture_free) json_t *doc = NULL;
	const json_t *host, *row;
	size_t i;

	if (capture_read(root, &doc, NULL) < 0)
		return;
	host = json_obj(doc, "host");
	h->cpu_percent = json_figure(host, "cpu_percent");
	json_array_foreach(json_arr(host, "filesystems"), i, row) take_filesystem(h, row);
	if (!h->var_separate)
		h->var = h->root;
	h->top_known = json_arr(host, "processes") != NULL;
	json_array_foreach(json_arr(host, "processes"), i, row) take_process(h, row, a);
}

/* The processor's use as Proxmox itself shows it goes before a moment's measurement. */
static void prefer_sample(struct host *h, const struct cluster *c)
{
	const struct rrd_entry *sample = rrd_node(&c->rrd, c->node.name);
	int64_t age = sample ? c->node.now - sample->ctime : 0;

	if (!sample || age > SAMPLE_MAX_AGE || age < -SAMPLE_MAX_AGE)
		return;
	if (!sample->fields[RRD_NODE_CPU].known || sample->fields[RRD_NODE_CPU].value < 0 ||
	    sample->fields[RRD_NODE_CPU].value > 1)
		return;
	h->cpu_percent = (struct host_figure){ .known = true,
					       .value = 100 * sample->fields[RRD_NODE_CPU].value };
}

void host_read(struct host *ret, const struct root *root, const struct cluster *c, struct arena *a)
{
	*ret = (struct host){};
	read_files(ret, root, a);
	read_product(ret, root, a);
	for (size_t i = 0; i < c->members.n_nodes; i++)
		if (strcmp(c->members.nodes[i].name, c->node.name) == 0)
			ret->address = c->members.nodes[i].ip;
	if (root->live)
		measure(ret, root, a);
	else
		read_capture(ret, root, a);
	prefer_sample(ret, c);
	ret->celsius = hostdev_celsius(root);
	hostdev_nets(&ret->nets, root, a);
	hostdev_pools(&ret->pools, root, a);
}

void host_done(struct host *h)
{
	vec_free(&h->nets);
	vec_free(&h->pools);
}

struct host_figure host_percent_of(struct host_space s)
{
	if (!s.known || !s.total)
		return (struct host_figure){};
	return (struct host_figure){ .known = true,
				     .value = 100 * (double)s.used / (double)s.total };
}

static void write_filesystem(struct jsonw *w, const char *path, struct host_space s)
{
	jsonw_row(w, NULL);
	jsonw_str(w, "path", path);
	jsonw_u64(w, "total", s.total);
	jsonw_u64(w, "used", s.used);
	jsonw_close(w);
}

void host_write(struct jsonw *w, const struct host *h)
{
	jsonw_object(w, "host");
	if (h->cpu_percent.known)
		jsonw_num(w, "cpu_percent", h->cpu_percent.value);
	jsonw_array(w, "filesystems");
	if (h->root.known)
		write_filesystem(w, "/", h->root);
	if (h->var_separate)
		write_filesystem(w, "/var", h->var);
	jsonw_close(w);
	if (h->top_known)
		jsonw_array(w, "processes");
	for (size_t i = 0; i < h->n_top; i++) {
		jsonw_row(w, NULL);
		jsonw_i64(w, "pid", h->top[i].pid);
		jsonw_str(w, "command", h->top[i].command);
		jsonw_num(w, "cpu_percent", h->top[i].cpu_percent);
		jsonw_close(w);
	}
	if (h->top_known)
		jsonw_close(w);
	jsonw_close(w);
}
