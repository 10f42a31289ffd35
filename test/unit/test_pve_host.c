/* SPDX-License-Identifier: AGPL-3.0-or-later */

/* The grammar of /proc, and a host read from a folder. */

#include "pve/hostparse.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "pve/hostdev.h"
#include "pve/hosttop.h"
#include "test_pve_tree.h"
#include "util/str.h"

static bool near(struct host_figure f, double value)
{
	return f.known && f.value > value - 0.001 && f.value < value + 0.001;
}

static void load(void **state)
{
	struct host_figure l[3] = {};

	(void)state;
	assert_true(hostparse_load(SLICE("0.52 1.08 12.59 2/1024 4242\n"), l));
	assert_true(near(l[0], 0.52) && near(l[1], 1.08) && near(l[2], 12.59));
	assert_false(hostparse_load(SLICE("0.52 1.08"), l));
	assert_false(hostparse_load(SLICE("nan 1 1"), l));
	assert_false(hostparse_load(SLICE("-1 1 1"), l));
	assert_false(hostparse_load(SLICE(""), l));
}

static void uptime(void **state)
{
	(void)state;
	assert_int_equal(hostparse_uptime(SLICE("149.94 51.41\n")), 149);
	assert_int_equal(hostparse_uptime(SLICE("x")), 0);
	assert_int_equal(hostparse_uptime(SLICE("")), 0);
}

static void cpuinfo(void **state)
{
	CLEANUP(arena_done) struct arena a = {};
	struct host_cpu_info c;

	(void)state;
	hostparse_cpuinfo(SLICE("processor\t: 0\nmodel name\t: EPYC 7\nphysical id\t: 0\n\n"
				"processor\t: 1\nmodel name\t: EPYC 7\nphysical id\t: 1\n"),
			  &c, &a);
	assert_int_equal(c.threads, 2);
	assert_int_equal(c.sockets, 2);
	assert_string_equal(c.model, "EPYC 7");
	hostparse_cpuinfo(SLICE("nothing here"), &c, &a);
	assert_int_equal(c.threads, 0);
	assert_int_equal(c.sockets, 0);
	assert_null(c.model);
}

static void meminfo(void **state)
{
	struct host_space m, s;

	(void)state;
	hostparse_meminfo(SLICE("MemTotal:  1000 kB\nMemFree: 1 kB\nMemAvailable: 250 kB\n"
				"SwapTotal: 0 kB\nSwapFree: 0 kB\n"),
			  &m, &s);
	assert_true(m.known && m.total == 1000 * 1024 && m.used == 750 * 1024);
	assert_true(near(host_percent_of(m), 75));
	assert_true(s.known && s.total == 0);
	assert_false(host_percent_of(s).known);
	/* More available than there is: not believed. */
	hostparse_meminfo(SLICE("MemTotal: 10 kB\nMemAvailable: 11 kB\n"), &m, &s);
	assert_false(m.known || s.known);
	hostparse_meminfo(SLICE("MemTotal: 10\nMemAvailable: 5\n"), &m, &s);
	assert_false(m.known);
}

static void processor_use(void **state)
{
	struct host_jiffies a, b;

	(void)state;
	assert_true(hostparse_jiffies(SLICE("cpu  100 0 100 700 100 0 0 0 0 0\ncpu0 1\n"), &a));
	assert_true(hostparse_jiffies(SLICE("cpu  150 0 125 725 100 0 0 0 0 0\n"), &b));
	assert_true(near(hostparse_cpu(a, b), 75));
	assert_false(hostparse_cpu(a, a).known);
	assert_false(hostparse_cpu(b, a).known);
	assert_false(hostparse_jiffies(SLICE("cpu 1 2 3"), &a));
	assert_false(hostparse_jiffies(SLICE("cpu0 1 2 3 4 5 6 7 8"), &a));
}

static void process(void **state)
{
	static const char line[] =
		"42 (a (b) c) S 1 2 3 4 5 6 7 8 9 10 30 12 13 14 15 16 17 18 99 x";
	struct host_task t;

	(void)state;
	assert_true(hostparse_task(SLICE(line), &t));
	assert_true(slice_eq(t.command, "a (b) c"));
	assert_int_equal(t.used, 42);
	assert_int_equal(t.start, 99);
	assert_false(hostparse_task(SLICE("42 (a"), &t));
	assert_false(hostparse_task(SLICE("42 (a) S 1 2"), &t));
	assert_false(hostparse_task(SLICE(")("), &t));
}

static void network(void **state)
{
	struct slice name;
	uint64_t in, out;

	(void)state;
	assert_true(hostparse_net(SLICE("  eno1: 10 1 0 0 0 0 0 0 20 2 0 0"), &name, &in, &out));
	assert_true(slice_eq(name, "eno1"));
	assert_int_equal(in, 10);
	assert_int_equal(out, 20);
	assert_false(hostparse_net(SLICE(" face |bytes packets"), &name, &in, &out));
	assert_false(hostparse_net(SLICE("a/b: 1 2 3 4 5 6 7 8 9"), &name, &in, &out));
	assert_false(hostparse_net(SLICE("eno1: 1 2 3 4 5 6 7 8"), &name, &in, &out));
}

static void temperature(void **state)
{
	(void)state;
	assert_true(near(hostparse_celsius(SLICE("47875\n")), 47.875));
	assert_true(near(hostparse_celsius(SLICE("150000")), 150));
	assert_false(hostparse_celsius(SLICE("150001")).known);
	assert_false(hostparse_celsius(SLICE("0")).known);
	assert_false(hostparse_celsius(SLICE("-5000")).known);
}

/* Sensors of disks do not count; guests' ends of the network neither. */
static void from_a_folder(void **state)
{
	CLEANUP(arena_done) struct arena a = {};
	struct cluster c = { .node = { .name = "pve1", .now = 1000 } };
	struct host h;
	struct tree t;

	(void)state;
	tree_make(&t);
	tree_write(&t, "sys/class/hwmon/hwmon0/name", "nvme\n");
	tree_write(&t, "sys/class/hwmon/hwmon0/temp1_input", "80000\n");
	tree_write(&t, "sys/class/hwmon/hwmon1/name", "coretemp\n");
	tree_write(&t, "sys/class/hwmon/hwmon1/temp1_input", "50000\n");
	tree_write(&t, "sys/class/hwmon/hwmon1/temp2_input", "55000\n");
	tree_write(&t, "proc/net/dev",
		   "Inter-| Receive\n face |bytes\n"
		   "    lo: 1 0 0 0 0 0 0 0 1 0 0 0 0 0 0 0\n"
		   "  eno1: 5 0 0 0 0 0 0 0 6 0 0 0 0 0 0 0\n"
		   " vmbr0: 7 0 0 0 0 0 0 0 8 0 0 0 0 0 0 0\n"
		   "fwbr1i0: 9 0 0 0 0 0 0 0 9 0 0 0 0 0 0 0\n"
		   "tap1i0: 9 0 0 0 0 0 0 0 9 0 0 0 0 0 0 0\n");
	tree_write(&t, "sys/class/net/eno1/device", "");
	tree_write(&t, "sys/class/net/vmbr0/bridge", "");
	tree_write(&t, "sys/class/net/fwbr1i0/bridge", "");
	tree_write(&t, "proc/spl/kstat/zfs/tank/state", "DEGRADED\n");
	tree_write(&t, "proc/spl/kstat/zfs/arcstats", "x");
	tree_write(&t, "sys/class/dmi/id/product_name", "Default string\n");
	tree_write(&t, "capture.json",
		   "{\"schema\":\"pvewarden.capture/1\",\"host\":{\"cpu_percent\":12.5,"
		   "\"filesystems\":[{\"path\":\"/\",\"total\":10,\"used\":4},"
		   "{\"path\":\"/var\",\"total\":10,\"used\":11}],"
		   "\"processes\":[{\"pid\":0,\"command\":\"x\",\"cpu_percent\":1},"
		   "{\"pid\":7,\"command\":\"kvm\",\"cpu_percent\":2}]}}");
	host_read(&h, &t.root, &c, &a);
	assert_true(near(h.celsius, 55));
	assert_int_equal(h.nets.n, 2);
	assert_string_equal(h.nets.items[0].name, "eno1");
	assert_true(h.nets.items[1].bridge && h.nets.items[1].sent == 8);
	assert_int_equal(h.pools.n, 1);
	assert_string_equal(h.pools.items[0].state, "DEGRADED");
	assert_null(h.product);
	assert_true(near(h.cpu_percent, 12.5));
	assert_true(h.root.known && h.root.used == 4 && !h.var_separate);
	assert_int_equal(h.n_top, 1);
	assert_int_equal(h.top[0].pid, 7);
	assert_false(h.memory.known || h.swap.known || h.load[0].known);
	host_done(&h);
	tree_done(&t);
}

/* pvestatd's sample wins while it is young; an old one says nothing. */
static void sample_of_the_node(void **state)
{
	static const char line[] = "pve2-node/pve1:1::1000:0.1:4:0.25:0:1:1\n";
	CLEANUP(arena_done) struct arena a = {};
	struct cluster c = { .node = { .name = "pve1" } };
	struct tree t;

	(void)state;
	tree_make(&t);
	assert_int_equal(rrd_parse(&c.rrd, SLICE(line), &a, NULL), 0);
	for (int64_t now = 990; now <= 1061; now += 71) {
		struct host h;

		c.node.now = now;
		host_read(&h, &t.root, &c, &a);
		assert_int_equal(h.cpu_percent.known, now == 990);
		if (h.cpu_percent.known)
			assert_true(near(h.cpu_percent, 25));
		host_done(&h);
	}
	tree_done(&t);
}

static void this_machine(void **state)
{
	CLEANUP(arena_done) struct arena a = {};
	struct host h = {};
	struct root r;

	(void)state;
	assert_int_equal(root_open(&r, NULL, NULL), 0);
	hosttop_sample(&h, &r, &a);
	assert_true(h.cpu_percent.known && h.cpu_percent.value >= 0 && h.cpu_percent.value <= 100);
	for (size_t i = 1; i < h.n_top; i++)
		assert_true(h.top[i - 1].cpu_percent >= h.top[i].cpu_percent);
	root_close(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(load),		 cmocka_unit_test(uptime),
		cmocka_unit_test(cpuinfo),	 cmocka_unit_test(meminfo),
		cmocka_unit_test(processor_use), cmocka_unit_test(process),
		cmocka_unit_test(network),	 cmocka_unit_test(temperature),
		cmocka_unit_test(from_a_folder), cmocka_unit_test(sample_of_the_node),
		cmocka_unit_test(this_machine),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
