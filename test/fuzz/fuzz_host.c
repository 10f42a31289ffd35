/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "pve/hostparse.h"

#include "fuzz_pve.h"
#include "util/str.h"

static void check_space(struct host_space s)
{
	struct host_figure f = host_percent_of(s);

	CHECK(s.used <= s.total);
	CHECK(!f.known || (f.value >= 0 && f.value <= 100));
}

static void check_processor(struct slice text)
{
	struct host_jiffies j, twice;
	struct host_figure f;

	if (!hostparse_jiffies(text, &j))
		return;
	CHECK(j.busy <= j.total);
	twice = (struct host_jiffies){ j.busy * 2, j.total * 2 };
	f = hostparse_cpu(j, twice);
	CHECK(!f.known || (f.value >= 0 && f.value <= 100));
}

static void check_lines(struct slice text)
{
	struct slice line, name;
	uint64_t in, out;

	while (slice_split(&text, '\n', &line))
		if (hostparse_net(line, &name, &in, &out))
			CHECK(name.n > 0 && name.n < 16 && lies_in(name, line));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	CLEANUP_FREE char *copy = exact_copy(data, n);
	struct slice text = { copy, n };
	struct host_space memory, swap;
	struct host_cpu_info cpu;
	struct host_figure f[3];
	struct host_task task;
	struct arena a = {};

	if (hostparse_load(text, f))
		CHECK(f[0].known && f[1].known && f[2].known && f[0].value >= 0);
	CHECK(hostparse_uptime(text) >= 0);
	hostparse_cpuinfo(text, &cpu, &a);
	CHECK(!cpu.model || *cpu.model);
	hostparse_meminfo(text, &memory, &swap);
	check_space(memory);
	check_space(swap);
	check_processor(text);
	check_lines(text);
	if (hostparse_task(text, &task))
		CHECK(lies_in(task.command, text));
	f[0] = hostparse_celsius(text);
	CHECK(!f[0].known || (f[0].value >= 1 && f[0].value <= 150));
	arena_done(&a);
	return 0;
}
