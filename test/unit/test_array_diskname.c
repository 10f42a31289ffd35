/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "array/diskname.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>

static void takes_the_lowest_free_number(void **state)
{
	static const char *const there[] = { "vm-100-disk-0", "vm-100-disk-2", "vm-100-cloudinit" };
	struct diskname_taken t = { .vmid = 100 };
	char name[DISKNAME_MAX];

	(void)state;
	assert_int_equal(diskname_next(&t, name, NULL), 0);
	assert_string_equal(name, "vm-100-disk-0");
	for (size_t i = 0; i < ARRAY_SIZE(there); i++)
		diskname_take(&t, there[i]);
	assert_int_equal(diskname_next(&t, name, NULL), 0);
	assert_string_equal(name, "vm-100-disk-1");
	diskname_take(&t, "base-100-disk-1");
	assert_int_equal(diskname_next(&t, name, NULL), 0);
	assert_string_equal(name, "vm-100-disk-3");
}

static void other_names_take_nothing(void **state)
{
	static const char *const others[] = { "vm-101-disk-0",
					      "vm-10-disk-0",
					      "vm-1000-disk-0",
					      "vm-100-disk-",
					      "vm-100-disk-0x",
					      "vm-100-state-0",
					      "vm-100-disk-00",
					      "vm-100-disk-1024",
					      "snap-100-disk-0",
					      "vm-100-disk--0",
					      "" };
	struct diskname_taken t = { .vmid = 100 };
	char name[DISKNAME_MAX];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		if (strcmp(others[i], "vm-100-disk-00") != 0)
			diskname_take(&t, others[i]);
	assert_int_equal(diskname_next(&t, name, NULL), 0);
	assert_string_equal(name, "vm-100-disk-0");
	/* Proxmox reads any digits as the number: better one number too many taken. */
	diskname_take(&t, "vm-100-disk-00");
	assert_int_equal(diskname_next(&t, name, NULL), 0);
	assert_string_equal(name, "vm-100-disk-1");
}

static void a_full_guest_is_refused(void **state)
{
	struct diskname_taken t = { .vmid = 999999999 };
	char name[DISKNAME_MAX];
	struct err e = {};

	(void)state;
	for (int i = 0; i < DISKNAME_COUNT; i++) {
		assert_int_equal(diskname_next(&t, name, NULL), 0);
		diskname_take(&t, name);
	}
	assert_string_equal(name, "vm-999999999-disk-1023");
	assert_int_equal(diskname_next(&t, name, &e), -ENOSPC);
	assert_non_null(strstr(e.text, "999999999"));
}

static void names_that_are_asked_for(void **state)
{
	static const char *const good[] = { "vm-100-disk-3", "vm-100-cloudinit", "vm-100-state-a_b",
					    "vm-100-fleece-0", "vm-100-anything" };
	static const char *const bad[] = { "vm-101-disk-0", "base-100-disk-0",
					   "disk-0",	    "vm-100-",
					   "vm-100",	    "vm-100-a.b",
					   "vm-100-a/b",    "" };
	struct err e;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++)
		assert_int_equal(diskname_given(good[i], 100, &e), 0);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_int_equal(diskname_given(bad[i], 100, &e), -EINVAL);
		assert_non_null(strstr(e.text, "vm-100-NAME"));
	}
}

static void what_is_made_again(void **state)
{
	static const char *const yes[] = { "vm-1-cloudinit", "vm-1-state-x", "vm-1-fleece-0" };
	static const char *const no[] = { "vm-1-disk-0",    "base-1-cloudinit", "vm-1-cloudinit2",
					  "vm-1-mystate-x", "vm-1-fleece",	"x" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(yes); i++)
		assert_true(diskname_is_remade(yes[i]));
	for (size_t i = 0; i < ARRAY_SIZE(no); i++)
		assert_false(diskname_is_remade(no[i]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(takes_the_lowest_free_number),
		cmocka_unit_test(other_names_take_nothing),
		cmocka_unit_test(a_full_guest_is_refused),
		cmocka_unit_test(names_that_are_asked_for),
		cmocka_unit_test(what_is_made_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
