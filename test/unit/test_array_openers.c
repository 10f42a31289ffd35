/* SPDX-License-Identifier: AGPL-3.0-or-later */

/* Who has a device open that no mount and no open device tells of. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cmocka.h>

#include "array/map_see.h"

static struct map_openers look(struct devno dev)
{
	struct dm_users nobody = {};
	struct map_openers ret;
	struct root root;

	assert_int_equal(root_open(&root, "/", NULL), 0);
	map_see_openers(&root, dev, &nobody, &ret);
	root_close(&root);
	return ret;
}

/* What unmounts lazily takes the mount away, not the files. */
static void test_file(void **state)
{
	char path[] = "/tmp/openers-XXXXXX";
	CLEANUP_FD int fd = mkstemp(path);
	struct map_openers o;
	struct stat st;

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &st), 0);
	(void)unlink(path);
	o = look((struct devno){ major(st.st_dev), minor(st.st_dev) });
	assert_true(o.user);
	assert_non_null(strstr(o.who, "has a file open on it"));
}

static void test_nobody(void **state)
{
	struct map_openers o = look((struct devno){ 4000, 12345 });

	(void)state;
	assert_false(o.user);
	assert_int_equal(o.probes, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_file),
		cmocka_unit_test(test_nobody),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
