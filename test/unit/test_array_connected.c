/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "array/connected.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "array/fa_read.h"

/* Whether those who are connected show the volume of id "a". */
static bool shown(const char *const *ids, size_t n)
{
	struct fa_connection items[3] = {};

	for (size_t i = 0; i < n; i++)
		items[i] = (struct fa_connection){ .volume = "pod::vm-100-disk-0",
						   .volume_id = ids[i],
						   .host = i ? "pve2" : "pve1" };
	return connected_shows(&(struct fa_connections){ items, n }, "a");
}

static void a_volume_is_what_its_connections_are_of(void **state)
{
	(void)state;
	assert_true(shown((const char *const[]){ "a" }, 1));
	assert_true(shown((const char *const[]){ "a", "a", "a" }, 3));
	/* Another volume has the name by now. */
	assert_false(shown((const char *const[]){ "b" }, 1));
	assert_false(shown((const char *const[]){ "a", "b" }, 2));
	assert_false(shown((const char *const[]){ "A" }, 1));
}

static void nobody_and_no_id_show_nothing(void **state)
{
	(void)state;
	assert_false(shown(NULL, 0));
	assert_false(shown((const char *const[]){ NULL }, 1));
	assert_false(shown((const char *const[]){ "a", NULL }, 2));
	assert_false(shown((const char *const[]){ "" }, 1));
}

static void check_id(const char *volume, const char *want)
{
	CLEANUP(arena_done) struct arena a = {};
	CLEANUP(buf_done) struct buf text = {};
	struct fa_connection c;
	json_t *item;

	buf_addf(&text, "{\"volume\":%s,\"host\":{\"name\":\"pve1\"},\"lun\":1}", volume);
	assert_int_equal(json_parse(buf_slice(&text), "a connection", &item, NULL), 0);
	assert_int_equal(fa_read_connection(item, &a, &c, NULL), 0);
	assert_string_equal(c.volume, "v");
	if (want)
		assert_string_equal(c.volume_id, want);
	else
		assert_null(c.volume_id);
	json_decref(item);
}

static void the_id_is_read_where_it_is_said(void **state)
{
	(void)state;
	check_id("{\"name\":\"v\",\"id\":\"a\"}", "a");
	check_id("{\"name\":\"v\"}", NULL);
	check_id("{\"name\":\"v\",\"id\":null}", NULL);
	check_id("{\"name\":\"v\",\"id\":\"\"}", NULL);
	check_id("{\"name\":\"v\",\"id\":7}", NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_volume_is_what_its_connections_are_of),
		cmocka_unit_test(nobody_and_no_id_show_nothing),
		cmocka_unit_test(the_id_is_read_where_it_is_said),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
