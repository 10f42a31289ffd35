/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "blk/lvm.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "blk/lvm_act.h"
#include "util/file.h"
#include "util/proc.h"
#include "util/str.h"

/* Which process hangs: "PID START_TICKS". Removed by nobody: it speaks of one process of one boot.
 */
#define STATE_DIR  "/run/pvewarden/dm"
#define HANGS_PATH STATE_DIR "/lvm-hangs"

static int refuse_while_hanging(struct err *e)
{
	CLEANUP(buf_done) struct buf text = {};
	struct slice rest, word;
	uint64_t pid, ticks;

	if (file_read_at(AT_FDCWD, HANGS_PATH, 100, &text) < 0)
		return 0;
	rest = slice_trim(buf_slice(&text));
	if (!slice_split(&rest, ' ', &word) || !str_to_u64(word, &pid) || !str_to_u64(rest, &ticks))
		return 0;
	if (proc_start_ticks((pid_t)pid) != ticks)
		return 0;
	return err_set(
		e, -EBUSY,
		"lvm (pid %llu) of an earlier check still hangs in the kernel, no further one "
		"is started: look for a disk or multipath map that does not answer",
		(unsigned long long)pid);
}

static void remember_hanging(const struct proc_result *p)
{
	CLEANUP(buf_done) struct buf text = {};

	if (!p->pid)
		return;
	buf_addf(&text, "%ld %llu\n", (long)p->pid, (unsigned long long)p->start_ticks);
	if (file_mkdirs(AT_FDCWD, STATE_DIR, 0755) == 0)
		(void)file_write_atomic(AT_FDCWD, HANGS_PATH, buf_slice(&text), 0644);
}

/* "/dev/sda3,/dev/sdb" of all that may be read; false if there is none. */
static bool device_list(const struct candidates *from, struct buf *ret)
{
	for (size_t i = 0; i < from->n; i++)
		if (!from->items[i].refused)
			buf_addf(ret, "%s%s", ret->len ? "," : "", from->items[i].path);
	return ret->len > 0;
}

static const char *lvm_program(void)
{
	static const char *const places[] = { "/usr/sbin/lvm", "/sbin/lvm" };

	for (size_t i = 0; i < ARRAY_SIZE(places); i++)
		if (access(places[i], X_OK) == 0)
			return places[i];
	return NULL;
}

static int fail_with_its_words(const struct proc_result *p, const char *command, struct err *e)
{
	struct slice rest = buf_slice(&p->err), line = {};
	char shown[300];

	while (slice_split(&rest, '\n', &line) && slice_empty(slice_trim(line)))
		;
	str_printable(shown, sizeof(shown), slice_trim(line));
	return err_set(e, -EIO, "lvm %s ended with status %d: %s", command, p->status,
		       *shown ? shown : "no message");
}

static int run(const char *devices, struct proc_result *p, struct err *e)
{
	static const char *const env[] = { "LVM_SUPPRESS_FD_WARNINGS=1", NULL };
	const char *argv[40] = { lvm_program(), "fullreport", "--readonly", "--devices", devices };
	size_t n = 5;
	int r;

	if (!argv[0])
		return err_set(e, -EIO, "lvm is not installed (package lvm2)");
	for (const char *const *arg = lvmreport_args; *arg && n + 1 < ARRAY_SIZE(argv); arg++)
		argv[n++] = *arg;
	r = proc_run(argv, env, LVM_DEADLINE_MS, LVM_REPORT_MAX, p, e);
	if (r < 0) {
		remember_hanging(p);
		return r;
	}
	return p->status ? fail_with_its_words(p, "fullreport", e) : 0;
}

static int read_recorded(struct lvm_report *ret, const struct root *root, struct arena *a,
			 struct buf *raw, struct err *e)
{
	CLEANUP(buf_done) struct buf text = {};
	int r = root_read(root, LVM_RECORD_PATH, LVM_REPORT_MAX, &text);

	if (r < 0)
		return err_set(e, r, "%s: %s", LVM_RECORD_PATH, strerror(-r));
	if (raw)
		buf_add(raw, text.data, text.len);
	return lvmreport_parse(ret, buf_slice(&text), LVM_RECORD_PATH, a, e);
}

int lvm_read(struct lvm_report *ret, const struct root *root, const struct candidates *from,
	     struct arena *a, struct buf *raw, struct err *e)
{
	CLEANUP(proc_result_done) struct proc_result p = {};
	CLEANUP(buf_done) struct buf devices = {};
	int r;

	*ret = (struct lvm_report){};
	if (!root->live)
		return read_recorded(ret, root, a, raw, e);
	if (!device_list(from, &devices)) {
		if (raw)
			buf_adds(raw, "{\"report\":[]}\n");
		return 0;
	}
	r = refuse_while_hanging(e);
	if (r == 0)
		r = run(devices.data, &p, e);
	if (r < 0)
		return r;
	if (raw)
		buf_add(raw, p.out.data, p.out.len);
	return lvmreport_parse(ret, buf_slice(&p.out), "lvm fullreport", a, e);
}

int lvm_change(const struct lvm_lv *lv, enum lvm_act act, int deadline_ms, bool *ret_hangs,
	       struct err *e)
{
	static const char *const env[] = { "LVM_SUPPRESS_FD_WARNINGS=1", NULL };
	/* Somebody else's open device is not waited for, and no pool is checked on its way out:
	 * what would be killed half-way is not begun. */
	static const char at_once[] =
		"activation { retry_deactivation = 0 } "
		"global { thin_check_executable = \"\" cache_check_executable = \"\" }";
	CLEANUP(proc_result_done) struct proc_result p = {};
	CLEANUP(arena_done) struct arena scratch = {};
	const char *const argv[] = {
		lvm_program(), "lvchange", act == LVM_ACTIVATE ? "-aly" : "-aln", "--config",
		at_once, "--devices", lvm_pv_list(lv->vg, &scratch), "--select",
		lvm_lv_selection(lv, &scratch),
		/* Snapshots have a flag that keeps them from being activated. */
		act == LVM_ACTIVATE ? "-K" : NULL, NULL
	};
	int r;

	*ret_hangs = false;
	if (!argv[0])
		return err_set(e, -EIO, "lvm is not installed (package lvm2)");
	r = refuse_while_hanging(e);
	if (r == 0) {
		r = proc_run(argv, env, deadline_ms, LVM_REPORT_MAX, &p, e);
		*ret_hangs = p.pid != 0;
		remember_hanging(&p);
	}
	if (r < 0)
		return r;
	return p.status ? fail_with_its_words(&p, "lvchange", e) : 0;
}
