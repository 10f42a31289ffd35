/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "undo_journal.h"

#include <string.h>

static struct dm_target striped_table[] = {
	{ 0, 8192, "linear", "8:16 2048" },
	{ 8192, 16384, "striped", "2 128 8:16 10240 8:32 2048" },
};

static struct blk_identity two_parents[] = {
	{ { 8, 16 }, NULL, "naa.600140500001", "P0000000000000000000000000000001" },
	{ { 253, 7 }, "mpath-3600140500007", NULL, NULL },
};

const struct dm_undo_entry full_entry = {
	.n = 1,
	.of = 2,
	.step = DM_STEP_REMOVE,
	.dev = { .name = "vg-vm--100--disk--0",
		 .uuid = "LVM-abc",
		 .dev = { 253, 4 },
		 .read_only = true,
		 .targets = striped_table,
		 .n_targets = 2 },
	.parents = two_parents,
	.n_parents = 2,
	.class = "ghost",
	.vmid = 100,
	.vg_name = "vg",
	.vg_uuid = "G0000000000000000000000000000001",
	.lv_name = "vm-100-disk-0",
	.lv_uuid = "L0000000000000000000000000000001",
	.vg_seqno = 4711,
	.time = 1795233844,
};

void assert_same_dev(const struct dm_dev *a, const struct dm_dev *b)
{
	assert_string_equal(a->name, b->name);
	assert_string_equal(a->uuid, b->uuid);
	assert_true(devno_eq(a->dev, b->dev));
	assert_int_equal(a->read_only, b->read_only);
	assert_int_equal(a->n_targets, b->n_targets);
	for (size_t i = 0; i < a->n_targets; i++) {
		assert_int_equal(a->targets[i].start, b->targets[i].start);
		assert_int_equal(a->targets[i].length, b->targets[i].length);
		assert_string_equal(a->targets[i].type, b->targets[i].type);
		assert_string_equal(a->targets[i].params, b->targets[i].params);
	}
}
