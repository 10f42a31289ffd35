/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "watch/scout_runs.h"

#include <errno.h>
#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "util/str.h"

#define PID_FILES "run/qemu-server"
#define MONITORS  "sys/fs/cgroup/lxc.monitor"

enum { READ_EVERY_MS = 10 * 1000, POLL_MAX = 256 };

static void close_dir(DIR *const *d)
{
	if (*d)
		(void)closedir(*d);
}

/* The order of a folder's entries does not matter: each is mixed for itself, and added. */
static uint64_t mix(uint64_t h, const char *name)
{
	for (; *name; name++)
		h = (h ^ (unsigned char)*name) * 1099511628211ULL;
	return h ^ h >> 29;
}

/* Names and inodes of a folder's entries that end in @end. */
static uint64_t sum_of(const struct root *r, const char *folder, const char *end)
{
	CLEANUP(close_dir) DIR *d = root_opendir(r, folder);
	uint64_t sum = d ? 1 : 0;

	for (const struct dirent *entry; d && (entry = readdir(d));)
		if (slice_ends(slice_of(entry->d_name), end))
			sum += mix(14695981039346656037ULL ^ entry->d_ino, entry->d_name);
	return sum;
}

static uint64_t files_of(const struct root *r)
{
	return sum_of(r, PID_FILES, ".pid") + 3 * sum_of(r, MONITORS, "");
}

static bool all_live(const struct scout_runs_seen *s)
{
	struct pollfd p[POLL_MAX];

	for (size_t i = 0; i < s->pidfds.n;) {
		nfds_t n = 0;

		for (; n < POLL_MAX && i < s->pidfds.n; n++, i++)
			p[n] = (struct pollfd){ .fd = s->pidfds.items[i], .events = POLLIN };
		if (poll(p, n, 0) != 0)
			return false;
	}
	return true;
}

static bool has_monitors(const struct root *r)
{
	struct stat st;

	return root_stat(r, MONITORS, &st) == 0;
}

bool scout_runs_unmoved(const struct scout_runs_seen *s, const struct root *r, bool containers,
			int64_t now)
{
	if (s->read_at == 0 || now - s->read_at >= READ_EVERY_MS)
		return false;
	/* Without cgroups only the list of all sockets tells of containers. */
	if (containers && !has_monitors(r))
		return false;
	return all_live(s) && files_of(r) == s->files;
}

void scout_runs_remember(struct scout_runs_seen *s, const struct root *r,
			 const struct running *running, int64_t now)
{
	vec_each (fd, &s->pidfds)
		(void)close(*fd);
	s->pidfds.n = 0;
	s->read_at = now;
	s->files = files_of(r);
	vec_each (g, running) {
		int fd = g->pid ? (int)syscall(SYS_pidfd_open, g->pid, 0) : -1;

		if (fd >= 0)
			*vec_push(&s->pidfds) = fd;
		else if (g->pid) /* gone already, or no descriptor left: look again */
			s->read_at = 0;
	}
}

void scout_runs_drop_pretenders(struct running *running, const struct root *r)
{
	size_t kept = 0;

	if (!has_monitors(r))
		return;
	for (size_t i = 0; i < running->n; i++)
		if (running->items[i].type == GUEST_QEMU || running->items[i].pid)
			running->items[kept++] = running->items[i];
	running->n = kept;
}

bool scout_runs_same(const struct running_guest *a, const struct running_guest *b)
{
	return a->type == b->type && a->ticks == b->ticks && a->pid == b->pid;
}

int64_t scout_runs_started(const struct running_guest *g)
{
	return (int64_t)g->ticks * 1000 / sysconf(_SC_CLK_TCK);
}
