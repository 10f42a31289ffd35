/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "array/snapset.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>

#include "test_pve_tree.h"

enum { NOW = 1750000000 };

static const char *const disks[] = { "vm-100-disk-0", "vm-100-disk-1", "vm-100-disk-2" };

struct stage {
	struct tree tree;
	struct arena arena;
	struct snapset_key key;
	struct snapset set;
};

static void stage_make(struct stage *s)
{
	*s = (struct stage){};
	tree_make(&s->tree);
	s->key = (struct snapset_key){ s->tree.path, "pure", 100, "before_update" };
	snapset_begin(&s->set, disks, ARRAY_SIZE(disks), NOW, &s->arena);
}

static void stage_done(struct stage *s)
{
	arena_done(&s->arena);
	tree_done(&s->tree);
}

static void read_back(struct stage *s)
{
	struct err e;

	assert_int_equal(snapset_read(&s->set, &s->key, &s->arena, &e), 0);
}

/* The path of one snapshot of a guest with three disks, each step as another process would see it.
 */
static void each_disk_is_claimed_once(void **state)
{
	struct stage s;
	struct err e;

	(void)state;
	stage_make(&s);
	assert_int_equal(snapset_read(&s.set, &s.key, &s.arena, &e), -ENOENT);
	snapset_begin(&s.set, disks, ARRAY_SIZE(disks), NOW, &s.arena);
	assert_int_equal(snapset_write(&s.set, &s.key, &e), 0);
	read_back(&s);
	assert_int_equal(snapset_claim(&s.set, disks[0], NOW), SNAPSET_PERHAPS);
	s.set.taken = true;
	s.set.prepared = NOW - 5;
	assert_int_equal(snapset_claim(&s.set, disks[0], NOW), SNAPSET_CLAIMED);
	assert_int_equal(snapset_write(&s.set, &s.key, &e), 0);

	read_back(&s);
	assert_true(s.set.taken);
	assert_int_equal(s.set.prepared, NOW - 5);
	assert_int_equal(s.set.since, NOW);
	assert_int_equal(s.set.n, ARRAY_SIZE(disks));
	assert_int_equal(snapset_claim(&s.set, disks[0], NOW + 1), SNAPSET_AGAIN);
	assert_int_equal(snapset_claim(&s.set, "vm-100-disk-9", NOW), SNAPSET_STRANGE);
	assert_int_equal(snapset_claim(&s.set, disks[1], NOW + SNAPSET_CLAIM_S), SNAPSET_CLAIMED);
	assert_int_equal(snapset_write(&s.set, &s.key, &e), 0);

	read_back(&s);
	assert_int_equal(snapset_claim(&s.set, disks[2], NOW + 5), SNAPSET_CLAIMED);
	assert_int_equal(snapset_write(&s.set, &s.key, &e), 0);
	assert_int_equal(snapset_read(&s.set, &s.key, &s.arena, &e), -ENOENT);
	stage_done(&s);
}

static void old_sets_are_not_claimed(void **state)
{
	struct stage s;

	(void)state;
	stage_make(&s);
	s.set.taken = true;
	assert_int_equal(snapset_claim(&s.set, disks[0], NOW + SNAPSET_CLAIM_S + 1), SNAPSET_LATE);
	assert_int_equal(snapset_claim(&s.set, disks[0], NOW - 1), SNAPSET_LATE);
	assert_false(s.set.members[0].claimed);
	stage_done(&s);
}

static void moments_that_may_be_the_sets(void **state)
{
	struct stage s;

	(void)state;
	stage_make(&s);
	assert_true(snapset_may_be(&s.set, NOW));
	assert_true(snapset_may_be(&s.set, NOW - SNAPSET_CLOCK_S));
	assert_true(snapset_may_be(&s.set, NOW + SNAPSET_CLOCK_S));
	assert_false(snapset_may_be(&s.set, NOW - SNAPSET_CLOCK_S - 1));
	assert_false(snapset_may_be(&s.set, NOW + 3600));
	assert_false(snapset_may_be(&s.set, 0));
	stage_done(&s);
}

static void each_key_has_its_own_file(void **state)
{
	struct stage s;
	struct snapset_key other;
	struct err e;

	(void)state;
	stage_make(&s);
	assert_int_equal(snapset_write(&s.set, &s.key, &e), 0);
	other = s.key;
	other.vmid = 10;
	assert_int_equal(snapset_read(&s.set, &other, &s.arena, &e), -ENOENT);
	other = s.key;
	other.snap = "before-update";
	assert_int_equal(snapset_read(&s.set, &other, &s.arena, &e), -ENOENT);
	assert_int_equal(snapset_drop(&other, &e), 0);
	assert_int_equal(snapset_drop(&s.key, &e), 0);
	assert_int_equal(snapset_read(&s.set, &s.key, &s.arena, &e), -ENOENT);
	stage_done(&s);
}

static void names_never_lead_out_of_the_folder(void **state)
{
	static const char *const bad[] = { "../x", "a/b", "a,b" };
	struct stage s;
	struct err e;

	(void)state;
	stage_make(&s);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		s.key.snap = bad[i];
		assert_int_equal(snapset_write(&s.set, &s.key, &e), -EINVAL);
		assert_int_equal(snapset_read(&s.set, &s.key, &s.arena, &e), -EINVAL);
		assert_int_equal(snapset_drop(&s.key, &e), -EINVAL);
	}
	stage_done(&s);
}

static void other_documents_are_refused(void **state)
{
	static const char *const bad[] = {
		"",
		"{}",
		"[1]",
		"{\"schema\":\"pvewarden.array.snapset/2\",\"since\":1,\"taken\":true,\"members\":["
		"{\"volname\":\"a\",\"claimed\":true}]}",
		"{\"schema\":\"pvewarden.array.snapset/1\",\"since\":1,\"taken\":true,\"members\":["
		"]}",
		"{\"schema\":\"pvewarden.array.snapset/1\",\"since\":1,\"taken\":1,\"members\":["
		"{\"volname\":\"a\",\"claimed\":true}]}",
		"{\"schema\":\"pvewarden.array.snapset/1\",\"since\":1,\"taken\":true,\"members\":["
		"{\"volname\":\"a\"}]}",
		"{\"schema\":\"pvewarden.array.snapset/1\",\"since\":-5,\"taken\":true,\"members\":"
		"[{\"volname\":\"a\",\"claimed\":true}]}",
	};
	struct arena arena = {};
	struct snapset set;
	struct err e;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(snapset_parse(&set, slice_of(bad[i]), &arena, &e), -EBADMSG);
	arena_done(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_disk_is_claimed_once),
		cmocka_unit_test(old_sets_are_not_claimed),
		cmocka_unit_test(moments_that_may_be_the_sets),
		cmocka_unit_test(each_key_has_its_own_file),
		cmocka_unit_test(names_never_lead_out_of_the_folder),
		cmocka_unit_test(other_documents_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
