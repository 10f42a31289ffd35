/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "array/snapforgot.h"

#include <errno.h>
#include <unistd.h>

#include "array/attach.h"
#include "array/attach_snap.h"
#include "array/snapdisks.h"
#include "array/snapset.h"

#define VZDUMP "vzdump"

struct forgotten {
	struct call *c;
	const struct snap_args *a;
	const char **volumes; /* on the array */
	size_t n;
	const char **names; /* of the snapshots that go */
	size_t n_names;
	struct fa_snapshots found;
};

/* When Proxmox began to make that snapshot: what is older is of none. 0: it does not, or one of the
 * volumes is not in the config, so that it is another guest's, or nobody knows whose. */
static int64_t since_of(struct forgotten *f, const char *const *volnames)
{
	struct call *c = f->c;
	struct snapdisks disks = {};
	struct guest guest;

	if (strcmp(f->a->snap, VZDUMP) != 0 ||
	    snapdisks_guest(c->ctx->pve, c->node, f->a->parsed.vmid, &c->arena, &guest, NULL) < 0)
		return 0;
	snapdisks_of(&guest, c->conf.storage, f->a->snap, &c->arena, &disks);
	for (size_t i = 0; i < f->n; i++)
		if (!snapdisks_have(&disks, volnames[i]))
			return 0;
	return guest.type == GUEST_LXC ? snapdisks_prepared(&guest, VZDUMP) : 0;
}

static int list_on(struct fa *fa, void *arg, struct err *e)
{
	struct forgotten *f = arg;

	return fa_snapshots_list(fa, &f->c->fa, f->volumes, f->n, true, &f->c->arena, &f->found, e);
}

static int delete_on(struct fa *fa, void *arg, struct err *e)
{
	const struct forgotten *f = arg;

	return fa_snapshot_delete(fa, &f->c->fa, f->names, f->n_names, e);
}

/* 1: one of them is not older than @since, as far as clocks agree. One that is destroyed, by a call
 * that was cut in between, has the name still. */
static int choose(struct forgotten *f, int64_t since, struct err *e)
{
	int r = call_first(f->c, list_on, f, e);

	if (r < 0)
		return r;
	f->names = arena_alloc(&f->c->arena, (f->found.n + 1) * sizeof(*f->names));
	for (size_t i = 0; i < f->found.n; i++) {
		const struct fa_snapshot *s = &f->found.items[i];

		if (strcmp(s->suffix, f->a->suffix) != 0)
			continue;
		if (s->created <= 0 || s->created >= since - SNAPSET_CLOCK_S)
			return 1;
		f->names[f->n_names++] = s->name;
	}
	return f->n_names == 0;
}

static int remove_locked(struct forgotten *f, const char *const *volnames, struct err *e)
{
	int r = 0;

	for (size_t i = 0; i < f->n && r == 0; i++)
		r = attach_end_snapshot(f->c, volnames[i], f->a->snap, e);
	if (r < 0)
		return r;
	call_log(f->c, 0,
		 "snapshot %s of guest %u: removes what an earlier backup left, which "
		 "the guest's configuration has forgotten",
		 f->a->snap, (unsigned int)f->a->parsed.vmid);
	r = call_first(f->c, delete_on, f, e);
	return r < 0 ? r : 0;
}

/* Nobody makes a copy of one until it is gone. */
static int with_locks(struct forgotten *f, const char *const *volnames, struct err *e)
{
	int *locks = arena_alloc(&f->c->arena, f->n * sizeof(*locks));
	size_t n = 0;
	int r = 0;

	for (; n < f->n && r == 0; n += r == 0) {
		locks[n] = attach_lock(f->c, volnames[n], e);
		r = locks[n] < 0 ? locks[n] : 0;
	}
	if (r == 0)
		r = remove_locked(f, volnames, e);
	while (n)
		(void)close(locks[--n]);
	return r;
}

int snapforgot_remove(struct call *c, const struct snap_args *a, const char *const *volnames,
		      size_t n, struct err *e)
{
	struct forgotten f = { .c = c, .a = a, .n = n };
	int64_t since = since_of(&f, volnames);
	char full[256];
	int r;

	if (!since)
		return 1;
	f.volumes = arena_alloc(&c->arena, (n + 1) * sizeof(*f.volumes));
	for (size_t i = 0; i < n; i++) {
		r = array_name_of(&c->conf, volnames[i], full, e);
		if (r < 0)
			return r;
		f.volumes[i] = arena_str(&c->arena, slice_of(full));
	}
	r = choose(&f, since, e);
	return r ? r : with_locks(&f, volnames, e);
}
