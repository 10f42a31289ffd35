/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "dm/check.h"

#include "dm/advice.h"
#include "util/str.h"

/* How long ago pvestatd may have sampled a guest for its status still to mean something. */
enum { SAMPLE_MAX_AGE = 60 };

/* Something that a second look could take back. */
static bool has_findings(const struct dm_look *l)
{
	for (size_t i = 0; i < l->model.n; i++)
		if (dm_is_finding(&l->verdicts[i]) && l->verdicts[i].class != DM_UNKNOWN)
			return true;
	return false;
}

/* A finding that the first look did not have, or had otherwise, is something that is changing. */
static void keep_what_is_stable(struct dm_look *now, const struct dm_look *before)
{
	for (size_t i = 0; i < now->model.n; i++) {
		struct dm_verdict *v = &now->verdicts[i];
		size_t at = dm_look_find(before, now->model.mappings[i].dev);
		const struct dm_verdict *old = at == DM_NONE ? NULL : &before->verdicts[at];

		if (!dm_is_finding(v) || v->class == DM_UNKNOWN || v->class == DM_BUSY)
			continue;
		if (old && old->class == v->class && old->cause == v->cause)
			continue;
		v->class = DM_BUSY;
		v->severity = DM_SEVERITY_NOTICE;
		v->cause = DM_CAUSE_UNSTABLE;
		v->duplicate = false;
	}
}

static void find_users(struct dm_check *c, const struct root *root)
{
	const struct dm_look *l = c->look;
	struct devno *open = xcalloc(l->model.n, sizeof(*open));
	size_t n = 0;

	for (size_t i = 0; i < l->model.n; i++)
		if (dm_is_finding(&l->verdicts[i]) && l->model.mappings[i].dev->open_count)
			open[n++] = l->model.mappings[i].dev->dev;
	users_read(&c->users, root, &l->scan.dm, open, n, &c->arena);
	free(open);
}

static int by_vmid(const void *a, const void *b)
{
	uint32_t x = ((const struct dm_tally *)a)->vmid, y = ((const struct dm_tally *)b)->vmid;

	return (x > y) - (x < y);
}

/* Ghosts and their like, whatever their severity: what keeps an id from being used again. */
static bool is_in_the_way(const struct dm_verdict *v)
{
	return v->class == DM_GHOST || v->class == DM_RENAMED || v->class == DM_DUPLICATE ||
	       v->class == DM_MANUAL || v->class == DM_FOREIGN || v->class == DM_UNREFERENCED ||
	       v->class == DM_STALE_TABLE;
}

static void add_tally(struct dm_check *c, uint32_t vmid, const struct dm_verdict *v)
{
	struct dm_tally *t = vec_push(&c->tallies);

	t->vmid = vmid;
	t->worst = v->severity;
	t->findings = 1;
	t->critical = v->severity == DM_SEVERITY_CRITICAL;
	t->orphans = dm_is_orphan(v, &c->options);
	t->in_the_way = is_in_the_way(v);
}

static void tally(struct dm_check *c)
{
	const struct dm_look *l = c->look;
	size_t kept = 0;

	for (size_t i = 0; i < l->model.n; i++) {
		const struct dm_verdict *v = &l->verdicts[i];
		uint32_t named = l->model.mappings[i].shape.vmid;

		if (!dm_is_finding(v))
			continue;
		if (v->vmid)
			add_tally(c, v->vmid, v);
		if (named && named != v->vmid)
			add_tally(c, named, v);
	}
	if (c->tallies.n)
		qsort(c->tallies.items, c->tallies.n, sizeof(struct dm_tally), by_vmid);
	for (size_t i = 0; i < c->tallies.n; i++) {
		struct dm_tally *t = &c->tallies.items[i], *into;

		if (!kept || c->tallies.items[kept - 1].vmid != t->vmid) {
			c->tallies.items[kept++] = *t;
			continue;
		}
		into = &c->tallies.items[kept - 1];
		into->findings += t->findings;
		into->critical += t->critical;
		into->orphans += t->orphans;
		into->in_the_way += t->in_the_way;
		if (t->worst > into->worst)
			into->worst = t->worst;
	}
	c->tallies.n = kept;
}

const struct dm_tally *dm_tally_of(const struct dm_check *c, uint32_t vmid)
{
	struct dm_tally key = { .vmid = vmid };

	return c->tallies.n ? bsearch(&key, c->tallies.items, c->tallies.n, sizeof(key), by_vmid)
			    : NULL;
}

int dm_check_run(struct dm_check *c, const struct root *root, const struct dm_options *o,
		 struct err *e)
{
	struct dm_look *before = NULL;
	int r;

	*c = (struct dm_check){ .options = *o };
	r = dm_look_take(&c->look, root, o, e);
	if (r < 0)
		return r;
	/* A recorded node is what it is. */
	if (root->live && has_findings(c->look)) {
		before = take_ptr(c->look);
		r = dm_look_take(&c->look, root, o, e);
		if (r == 0)
			keep_what_is_stable(c->look, before);
		dm_look_free(before);
		if (r < 0)
			return r;
	}
	dm_summarize(&c->summary, &c->look->model, c->look->verdicts, o);
	tally(c);
	find_users(c, root);
	dm_collect_blind(c);
	dm_collect_unseen(c);
	dm_collect_advice(c);
	return 0;
}

void dm_check_done(struct dm_check *c)
{
	dm_look_free(c->look);
	users_done(&c->users);
	vec_free(&c->tallies);
	vec_free(&c->blind);
	vec_free(&c->unseen);
	vec_free(&c->advice);
	arena_done(&c->arena);
}

const char *dm_guest_status(const struct dm_scan *s, const struct guest *g)
{
	const struct running_guest *r = running_find(&s->running, g->vmid);
	const struct rrd_entry *sample = rrd_guest(&s->cluster.rrd, g->vmid);
	bool fresh =
		sample && sample->status && s->cluster.node.now - sample->ctime <= SAMPLE_MAX_AGE;

	if (strcmp(g->node, s->cluster.node.name) != 0)
		return fresh ? sample->status : "unknown";
	if (!r || r->type != g->type)
		return "stopped";
	/* The process runs; what it does, pvestatd has asked: paused, io-error, prelaunch, ... */
	return fresh && strcmp(sample->status, "stopped") != 0 ? sample->status : "running";
}
