/* SPDX-License-Identifier: AGPL-3.0-or-later */

/* Any bytes as an undo journal: no crash, and whatever is read of it is written again and reads the
 * same. */

#include "dm/undo_record.h"

#include "fuzz_pve.h"
#include "util/str.h"

static void check_text(const char *a, const char *b)
{
	CHECK(!a == !b && (!a || strcmp(a, b) == 0));
}

static void check_entry(const struct dm_undo_entry *a, const struct dm_undo_entry *b)
{
	CHECK(a->n == b->n && a->of == b->of && a->step == b->step && a->vmid == b->vmid);
	CHECK(a->vg_seqno == b->vg_seqno && a->state == b->state && a->time == b->time);
	CHECK(devno_eq(a->dev.dev, b->dev.dev) && a->dev.read_only == b->dev.read_only);
	check_text(a->dev.name, b->dev.name);
	check_text(a->dev.uuid, b->dev.uuid);
	check_text(a->class, b->class);
	check_text(a->vg_name, b->vg_name);
	check_text(a->vg_uuid, b->vg_uuid);
	check_text(a->lv_name, b->lv_name);
	check_text(a->lv_uuid, b->lv_uuid);
	check_text(a->text, b->text);
	CHECK(a->dev.n_targets == b->dev.n_targets && a->n_parents == b->n_parents);
	for (size_t i = 0; i < a->dev.n_targets; i++) {
		const struct dm_target *x = &a->dev.targets[i], *y = &b->dev.targets[i];

		CHECK(x->start == y->start && x->length == y->length);
		check_text(x->type, y->type);
		check_text(x->params, y->params);
	}
	for (size_t i = 0; i < a->n_parents; i++) {
		CHECK(devno_eq(a->parents[i].dev, b->parents[i].dev));
		check_text(a->parents[i].dm_uuid, b->parents[i].dm_uuid);
		check_text(a->parents[i].wwid, b->parents[i].wwid);
		check_text(a->parents[i].pv_uuid, b->parents[i].pv_uuid);
	}
}

/* What only somebody else writes: numbers in quotes, times before there was anything. */
static bool can_be_ours(const struct dm_undo_run *run)
{
	bool ours = run->time >= 0;

	for (size_t i = 0; i < run->n; i++) {
		const struct dm_undo_entry *entry = &run->items[i];

		ours &= entry->time >= 0 && entry->vg_seqno <= INT64_MAX;
		for (size_t k = 0; k < entry->dev.n_targets; k++)
			ours &= entry->dev.targets[k].start <= INT64_MAX &&
				entry->dev.targets[k].length <= INT64_MAX;
	}
	return ours;
}

static void write_again(struct buf *out, const struct dm_undo_run *run)
{
	dm_undo_write_header(out, run->node, run->boot_id, run->time);
	for (size_t i = 0; i < run->n; i++) {
		const struct dm_undo_entry *entry = &run->items[i];

		CHECK(dm_undo_can_hold(&entry->dev));
		dm_undo_write_intent(out, entry);
		if (entry->state != DM_UNDO_INTENDED)
			dm_undo_write_mark(out, entry->n, entry->state, entry->text, entry->time);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	CLEANUP_FREE char *copy = exact_copy(data, n);
	CLEANUP(buf_done) struct buf text = {};
	struct dm_undo_run run, again;
	struct err e = {};

	if (dm_undo_parse(&run, (struct slice){ copy, n }, "input", &e) < 0) {
		CHECK(*e.text && !run.items);
		return 0;
	}
	if (!can_be_ours(&run)) {
		dm_undo_done(&run);
		return 0;
	}
	write_again(&text, &run);
	CHECK(dm_undo_parse(&again, buf_slice(&text), "input", &e) == 0);
	CHECK(again.n == run.n && again.torn == 0 && again.time == run.time);
	check_text(again.node, run.node);
	check_text(again.boot_id, run.boot_id);
	for (size_t i = 0; i < run.n; i++) {
		CHECK(run.items[i].n > (i ? run.items[i - 1].n : 0));
		check_entry(&run.items[i], &again.items[i]);
	}
	dm_undo_done(&again);
	dm_undo_done(&run);
	return 0;
}
