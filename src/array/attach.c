/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "array/attach.h"

#include <errno.h>

#include "array/attach_step.h"
#include "array/plan.h"
#include "util/str.h"

int attach_lock(struct call *c, const char *volname, struct err *e)
{
	return registry_lock_volume(c->ctx->registry, c->conf.storage, volname, c->fa.deadline, e);
}

/* workers_look() or workers_idle(). */
typedef int looking(struct workers *w, const char *serial, enum array_protocol protocol,
		    struct map_state *ret, struct err *e);

static int look_by(struct call *c, looking *how, const char *serial, enum array_protocol protocol,
		   struct map_state *ret, struct err *e)
{
	struct err why = {};
	int error;

	*ret = (struct map_state){};
	if (!serial || !array_serial_ok(serial))
		return err_set(e, -EUCLEAN, "no serial of a FlashArray's volume is known");
	error = how(c->ctx->workers, serial, protocol, ret, &why);
	if (error == -EALREADY) {
		/* Not an error of the question: the answer is that it is not known. */
		ret->in_use = MAP_UNKNOWN;
		str_printable(ret->why, sizeof(ret->why), slice_of(why.text));
		return 0;
	}
	return error ? err_set(e, error, "%s", why.text) : 0;
}

static int look(struct call *c, const char *serial, enum array_protocol protocol,
		struct map_state *ret, struct err *e)
{
	return look_by(c, workers_look, serial, protocol, ret, e);
}

int attach_look(struct call *c, const char *serial, struct map_state *ret, struct err *e)
{
	return look(c, serial, c->conf.protocol, ret, e);
}

static int refused(const struct plan *p, const char *volname, struct err *e)
{
	return p->refuse ? err_set(e, p->refuse, "%s: %s", volname, p->why) : 0;
}

int attach_idle(struct call *c, const char *volname, const char *serial, const char *what,
		struct err *e)
{
	struct map_state here;
	struct plan p;
	int ret = look_by(c, workers_idle, serial, c->conf.protocol, &here, e);

	if (ret)
		return ret;
	plan_idle(&here, what, &p);
	return refused(&p, volname, e);
}

/* ---- taken away ---- */

/* Opened between the look and the detach: as it was before. */
static void take_back(struct call *c, const struct registry_entry *before,
		      const struct registry_entry *entry)
{
	struct err e = {};
	int ret = before ? attach_put(c, before, &e)
			 : registry_drop(c->ctx->registry, entry->storage, entry->volname,
					 entry->snap, &e);

	if (ret)
		call_log(c, 0, "%s", e.text);
}

static int remove_steps(struct call *c, const struct registry_entry *before,
			const struct registry_entry *entry, const struct plan *p, struct err *e)
{
	struct map_left left = {};
	int unreached = 0, ret = attach_put(c, entry, e);

	if (ret)
		return ret;
	if (p->steps & PLAN_DETACH)
		ret = workers_detach(c->ctx->workers, entry->serial, entry->protocol,
				     attach_time(c, DETACH_RESERVE_MS), &left, e);
	if (ret == -EBUSY)
		take_back(c, before, entry);
	if (ret)
		return ret;
	if (p->steps & PLAN_DISCONNECT)
		unreached = attach_disconnect(c, entry->array_volume);
	if (p->steps & PLAN_FORGET)
		ret = workers_forget(c->ctx->workers, &left, attach_time(c, 0), e);
	if (ret || unreached)
		return ret;
	return registry_drop(c->ctx->registry, entry->storage, entry->volname, entry->snap, e);
}

int attach_remove(struct call *c, const struct attach_target *t, struct err *e)
{
	const struct registry_entry *before = attach_entry(c, t->volname, t->snap);
	struct registry_entry entry = before ? *before : attach_new_entry(c, t);
	struct map_state here;
	struct plan p;
	int ret = look_by(c, workers_idle, entry.serial, entry.protocol, &here, e);

	if (ret)
		return ret;
	plan_deactivate(&(struct plan_deactivate_in){ .entry = before,
						      .here = &here,
						      .connections = t->connections,
						      .host_group = c->conf.host_group != NULL },
			&p);
	if (p.refuse || !p.steps)
		return refused(&p, t->volname, e);
	entry.leaving = true;
	entry.verified = false;
	return remove_steps(c, before, &entry, &p, e);
}

/* ---- made a device ---- */

/* What did not become a device goes again, so that no connection is left that nobody knows of. If
 * that fails too, the entry stays. */
static void undo(struct call *c, const struct attach_target *t)
{
	struct attach_target gone = *t;
	struct err e = {};

	gone.connections = UINT64_MAX;
	if (attach_remove(c, &gone, &e))
		call_log(c, 0, "%s", e.text);
}

static int attach_device(struct call *c, const struct map_want *want, struct map_state *here,
			 struct err *e)
{
	int ret = workers_attach(c->ctx->workers, want, attach_time(c, ATTACH_RESERVE_MS), here, e);

	if (ret == 0 && !here->present)
		ret = err_set(e, -ENODEV, "no device of serial %s came up", want->serial);
	return ret;
}

static int connect_and_attach(struct call *c, const struct attach_target *t,
			      const struct registry_entry *before, struct registry_entry *entry,
			      struct map_state *here, struct err *e)
{
	bool was_here = here->present;
	struct map_want want;
	int ret = attach_connect(c, t, &want, &entry->partial, e);

	/* No array was reached: nothing was done that could be undone. */
	if (ret == -EHOSTUNREACH) {
		if (!before)
			take_back(c, NULL, entry);
		return ret;
	}
	if (ret == 0)
		ret = attach_device(c, &want, here, e);
	if (ret && !was_here)
		undo(c, t);
	return ret;
}

/* Another node has resized it. Smaller than the kernel believes is no disk to start with. */
static int follow_size(struct call *c, const struct attach_target *t, struct map_state *here,
		       struct err *e)
{
	uint64_t known = here->size;
	struct err why = {};
	int ret = workers_resize(c->ctx->workers, t->serial, c->conf.protocol, t->size,
				 attach_time(c, ATTACH_RESERVE_MS), here, &why);

	if (ret && known > t->size)
		return err_set(e, ret, "%s: smaller on the array than here: %s", t->volname,
			       why.text);
	if (ret)
		call_log(c, 0, "%s: it has grown on the array, and not yet here: %s", t->volname,
			 why.text);
	return 0;
}

static int make_way(struct call *c, const struct registry_entry *entry, const struct plan *p,
		    struct err *e)
{
	if (!(p->steps & (PLAN_DETACH_OLD | PLAN_CLEAN)))
		return 0;
	call_log(c, 0, "%s: what is left here of serial %s is taken away first", entry->volname,
		 entry->serial);
	return attach_drop_device(c, entry->serial, entry->protocol, e);
}

static int attach_steps(struct call *c, const struct attach_target *t,
			const struct registry_entry *before, struct map_state *here,
			const struct plan *p, struct err *e)
{
	struct registry_entry entry = attach_new_entry(c, t);
	int ret = make_way(c, before, p, e);

	if (p->steps & PLAN_CLEAN)
		here->present = false;
	if (before && !before->leaving && strcmp(before->serial, t->serial) == 0)
		entry.since = before->since;
	if (ret == 0 && p->steps & PLAN_PUT)
		ret = attach_put(c, &entry, e);
	if (ret == 0 && p->steps & PLAN_CONNECT)
		ret = connect_and_attach(c, t, before, &entry, here, e);
	if (ret == 0 && p->steps & PLAN_RESIZE)
		ret = follow_size(c, t, here, e);
	entry.verified = true;
	if (ret == 0 && p->steps & PLAN_VERIFY)
		ret = attach_put(c, &entry, e);
	return ret;
}

int attach_volume(struct call *c, const struct attach_target *t, struct err *e)
{
	const struct registry_entry *before = attach_entry(c, t->volname, t->snap);
	struct map_state here, old = {};
	struct plan_activate_in in = { .entry = before,
				       .serial = t->serial,
				       .size = t->size,
				       .connections = t->connections,
				       .again = t->again,
				       .here = &here };
	struct plan p;
	int ret = look(c, t->serial, c->conf.protocol, &here, e);

	if (ret == 0 && before && strcmp(before->serial, t->serial) != 0) {
		in.old = &old;
		ret = look(c, before->serial, before->protocol, &old, e);
	}
	if (ret)
		return ret;
	plan_activate(&in, &p);
	if (p.refuse)
		return refused(&p, t->volname, e);
	if (!p.steps)
		call_log(c, 1, "%s is active already", t->volname);
	return attach_steps(c, t, before, &here, &p, e);
}

/* ---- changed while it is there ---- */

int attach_resize(struct call *c, const struct attach_target *t, struct err *e)
{
	const struct registry_entry *before = attach_entry(c, t->volname, t->snap);
	struct registry_entry entry;
	struct map_state here;
	int ret = attach_look(c, t->serial, &here, e);

	if (ret == 0 && here.in_use == MAP_UNKNOWN && !here.present)
		return err_set(e, -EALREADY, "%s: %s", t->volname, here.why);
	if (ret || !here.present)
		return ret;
	ret = workers_resize(c->ctx->workers, t->serial, c->conf.protocol, t->size,
			     attach_time(c, 0), &here, e);
	if (ret || !before)
		return ret;
	entry = *before;
	entry.size = t->size;
	return attach_put(c, &entry, e);
}

int attach_refresh(struct call *c, const struct attach_target *t, struct err *e)
{
	struct map_state here;
	int ret = attach_look(c, t->serial, &here, e);

	if (ret || !here.present)
		return ret;
	return workers_refresh(c->ctx->workers, t->serial, c->conf.protocol, t->size,
			       attach_time(c, 0), e);
}
