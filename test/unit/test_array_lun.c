/* SPDX-License-Identifier: AGPL-3.0-or-later */

/* A new connection gets a LUN at which this node has no other volume's disk: what is there would be
 * a path of a live map into the new volume. */

#include "array/lun.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "test_pve_tree.h"

#define SERIAL "0123456789ABCDEF00011001"
#define OTHER  "0123456789ABCDEF00011002"
#define NAA    "naa.624a93700123456789abcdef0001100"
#define MPATH  "mpath-3624a93700123456789abcdef0001100"
#define IQN    "iqn.2010-06.com.purestorage:flasharray.a"

static struct tree tree;
static struct arena arena;
static struct fa_port port = { .iqn = IQN };
static const struct fa_ports ports = { &port, 1 };

#define WRITE(text, ...) write_at(text, arena_fmt(&arena, __VA_ARGS__))
#define LINK(to, ...)	 link_at(arena_fmt(&arena, __VA_ARGS__), to)

static void write_at(const char *text, const char *path)
{
	tree_write(&tree, path, text);
}

static void link_at(const char *path, const char *to)
{
	tree_link(&tree, path, to);
}

/* A session is its host: 4 and 5 lead to the array, 6 to another one. */
static void session(int host, const char *iqn)
{
	const char *at =
		arena_fmt(&arena, "host%d/session%d/iscsi_session/session%d", host, host, host);

	WRITE(iqn, "sys/devices/%s/targetname", at);
	LINK(arena_fmt(&arena, "../../devices/%s", at), "sys/class/iscsi_session/session%d", host);
}

static int begin(void **state)
{
	(void)state;
	tree_make(&tree);
	session(4, IQN "\n");
	session(5, IQN "\n");
	session(6, "iqn.2010-06.com.purestorage:flasharray.b\n");
	return 0;
}

static int end(void **state)
{
	(void)state;
	tree_done(&tree);
	arena_done(&arena);
	return 0;
}

/* The disk @name of volume number @of at host:0:0:lun, in the map of volume number @map; 0: none.
 */
static void disk(const char *name, int host, int lun, int of, int map)
{
	const char *at = arena_fmt(&arena, "devices/disks/%d:0:0:%d", host, lun);

	WRITE("8:16\n", "sys/%s/block/%s/dev", at, name);
	WRITE(arena_fmt(&arena, NAA "%d\n", of), "sys/%s/wwid", at);
	WRITE("8:16\n", "sys/block/%s/dev", name);
	WRITE("2048\n", "sys/block/%s/size", name);
	LINK(arena_fmt(&arena, "../../%s", at), "sys/block/%s/device", name);
	LINK(arena_fmt(&arena, "../../../%s", at), "sys/class/scsi_device/%d:0:0:%d/device", host,
	     lun);
	if (!map)
		return;
	WRITE("", "sys/block/%s/holders/dm-%d/dev", name, map);
	WRITE(arena_fmt(&arena, MPATH "%d\n", map), "sys/block/dm-%d/dm/uuid", map);
}

static unsigned int choose(const char *serial, bool shared)
{
	struct luns l;

	luns_read(&l, &tree.root, ARRAY_ISCSI, &ports, serial);
	return luns_choose(&l, shared);
}

static void with_nothing_here_the_array_chooses(void **state)
{
	(void)state;
	assert_int_equal(choose(SERIAL, false), 0);
	/* Another array's. */
	disk("sda", 6, 1, 2, 2);
	assert_int_equal(choose(SERIAL, false), 0);
}

static void the_lowest_at_which_nothing_is_here(void **state)
{
	(void)state;
	disk("sda", 4, 1, 2, 2);
	disk("sdb", 5, 2, 3, 0);
	disk("sdc", 4, 4, 3, 3);
	assert_int_equal(choose(SERIAL, false), 3);
	assert_int_equal(choose(SERIAL, true), 254);
	/* A LUN above 255 has its addressing method in the kernel's number. */
	disk("sdd", 4, 254, 3, 3);
	disk("sde", 4, 0x4000 + 300, 2, 2);
	assert_int_equal(choose(SERIAL, true), 253);
	assert_int_equal(choose(OTHER, false), 1);
}

static void its_own_paths_wait_for_it(void **state)
{
	(void)state;
	disk("sda", 4, 1, 2, 2);
	disk("sdb", 4, 7, 1, 1);
	disk("sdc", 5, 7, 1, 1);
	assert_int_equal(choose(SERIAL, false), 7);
	assert_int_equal(choose(SERIAL, true), 7);
	/* But not where another volume has a path over the other session. */
	disk("sdd", 6, 7, 2, 2);
	assert_int_equal(choose(SERIAL, false), 7);
	WRITE(IQN "\n", "sys/devices/host6/session6/iscsi_session/session6/targetname");
	assert_int_equal(choose(SERIAL, false), 2);
}

/* What it said when it was found counts for nothing in another volume's map. */
static void a_path_of_anothers_map_is_not_its_own(void **state)
{
	(void)state;
	disk("sda", 4, 1, 1, 2);
	assert_int_equal(choose(SERIAL, false), 2);
}

static void what_one_call_was_given_no_other_is(void **state)
{
	struct luns l;
	int array, another;

	(void)state;
	disk("sda", 4, 1, 3, 3);
	luns_read(&l, &tree.root, ARRAY_ISCSI, &ports, SERIAL);
	assert_int_equal(luns_claim(&l, false, &array, SERIAL), 2);
	assert_int_equal(luns_claim(&l, false, &array, OTHER), 3);
	assert_int_equal(luns_claim(&l, false, &another, OTHER), 2);
	luns_release(OTHER);
	/* Its own claim is in nobody's way but the others'. */
	assert_int_equal(luns_claim(&l, false, &array, SERIAL), 2);
	l.other[2] = true;
	assert_int_equal(luns_claim(&l, false, &array, SERIAL), 3);
	luns_release(SERIAL);
	assert_int_equal(luns_claim(&l, false, &array, OTHER), 3);
	luns_release(OTHER);
}

static void namespaces_have_none(void **state)
{
	struct luns l;

	(void)state;
	disk("sda", 4, 1, 2, 2);
	luns_read(&l, &tree.root, ARRAY_NVME_TCP, &ports, SERIAL);
	assert_int_equal(luns_choose(&l, false), 0);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(with_nothing_here_the_array_chooses),
		TEST(the_lowest_at_which_nothing_is_here),
		TEST(its_own_paths_wait_for_it),
		TEST(a_path_of_anothers_map_is_not_its_own),
		TEST(what_one_call_was_given_no_other_is),
		TEST(namespaces_have_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
