/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "dm/clean.h"

#include <errno.h>

#include "blk/dmdev_act.h"
#include "blk/lvm_act.h"
#include "dm/clean_log.h"
#include "dm/restore.h"
#include "pve/guestlock.h"
#include "util/clock.h"
#include "util/guard.h"
#include "util/proc.h"
#include "util/worker.h"

enum {
	LOOK_MS = 30000,      /* a whole look, LVM included */
	LOOK_FRESH_MS = 5000, /* what LVM said may be this old when the locks are held */
	LOCK_WAITED_MS = 300, /* longer, and somebody has been at work on the guest meanwhile */
	UDEV_MS = 5000,
	ATTEMPTS = 3, /* at getting the locks while the look is still fresh */
};

/* One act, from the first look to its end. */
struct act {
	struct dm_cleaner *c;
	struct dm_outcome *ret;
	struct held_locks locks;
	struct dm_look *again; /* the look under the locks */
	uint32_t cookies[DM_PLAN_CHILDREN_MAX + 1];
	size_t n_cookies;
};

static bool end_as(struct act *a, enum dm_result result, const char *text)
{
	a->ret->result = result;
	a->ret->text = arena_str(&a->c->arena, slice_of(text));
	return false;
}

#define END_AS(a, result, ...) end_as(a, result, arena_fmt(&(a)->c->arena, __VA_ARGS__))

/* What is left for a call, so that even one that must be killed ends in time. */
static int64_t time_left(const struct act *a)
{
	return a->c->lock_ms - PROC_GRACE_MS - (clock_boot_ms() - a->locks.since);
}

/* --- looking ------------------------------------------------------------------------------- */

static bool look_anew(struct act *a)
{
	struct dm_cleaner *c = a->c;
	struct err e = {};
	int r;

	dm_look_free(take_ptr(c->look));
	if (guard_start(LOOK_MS, c->late, c->late_arg) < 0)
		return end_as(a, DM_SKIPPED, "no deadline could be set for a look");
	r = dm_look_take(&c->look, c->root, &c->judge, &e);
	guard_stop();
	return r == 0 || end_as(a, DM_SKIPPED, e.text);
}

/* Under the locks, and so with their time as the deadline: if /etc/pve does not answer, the guard
 * ends the process and the kernel releases them. Nothing was changed yet. */
static bool look_again(struct act *a)
{
	struct dm_cleaner *c = a->c;
	struct err e = {};
	int r;

	if (time_left(a) <= 0)
		return end_as(a, DM_SKIPPED, "no time was left under the guest's lock");
	dm_look_free(take_ptr(a->again));
	if (guard_start((int)time_left(a), c->late, c->late_arg) < 0)
		return end_as(a, DM_SKIPPED, "no deadline could be set for a look");
	r = dm_look_again(&a->again, c->look, c->root, &c->judge, &e);
	guard_stop();
	return r == 0 || end_as(a, DM_SKIPPED, e.text);
}

static bool same_device(const struct dm_dev *a, const struct dm_dev *b)
{
	return strcmp(a->uuid, b->uuid) == 0 && strcmp(a->name, b->name) == 0 &&
	       devno_eq(a->dev, b->dev) && a->event_nr == b->event_nr && dm_same_table(a, b);
}

/* The mapping as @l sees it: it must be there, be what was shown, and still be for cleaning. */
static bool plan_in(struct act *a, const struct dm_look *l, const struct dm_target_shown *what,
		    struct dm_plan_item *ret)
{
	size_t at = dm_look_find(l, what->dev);
	const struct dm_verdict *v;

	if (at == DM_NONE)
		return end_as(a, DM_SKIPPED, "it is gone, or is another device now");
	v = &l->verdicts[at];
	if (!same_device(l->model.mappings[at].dev, what->dev))
		return end_as(a, DM_SKIPPED, "its table has changed meanwhile");
	if (v->class != what->class || v->cause != what->cause)
		return END_AS(a, DM_SKIPPED, "it has changed meanwhile: it is %s now",
			      dm_class_name(v->class));
	if (!dm_plan_one(ret, l, at, &a->c->plan, &a->c->arena))
		return end_as(a, DM_SKIPPED, "it is not for cleaning any more");
	if (ret->why_not)
		return end_as(a, DM_SKIPPED, ret->why_not);
	return ret->step == what->step || end_as(a, DM_SKIPPED, "it has changed meanwhile");
}

/* --- the undo journal ---------------------------------------------------------------------- */

static size_t list_parents(const struct dm_dev *d, struct blk_identity **ret,
			   const struct dm_look *l, const struct root *root, struct arena *a)
{
	*ret = arena_alloc(a, d->n_deps * sizeof(**ret));
	for (size_t i = 0; i < d->n_deps; i++)
		blk_identify(&(*ret)[i], d->deps[i], &l->scan.dm, &l->scan.sys, &l->scan.lvm, root,
			     a);
	return d->n_deps;
}

static uint32_t vmid_of(const struct dm_look *l, size_t mapping)
{
	uint32_t vmid = l->verdicts[mapping].vmid;

	return vmid ? vmid : l->model.mappings[mapping].shape.vmid;
}

static bool intend_one(struct act *a, size_t mapping, enum dm_step step, size_t host,
		       unsigned int of)
{
	struct dm_cleaner *c = a->c;
	const struct dm_mapping *map = &c->look->model.mappings[mapping];
	struct dm_undo_entry entry = { .of = of,
				       .step = step,
				       .dev = *map->dev,
				       .class = dm_class_name(c->look->verdicts[host].class),
				       .vmid = vmid_of(c->look, host) };
	struct err e = {};

	entry.n_parents = list_parents(map->dev, &entry.parents, c->look, c->root, &c->arena);
	if (map->vg) {
		entry.vg_name = map->vg->name;
		entry.vg_uuid = map->vg->uuid;
		entry.vg_seqno = map->vg->seqno;
	}
	if (map->lv) {
		entry.lv_name = map->lv->name;
		entry.lv_uuid = map->lv->uuid;
	}
	if (c->journal.fd <= 0 &&
	    dm_undo_create(&c->journal, c->root, &c->look->scan.cluster.node, &e) < 0)
		return end_as(a, DM_FAILED, e.text);
	if (dm_undo_intend(&c->journal, &entry, &e) < 0)
		return end_as(a, DM_FAILED, e.text);
	a->ret->journal = c->journal.id;
	return true;
}

/* Children first, as they will go. The last number is the mapping's own. */
static bool intend(struct act *a, const struct dm_plan_item *item)
{
	unsigned int own = a->c->journal.n + (unsigned int)item->n_children + 1;

	for (size_t i = 0; i < item->n_children; i++)
		if (!intend_one(a, item->children[i], DM_STEP_REMOVE, item->mapping, own))
			return false;
	return intend_one(a, item->mapping, item->step, item->mapping, 0);
}

static void mark(struct act *a, unsigned int n, enum dm_undo_state state)
{
	struct err e = {};

	/* What was done stands in the kernel; the intent is on disk already. */
	(void)dm_undo_mark(&a->c->journal, n, state, a->ret->text, &e);
}

/* --- locks --------------------------------------------------------------------------------- */

static bool lock_guest(struct act *a, uint32_t vmid)
{
	struct err e = {};
	int wait = a->locks.n ? 0 : GUEST_LOCK_WAIT_MS;

	if (vmid && guest_lock_take(&a->locks, a->c->root, vmid, wait, &e) < 0)
		return end_as(a, DM_SKIPPED, e.text);
	if (!a->locks.n)
		a->locks.since = clock_boot_ms();
	return true;
}

/* The guest that the name was made for, and every guest whose config refers to the volume: any of
 * them may be about to start. */
static bool lock_guests_of(struct act *a, const struct dm_look *l, const struct dm_mapping *map)
{
	struct dm_ref_iter it = {};
	const struct dm_ref *ref;

	if (!lock_guest(a, map->shape.vmid))
		return false;
	while ((ref = dm_model_next_ref(&l->model, map, &it)))
		if (!lock_guest(a, ref->guest->vmid))
			return false;
	return true;
}

/* A guest may have got a reference since: its lock is not among those that are held. */
static bool all_locked(struct act *a, const struct dm_look *l, const struct dm_mapping *map)
{
	struct dm_ref_iter it = {};
	const struct dm_ref *ref;

	while ((ref = dm_model_next_ref(&l->model, map, &it)))
		if (!guest_lock_held(&a->locks, ref->guest->vmid))
			return END_AS(a, DM_SKIPPED, "guest %u refers to it since a moment",
				      ref->guest->vmid);
	return true;
}

static bool is_fresh(const struct dm_cleaner *c)
{
	return clock_boot_ms() - c->look->scan.lvm_at <= LOOK_FRESH_MS;
}

/* The locks were free, and what was read is young enough to go by. */
static bool got_in_time(const struct dm_cleaner *c, int64_t asked)
{
	return is_fresh(c) && clock_boot_ms() - asked <= LOCK_WAITED_MS;
}

/* --- acting -------------------------------------------------------------------------------- */

static bool hung_before(const struct dm_cleaner *c, const struct dm_mapping *map)
{
	for (size_t i = 0; map->vg && i < c->hung.n; i++)
		if (strcmp(c->hung.items[i], map->vg->uuid) == 0)
			return true;
	return false;
}

/* No more acts on that group in this run. */
static bool end_hung(struct act *a, const struct lvm_vg *vg, const char *what, bool gone)
{
	if (vg)
		*vec_push(&a->c->hung) = arena_str(&a->c->arena, slice_of(vg->uuid));
	return END_AS(a, DM_FAILED, "%s hangs in the kernel%s", what,
		      gone ? "; the entry itself is gone" : "");
}

/* Its end was not waited for, and it was ended: whatever holds it up may hold up the next one. */
static bool end_late(struct act *a, const struct lvm_vg *vg)
{
	*vec_push(&a->c->hung) = arena_str(&a->c->arena, slice_of(vg->uuid));
	return END_AS(
		a, DM_FAILED,
		"lvchange did not end in time and was ended, nothing was changed: another LVM "
		"command may hold volume group %s",
		vg->name);
}

/* Asked by ioctl, by UUID; the only proof there is. */
static bool is_gone(const struct dm_dev *d)
{
	CLEANUP(arena_done) struct arena scratch = {};
	struct dm_dev now;

	return dmdev_read_one(&now, d, &scratch, NULL) == -ENXIO;
}

static int remove_in_worker(void *arg, void *answer, struct err *e)
{
	return dmdev_remove(arg, answer, e);
}

static int create_in_worker(void *arg, void *answer, struct err *e)
{
	return dmdev_create(arg, answer, e);
}

/* Runs one change of device-mapper while the locks last. */
static int change(struct act *a, int (*fn)(void *arg, void *answer, struct err *e),
		  const struct dm_dev *d, struct worker_left *left, struct err *e)
{
	uint32_t cookie = 0;
	int r;

	*left = (struct worker_left){};
	if (time_left(a) <= 0)
		return err_set(e, -ETIME, "no time was left under the guest's lock");
	r = worker_run(fn, (void *)d, &cookie, sizeof(cookie), (int)time_left(a), left, e);
	if (r == -ETIMEDOUT)
		(void)dmdev_udev_wait(cookie, 0);
	else if (r == 0 && a->n_cookies < ARRAY_SIZE(a->cookies))
		a->cookies[a->n_cookies++] = cookie;
	return r;
}

static bool remove_mapping(struct act *a, const struct dm_dev *d, const struct lvm_vg *vg)
{
	struct worker_left left;
	struct err e = {};
	int r = change(a, remove_in_worker, d, &left, &e);

	if (r == -ETIME)
		return end_as(a, DM_SKIPPED, e.text);
	if (left.pid)
		return end_hung(a, vg, "the removal", is_gone(d));
	if (is_gone(d))
		return true;
	if (r == -EBUSY)
		return END_AS(a, DM_SKIPPED, "[IN USE] somebody has opened %s meanwhile", d->name);
	return end_as(a, DM_FAILED, r < 0 ? e.text : "the kernel says yes, and it is still there");
}

static bool is_open(const struct dm_dev *d)
{
	CLEANUP(arena_done) struct arena scratch = {};
	struct dm_dev now;

	return dmdev_read_one(&now, d, &scratch, NULL) == 0 && now.open_count;
}

static bool deactivate_volume(struct act *a, const struct dm_mapping *map)
{
	struct err e = {};
	bool hangs = false;
	int r;

	if (time_left(a) <= 0)
		return end_as(a, DM_SKIPPED, "no time was left under the guest's lock");
	r = lvm_change(map->lv, LVM_DEACTIVATE, (int)time_left(a), &hangs, &e);
	if (hangs)
		return end_hung(a, map->vg, "lvchange", is_gone(map->dev));
	if (is_gone(map->dev))
		return true;
	if (r == -ETIMEDOUT)
		return end_late(a, map->vg);
	/* Whoever had it open may have closed it since; LVM says so, in its own words. */
	if (is_open(map->dev) || strstr(e.text, " in use"))
		return end_as(a, DM_SKIPPED, "[IN USE] somebody has opened it meanwhile");
	return end_as(a, DM_FAILED, r < 0 ? e.text : "LVM says yes, and it is still there");
}

/* Everything that was intended, in that order. The journal's numbers are @first and following. */
static bool carry_out(struct act *a, const struct dm_look *l, const struct dm_plan_item *item)
{
	const struct dm_mapping *map = &l->model.mappings[item->mapping];

	for (size_t i = 0; i < item->n_children; i++) {
		const struct dm_dev *child = l->model.mappings[item->children[i]].dev;

		if (!remove_mapping(a, child, map->vg))
			return false;
		dm_log_outcome(DM_LOG_CLEAN, child, "child", DM_STEP_REMOVE,
			       vmid_of(l, item->mapping), a->ret);
		a->ret->children++;
	}
	return item->step == DM_STEP_DEACTIVATE ? deactivate_volume(a, map)
						: remove_mapping(a, map->dev, map->vg);
}

/* The children that are to go are the ones that the journal has. */
static bool same_children(const struct dm_look *l, const struct dm_plan_item *x,
			  const struct dm_look *k, const struct dm_plan_item *y)
{
	if (x->n_children != y->n_children)
		return false;
	for (size_t i = 0; i < x->n_children; i++)
		if (!same_device(l->model.mappings[x->children[i]].dev,
				 k->model.mappings[y->children[i]].dev))
			return false;
	return true;
}

static bool look_and_act(struct act *a, const struct dm_target_shown *what,
			 const struct dm_plan_item *before)
{
	struct dm_plan_item item;

	if (!look_again(a) || !plan_in(a, a->again, what, &item))
		return false;
	if (!same_children(a->c->look, before, a->again, &item))
		return end_as(a, DM_SKIPPED, "what stands on it has changed meanwhile");
	if (!all_locked(a, a->again, &a->again->model.mappings[item.mapping]))
		return false;
	return carry_out(a, a->again, &item);
}

static void release(struct act *a)
{
	guest_lock_release(&a->locks);
	for (size_t i = 0; i < a->n_cookies; i++)
		(void)dmdev_udev_wait(a->cookies[i], UDEV_MS);
	a->n_cookies = 0;
	dm_look_free(take_ptr(a->again));
}

/* A look, the journal, the locks: all before the look is too old to go by. */
static bool prepare(struct act *a, const struct dm_target_shown *what, struct dm_plan_item *item,
		    unsigned int *first)
{
	struct dm_cleaner *c = a->c;
	int64_t asked;

	for (int i = 0; i < ATTEMPTS; i++) {
		if ((i || !c->look || !is_fresh(c)) && !look_anew(a))
			return false;
		if (!plan_in(a, c->look, what, item))
			return false;
		if (hung_before(c, &c->look->model.mappings[item->mapping]))
			return end_as(a, DM_SKIPPED,
				      "something hung in its volume group a moment ago");
		if (c->look->scan.guests_ms > c->lock_ms / 2)
			return END_AS(
				a, DM_SKIPPED,
				"/etc/pve took %lld ms to read, too long to hold a guest's lock "
				"for it (--lock-time)",
				(long long)c->look->scan.guests_ms);
		*first = c->journal.n + 1;
		if (!intend(a, item))
			return false;
		asked = clock_boot_ms();
		if (!lock_guests_of(a, c->look, &c->look->model.mappings[item->mapping]))
			return false;
		if (got_in_time(c, asked))
			return true;
		/* The lock had to be waited for: much may have happened. */
		guest_lock_release(&a->locks);
		for (unsigned int n = *first; n <= c->journal.n; n++)
			mark(a, n, DM_UNDO_SKIPPED);
	}
	return end_as(a, DM_SKIPPED,
		      "its guest's lock could not be had while what was read was still fresh");
}

static void mark_all(struct act *a, unsigned int first)
{
	for (unsigned int n = first, child = 0; n <= a->c->journal.n; n++, child++) {
		bool done = a->ret->result == DM_CLEANED || child < a->ret->children;

		mark(a, n,
		     done			   ? DM_UNDO_DONE
		     : a->ret->result == DM_FAILED ? DM_UNDO_FAILED
						   : DM_UNDO_SKIPPED);
	}
}

void dm_clean_one(struct dm_cleaner *c, const struct dm_target_shown *what, struct dm_outcome *ret)
{
	struct act a = { .c = c, .ret = ret };
	unsigned int first = 0, before = c->journal.n;
	struct dm_plan_item item;

	*ret = (struct dm_outcome){ .result = DM_CLEANED };
	if (prepare(&a, what, &item, &first))
		(void)look_and_act(&a, what, &item);
	release(&a);
	if (c->journal.n > before && first > before)
		mark_all(&a, first);
	/* What was done is not in the look any more. */
	if (ret->result != DM_SKIPPED || ret->children)
		dm_look_free(take_ptr(c->look));
}

/* --- restoring ----------------------------------------------------------------------------- */

static bool plan_restore(struct act *a, const struct dm_look *l, const struct dm_undo_run *run,
			 const struct dm_undo_entry *entry, struct dm_restore_plan *ret)
{
	struct dm_cleaner *c = a->c;
	struct dm_restore_facts facts = { .boot_id = dm_boot_id(c->root, &c->arena),
					  .ghosts_allowed = c->ghosts_allowed };

	dm_restore_find_parents(&facts, entry, l, c->root, &c->arena);
	dm_restore_plan(ret, l, run, entry, &facts, &c->arena);
	if (ret->why_not)
		return end_as(a, DM_SKIPPED, ret->why_not);
	return true;
}

static bool refuse_busy(struct act *a, const struct dm_look *l, uint32_t vmid)
{
	const struct guest *g = cluster_guest(&l->scan.cluster, vmid);
	const struct running_guest *r = running_find(&l->scan.running, vmid);

	if (!vmid || !((g && g->lock) || tasks_find(&l->scan.tasks, vmid) ||
		       guest_locks_find(&l->scan.locks, vmid) || (r && r->incoming)))
		return true;
	return END_AS(a, DM_SKIPPED, "somebody works on guest %u", vmid);
}

/* The guest that a name was made for; what stood on an entry was named inside of a guest. */
static uint32_t named_guest(const struct dm_undo_entry *entry)
{
	return entry->of ? 0 : volname_in_dm_name(entry->dev.name).vmid;
}

/* It is there, with the table that was planned, and nothing else. */
static bool is_back(struct act *a, const struct dm_dev *wanted)
{
	CLEANUP(arena_done) struct arena scratch = {};
	struct dm_dev now;

	if (dmdev_read_one(&now, wanted, &scratch, NULL) < 0)
		return false;
	return dm_same_table(&now, wanted) ||
	       end_as(a, DM_FAILED, "it is back, but not as it was: look at its table");
}

static bool create_mapping(struct act *a, const struct dm_restore_plan *plan)
{
	struct worker_left left;
	struct err e = {};
	int r;

	if (plan->half && !remove_mapping(a, &plan->dev, NULL))
		return false;
	r = change(a, create_in_worker, &plan->dev, &left, &e);
	if (r == -ETIME)
		return end_as(a, DM_SKIPPED, e.text);
	if (left.pid)
		return end_hung(a, NULL, "the creation", false);
	if (is_back(a, &plan->dev))
		return true;
	return a->ret->text ? false
			    : end_as(a, DM_FAILED,
				     r < 0 ? e.text : "the kernel says yes, and it is not there");
}

static bool activate_volume(struct act *a, const struct dm_restore_plan *plan)
{
	struct err e = {};
	bool hangs = false;
	int r = time_left(a) > 0 ? lvm_change(plan->lv, LVM_ACTIVATE, (int)time_left(a), &hangs, &e)
				 : err_set(&e, -ETIME, "no time was left under the guest's lock");

	if (hangs)
		return end_hung(a, plan->lv->vg, "lvchange", false);
	if (is_back(a, &plan->dev))
		return true;
	return a->ret->text
		       ? false
		       : end_as(a, DM_FAILED, r < 0 ? e.text : "LVM says yes, and it is not there");
}

static bool restore_under_locks(struct act *a, const struct dm_undo_run *run,
				const struct dm_undo_entry *entry)
{
	struct dm_restore_plan plan;

	if (!look_again(a) || !plan_restore(a, a->again, run, entry, &plan) ||
	    !refuse_busy(a, a->again, entry->vmid) || !refuse_busy(a, a->again, named_guest(entry)))
		return false;
	if (plan.there)
		return true;
	return entry->step == DM_STEP_DEACTIVATE ? activate_volume(a, &plan)
						 : create_mapping(a, &plan);
}

/* On disk before the locks: a crash in the middle of the act must be known for what it was. */
static bool mark_restoring(struct act *a, const struct dm_undo_entry *entry)
{
	struct err e = {};

	if (dm_undo_mark(&a->c->journal, entry->n, DM_UNDO_RESTORING, NULL, &e) < 0)
		return end_as(a, DM_FAILED, e.text);
	return true;
}

static bool prepare_restore(struct act *a, const struct dm_undo_run *run,
			    const struct dm_undo_entry *entry)
{
	struct dm_restore_plan plan;

	for (int i = 0; i < ATTEMPTS; i++) {
		int64_t asked;

		if (!look_anew(a) || !plan_restore(a, a->c->look, run, entry, &plan) ||
		    (!plan.there && !mark_restoring(a, entry)))
			return false;
		asked = clock_boot_ms();
		if (!lock_guest(a, named_guest(entry)) || !lock_guest(a, entry->vmid))
			return false;
		if (got_in_time(a->c, asked))
			return true;
		guest_lock_release(&a->locks);
	}
	return end_as(a, DM_SKIPPED,
		      "its guest's lock could not be had while what was read was still fresh");
}

void dm_restore_one(struct dm_cleaner *c, const struct dm_undo_run *run,
		    const struct dm_undo_entry *entry, struct dm_outcome *ret)
{
	struct act a = { .c = c, .ret = ret };

	*ret = (struct dm_outcome){ .result = DM_CLEANED, .journal = run->id };
	if (prepare_restore(&a, run, entry))
		(void)restore_under_locks(&a, run, entry);
	release(&a);
	if (ret->result == DM_CLEANED)
		mark(&a, entry->n, DM_UNDO_RESTORED);
}

void dm_cleaner_done(struct dm_cleaner *c)
{
	dm_look_free(c->look);
	dm_undo_close(&c->journal);
	vec_free(&c->hung);
	arena_done(&c->arena);
}
