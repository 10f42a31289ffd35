/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "array/attach.h"

#include <errno.h>
#include <unistd.h>

#include "array/attach_step.h"
#include "array/byname.h"
#include "array/lun.h"
#include "array/plan.h"
#include "array/volumes.h"
#include "util/clock.h"
#include "util/str.h"

/* An activation that changes nothing is noted when the last one was so long ago. */
enum { ATTACH_NOTE_MS = 20000, CLOSING_MS = 2000, LOOK_AGAIN_MS = 100 };

int attach_lock(struct call *c, const char *volname, struct err *e)
{
	return registry_lock_volume(c->ctx->registry, c->conf.storage, volname, c->fa.deadline, e);
}

static int look(struct call *c, const char *serial, enum array_protocol protocol,
		struct map_state *ret, struct err *e)
{
	struct err why = {};
	int error;

	*ret = (struct map_state){};
	if (!serial || !array_serial_ok(serial))
		return err_set(e, -EUCLEAN, "no serial of a FlashArray's volume is known");
	error = workers_look(c->ctx->workers, serial, protocol, ret, &why);
	if (error == -EALREADY) {
		/* Not an error of the question: the answer is that it is not known. */
		ret->in_use = MAP_UNKNOWN;
		str_printable(ret->why, sizeof(ret->why), slice_of(why.text));
		return 0;
	}
	return error ? err_set(e, error, "%s", why.text) : 0;
}

/* What is open now may be closed in a moment: Proxmox has LVM look at the labels of all disks of
 * the node every ten seconds, on most nodes, and LVM's own deactivation waits for such a reader as
 * well. */
static int look_patiently(struct call *c, const char *serial, enum array_protocol protocol,
			  struct map_state *ret, struct err *e)
{
	int64_t until = clock_mono_ms() + CLOSING_MS;
	int error;

	while ((error = look(c, serial, protocol, ret, e)) == 0 && ret->present &&
	       ret->in_use == MAP_OPEN && !ret->lvm_only && clock_mono_ms() < until &&
	       call_left(c, DETACH_RESERVE_MS))
		(void)usleep(LOOK_AGAIN_MS * 1000);
	return error;
}

int attach_look(struct call *c, const char *serial, struct map_state *ret, struct err *e)
{
	return look(c, serial, c->conf.protocol, ret, e);
}

static int refused(const struct plan *p, const char *volname, const char *snap, struct err *e)
{
	return p->refuse ? err_set(e, p->refuse, "%s%s%s%s: %s", *snap ? "snapshot " : "", snap,
				   *snap ? " of " : "", volname, p->why)
			 : 0;
}

int attach_idle(struct call *c, const char *volname, const char *serial, const char *what,
		bool leaves, struct err *e)
{
	struct map_state here;
	struct plan p;
	int ret = look_patiently(c, serial, c->conf.protocol, &here, e);

	if (ret || (leaves && here.lvm_only))
		return ret;
	plan_idle(&here, what, &p);
	return refused(&p, volname, "", e);
}

/* ---- taken away ---- */

/* Nothing was done to it: as it was before. */
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

/* Not yet known to be any volume's, or to be what: no other. */
static bool is_another(const struct registry_entry *entry, const struct attach_target *t)
{
	return *entry->serial && t->serial && *t->serial && strcmp(entry->serial, t->serial) != 0;
}

static bool is_of(const struct registry_entry *entry, const struct attach_target *t)
{
	return entry && *entry->serial && !is_another(entry, t);
}

/* What @entry is to be disconnected by: not a name that is another volume's by now. */
static const char *name_there(struct call *c, const struct attach_target *t,
			      const struct registry_entry *entry)
{
	if (strcmp(t->array_volume, entry->array_volume) == 0 && is_another(entry, t))
		return NULL;
	return attach_own_name(c, entry);
}

/* The last step. What is to be destroyed stays known until it is. */
static int forget_entry(struct call *c, const struct attach_target *t,
			const struct registry_entry *gone, struct err *e)
{
	struct attach_target bare = *t;
	struct registry_entry entry;

	if (!t->doomed)
		return registry_drop(c->ctx->registry, gone->storage, gone->volname, gone->snap, e);
	bare.serial = bare.volume_id = bare.origin = "";
	entry = attach_new_entry(c, &bare);
	return attach_put(c, &entry, e);
}

/* A disk is deleted here, whatever the array does. A namespace goes by itself, and stays while the
 * array shows it: by a host group, or because nobody could end the connection. Then it is enough
 * that nobody has it open. */
static bool is_to_vanish(const struct registry_entry *entry, enum attach_off off)
{
	return entry->protocol != ARRAY_NVME_TCP || off == ATTACH_OFF;
}

static int remove_steps(struct call *c, const struct attach_target *t,
			const struct registry_entry *before, const struct registry_entry *entry,
			const struct plan *p, struct err *e)
{
	struct map_left left = {};
	enum attach_off off = ATTACH_MAYBE_SHOWN;
	int ret = attach_put(c, entry, e);

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
		off = attach_disconnect(c, name_there(c, t, entry), entry->serial);
	if (p->steps & PLAN_FORGET && is_to_vanish(entry, off))
		ret = workers_forget(c->ctx->workers, &left, attach_time(c, 0), e);
	if (ret || off == ATTACH_UNREACHED)
		return ret;
	ret = attach_drop_aliases(c, entry, e);
	if (ret)
		return ret;
	return forget_entry(c, t, entry, e);
}

static int remove_as(struct call *c, const struct attach_target *t,
		     const struct registry_entry *before, struct err *e)
{
	struct registry_entry entry = before && *before->serial ? *before : attach_new_entry(c, t);
	struct map_state here;
	struct plan p;
	int ret;

	/* Never made, or destroyed: there is nothing of it but the entry. */
	if (before && !*before->serial && (!t->serial || !*t->serial))
		return forget_entry(c, t, before, e);
	ret = look_patiently(c, entry.serial, entry.protocol, &here, e);
	if (ret)
		return ret;
	plan_deactivate(&(struct plan_deactivate_in){ .entry = before,
						      .here = &here,
						      .connections = t->connections,
						      .host_group = attach_group(c, t) != NULL },
			&p);
	if (p.refuse || !p.steps)
		return refused(&p, t->volname, t->snap, e);
	entry.leaving = true;
	entry.verified = false;
	return remove_steps(c, t, before, &entry, &p, e);
}

static int not_off(const struct registry_entry *old, struct err *e)
{
	return err_set(e, -EAGAIN,
		       "%s was another volume's name, serial %s, and an array does not say whether "
		       "that is still connected to this node: ask again",
		       old->volname, old->serial);
}

struct sought {
	struct call *c;
	const char *serial;
};

static int find_serial(struct fa *f, void *arg, struct err *e)
{
	const struct sought *q = arg;
	struct fa_volume v;

	return fa_volume_by_serial(f, &q->c->fa, q->serial, &q->c->arena, &v, e);
}

/* A storage may have been given another pod since: of what is not in it its arrays know nothing. */
static bool is_in_pod(const char *pod, const char *array_volume)
{
	size_t n = pod ? strlen(pod) : 0;

	return n && strncmp(array_volume, pod, n) == 0 && strncmp(array_volume + n, "::", 2) == 0;
}

/* 0: destroyed or gone, by the word of an array on which its pod is online. The one that was not
 * reached shows it to nobody either when it is back, and an outage is no reason to wait. */
static int must_be_gone(struct call *c, const struct registry_entry *old, struct err *e)
{
	struct sought q = { .c = c, .serial = old->serial };

	if (!is_in_pod(c->conf.podname, old->array_volume))
		return not_off(old, e);
	return call_first(c, find_serial, &q, NULL) == -ENOENT ? 0 : not_off(old, e);
}

/* What had this name before goes first, as itself. */
static int remove_other(struct call *c, const struct attach_target *t,
			const struct registry_entry *other, struct err *e)
{
	struct attach_target plain = *t;
	int ret;

	plain.doomed = false;
	ret = remove_as(c, &plain, other, e);
	if (ret || !attach_entry(c, t->volname, t->snap))
		return ret;
	ret = must_be_gone(c, other, e);
	return ret ? ret
		   : registry_drop(c->ctx->registry, other->storage, other->volname, other->snap,
				   e);
}

int attach_remove(struct call *c, const struct attach_target *t, struct err *e)
{
	const struct registry_entry *before = attach_entry(c, t->volname, t->snap);
	int ret = *t->snap ? 0 : byname_lead(c, t->volname, NULL, e);

	if (ret)
		return ret;
	if (before && is_another(before, t)) {
		ret = remove_other(c, t, before, e);
		before = NULL;
	}
	if (ret == 0 && !before)
		before = attach_alias(c, t);
	return ret ? ret : remove_as(c, t, before, e);
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

/* What another node has changed in the seconds for which the array's answer was kept. */
static int ask_size(struct call *c, const struct attach_target *t, uint64_t *ret, struct err *e)
{
	struct fa_volume v;
	int error;

	volumes_changed(c);
	error = volume_get(c, t->array_volume, &v, e);
	if (error)
		return error;
	if (!v.serial || strcmp(v.serial, t->serial) != 0)
		return err_set(e, -EAGAIN, "%s is another volume by now: ask again", t->volname);
	*ret = v.size;
	return 0;
}

/* Of an answer that was kept, the size is asked for anew when the device is not as it says. If it
 * is that size, what was wrong is something else, and somebody has to hear of it. */
static int attach_kept(struct call *c, const struct attach_target *t, struct map_want *want,
		       struct map_state *here, struct err *e)
{
	struct err why = {};
	uint64_t kept = want->size;
	int time = attach_time(c, ATTACH_RESERVE_MS);
	int ret = workers_attach(c->ctx->workers, want, time / 2, here, &why);

	if (ret == -EUCLEAN || ret == -ETIMEDOUT) {
		struct err unknown = {};
		int asked = ask_size(c, t, &want->size, &unknown);

		if (asked)
			return err_set(e, asked, "%s", unknown.text);
		if (ret == -ETIMEDOUT || want->size != kept)
			ret = workers_attach(c->ctx->workers, want,
					     attach_time(c, ATTACH_RESERVE_MS), here, &why);
	}
	return ret ? err_set(e, ret, "%s", why.text) : 0;
}

/* What a device is of is known here by its serial; people know it by its name. */
static int name_serials(struct call *c, int error, struct err *e)
{
	struct registry_entry *all = NULL;
	struct err why = e ? *e : (struct err){};
	size_t n = 0;

	if (registry_list(c->ctx->registry, &c->arena, &all, &n, NULL))
		return error;
	for (size_t i = 0; i < n; i++)
		if (*all[i].serial && strstr(why.text, all[i].serial))
			return err_set(e, error, "%s (serial %s is %s:%s)", why.text, all[i].serial,
				       all[i].storage, all[i].volname);
	return error;
}

static int attach_device(struct call *c, const struct attach_target *t, struct map_want *want,
			 struct map_state *here, struct err *e)
{
	int ret = t->connections == UINT64_MAX
			  ? attach_kept(c, t, want, here, e)
			  : workers_attach(c->ctx->workers, want, attach_time(c, ATTACH_RESERVE_MS),
					   here, e);

	if (ret == -EBUSY)
		return name_serials(c, ret, e);
	if (ret == 0 && !here->present)
		ret = err_set(e, -ENODEV, "no device of serial %s came up", want->serial);
	return ret;
}

static int connect_and_attach(struct call *c, const struct attach_target *t,
			      const struct registry_entry *before, struct registry_entry *entry,
			      struct map_state *here, struct err *e)
{
	bool was_here = here->present;
	struct attach_made made;
	struct map_want want;
	int ret = attach_connect(c, t, &want, &made, &entry->partial, e);
	/* No array was reached: nothing was done that could be undone. Nor was it where none
	 * connects what is here, whatever it answered. */
	bool untouched = ret == -EHOSTUNREACH || (ret && was_here && is_of(before, t));

	if (ret == 0)
		ret = attach_device(c, t, &want, here, e);
	if (ret == 0)
		entry->size = want.size;
	else if (was_here)
		attach_unmake(c, t, &want, &made); /* what it had before it keeps */
	else if (!untouched)
		undo(c, t);
	if (untouched && (!before || is_of(before, t)))
		take_back(c, before, entry);
	/* Whoever comes next sees the disks that are here now. */
	luns_release(t->serial);
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

/* The name was another volume's, which this node may still be connected to, whatever it is called
 * now: its entry is about to go. */
static int disconnect_old(struct call *c, const struct registry_entry *old, struct err *e)
{
	return attach_disconnect(c, NULL, old->serial) == ATTACH_UNREACHED ? must_be_gone(c, old, e)
									   : 0;
}

static int make_way(struct call *c, const struct attach_target *t,
		    const struct registry_entry *entry, const struct plan *p, struct err *e)
{
	bool device = p->steps & (PLAN_DETACH_OLD | PLAN_CLEAN);
	struct map_left left = {};
	int ret = 0;

	if (device) {
		call_log(c, 0, "%s: what is left here of serial %s is taken away first",
			 entry->volname, entry->serial);
		ret = workers_detach(c->ctx->workers, entry->serial, entry->protocol,
				     attach_time(c, DETACH_RESERVE_MS), &left, e);
	}
	if (ret == 0 && entry && is_another(entry, t))
		ret = disconnect_old(c, entry, e);
	/* A namespace may be shown for longer; that nobody has it open is enough. */
	if (ret == 0 && device && entry->protocol != ARRAY_NVME_TCP)
		ret = workers_forget(c->ctx->workers, &left, attach_time(c, 0), e);
	return ret;
}

static int attach_steps(struct call *c, const struct attach_target *t,
			const struct registry_entry *before, struct map_state *here,
			const struct plan *p, struct err *e)
{
	struct registry_entry entry = attach_new_entry(c, t);
	int ret = make_way(c, t, before, p, e);

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
	entry.checked = clock_boot_ms();
	if (ret == 0 && p->steps & PLAN_PUT)
		ret = attach_drop_aliases(c, &entry, e);
	if (ret == 0 && p->steps & PLAN_VERIFY)
		ret = attach_put(c, &entry, e);
	return ret;
}

/* That it is in order, which nothing was changed for. Without that path() asks an array. */
static void note_checked(struct call *c, const struct registry_entry *entry)
{
	struct err e = {};

	if (entry && clock_boot_ms() - entry->checked >= ATTACH_NOTE_MS &&
	    registry_checked(c->ctx->registry, entry, &e))
		call_log(c, 1, "%s", e.text);
}

static int attach_from(struct call *c, const struct attach_target *t, struct map_state *here,
		       struct err *e)
{
	const struct registry_entry *before = attach_entry(c, t->volname, t->snap);
	struct map_state old = {};
	struct plan_activate_in in = { .entry = before,
				       .serial = t->serial,
				       .size = t->size,
				       .connections = t->connections,
				       .again = call_flag(c, "heal"),
				       .multipath = c->conf.multipath,
				       .here = here };
	struct plan p;
	int ret = 0;

	if (before && is_another(before, t)) {
		in.old = &old;
		ret = look_patiently(c, before->serial, before->protocol, &old, e);
	}
	if (ret)
		return ret;
	plan_activate(&in, &p);
	if (p.refuse)
		return refused(&p, t->volname, t->snap, e);
	/* Its LUNs may have become other volumes' since its map was made. */
	if (!(p.steps & PLAN_CONNECT))
		ret = workers_ask(c->ctx->workers, t->serial, c->conf.protocol,
				  attach_time(c, ATTACH_RESERVE_MS), e);
	if (ret)
		return ret;
	if (!p.steps) {
		call_log(c, 1, "%s is active already", t->volname);
		note_checked(c, before);
	}
	return attach_steps(c, t, before, here, &p, e);
}

int attach_volume(struct call *c, const struct attach_target *t, struct err *e)
{
	struct attach_target now = *t;
	struct map_state here;
	int ret = look(c, t->serial, c->conf.protocol, &here, e);

	/* It is larger here than an answer that was kept says: that is what is older. */
	if (ret == 0 && here.present && here.size > t->size && t->connections == UINT64_MAX)
		ret = ask_size(c, t, &now.size, e);
	if (ret == 0)
		ret = attach_from(c, &now, &here, e);
	return ret || *t->snap ? ret : byname_lead(c, t->volname, t->serial, e);
}

/* ---- changed while it is there ---- */

int attach_resize(struct call *c, const struct attach_target *t, struct err *e)
{
	const struct registry_entry *before = attach_entry(c, t->volname, t->snap);
	struct registry_entry entry;
	struct map_state here;
	struct err why;
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
	/* It is larger by now, and nobody relies on the size that the registry has. */
	if (attach_put(c, &entry, &why))
		call_log(c, 0, "%s", why.text);
	return 0;
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
