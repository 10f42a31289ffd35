/* SPDX-License-Identifier: AGPL-3.0-or-later */

/* What the agent makes of a node's numbers: samples, processors, which guests are alive. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "agent/alive.h"
#include "agent/hostfacts.h"
#include "agent/samples.h"
#include "test_pve_tree.h"

static void assert_sample(const char *text, enum samples_kind kind, const char *expected)
{
	CLEANUP(buf_done) struct buf out = {};
	struct rrd_line l = { .n_fields = 1, .fields = { slice_of(text) } };
	const struct samples_field field = { "x", 0, kind };

	buf_adds(&out, "");
	samples_write(&out, &l, &field, 1);
	assert_string_equal(buf_str(&out), expected);
}

static void test_numbers_are_json(void **state)
{
	(void)state;
	assert_sample("8589934592", SAMPLES_COUNT, ", \"x\": 8589934592");
	assert_sample("007", SAMPLES_COUNT, ", \"x\": 7");
	assert_sample("1.5e3", SAMPLES_COUNT, ", \"x\": 1500");
	assert_sample("-1", SAMPLES_COUNT, "");
	assert_sample("U", SAMPLES_COUNT, "");
	assert_sample("", SAMPLES_COUNT, "");
	assert_sample("1e300", SAMPLES_COUNT, "");
	assert_sample("0.0105", SAMPLES_SHARE, ", \"x\": 0.0105");
	assert_sample(".5", SAMPLES_SHARE, ", \"x\": 0.500000");
	assert_sample("5.", SAMPLES_SHARE, ", \"x\": 5.000000");
	assert_sample("inf", SAMPLES_SHARE, "");
	assert_sample("12.50", SAMPLES_PERCENT, ", \"x\": 0.125000");
	assert_sample("0.00", SAMPLES_PERCENT, ", \"x\": 0");
}

static void test_processors(void **state)
{
	struct hostfacts_fixed f = {};

	(void)state;
	hostfacts_cpuinfo(&f, SLICE("processor\t: 0\nmodel name\t: EPYC\nphysical id\t: 0\n"
				    "cpu cores\t: 8\ncpu MHz\t\t: 2994.375\nflags\t\t: fpu svm\n\n"
				    "processor\t: 1\nphysical id\t: 1\ncpu cores\t: 8\n"));
	assert_int_equal(f.cores, 16);
	assert_int_equal(f.cpu.threads, 2);
	assert_true(f.hvm && f.mhz > 2994 && f.mhz < 2995);
	hostfacts_fixed_done(&f);
}

static void test_alive_without_root(void **state)
{
	static const char cmdline[] = "/usr/bin/kvm\0-id\0"
				      "100\0-name\0web";
	struct alive a = {};
	struct tree t;

	(void)state;
	tree_make(&t);
	assert_int_equal(alive_is(&a, &t.root, GUEST_QEMU, 100), TRI_UNKNOWN);
	assert_int_equal(alive_is(&a, &t.root, GUEST_LXC, 101), TRI_UNKNOWN);
	alive_forget(&a);
	tree_write(&t, "sys/fs/cgroup/qemu.slice/100.scope/cgroup.procs", "7\n4711\n");
	tree_write_n(&t, "proc/4711/cmdline", cmdline, sizeof(cmdline));
	tree_write(&t, "sys/fs/cgroup/qemu.slice/102.scope/cgroup.procs", "4711\n");
	tree_write(&t, "proc/net/unix",
		   "0: 2 0 10000 1 1 42 @/var/lib/lxc/101/command\n0: 2 0 10000 1 1 42\n"
		   "0: 2 0 10000 1 1 42 @/var/lib/lxc/x/command\n");
	assert_int_equal(alive_is(&a, &t.root, GUEST_QEMU, 100), TRI_YES);
	assert_int_equal(alive_is(&a, &t.root, GUEST_QEMU, 102), TRI_NO);
	assert_int_equal(alive_is(&a, &t.root, GUEST_QEMU, 103), TRI_NO);
	assert_int_equal(alive_is(&a, &t.root, GUEST_LXC, 101), TRI_YES);
	assert_int_equal(alive_is(&a, &t.root, GUEST_LXC, 102), TRI_NO);
	alive_done(&a);
	tree_done(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_numbers_are_json),
		cmocka_unit_test(test_processors),
		cmocka_unit_test(test_alive_without_root),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
