/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "array/plan.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

static PRINTF_LIKE(3, 4) void refuse(struct plan *ret, int error, const char *fmt, ...)
{
	va_list ap;

	ret->steps = 0;
	ret->refuse = error;
	va_start(ap, fmt);
	(void)vsnprintf(ret->why, sizeof(ret->why), fmt, ap);
	va_end(ap);
}

static const char *why_of(const struct map_state *s)
{
	return *s->why ? s->why : "it is not known who uses it";
}

/* ---- activation ---- */

static bool works(const struct map_state *here, bool multipath)
{
	return here->present && here->paths_ok > 0 && !here->mismatched &&
	       !(multipath && map_is_bare(here));
}

/* This boot's activation has connected it on all arrays, and its paths are there. */
static bool is_connected(const struct plan_activate_in *in)
{
	const struct registry_entry *entry = in->entry;

	return !in->again && entry && entry->verified && !entry->leaving && !entry->partial &&
	       strcmp(entry->serial, in->serial) == 0 && in->connections != 0 &&
	       works(in->here, in->multipath);
}

static void plan_old(const struct plan_activate_in *in, struct plan *ret)
{
	if (!in->old || !in->old->present)
		return;
	if (map_is_idle(in->old) || in->old->lvm_only)
		ret->steps |= PLAN_DETACH_OLD;
	else
		refuse(ret, -EBUSY,
		       "this name was another volume's before, serial %s, and that is open here: %s",
		       in->entry ? in->entry->serial : "unknown", why_of(in->old));
}

void plan_activate(const struct plan_activate_in *in, struct plan *ret)
{
	const struct map_state *here = in->here;

	*ret = (struct plan){};
	if (!array_serial_ok(in->serial)) {
		refuse(ret, -EUCLEAN, "the array gave no serial of a FlashArray's volume");
		return;
	}
	if (is_connected(in)) {
		if (in->size && here->size != in->size)
			ret->steps = PLAN_RESIZE | PLAN_VERIFY;
		return;
	}
	ret->steps = PLAN_PUT | PLAN_CONNECT | PLAN_ATTACH | PLAN_VERIFY;
	/* What is open works, whatever was begun with it; else half a device makes way first. A
	 * namespace is never half there. */
	if (in->entry && in->entry->leaving && in->entry->protocol != ARRAY_NVME_TCP &&
	    here->present && map_is_idle(here))
		ret->steps |= PLAN_CLEAN;
	plan_old(in, ret);
}

/* ---- deactivation ---- */

void plan_idle(const struct map_state *here, const char *what, struct plan *ret)
{
	*ret = (struct plan){};
	if (here->in_use == MAP_OPEN && here->present)
		refuse(ret, -EBUSY, "it is open on this node (%s) and cannot be %s%s", why_of(here),
		       what,
		       !here->paths_ok
			       ? "; no path to it works: bring the array back, or end who has it "
				 "open"
			       : "");
	/* A probe that waits for a path that may never come. */
	else if (here->in_use == MAP_PASSING && here->present && !here->paths_ok)
		refuse(ret, -EBUSY,
		       "no path to it works, so it cannot be %s: bring the array back, or "
		       "deactivate it",
		       what);
	else if (here->in_use == MAP_UNKNOWN)
		refuse(ret, -EBUSY,
		       "whether it is open on this node is not known (%s), so it is not %s",
		       why_of(here), what);
}

void plan_deactivate(const struct plan_deactivate_in *in, struct plan *ret)
{
	*ret = (struct plan){};
	if (in->here->in_use != MAP_PASSING && !in->here->lvm_only)
		plan_idle(in->here, "taken away", ret);
	if (ret->refuse)
		return;
	if (!in->entry && !in->here->present && (in->connections == 0 || in->host_group))
		return;
	ret->steps = PLAN_MARK | PLAN_DROP;
	if (in->here->present)
		ret->steps |= PLAN_DETACH | PLAN_FORGET;
	if (!in->host_group)
		ret->steps |= PLAN_DISCONNECT;
}

void plan_still(const struct registry_entry *now, int64_t put, const struct map_state *here,
		bool paths_tell, struct plan *ret)
{
	*ret = (struct plan){};
	if (!now)
		refuse(ret, -ECANCELED, "somebody else has taken it away");
	else if (now->put != put)
		refuse(ret, -ECANCELED, "it was activated, or changed, since it was looked at");
	/* An activation that finds all in order leaves the entry as it was. */
	else if (now->verified && !now->leaving && paths_tell && here->paths_ok)
		refuse(ret, -ECANCELED,
		       "%u of its paths work: look again when the paths' checks have run",
		       here->paths_ok);
}

/* ---- repair ---- */

void plan_heal(const struct registry_entry *entry, enum tri exists, const enum tri *connected,
	       size_t n_arrays, unsigned int *ret_arrays)
{
	*ret_arrays = 0;
	if (!entry->verified || entry->leaving || exists != TRI_YES)
		return;
	for (size_t i = 0; i < n_arrays; i++)
		if (connected[i] == TRI_NO)
			*ret_arrays |= 1u << i;
}

enum tri plan_origin(const struct registry_entry *entry, const char *name,
		     const struct fa_snapshots *said)
{
	for (size_t i = 0; i < said->n; i++) {
		const struct fa_snapshot *s = &said->items[i];

		if (s->destroyed || strcmp(s->name, name) != 0)
			continue;
		return *entry->origin && s->id ? tri_of(strcmp(s->id, entry->origin) == 0)
					       : TRI_UNKNOWN;
	}
	return TRI_NO;
}

static PRINTF_LIKE(3, 4) enum plan_reap_verdict
	verdict(enum plan_reap_verdict v, char why[256], const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(why, 256, fmt, ap);
	va_end(ap);
	return v;
}

/* It is ours and nobody has it open. */
static enum plan_reap_verdict reap_idle(const struct plan_reap_in *in, char why[256])
{
	const struct registry_entry *entry = in->entry;

	if (entry->leaving)
		return verdict(PLAN_REAP_REMOVE, why, "its removal was begun and not finished");
	if (!entry->verified)
		return verdict(PLAN_REAP_REMOVE, why,
			       "its activation was not finished, or is of before this node's boot");
	if (in->orphan)
		return verdict(PLAN_REAP_REMOVE, why,
			       "the snapshot that it stands for was removed");
	if (in->exists == TRI_UNKNOWN || (in->exists == TRI_YES && in->connected == TRI_UNKNOWN))
		return verdict(PLAN_REAP_REPORT, why, "the array does not answer for it");
	if (in->exists == TRI_NO)
		return verdict(PLAN_REAP_REMOVE, why, "its volume is destroyed or gone");
	if (in->connected == TRI_NO)
		return verdict(PLAN_REAP_REMOVE, why,
			       "it is not connected to this host and nobody has it open");
	if (!in->here->present)
		return verdict(PLAN_REAP_REPORT, why,
			       "it is connected and has no device here: activate it again, or "
			       "deactivate it");
	return verdict(PLAN_REAP_KEEP, why, "active here");
}

enum plan_reap_verdict plan_reap(const struct plan_reap_in *in, char why[256])
{
	if (in->here->in_use == MAP_UNKNOWN)
		return verdict(PLAN_REAP_REPORT, why, "whether it is open is not known: %s",
			       why_of(in->here));
	if (in->here->present && in->here->in_use == MAP_OPEN)
		return in->exists == TRI_NO || in->connected == TRI_NO
			       ? verdict(PLAN_REAP_REPORT, why, "%s, and open here: %s",
					 in->exists == TRI_NO ? "its volume is destroyed or gone"
							      : "it is not connected",
					 why_of(in->here))
			       : verdict(PLAN_REAP_KEEP, why, "open: %s", why_of(in->here));
	if (!in->entry)
		return verdict(PLAN_REAP_REPORT, why,
			       "this node's registry does not know it: not touched");
	return reap_idle(in, why);
}
