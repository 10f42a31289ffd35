/* SPDX-License-Identifier: AGPL-3.0-or-later */

/* Since when a volume has been seen without a reference: through the file in /run and back, and
 * forgotten as soon as it is anything else. */

#include "dm/seen.h"

#include <errno.h>

#include "node_fixture.h"
#include "util/clock.h"

#define UUID "LVM-abc"

static void live_make(struct tree *t)
{
	tree_make(t);
	t->root.live = true;
}

static void write_since(const struct tree *t, const char *uuid, int64_t since)
{
	char text[256];

	(void)snprintf(text, sizeof(text),
		       "{\"schema\": \"pvewarden.dm-seen/1\", \"unreferenced\": [{\"uuid\": "
		       "\"%s\", \"since\": %lld}]}",
		       uuid, (long long)since);
	tree_write(t, DM_SEEN_PATH, text);
}

static int64_t age_of(const struct tree *t, const char *uuid)
{
	struct dm_seen s;
	int64_t age;

	dm_seen_read(&s, &t->root);
	age = dm_seen_age(&s, uuid);
	dm_seen_done(&s);
	return age;
}

static int64_t uptime(void)
{
	return clock_boot_ms() / 1000;
}

static void ages(void **state)
{
	struct tree t;

	(void)state;
	live_make(&t);
	assert_int_equal(age_of(&t, UUID), -1);
	write_since(&t, UUID, uptime() - 700);
	assert_in_range(age_of(&t, UUID), 700, 702);
	assert_int_equal(age_of(&t, "LVM-other"), -1);
	assert_int_equal(age_of(&t, ""), -1);
	assert_int_equal(dm_seen_age(NULL, UUID), -1);
	write_since(&t, UUID, uptime());
	assert_in_range(age_of(&t, UUID), 0, 2);
	tree_done(&t);
}

/* A time to come was written in another boot: it would be believed for that long. */
static void time_to_come(void **state)
{
	struct tree t;

	(void)state;
	live_make(&t);
	write_since(&t, UUID, uptime() + 100);
	assert_int_equal(age_of(&t, UUID), -1);
	write_since(&t, UUID, -1);
	assert_int_equal(age_of(&t, UUID), -1);
	write_since(&t, UUID, 0);
	assert_true(age_of(&t, UUID) >= 0);
	tree_done(&t);
}

/* Sorted when it is read: whoever wrote it. */
static void any_order(void **state)
{
	static const char *const uuids[] = { "LVM-c", "LVM-a", "LVM-d", "LVM-b" };
	struct tree t;

	(void)state;
	live_make(&t);
	tree_write(&t, DM_SEEN_PATH,
		   "{\"schema\": \"pvewarden.dm-seen/1\", \"unreferenced\": ["
		   "{\"uuid\": \"LVM-c\", \"since\": 1}, {\"uuid\": \"LVM-a\", \"since\": 1},"
		   "{\"uuid\": \"LVM-d\", \"since\": 1}, {\"uuid\": \"LVM-b\", \"since\": 1}]}");
	for (size_t i = 0; i < ARRAY_SIZE(uuids); i++)
		assert_true(age_of(&t, uuids[i]) >= 0);
	tree_done(&t);
}

/* Nothing was seen rather than seen long ago. */
static void spoilt(void **state)
{
	static const char *const texts[] = {
		"",
		"{",
		"[]",
		"{\"unreferenced\": [{\"uuid\": \"LVM-abc\", \"since\": 1}]}",
		"{\"schema\": \"pvewarden.dm-seen/2\", \"unreferenced\": [{\"uuid\": \"LVM-abc\", "
		"\"since\": 1}]}",
		"{\"schema\": \"pvewarden.dm-seen/1\", \"unreferenced\": [{\"uuid\": \"LVM-abc\"}]}",
		"{\"schema\": \"pvewarden.dm-seen/1\", \"unreferenced\": [{\"since\": 1}]}",
		"{\"schema\": \"pvewarden.dm-seen/1\", \"unreferenced\": [{\"uuid\": \"LVM-abc\", "
		"\"since\": \"long\"}]}",
		"{\"schema\": \"pvewarden.dm-seen/1\", \"unreferenced\": {\"LVM-abc\": 1}}",
	};
	struct tree t;

	(void)state;
	live_make(&t);
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		tree_write(&t, DM_SEEN_PATH, texts[i]);
		if (age_of(&t, UUID) != -1)
			fail_msg("believed: %s", texts[i]);
	}
	tree_done(&t);
}

/* A node with one volume that nobody refers to, one too young to say so, and a healthy one. */
struct stage {
	struct fixture f;
	struct fx_map *orphan, *young, *wanted;
};

static void stage_make(struct stage *s)
{
	struct fx_vg *vg;
	struct fx_lv *lv;

	*s = (struct stage){};
	fixture_make(&s->f);
	fixture_storage(&s->f, "lvm: thick\n\tvgname vg\n");
	vg = fixture_vg(&s->f, "vg");
	s->orphan = fixture_map(&s->f, fixture_lv(&s->f, vg, "vm-100-disk-0", 1));
	lv = fixture_lv(&s->f, vg, "vm-101-disk-0", 1);
	lv->time = "2026-11-21 04:04:00 +0000";
	s->young = fixture_map(&s->f, lv);
	s->wanted = fixture_map(&s->f, fixture_lv(&s->f, vg, "vm-102-disk-0", 1));
	fixture_vm(&s->f, FX_NODE, 102, "scsi0: thick:vm-102-disk-0\n");
}

static void update(const struct stage *s, const struct tree *t)
{
	struct dm_seen seen;

	dm_seen_read(&seen, &t->root);
	dm_seen_update(&seen, s->f.check.look, &t->root);
	dm_seen_done(&seen);
}

static void what_a_look_adds(void **state)
{
	struct stage s;
	struct tree t;
	struct stat st;

	(void)state;
	(void)umask(0);
	live_make(&t);
	stage_make(&s);
	(void)fixture_check(&s.f, NULL);
	update(&s, &t);
	assert_in_range(age_of(&t, s.orphan->uuid), 0, 2);
	assert_in_range(age_of(&t, s.young->uuid), 0, 2);
	assert_int_equal(age_of(&t, s.wanted->uuid), -1);
	assert_int_equal(root_stat(&t.root, DM_SEEN_PATH, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0644);
	fixture_done(&s.f);
	tree_done(&t);
}

static void what_a_look_keeps(void **state)
{
	struct stage s;
	struct tree t;

	(void)state;
	live_make(&t);
	stage_make(&s);
	(void)fixture_check(&s.f, NULL);
	write_since(&t, s.orphan->uuid, uptime() - 50);
	update(&s, &t);
	update(&s, &t);
	assert_in_range(age_of(&t, s.orphan->uuid), 50, 53);
	assert_in_range(age_of(&t, s.young->uuid), 0, 2);
	fixture_done(&s.f);
	tree_done(&t);
}

/* Wanted once, or not there once: it counts from the beginning when it is seen again. */
static void what_a_look_forgets(void **state)
{
	struct stage s;
	struct tree t;

	(void)state;
	live_make(&t);
	stage_make(&s);
	(void)fixture_check(&s.f, NULL);
	write_since(&t, s.wanted->uuid, uptime() - 50);
	update(&s, &t);
	assert_int_equal(age_of(&t, s.wanted->uuid), -1);
	write_since(&t, "LVM-gone", uptime() - 50);
	update(&s, &t);
	assert_int_equal(age_of(&t, "LVM-gone"), -1);
	fixture_done(&s.f);
	tree_done(&t);
}

static void blind(void **state)
{
	struct stage s;
	struct tree t;

	(void)state;
	live_make(&t);
	stage_make(&s);
	s.f.quorate = "false";
	(void)fixture_check(&s.f, NULL);
	write_since(&t, s.orphan->uuid, uptime() - 50);
	update(&s, &t);
	assert_in_range(age_of(&t, s.orphan->uuid), 50, 53);
	fixture_done(&s.f);
	tree_done(&t);
}

static void recorded_node(void **state)
{
	struct stage s;
	struct stat st;

	(void)state;
	stage_make(&s);
	(void)fixture_check(&s.f, NULL);
	update(&s, &s.f.tree);
	assert_int_equal(root_stat(&s.f.tree.root, DM_SEEN_PATH, &st), -ENOENT);
	write_since(&s.f.tree, s.orphan->uuid, 1);
	assert_int_equal(age_of(&s.f.tree, s.orphan->uuid), -1);
	fixture_done(&s.f);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(ages),
		cmocka_unit_test(time_to_come),
		cmocka_unit_test(any_order),
		cmocka_unit_test(spoilt),
		cmocka_unit_test(what_a_look_adds),
		cmocka_unit_test(what_a_look_keeps),
		cmocka_unit_test(what_a_look_forgets),
		cmocka_unit_test(blind),
		cmocka_unit_test(recorded_node),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
