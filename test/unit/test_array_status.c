/* SPDX-License-Identifier: AGPL-3.0-or-later */

/* array.json as it is written and read again: which exit status it amounts to, what a person sees,
 * and that nothing of it reaches a terminal or Prometheus as it stands. */

#include "array/publish.h"
#include "array/show_status.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "test_pve_tree.h"
#include "util/cli.h"
#include "util/clock.h"
#include "util/str.h"

enum { NOW = 1795282183 };

struct stage {
	struct survey s;
	struct survey_storage row;
	struct array_storage storage;
	struct survey_array array;
	struct survey_map map;
	struct map_found found;
	struct finding_map is;
	struct finding finding;
	struct findings f;
	struct array_daemon d;
};

static void set(struct stage *g)
{
	*g = (struct stage){
		.storage = { .id = "pure" },
		.array = { .url = "https://fa1", .host = "pve1", .about = { .name = "fa1" } },
		.map = { .serial = "96622A35A07E4A33000126D2" },
		.found = { .state = { .device = "dm-7",
				      .paths = 4,
				      .paths_ok = 4,
				      .size = 1 << 30,
				      .in_use = MAP_OPEN } },
		.is = { .known = true, .volume = "vg/vm-100-disk-0", .storage = "pure" },
		.d = { .node = "pve1", .now = NOW, .started = NOW - 60, .calls = 12 },
	};
	g->row = (struct survey_storage){
		.storage = &g->storage, .n_arrays = 1, .total = 1ULL << 40, .used = 1ULL << 39
	};
	g->map.found = &g->found;
	g->s = (struct survey){ .storages = { .items = &g->storage, .n = 1 },
				.rows = &g->row,
				.arrays = &g->array,
				.n_arrays = 1,
				.maps = &g->map,
				.n_maps = 1 };
	g->f.maps = &g->is;
}

static void find(struct stage *g, enum finding_level level)
{
	g->finding = (struct finding){ .kind = FINDING_PATHS,
				       .level = level,
				       .map = &g->map,
				       .volume = "vg/vm-100-disk-0",
				       .what = "2 of 4 paths work",
				       .remedy = "look at the fabric" };
	g->f.items = &g->finding;
	g->f.n = 1;
}

static void read_back(const struct stage *g, struct array_status *ret, int64_t now)
{
	CLEANUP(buf_done) struct buf text = {};

	array_document(&g->s, &g->f, &g->d, &text);
	array_status_parse(ret, buf_slice(&text), now);
}

static int exit_of(const struct stage *g)
{
	CLEANUP(array_status_done) struct array_status s = {};

	read_back(g, &s, NOW + 5);
	assert_null(s.absent);
	return array_status_exit(&s);
}

static void exits(void **state)
{
	struct stage g;

	(void)state;
	set(&g);
	assert_int_equal(exit_of(&g), CLI_OK);
	find(&g, FINDING_NOTICE);
	assert_int_equal(exit_of(&g), CLI_OK);
	find(&g, FINDING_WARNING);
	assert_int_equal(exit_of(&g), CLI_WARNING);
	find(&g, FINDING_CRITICAL);
	assert_int_equal(exit_of(&g), CLI_CRITICAL);
	set(&g);
	g.array.answer = -113;
	assert_int_equal(exit_of(&g), CLI_WARNING);
	g.s.blind[g.s.n_blind++] = "the registry: broken";
	assert_int_equal(exit_of(&g), CLI_UNKNOWN);
	g.row.problem = "no array answers";
	assert_int_equal(exit_of(&g), CLI_CRITICAL);
	set(&g);
	g.s.stuck[g.s.n_stuck++] = (struct worker_stuck){ .serial = "X", .pid = 4 };
	assert_int_equal(exit_of(&g), CLI_WARNING);
}

static void members(void **state)
{
	CLEANUP(array_status_done) struct array_status s = {};
	struct stage g;

	(void)state;
	set(&g);
	find(&g, FINDING_WARNING);
	read_back(&g, &s, NOW + 5);
	assert_int_equal(s.age, 5);
	assert_int_equal(s.n_maps, 1);
	assert_string_equal(s.maps[0].wwid, "3624a937096622a35a07e4a33000126d2");
	assert_string_equal(s.maps[0].state, "connected");
	assert_int_equal(s.maps[0].open, TRI_YES);
	assert_int_equal(s.storages[0].used, 1ULL << 39);
	assert_string_equal(s.drift[0].remedy, "look at the fabric");
	assert_int_equal(s.calls, 12);
}

/* The document is also what dm judges by: it must read what is certain, and nothing else. */
static void what_dm_reads(void **state)
{
	CLEANUP(buf_done) struct buf text = {};
	CLEANUP(arena_done) struct arena a = {};
	struct array_state dm;
	struct tree t;
	struct stage g;

	(void)state;
	tree_make(&t);
	for (int known = 0; known <= 1; known++) {
		set(&g);
		g.is.known = known;
		g.is.state = ARRAY_MAP_GONE;
		buf_reset(&text);
		array_document(&g.s, &g.f, &g.d, &text);
		tree_write_n(&t, "run/pvewarden/array/array.json", text.data, text.len);
		array_state_read(&dm, &t.root, NOW, &a);
		assert_null(dm.absent);
		assert_int_equal(dm.n_maps, known);
		if (known)
			assert_int_equal(dm.maps[0].state, ARRAY_MAP_GONE);
	}
	tree_done(&t);
}

static void old_or_broken_is_absent(void **state)
{
	static const char *const texts[] = {
		"", "{}", "[1]", "{\"schema\":\"pvewarden.array/2\",\"maps\":[]}",
		"{\"schema\":\"pvewarden.array/1\",\"maps\":[],\"arrays\":[],\"storages\":[],\"drift\":[]}"
	};
	struct stage g;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		CLEANUP(array_status_done) struct array_status s = {};

		array_status_parse(&s, slice_of(texts[i]), NOW);
		assert_non_null(s.absent);
		assert_int_equal(array_status_exit(&s), CLI_UNKNOWN);
	}
	set(&g);
	for (int age = -61; age <= 61; age += 122) {
		CLEANUP(array_status_done) struct array_status s = {};

		read_back(&g, &s, NOW + age);
		assert_non_null(s.absent);
	}
}

static void nothing_raw(void **state)
{
	struct array_view view = { .width = 100, .now = NOW };
	CLEANUP(array_status_done) struct array_status s = {};
	CLEANUP(buf_done) struct buf out = {};
	struct stage g;

	(void)state;
	set(&g);
	find(&g, FINDING_WARNING);
	g.finding.volume = g.is.volume = "vm\033[2J";
	g.finding.what = g.array.why = g.row.problem = "bad\a\n\"x\\";
	g.array.answer = -5;
	g.s.blind[g.s.n_blind++] = "\xff\x1b";
	read_back(&g, &s, NOW);
	array_show_status(&s, &view, &out);
	array_show_prometheus(&s, &out);
	for (size_t i = 0; i < out.len; i++)
		assert_true((unsigned char)out.data[i] >= ' ' || out.data[i] == '\n');
}

static void show(const struct stage *g, size_t width, struct array_status *ret, struct buf *out)
{
	struct array_view view = { .width = width, .now = NOW };

	read_back(g, ret, NOW);
	array_show_status(ret, &view, out);
}

static void first_line(void **state)
{
	CLEANUP(array_status_done) struct array_status s = {};
	CLEANUP(buf_done) struct buf out = {};
	struct stage g;

	(void)state;
	set(&g);
	find(&g, FINDING_WARNING);
	show(&g, 100, &s, &out);
	assert_true(strstr(out.data,
			   "WARNING - pve1: 1 of 1 array answers, 1 volume mapped, 1 needs "
			   "attention | arrays=1 answering=1 volumes=1 drift=1 stuck=0\n") ==
		    out.data);
	assert_non_null(strstr(out.data, "look at the fabric"));
}

static void names_keep_their_ends(void **state)
{
	CLEANUP(array_status_done) struct array_status s = {};
	CLEANUP(buf_done) struct buf out = {};
	struct stage g;

	(void)state;
	set(&g);
	g.is.volume = "pod::of-the-whole-cluster-vm-100-disk-0";
	show(&g, 60, &s, &out);
	assert_null(strstr(out.data, "pod::"));
	assert_non_null(strstr(out.data, "\n~"));
	assert_non_null(strstr(out.data, "-disk-0  "));
}

static void no_path_left(void **state)
{
	CLEANUP(array_status_done) struct array_status s = {};
	CLEANUP(buf_done) struct buf out = {};
	struct stage g;

	(void)state;
	set(&g);
	g.found.state.paths = g.found.state.paths_ok = 0;
	show(&g, 100, &s, &out);
	assert_non_null(strstr(out.data, "   none  "));
	array_show_prometheus(&s, &out);
	assert_non_null(strstr(out.data, "\npvewarden_array_volumes_without_path 1\n"));
}

/* Two storages reach one array, one of them with the certificate verified: a row each. Of a series
 * that is there twice Prometheus takes the whole file for broken. */
static void no_series_twice(void **state)
{
	CLEANUP(array_status_done) struct array_status s = {};
	CLEANUP(buf_done) struct buf out = {};
	struct survey_array arrays[3];
	struct stage g;

	(void)state;
	set(&g);
	for (size_t i = 0; i < ARRAY_SIZE(arrays); i++) {
		arrays[i] = g.array;
		arrays[i].counters.requests = 10 + i;
	}
	arrays[1].host = "pve1-b";
	arrays[2].answer = -EHOSTUNREACH;
	g.s.arrays = arrays;
	g.s.n_arrays = ARRAY_SIZE(arrays);
	read_back(&g, &s, NOW);
	array_show_prometheus(&s, &out);
	assert_non_null(strstr(out.data,
			       "gauge\n"
			       "pvewarden_array_up{url=\"https://fa1\",host=\"pve1\"} 0\n"
			       "pvewarden_array_up{url=\"https://fa1\",host=\"pve1-b\"} 1\n"
			       "#"));
	assert_non_null(strstr(
		out.data, "counter\n"
			  "pvewarden_array_requests_total{url=\"https://fa1\",host=\"pve1\"} 22\n"
			  "pvewarden_array_requests_total{url=\"https://fa1\",host=\"pve1-b\"} 11\n"
			  "#"));
}

/* A table cuts off what does not fit; why something is out of reach is what one looks for. */
static void reasons_are_whole(void **state)
{
	static const char why[] = "https://fa1: login refused: API token is invalid. (status 401); "
				  "check the storage's token, please";
	struct array_view view = { .width = 60, .now = NOW };
	CLEANUP(array_status_done) struct array_status s = {};
	CLEANUP(buf_done) struct buf out = {};
	struct slice rest, one;
	struct stage g;

	(void)state;
	set(&g);
	g.array.answer = -13;
	g.array.why = g.row.problem = why;
	read_back(&g, &s, NOW);
	array_show_status(&s, &view, &out);
	assert_non_null(strstr(out.data, "please"));
	assert_null(strstr(strstr(out.data, "please") + 1, "please"));
	assert_non_null(strstr(out.data, "pvewarden array status --diagnose pure"));
	rest = buf_slice(&out);
	(void)slice_split(&rest, '\n', &one);
	(void)slice_split(&rest, '\n', &one);
	while (slice_split(&rest, '\n', &one))
		assert_true(one.n <= 80);

	/* Of an array that no storage is out of reach for. */
	buf_reset(&out);
	array_status_done(&s);
	g.row.problem = NULL;
	read_back(&g, &s, NOW);
	array_show_status(&s, &view, &out);
	assert_non_null(strstr(out.data, "please"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(exits),
		cmocka_unit_test(members),
		cmocka_unit_test(what_dm_reads),
		cmocka_unit_test(old_or_broken_is_absent),
		cmocka_unit_test(nothing_raw),
		cmocka_unit_test(first_line),
		cmocka_unit_test(names_keep_their_ends),
		cmocka_unit_test(no_path_left),
		cmocka_unit_test(no_series_twice),
		cmocka_unit_test(reasons_are_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
