/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "array/newstorage.h"

#include <errno.h>

#include "array/container.h"
#include "array/elsewhere.h"
#include "array/initiator.h"
#include "array/subsystem.h"

struct looked {
	struct arena arena; /* asked in parallel: an arena is one thread's */
	int about_result, place_result, host_result;
	struct fa_about about;
	struct fa_pod pod;
	struct fa_host host;
	struct fa_ports ports; /* of a pod that is to be reached by NVMe */
	struct err why;
};

struct looking {
	struct call *c;
	const char *pod, *group;
	struct looked at[ARRAY_ADDRESSES_MAX];
};

static struct looked *place_of(struct looking *w, const struct fa *f)
{
	size_t i = 0;

	while (w->c->arrays[i] != f)
		i++;
	return &w->at[i];
}

static int look_at(struct fa *f, void *arg, struct err *e)
{
	struct looking *w = arg;
	const struct fa_call *fa = &w->c->fa;
	struct looked *l = place_of(w, f);

	l->about_result = fa_about_get(f, fa, &l->arena, &l->about, e);
	if (l->about_result < 0)
		return l->about_result;
	if (w->pod)
		l->place_result = fa_pod_get(f, fa, w->pod, &l->arena, &l->pod, e);
	else if (w->group)
		l->place_result = fa_vgroup_get(f, fa, w->group, e);
	if (l->place_result < 0)
		return l->place_result;
	if (w->pod && w->c->conf.protocol == ARRAY_NVME_TCP)
		(void)fa_ports_get(f, fa, &l->arena, &l->ports, NULL);
	l->host_result = fa_host_get(f, fa, w->c->conf.host, &l->arena, &l->host, e);
	return l->host_result;
}

static bool not_reached(int result)
{
	return result == -EHOSTUNREACH || result == -EAGAIN || result == -EINPROGRESS ||
	       result == -ETIMEDOUT;
}

static int judge_pod(const struct looking *w, size_t i, struct err *e)
{
	const struct looked *l = &w->at[i];
	const char *url = fa_url(w->c->arrays[i]);

	if (l->place_result == -ENOENT && i > 0)
		return err_set(e, -ENOENT,
			       "%s has no pod %s: stretch it (purepod add --array %s %s), or take "
			       "this address out",
			       url, w->pod, l->about.name ? l->about.name : "ARRAY", w->pod);
	if (l->place_result == -ENOENT)
		return err_set(e, -ENOENT, "%s has no pod %s: purepod create %s", url, w->pod,
			       w->pod);
	if (l->place_result < 0)
		return err_set(e, l->place_result, "%s", l->why.text);
	if (l->pod.destroyed)
		return err_set(e, -ESTALE, "pod %s is destroyed on %s: purepod recover %s", w->pod,
			       url, w->pod);
	if (!l->pod.promoted)
		call_log(w->c, 0, "pod %s is demoted on %s: its volumes cannot be written", w->pod,
			 url);
	return 0;
}

static int judge_group(const struct looking *w, size_t i, struct err *e)
{
	const struct looked *l = &w->at[i];

	if (l->place_result == -ENOENT)
		return err_set(e, -ENOENT, "%s has no volume group %s: purevgroup create %s",
			       fa_url(w->c->arrays[i]), w->group, w->group);
	return l->place_result < 0 ? err_set(e, l->place_result, "%s", l->why.text) : 0;
}

static void judge_host(const struct looking *w, size_t i, const struct initiators *own)
{
	CLEANUP(buf_done) struct buf text = {};
	const struct looked *l = &w->at[i];
	const char *url = fa_url(w->c->arrays[i]);

	if (l->host_result < 0 && l->host_result != -ENOENT) {
		call_log(w->c, 0, "%s", l->why.text);
		return;
	}
	initiators_judge(own, w->c->conf.host, w->c->conf.host_group,
			 l->host_result < 0 ? NULL : &l->host, &text);
	if (text.len)
		call_log(w->c, 0, "%s: %s", url, text.data);
}

/* One array of several. The first is the one that must be right; of another that is out of reach
 * nothing is known, and it may come back. Without a pod the others hold nothing of this storage. */
static int judge_one(const struct looking *w, size_t i, const struct initiators *own, struct err *e)
{
	const struct looked *l = &w->at[i];
	struct err why;
	int r;

	if (i > 0 && not_reached(l->about_result)) {
		call_log(w->c, 0, "%s", l->why.text);
		return 0;
	}
	if (l->about_result < 0)
		return err_set(e, l->about_result, "%s", l->why.text);
	r = w->pod ? judge_pod(w, i, &why) : w->group ? judge_group(w, i, &why) : 0;
	if (r < 0 && (i == 0 || w->pod))
		return err_set(e, r, "%s", why.text);
	if (r < 0)
		call_log(w->c, 0, "%s", why.text);
	else
		judge_host(w, i, own);
	return 0;
}

static int judge_subsystems(const struct looking *w, struct err *e)
{
	struct fa_ports ports[ARRAY_ADDRESSES_MAX];

	for (size_t i = 0; i < w->c->n_arrays; i++)
		ports[i] = w->at[i].ports;
	return subsystems_check(w->c->conf.storage, ports, w->c->n_arrays, e);
}

static void judge_twins(const struct looking *w)
{
	for (size_t i = 1; i < w->c->n_arrays; i++)
		for (size_t k = 0; k < i; k++)
			if (w->at[i].about.id && w->at[k].about.id &&
			    strcmp(w->at[i].about.id, w->at[k].about.id) == 0)
				call_log(w->c, 0,
					 "%s and %s are the same array: one of them is enough",
					 fa_url(w->c->arrays[k]), fa_url(w->c->arrays[i]));
}

/* Names hold no cluster: two that share them would list, and free, each other's disks. */
static void judge_others(struct call *c)
{
	CLEANUP(arena_done) struct arena arena = {};
	CLEANUP(buf_done) struct buf names = {};
	struct fa_connections found = {};
	struct err why = {};
	int r = fa_connections_list(c->arrays[0], &c->fa, NULL, NULL, &arena, &found, &why);

	if (r == 0)
		r = elsewhere_strangers(&c->conf, c->ctx->pve, call_left(c, 0) / 2, c->node,
					found.items, found.n, &names, &why);
	if (r < 0)
		call_log(c, 0, "whether another cluster has volumes here is not known: %s",
			 why.text);
	else if (names.len)
		call_log(c, 0,
			 "volumes of storage %s are connected to %s, which no node of this cluster "
			 "is: if another cluster has them, both take each other's disks for their "
			 "own where guests have the same number. Give each a vnprefix or a volume "
			 "group of its own",
			 c->conf.storage, names.data);
}

int newstorage_check(struct call *c, struct err *e)
{
	struct looking w = { .c = c,
			     .pod = container_pod(&c->conf, &c->arena),
			     .group = container_group(&c->conf, &c->arena) };
	int results[ARRAY_ADDRESSES_MAX], r = 0;
	struct err why[ARRAY_ADDRESSES_MAX];
	struct initiators own;

	initiators_read(c->ctx->root, c->conf.protocol, &own);
	fa_each(c->arrays, c->n_arrays, look_at, &w, results, why);
	for (size_t i = 0; i < c->n_arrays; i++)
		w.at[i].why = why[i];
	judge_twins(&w);
	for (size_t i = 0; i < c->n_arrays && r == 0; i++)
		r = judge_one(&w, i, &own, e);
	if (r == 0)
		r = judge_subsystems(&w, e);
	for (size_t i = 0; i < c->n_arrays; i++)
		arena_done(&w.at[i].arena);
	if (r == 0)
		judge_others(c);
	return r;
}
