/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "pve/rrd.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "test_pve_tree.h"
#include "util/str.h"

#define NODE                                                                              \
	"pve2-node/pve1:315069::1714000000:0.45:16:0.0456:0.002:67108864000:12787765235:" \
	"8589934592:0:234567890000:111111101000:123:456\n"
#define GUEST                                                                           \
	"pve2.3-vm/100:86400:web1:running:0:1714000000:4:0.0105:8589934592:4294967296:" \
	"34359738368:0:1529756162:7750708280:7473739264:150048127488\n"
#define STOPPED "pve2.3-vm/101:0:CT101:stopped:0:1714000000:2:U:536870912:U:4294967296:0:U:U:U:U\n"
#define STORAGE "pve-storage-9.0/pve1/local:1714000000:31044079616:17571426304\n"

static void parse(struct rrd *rrd, const char *text, struct arena *a)
{
	assert_int_equal(rrd_parse(rrd, slice_of(text), a, NULL), 0);
}

static void reads_samples(void **state)
{
	const struct rrd_entry *g;
	struct arena a = {};
	struct rrd rrd;

	(void)state;
	parse(&rrd, STORAGE STOPPED GUEST NODE, &a);
	assert_int_equal(rrd.n, 4);
	assert_int_equal(rrd.entries[0].kind, RRD_NODE);
	assert_string_equal(rrd.entries[0].node, "pve1");
	assert_int_equal(rrd.entries[0].ctime, 1714000000);
	assert_false(rrd.entries[0].fields[RRD_NODE_LEVEL].known);
	assert_true(rrd.entries[0].fields[5].known);
	assert_float_equal(rrd.entries[0].fields[5].value, 0.0456, 1e-9);
	assert_int_equal(rrd.entries[0].n_fields, 15);
	g = rrd_guest(&rrd, 100);
	assert_string_equal(g->status, "running");
	assert_string_equal(g->name, "web1");
	assert_int_equal(g->ctime, 1714000000);
	assert_float_equal(g->fields[0].value, 86400, 0);
	g = rrd_guest(&rrd, 101);
	assert_string_equal(g->status, "stopped");
	assert_false(g->fields[6].known);
	assert_false(g->fields[15].known);
	assert_null(rrd_guest(&rrd, 102));
	assert_int_equal(rrd.entries[3].kind, RRD_STORAGE);
	assert_string_equal(rrd.entries[3].storage, "local");
	assert_int_equal(rrd.entries[3].ctime, 1714000000);
	arena_done(&a);
}

static void keeps_the_younger_of_two_samples(void **state)
{
	static const char *const texts[] = {
		"pve2.3-vm/100:1:a:running:0:50\npve-vm-9.0/100:2:a:paused:0:60\n",
		"pve-vm-9.0/100:2:a:paused:0:60\npve2.3-vm/100:1:a:running:0:50\n",
		"pve2.3-vm/100:2:a:paused:0:60\npve-vm-9.0/100:1:a:running:0:50\n",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		struct arena a = {};
		struct rrd rrd;

		parse(&rrd, texts[i], &a);
		assert_int_equal(rrd.n, 1);
		assert_string_equal(rrd_guest(&rrd, 100)->status, "paused");
		assert_int_equal(rrd_guest(&rrd, 100)->ctime, 60);
		arena_done(&a);
	}
}

static void skips_lines_that_do_not_hold(void **state)
{
	static const char *const bad[] = {
		"\n",
		"x\n",
		"pve2-node\n",
		"pve2-node/:1::5\n",
		"pve2-vm/100:1:a:running:0:5\n",
		"pve2.3-vm/99:1:a:running:0:5\n",
		"pve2.3-vm/x:1:a:running:0:5\n",
		"pve2.3-vm/100:1:a:running:0:U\n",
		"pve2.3-vm/100:1:a:running:0\n",
		"pve2.3-vm/100:1:a:running:0:-5\n",
		"pve-vm-/100:1:a:running:0:5\n",
		"pve2-storage/pve1:5:1:1\n",
		"pve2-storage/pve1/:5:1:1\n",
		"pve2-storage//x:5:1:1\n",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct arena a = {};
		struct rrd rrd;

		parse(&rrd, bad[i], &a);
		assert_int_equal(rrd.n, 0);
		assert_null(rrd_guest(&rrd, 100));
		arena_done(&a);
	}
}

static void newer_formats_append(void **state)
{
	struct arena a = {};
	CLEANUP(buf_done) struct buf text = {};
	struct rrd rrd;

	(void)state;
	buf_adds(&text, "pve-vm-10.1/100:1:n\xc3\xa4 me/x:running:0:5");
	for (int i = 0; i < 100; i++)
		buf_addf(&text, ":%d", i);
	buf_adds(&text, "\npve-node-9.0/a-b:1:c:7:nan:inf:1e400:0x10: 1:1x:\n");
	parse(&rrd, buf_str(&text), &a);
	assert_int_equal(rrd.n, 2);
	assert_int_equal(rrd_guest(&rrd, 100)->n_fields, RRD_FIELDS_MAX);
	assert_string_equal(rrd_guest(&rrd, 100)->name, "n\xc3\xa4 me/x");
	assert_float_equal(rrd_guest(&rrd, 100)->fields[5].value, 0, 0);
	assert_float_equal(rrd_guest(&rrd, 100)->fields[31].value, 26, 0);
	for (size_t i = 3; i < 10; i++)
		assert_false(rrd.entries[0].fields[i].known);
	assert_int_equal(rrd.entries[0].n_fields, 10);
	arena_done(&a);
}

static void a_cut_last_line_is_torn(void **state)
{
	struct arena a = {};
	struct err e = {};
	struct rrd rrd;

	(void)state;
	assert_int_equal(rrd_parse(&rrd, SLICE(GUEST "pve2.3-vm/10"), &a, &e), -EBADMSG);
	assert_non_null(strstr(e.text, ".rrd"));
	assert_int_equal(rrd_parse(&rrd, SLICE(GUEST "\0"), &a, &e), 0);
	assert_int_equal(rrd.n, 1);
	assert_int_equal(rrd_parse(&rrd, SLICE("pve2-node/\0a:1::5\n"), &a, &e), 0);
	assert_int_equal(rrd.n, 0);
	assert_int_equal(rrd_parse(&rrd, SLICE(""), &a, &e), 0);
	assert_int_equal(rrd.n, 0);
	arena_done(&a);
}

static void reads_below_a_root(void **state)
{
	struct arena a = {};
	struct tree t;
	struct rrd rrd;

	(void)state;
	tree_make(&t);
	assert_int_equal(rrd_read(&rrd, &t.root, &a, NULL), -ENOENT);
	tree_write(&t, "etc/pve/.rrd", GUEST);
	assert_int_equal(rrd_read(&rrd, &t.root, &a, NULL), 0);
	assert_int_equal(rrd.n, 1);
	arena_done(&a);
	tree_done(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_samples),
		cmocka_unit_test(keeps_the_younger_of_two_samples),
		cmocka_unit_test(skips_lines_that_do_not_hold),
		cmocka_unit_test(newer_formats_append),
		cmocka_unit_test(a_cut_last_line_is_torn),
		cmocka_unit_test(reads_below_a_root),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
