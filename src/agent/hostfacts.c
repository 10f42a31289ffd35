/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "agent/hostfacts.h"

#include <sys/statvfs.h>
#include <sys/utsname.h>

#include "pve/hostparse.h"
#include "util/str.h"

/* Indexes of a node's line. */
enum {
	LEVEL = 1,
	CPU = 5,
	IOWAIT = 6,
	MEMORY_TOTAL = 7,
	MEMORY_USED = 8,
	SWAP_TOTAL = 9,
	SWAP_USED = 10,
	ROOT_TOTAL = 11,
	ROOT_USED = 12,
	NETIN = 13,
	NETOUT = 14,
	MEMORY_AVAILABLE = 15,
};

enum { CPUINFO_MAX = 8 * 1024 * 1024, SMALL_MAX = 65536 };

/* --- what stays ------------------------------------------------------------------------------- */

static bool key_value(struct slice line, const char *key, struct slice *ret)
{
	size_t colon = slice_find(line, ':');

	if (colon == line.n || !slice_eq(slice_trim((struct slice){ line.p, colon }), key))
		return false;
	*ret = slice_trim(slice_from(line, colon + 1));
	return true;
}

static bool has_word(struct slice words, const char *word)
{
	struct slice one;

	while (slice_split(&words, ' ', &one))
		if (slice_eq(one, word))
			return true;
	return false;
}

void hostfacts_cpuinfo(struct hostfacts_fixed *f, struct slice text)
{
	struct slice rest = text, line, value;
	uint64_t cores = 0;

	hostparse_cpuinfo(text, &f->cpu, &f->arena);
	while (slice_split(&rest, '\n', &line)) {
		if (key_value(line, "cpu cores", &value) && cores == 0)
			(void)str_to_u64(value, &cores);
		else if (key_value(line, "cpu MHz", &value) && f->mhz == 0)
			f->mhz = rrd_number_parse(value).value;
		else if (!f->hvm && key_value(line, "flags", &value))
			f->hvm = has_word(value, "vmx") || has_word(value, "svm");
	}
	if (f->mhz < 0)
		f->mhz = 0;
	/* Sockets of one machine are alike. */
	if (cores > 0 && cores <= 65536 && f->cpu.sockets > 0)
		f->cores = (unsigned int)cores * f->cpu.sockets;
}

static void read_kernel(struct hostfacts_fixed *f, const struct root *r)
{
	CLEANUP(buf_done) struct buf release = {};
	struct utsname u;

	if (r->live && uname(&u) == 0)
		f->kernel = arena_fmt(&f->arena, "%s %s %s", u.sysname, u.release, u.version);
	else if (!r->live && root_read_line(r, "proc/sys/kernel/osrelease", &release) == 0)
		f->kernel = arena_fmt(&f->arena, "Linux %s", buf_str(&release));
}

void hostfacts_fixed_read(struct hostfacts_fixed *f, const struct root *r)
{
	CLEANUP(buf_done) struct buf text = {};

	if (f->known)
		return;
	f->known = true;
	read_kernel(f, r);
	if (root_read(r, "proc/cpuinfo", CPUINFO_MAX, &text) == 0)
		hostfacts_cpuinfo(f, buf_slice(&text));
}

void hostfacts_fixed_done(struct hostfacts_fixed *f)
{
	arena_done(&f->arena);
	*f = (struct hostfacts_fixed){};
}

/* --- the members -------------------------------------------------------------------------------
 */

static void write_proc(struct jsonw *w, const struct hostfacts_of *of)
{
	CLEANUP(buf_done) struct buf text = {};
	struct host_figure load[3];
	int64_t uptime = 0;

	if (root_read(of->root, "proc/uptime", SMALL_MAX, &text) == 0)
		uptime = hostparse_uptime(buf_slice(&text));
	if (uptime)
		jsonw_i64(w, "uptime", uptime);
	if (of->boot_time)
		jsonw_time(w, "boot_time", of->boot_time);
	if (root_read(of->root, "proc/loadavg", SMALL_MAX, &text) < 0 ||
	    !hostparse_load(buf_slice(&text), load))
		return;
	jsonw_array(w, "loadavg");
	for (size_t i = 0; i < ARRAY_SIZE(load); i++)
		jsonw_num(w, NULL, load[i].value);
	jsonw_close(w);
}

static void write_cpuinfo(struct jsonw *w, const struct hostfacts_fixed *f)
{
	if (!f->known || !f->cpu.threads)
		return;
	jsonw_row(w, "cpuinfo");
	jsonw_str(w, "model", f->cpu.model);
	if (f->cpu.sockets)
		jsonw_u64(w, "sockets", f->cpu.sockets);
	if (f->cores)
		jsonw_u64(w, "cores", f->cores);
	jsonw_u64(w, "cpus", f->cpu.threads);
	if (f->mhz > 0)
		jsonw_num(w, "mhz", f->mhz);
	jsonw_bool(w, "hvm", f->hvm);
	jsonw_close(w);
}

static bool count(const struct hostfacts_of *of, unsigned int index, uint64_t *ret)
{
	return of->sample && samples_count(of->sample, index, ret);
}

static void write_count(struct jsonw *w, const char *key, const struct hostfacts_of *of,
			unsigned int index)
{
	uint64_t n;

	if (count(of, index, &n))
		jsonw_u64(w, key, n);
}

/* /proc's numbers are of this moment, pvestatd's a few seconds old: both mean the same. */
static void write_memory(struct jsonw *w, const struct hostfacts_of *of)
{
	CLEANUP(buf_done) struct buf text = {};
	struct host_space memory = {}, swap = {};

	if (root_read(of->root, "proc/meminfo", SMALL_MAX, &text) == 0)
		hostparse_meminfo(buf_slice(&text), &memory, &swap);
	jsonw_row(w, "memory");
	if (memory.known) {
		jsonw_u64(w, "total", memory.total);
		jsonw_u64(w, "used", memory.used);
		jsonw_u64(w, "available", memory.total - memory.used);
	} else {
		write_count(w, "total", of, MEMORY_TOTAL);
		write_count(w, "used", of, MEMORY_USED);
		write_count(w, "available", of, MEMORY_AVAILABLE);
	}
	jsonw_close(w);
	jsonw_row(w, "swap");
	if (swap.known) {
		jsonw_u64(w, "total", swap.total);
		jsonw_u64(w, "used", swap.used);
	} else {
		write_count(w, "total", of, SWAP_TOTAL);
		write_count(w, "used", of, SWAP_USED);
	}
	jsonw_close(w);
}

static void write_rootfs(struct jsonw *w, const struct hostfacts_of *of)
{
	struct statvfs st;

	jsonw_row(w, "rootfs");
	if (of->root->live && statvfs("/", &st) == 0) {
		jsonw_u64(w, "total", (uint64_t)st.f_blocks * st.f_frsize);
		jsonw_u64(w, "used", (uint64_t)(st.f_blocks - st.f_bfree) * st.f_frsize);
		jsonw_u64(w, "avail", (uint64_t)st.f_bavail * st.f_frsize);
	} else {
		write_count(w, "total", of, ROOT_TOTAL);
		write_count(w, "used", of, ROOT_USED);
	}
	jsonw_close(w);
}

static void write_sample(struct jsonw *w, const struct rrd_line *l)
{
	static const struct samples_field shares[] = {
		{ "cpu", CPU, SAMPLES_SHARE },
		{ "iowait", IOWAIT, SAMPLES_SHARE },
		{ "netin", NETIN, SAMPLES_COUNT },
		{ "netout", NETOUT, SAMPLES_COUNT },
	};
	struct samples_time kept = {};

	jsonw_slice(w, "level", l->fields[LEVEL].n < 64 ? l->fields[LEVEL] : SLICE(""));
	/* There is always a member in front of these. */
	samples_write(w->out, l, shares, ARRAY_SIZE(shares));
	samples_write_time(w->out, &kept, l->ctime);
	samples_write_object(w->out, "pressure", l, samples_node_pressure, samples_node_pressure_n);
}

void hostfacts_write(struct jsonw *w, const struct hostfacts_of *of)
{
	write_proc(w, of);
	write_cpuinfo(w, of->fixed);
	if (of->fixed->kernel)
		jsonw_str(w, "kversion", of->fixed->kernel);
	if (of->pve_manager)
		jsonw_str(w, "pveversion", of->pve_manager);
	write_memory(w, of);
	write_rootfs(w, of);
	if (of->sample)
		write_sample(w, of->sample);
}
