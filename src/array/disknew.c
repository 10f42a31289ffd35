/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "array/disknew.h"

#include <errno.h>
#include <inttypes.h>

#include "array/volumes.h"
#include "util/clock.h"
#include "util/str.h"

/* Others may take names at the same time, but not this often between a list and the next call. */
enum { TRIES = 32 };

struct listing {
	struct call *c;
	uint32_t vmid;
	struct diskname_taken taken;
};

static int list_names(struct listing *l, struct fa *f, const char *head, struct err *e)
{
	const struct array_conf *conf = &l->c->conf;
	struct fa_volumes found = {};
	struct arena arena = {};
	char like[256];
	int r;

	(void)snprintf(like, sizeof(like), "%s%s-%" PRIu32 "-", conf->prefix, head, l->vmid);
	r = fa_volumes_list(f, &l->c->fa, NULL, 0, like, true, &arena, &found, e);
	for (size_t i = 0; r == 0 && i < found.n; i++) {
		const char *volname = array_volname_of(conf, found.items[i].name);

		if (volname)
			diskname_take(&l->taken, volname);
	}
	arena_done(&arena);
	return r;
}

static int list_all(struct fa *f, void *arg, struct err *e)
{
	struct listing *l = arg;
	int r;

	l->taken = (struct diskname_taken){ .vmid = l->vmid };
	r = list_names(l, f, "vm", e);
	return r < 0 ? r : list_names(l, f, "base", e);
}

static int fetch(void *arg, struct buf *ret, struct err *e)
{
	struct listing *l = arg;
	int r = call_first(l->c, list_all, l, e);

	if (r == 0)
		buf_add(ret, &l->taken, sizeof(l->taken));
	return r;
}

static int fetch_known(void *arg, struct buf *ret, struct err *e)
{
	(void)e;
	buf_add(ret, arg, sizeof(struct diskname_taken));
	return 0;
}

static const char *memo_key(struct call *c, uint32_t vmid)
{
	return arena_fmt(&c->arena, "disknames %s %s %" PRIu32 ".", c->conf.addresses[0].url,
			 c->conf.prefix, vmid);
}

/* Adds what the array, or the memo, says to what is known to be taken. */
static int learn(struct call *c, struct diskname_taken *known, struct err *e)
{
	CLEANUP(buf_done) struct buf kept = {};
	struct listing l = { .c = c, .vmid = known->vmid };
	struct diskname_taken taken;
	int r = array_memo_get(c->ctx->memo, memo_key(c, known->vmid), DISKNEW_LIST_MS,
			       c->fa.deadline, fetch, &l, &kept, e);

	if (r < 0)
		return r;
	memcpy(&taken, kept.data, sizeof(taken));
	for (size_t i = 0; i < ARRAY_SIZE(taken.bits); i++)
		known->bits[i] |= taken.bits[i];
	return 0;
}

static void remember(struct call *c, struct diskname_taken *taken)
{
	CLEANUP(buf_done) struct buf kept = {};
	const char *key = memo_key(c, taken->vmid);

	array_memo_forget(c->ctx->memo, key);
	(void)array_memo_get(c->ctx->memo, key, DISKNEW_LIST_MS, c->fa.deadline, fetch_known, taken,
			     &kept, NULL);
}

static int try_next(struct call *c, struct diskname_taken *known, disknew_make make, void *arg,
		    char ret[DISKNAME_MAX], struct err *e)
{
	char full[256];
	int r = learn(c, known, e);

	if (r == 0)
		r = diskname_next(known, ret, e);
	if (r == 0)
		r = array_name_of(&c->conf, ret, full, e);
	if (r == 0)
		r = make(c, full, arg, e);
	/* Taken either way, also when the list does not say so. */
	if (r == 0 || r == -EEXIST)
		diskname_take(known, ret);
	return r;
}

int disknew_next(struct call *c, uint32_t vmid, disknew_make make, void *arg,
		 char ret[DISKNAME_MAX], struct err *e)
{
	struct diskname_taken known = { .vmid = vmid };
	int r = -EEXIST;

	for (int i = 0; i < TRIES && r == -EEXIST; i++) {
		r = try_next(c, &known, make, arg, ret, e);
		if (r == -EEXIST)
			array_memo_forget(c->ctx->memo, memo_key(c, vmid));
	}
	/* A volume whose making has no known end takes its number too: the next list says so. */
	if (r == 0)
		remember(c, &known);
	else
		array_memo_forget(c->ctx->memo, memo_key(c, vmid));
	return r;
}

struct predecessor {
	struct call *c;
	const char *full;
	struct fa_volume v;
};

static int find_destroyed(struct fa *f, void *arg, struct err *e)
{
	struct predecessor *p = arg;
	const char *names[] = { p->full };
	struct fa_volumes found = {};
	int r = fa_volumes_list(f, &p->c->fa, names, 1, NULL, true, &p->c->arena, &found, e);

	if (r < 0)
		return r;
	if (found.n != 1)
		return err_set(e, -EAGAIN,
			       "%s: its name is taken, and the array lists no such "
			       "volume: ask again",
			       p->full);
	p->v = found.items[0];
	return 0;
}

/* SafeMode keeps it; so it keeps it under another name. */
static int move_away(struct fa *f, void *arg, struct err *e)
{
	const struct predecessor *p = arg;
	struct call *c = p->c;
	char aside[256];
	int r = fa_volume_eradicate(f, &c->fa, p->full, e);

	if (r <= 0)
		return r;
	(void)snprintf(aside, sizeof(aside), "%sdel-%s", c->conf.prefix, p->v.serial);
	call_log(c, 1, "%s is kept by SafeMode: becomes %s", p->full, aside);
	r = fa_volume_recover(f, &c->fa, p->full, e);
	if (r == 0)
		r = fa_volume_rename(f, &c->fa, p->full, aside, e);
	if (r == 0)
		r = fa_volume_destroy(f, &c->fa, aside, e);
	return r;
}

int disknew_named(struct call *c, const char *volname, disknew_make make, void *arg, struct err *e)
{
	struct predecessor p = { .c = c };
	char full[256];
	int r = array_name_of(&c->conf, volname, full, e);

	if (r == 0)
		r = make(c, full, arg, e);
	if (r != -EEXIST)
		return r;
	p.full = full;
	r = call_first(c, find_destroyed, &p, e);
	if (r < 0)
		return r;
	if (!p.v.destroyed)
		return err_set(e, -EEXIST, "volume %s exists already", full);
	if (!diskname_is_remade(volname))
		return err_set(e, -EEXIST,
			       "volume %s was destroyed and still holds its name: recover it with "
			       "purevol recover %s, or give it up with purevol eradicate %s",
			       full, full, full);
	r = call_first(c, move_away, &p, e);
	return r < 0 ? r : make(c, full, arg, e);
}
