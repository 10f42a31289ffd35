/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "pve/hosttop.h"

#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "pve/hostparse.h"
#include "util/clock.h"
#include "util/str.h"

enum {
	PAUSE_MS = 250,
	PROCESSES_MAX = 16384, /* what is beyond is not looked at */
	TICKS_PER_SECOND = 100,
	STAT_MAX = 4 * 1024 * 1024,
};

struct seen {
	pid_t pid;
	uint64_t used, start;
};

struct look {
	int64_t at_ms;
	bool have_all;
	struct host_jiffies all;
	VEC(struct seen) processes; /* sorted by pid */
};

static bool read_task(const struct root *root, pid_t pid, struct buf *text, struct host_task *ret)
{
	char path[40];

	(void)snprintf(path, sizeof(path), "proc/%ld/stat", (long)pid);
	return root_read(root, path, 4096, text) == 0 && hostparse_task(buf_slice(text), ret);
}

static int by_pid(const void *a, const void *b)
{
	pid_t x = ((const struct seen *)a)->pid, y = ((const struct seen *)b)->pid;

	return (x > y) - (x < y);
}

static void look_at_machine(struct look *l, const struct root *root)
{
	CLEANUP(buf_done) struct buf text = {};

	l->at_ms = clock_boot_ms();
	l->have_all = root_read(root, "proc/stat", STAT_MAX, &text) == 0 &&
		      hostparse_jiffies(buf_slice(&text), &l->all);
}

static void look_at_processes(struct look *l, const struct root *root)
{
	CLEANUP(buf_done) struct buf text = {};
	DIR *d = root_opendir(root, "proc");
	const struct dirent *entry;
	struct host_task task;
	uint32_t pid;

	while (d && l->processes.n < PROCESSES_MAX && (entry = readdir(d))) {
		struct seen *s;

		if (!str_to_u32(slice_of(entry->d_name), &pid) || pid > INT32_MAX ||
		    !read_task(root, (pid_t)pid, &text, &task))
			continue;
		s = vec_push(&l->processes);
		*s = (struct seen){ (pid_t)pid, task.used, task.start };
	}
	if (d)
		(void)closedir(d);
	if (l->processes.n > 1)
		qsort(l->processes.items, l->processes.n, sizeof(struct seen), by_pid);
}

/* Keeps the list sorted, busiest first, by insertion: it has five places. */
static void offer(struct host *ret, struct host_process p)
{
	size_t at = ret->n_top;

	while (at > 0 && ret->top[at - 1].cpu_percent < p.cpu_percent)
		at--;
	if (at == HOST_TOP_MAX)
		return;
	if (ret->n_top < HOST_TOP_MAX)
		ret->n_top++;
	for (size_t i = ret->n_top - 1; i > at; i--)
		ret->top[i] = ret->top[i - 1];
	ret->top[at] = p;
}

static void compare(struct host *ret, const struct root *root, const struct look *before,
		    struct arena *a)
{
	CLEANUP(buf_done) struct buf text = {};
	struct host_task task;

	vec_each (s, &before->processes) {
		double seconds = (double)(clock_boot_ms() - before->at_ms) / 1000;

		if (s->pid == getpid() || !read_task(root, s->pid, &text, &task) ||
		    task.start != s->start || task.used <= s->used || seconds <= 0)
			continue;
		offer(ret,
		      (struct host_process){ .pid = s->pid,
					     .command = arena_str(a, task.command),
					     .cpu_percent = 100 * (double)(task.used - s->used) /
							    TICKS_PER_SECOND / seconds });
	}
}

void hosttop_sample(struct host *ret, const struct root *root, struct arena *a)
{
	const struct timespec pause = { .tv_nsec = (long)PAUSE_MS * 1000 * 1000 };
	struct look before = {}, after = {};

	look_at_machine(&before, root);
	look_at_processes(&before, root);
	(void)nanosleep(&pause, NULL);
	look_at_machine(&after, root);
	compare(ret, root, &before, a);
	ret->top_known = before.processes.n > 0;
	if (before.have_all && after.have_all)
		ret->cpu_percent = hostparse_cpu(before.all, after.all);
	vec_free(&before.processes);
}
