/* SPDX-License-Identifier: AGPL-3.0-or-later */

/*
 * The collector's figures for 1,000 guests of this node (or as many as the first argument says), on
 * a tree of real files: the first collection against `cat` of the same files, a cycle in which
 * nothing has changed, and the memory of the collecting process after a hundred cycles. Processor
 * time, the best of several runs; ends with 1 if a bar is not met.
 */

#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "agent/collector.h"
#include "util/clock.h"
#include "util/file.h"
#include "util/str.h"

enum { RUNS = 7, CYCLES = 100 };

static char top[] = "/tmp/pvewarden-bench-XXXXXX";

static void put(const char *path, const struct buf *text)
{
	CLEANUP_FD int dir = open(top, O_RDONLY | O_DIRECTORY);
	char folder[256];

	(void)snprintf(folder, sizeof(folder), "%s", path);
	*strrchr(folder, '/') = '\0';
	if (dir < 0 || file_mkdirs(dir, folder, 0755) < 0)
		abort();
	CLEANUP_FD int fd = openat(dir, path, O_WRONLY | O_CREAT | O_TRUNC, 0644);

	if (fd < 0 || file_write_all(fd, buf_slice(text)) < 0)
		abort();
}

static void put_text(const char *path, const char *text)
{
	const struct buf b = { .data = (char *)text, .len = strlen(text) };

	put(path, &b);
}

static void put_guest(unsigned int id)
{
	CLEANUP(buf_done) struct buf text = {};
	char path[128];

	buf_addf(
		&text,
		"#web server %u\nagent: 1\nboot: order=scsi0;ide2;net0\ncores: 4\ncpu: host\n"
		"ide2: none,media=cdrom\nmemory: 8192\nmeta: creation-qemu=8.1.5,ctime=17000%05u\n"
		"name: web-%u\nnet0: virtio=BC:24:11:00:%02X:%02X,bridge=vmbr0,firewall=1\nnuma: 0\n"
		"onboot: 1\nostype: l26\nscsi0: local-lvm:vm-%u-disk-0,iothread=1,size=32G\n"
		"scsihw: virtio-scsi-single\nsmbios1: uuid=5d3c1a2e-0000-4000-8000-%012u\n"
		"sockets: 1\ntags: production;web\nvmgenid: 7f1c2b3a-0000-4000-8000-%012u\n",
		id, id, id, id / 256 % 256, id % 256, id, id, id);
	(void)snprintf(path, sizeof(path), "etc/pve/nodes/pve1/qemu-server/%u.conf", id);
	put(path, &text);
}

static void put_tree(unsigned int guests)
{
	CLEANUP(buf_done) struct buf list = {}, rrd = {};
	long long now = clock_now();

	if (!mkdtemp(top))
		abort();
	buf_adds(&list, "{\n\"version\": 14,\n\"ids\": {\n");
	buf_addf(&rrd,
		 "pve-node-9.0/pve1:315069::%lld:0.45:16:0.0456:0.002:67108864000:12787765235:"
		 "8589934592:0:234567890000:111111101000:123:456:5:0:0:0:0:0:0\n",
		 now);
	for (unsigned int id = 100; id < 100 + guests; id++) {
		put_guest(id);
		buf_addf(&list,
			 "%s\"%u\": { \"node\": \"pve1\", \"type\": \"qemu\", \"version\": %u }",
			 id > 100 ? ",\n" : "", id, id);
		buf_addf(&rrd,
			 "pve-vm-9.0/%u:86400:web-%u:running:0:%lld:4:0.0105:8589934592:4294967296:"
			 "34359738368:0:1529756162:7750708280:7473739264:150048127488:4500000000:"
			 "0.12:0:0.01:0:0:0\n",
			 id, id, now);
	}
	buf_adds(&list, "}\n}\n");
	put("etc/pve/.vmlist", &list);
	put("etc/pve/.rrd", &rrd);
	put_text("etc/pve/.members",
		 "{\n\"nodename\": \"pve1\",\n\"version\": 7,\n\"cluster\": { \"name\": \"prod\", "
		 "\"version\": 3, \"nodes\": 1, \"quorate\": 1 },\n\"nodelist\": {\n  \"pve1\": { "
		 "\"id\": 1, \"online\": 1, \"ip\": \"10.0.1.10\"}\n  }\n}\n");
	put_text("etc/pve/.version",
		 "{\"starttime\": 1700000000, \"clinfo\": 7, \"vmlist\": 14, \"storage.cfg\": 2, "
		 "\"user.cfg\": 1, \"jobs.cfg\": 1, \"vzdump.cron\": 0, \"ha/resources.cfg\": 0, "
		 "\"ha/manager_status\": 0}\n");
	put_text("etc/pve/storage.cfg",
		 "dir: local\n\tpath /var/lib/vz\n\tcontent iso,backup\n\n"
		 "lvmthin: local-lvm\n\tthinpool data\n\tvgname pve\n\tcontent images,rootdir\n");
	put_text("etc/pve/jobs.cfg", "vzdump: backup-1\n\tschedule 21:00\n\tall 1\n");
	put_text("etc/pve/user.cfg", "user:root@pam:1:0:::::\n");
	put_text("etc/pve/pve-root-ca.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n");
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *f)
{
	(void)st;
	(void)kind;
	(void)f;
	return remove(path);
}

static double seconds(const struct rusage *u)
{
	return (double)u->ru_utime.tv_sec + (double)u->ru_stime.tv_sec +
	       (double)(u->ru_utime.tv_usec + u->ru_stime.tv_usec) / 1e6;
}

/* Milliseconds of processor time of @run in a process of its own. */
static double in_child(void (*run)(void))
{
	struct rusage u;
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		run();
		_exit(0);
	}
	if (pid < 0 || wait4(pid, &status, 0, &u) != pid || status)
		abort();
	return seconds(&u) * 1000;
}

static void cat(void)
{
	char command[512];

	(void)snprintf(command, sizeof(command),
		       "cd %s/etc/pve && exec cat .version .members .vmlist .rrd *.cfg "
		       "nodes/pve1/qemu-server/*.conf >/dev/null",
		       top);
	(void)execl("/bin/sh", "sh", "-c", command, (char *)NULL);
	_exit(127);
}

static const struct collect_ask ask = { .hub = true, .all_configs = true, .sequence = 1 };

static void cold(void)
{
	struct collect_answer a;
	struct root root;

	if (root_open(&root, top, NULL) < 0)
		_exit(1);
	collect_once(&root, &ask, &a);
	_exit(a.error || a.document.len == 0);
}

static double best(void (*run)(void))
{
	double least = in_child(run);

	for (int i = 1; i < RUNS; i++) {
		double ms = in_child(run);

		least = ms < least ? ms : least;
	}
	return least;
}

static uint32_t cycle(struct collector *c, const struct collect_ask *what)
{
	struct collect_answer a = {};
	struct pollfd p = { .fd = c->fd, .events = POLLIN };
	int r = collector_ask(c, what);
	uint32_t us;

	while (r == 0) {
		(void)poll(&p, 1, 10000);
		r = collector_take(c, &a);
	}
	if (r != 1 || a.error)
		abort();
	us = a.cpu_microseconds;
	collect_answer_done(&a);
	return us;
}

/* KiB of a field of /proc/PID/status. */
static uint64_t status_of(pid_t pid, const char *field)
{
	CLEANUP(buf_done) struct buf text = {};
	char path[64];
	uint64_t n = 0;

	(void)snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	if (file_read_at(AT_FDCWD, path, 65536, &text) == 0 && strstr(text.data, field))
		n = strtoull(strstr(text.data, field) + strlen(field), NULL, 10);
	return n;
}

static bool row(const char *what, const char *unit, double value, double bar)
{
	printf("| %-58s | %8.2f %-3s | %6.1f | %s\n", what, value, unit, bar,
	       value <= bar ? "yes" : "NO");
	return value <= bar;
}

int main(int argc, char **argv)
{
	unsigned int guests = argc > 1 ? (unsigned int)atoi(argv[1]) : 1000;
	struct collect_ask quiet = { .hub = true }, posts = { .hub = true, .nanny = true };
	double cat_ms, cold_ms, steady = 1e9, with_posts = 1e9, us;
	struct collector c;
	struct root root;
	bool good = true;

	put_tree(guests);
	if (root_open(&root, top, NULL) < 0 || collector_start(&c, &root, NULL) < 0)
		abort();
	cat_ms = best(cat);
	cold_ms = best(cold);
	(void)cycle(&c, &ask);
	for (int i = 0; i < CYCLES; i++) {
		us = cycle(&c, i % 5 == 4 ? &posts : &quiet);
		if (i % 5 == 4)
			with_posts = us < with_posts ? us : with_posts;
		else
			steady = us < steady ? us : steady;
	}
	printf("%u guests; cat %.2f ms, cold %.2f ms\n", guests, cat_ms, cold_ms);
	good &= row("first collection, times cat of the same files", "x", cold_ms / cat_ms, 2.5);
	good &= row("a cycle in which nothing has changed", "ms", steady / 1000, 5);
	good &= row("memory after a hundred cycles", "MiB",
		    (double)status_of(c.pid, "VmRSS:") / 1024, 12);
	good &= row("memory at its highest", "MiB", (double)status_of(c.pid, "VmHWM:") / 1024, 16);
	printf("the same cycle with NannyAPI's objects: %.2f ms\n", with_posts / 1000);
	(void)collector_stop(&c, NULL);
	root_close(&root);
	(void)nftw(top, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	return !good;
}
