/* SPDX-License-Identifier: AGPL-3.0-or-later */

/* All of HA's services at once; one of them alone is tested with the watch. */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "pve/ha.h"

#define RESOURCES                                                                              \
	"vm: 102\n\tstate stopped\n\nct: 101\n\nvm: 100\n\tstate enabled\n\nvm: 103\n\tstate " \
	"ignored\n\nvm:104\n\nsnail: 105\n\nvm: x\n"

static struct arena arena;
static struct ha_table table;

static int parse(const char *status)
{
	return ha_table_parse(&table, SLICE(RESOURCES), slice_of(status), &arena, NULL);
}

static void test_what_is_managed(void **state)
{
	(void)state;
	assert_int_equal(parse(""), 0);
	assert_int_equal(table.n, 4);
	assert_string_equal(ha_table_find(&table, GUEST_QEMU, 100)->wanted, "started");
	assert_string_equal(ha_table_find(&table, GUEST_LXC, 101)->wanted, "started");
	assert_string_equal(ha_table_find(&table, GUEST_QEMU, 102)->wanted, "stopped");
	assert_null(ha_table_find(&table, GUEST_QEMU, 101));
	assert_null(ha_table_find(&table, GUEST_QEMU, 103));
	assert_non_null(ha_table_find(&table, GUEST_QEMU, 104));
	assert_null(ha_table_find(&table, GUEST_QEMU, 100)->state);
	assert_null(table.master);
}

static void test_what_its_manager_says(void **state)
{
	const struct ha_resource *r;

	(void)state;
	assert_int_equal(parse("{\"master_node\":\"pve2\",\"timestamp\":17,\"service_status\":{"
			       "\"vm:100\":{\"node\":\"pve1\",\"state\":\"fence\"},\"ct:101\":7}}"),
			 0);
	assert_string_equal(table.master, "pve2");
	assert_int_equal(table.at, 17);
	r = ha_table_find(&table, GUEST_QEMU, 100);
	assert_string_equal(r->state, "fence");
	assert_string_equal(r->node, "pve1");
	assert_null(ha_table_find(&table, GUEST_LXC, 101)->state);
	/* Disarmed: nothing is managed. */
	assert_int_equal(parse("{\"disarm\":{\"mode\":\"ignore\"}}"), 0);
	assert_int_equal(table.n, 0);
	/* A broken status leaves what is wanted. */
	assert_int_equal(parse("{"), -EBADMSG);
	assert_int_equal(table.n, 4);
}

static int free_arena(void **state)
{
	(void)state;
	arena_done(&arena);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_managed),
		cmocka_unit_test(test_what_its_manager_says),
	};

	return cmocka_run_group_tests(tests, NULL, free_arena);
}
