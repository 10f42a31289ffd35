/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "pve/task.h"

#include "fuzz_pve.h"
#include "pve/flock.h"
#include "pve/procstat.h"
#include "pve/running.h"
#include "util/str.h"

static void check_upid(struct slice text)
{
	struct upid u;

	if (!upid_parse(text, &u))
		return;
	CHECK(u.node.n && u.type.n && u.user.n);
	CHECK(lies_in(u.node, text) && lies_in(u.type, text) && lies_in(u.id, text));
	CHECK(u.pid <= UINT32_MAX && u.start <= UINT32_MAX && u.pstart < UINT64_C(1) << 36);
	/* The name of its log file, which must not lead out of its folder. */
	CHECK(!memchr(text.p, '/', text.n));
}

static void check_line(struct slice line)
{
	struct flock_entry f = {};
	struct procstat st = {};

	check_upid(line);
	if (flock_parse(line, &f))
		CHECK(f.pid >= -1);
	if (procstat_parse(line, &st))
		CHECK(st.state);
}

/* Lines of the list of tasks, of /proc/locks, of /proc/PID/stat, and a command line. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	CLEANUP_FREE char *copy = exact_copy(data, n);
	struct slice text = { copy, n }, rest = text, line;
	bool incoming = false;

	while (slice_split(&rest, '\n', &line))
		check_line(line);
	if (!running_is_qemu_of(text, 100, &incoming))
		CHECK(!incoming);
	return 0;
}
