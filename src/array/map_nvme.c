/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include <errno.h>
#include <stdio.h>

#include "array/fan.h"
#include "array/map_inside.h"
#include "blk/nvme_act.h"
#include "util/clock.h"

enum {
	CONNECT_MS = 5000,
	RESCAN_MS = 3000,
	NUDGE_MS = 1000, /* the array tells of changes itself; if not by then, ask */
};

/* What a fan's children connect to. */
struct connecting {
	const struct map_want *want;
	struct map_missing missing[MAP_ARRAYS_MAX * MAP_PORTS_MAX];
	size_t n;
};

static int connect_one(void *ctx, const struct root *root, size_t i, char *answer, struct err *e)
{
	const struct connecting *c = ctx;
	const struct map_port *p = &c->want->arrays[c->missing[i].array].ports[c->missing[i].port];
	struct nvme_target t = { .nqn = p->id,
				 .address = p->portal,
				 .host_nqn = c->want->host_nqn,
				 .host_id = c->want->host_id };

	(void)answer;
	return nvme_connect(root, &t, e);
}

static bool is_wanted(const struct map_want *want, const struct nvme_ctrl *c)
{
	for (size_t i = 0; i < want->n_arrays && i < MAP_ARRAYS_MAX; i++)
		for (size_t k = 0; k < want->arrays[i].n_ports && k < MAP_PORTS_MAX; k++)
			if (strcmp(want->arrays[i].ports[k].id, c->nqn) == 0)
				return true;
	return false;
}

static size_t count_live(const struct map_want *want, const struct nvme_ctrls *have)
{
	size_t n = 0;

	vec_each (c, have)
		n += c->live && is_wanted(want, c);
	return n;
}

/* The controllers of the wanted arrays; those that lack are made, if we may. */
static int connect_all(struct map_job *j, const struct map_want *want, struct err *e)
{
	CLEANUP(nvme_ctrls_done) struct nvme_ctrls have = {};
	struct connecting c = { .want = want };
	struct fan_slot slots[MAP_ARRAYS_MAX * MAP_PORTS_MAX];
	struct err said = {};
	int r = 0;

	nvme_controllers(&have, &j->root);
	c.n = *want->host_nqn ? map_plan_missing(want, &have, c.missing) : 0;
	if (c.n)
		r = fan_run(connect_one, &c, &j->root, c.n, map_job_left(j, CONNECT_MS), slots, e);
	if (r < 0)
		return r;
	for (size_t i = 0; i < c.n; i++)
		if (slots[i].code < 0)
			said = slots[i].e;
	vec_free(&have);
	nvme_controllers(&have, &j->root);
	if (count_live(want, &have))
		return 0;
	return err_set(e, -ENODEV, "this node has no living NVMe controller of the array%s%.300s",
		       *said.text ? ": " : "", said.text);
}

static int rescan_one(void *ctx, const struct root *root, size_t i, char *answer, struct err *e)
{
	(void)answer;
	return nvme_rescan(root, ((const struct nvme_ctrls *)ctx)->items[i].name, e);
}

/* Fabric controllers only; those of @want, or all of them without one. */
static void nudge(struct map_job *j, const struct map_want *want)
{
	CLEANUP(nvme_ctrls_done) struct nvme_ctrls have = {};
	struct fan_slot slots[FAN_MAX];
	size_t n = 0;

	nvme_controllers(&have, &j->root);
	vec_each (c, &have)
		if (c->live && (!want || is_wanted(want, c)))
			have.items[n++] = *c;
	if (n)
		(void)fan_run(rescan_one, &have, &j->root, n < FAN_MAX ? n : FAN_MAX,
			      map_job_left(j, RESCAN_MS), slots, NULL);
}

/* @gone: until it has disappeared; without a path it does so when one comes back and the array
 * shows it no more. Else until it has @size, 0 for any; with @want one of its paths has to work,
 * too: what is left of an earlier connection has none on a living controller. */
static bool is_awaited(const struct nvme_ns *ns, bool present, const struct map_want *want,
		       bool gone, uint64_t size)
{
	if (gone)
		return !present || !ns->paths_live;
	return present && (!want || ns->paths_live) && (!size || ns->size == size);
}

static int await(struct map_job *j, const char *serial, const struct map_want *want, bool gone,
		 uint64_t size, struct nvme_ns *ret, struct err *e)
{
	int64_t nudged = clock_boot_ms();

	for (;;) {
		bool present = false;
		int r = map_see_nvme(ret, &present, &j->root, serial, e);

		if (r < 0)
			return r;
		if (is_awaited(ret, present, want, gone, size))
			return 0;
		if (map_job_left(j, 1) == 0 && present && !gone && size && ret->size != size)
			return err_set(e, -EUCLEAN, "%s has %llu bytes, on the array it has %llu",
				       ret->name, (unsigned long long)ret->size,
				       (unsigned long long)size);
		if (map_job_left(j, 1) == 0)
			return err_set(e, -ETIMEDOUT,
				       gone ? "the namespace has not gone: is its connection to "
					      "this host still on the array?"
					    : "the namespace did not appear, or without a path: is "
					      "its connection to this host on the array?");
		if (clock_boot_ms() - nudged >= NUDGE_MS) {
			nudge(j, want);
			nudged = clock_boot_ms();
		}
		map_job_pause(j);
	}
}

int map_attach_nvme(struct map_job *j, const struct map_want *want, struct map_state *ret,
		    struct err *e)
{
	char nguid[ARRAY_NGUID_LEN + 1], link[64];
	struct nvme_ns ns = {};
	int r = connect_all(j, want, e);

	if (r == 0)
		r = await(j, want->serial, want, false, want->size, &ns, e);
	if (r < 0)
		return r;
	map_nvme_state(&ns, &j->root, ret);
	array_nguid_of(want->serial, nguid);
	(void)snprintf(link, sizeof(link), "nvme-eui.%s", nguid);
	return map_wait_link(j, link, ret->device, e);
}

int map_forget_nvme(struct map_job *j, const char *serial, struct err *e)
{
	struct nvme_ns ns = {};

	return await(j, serial, NULL, true, 0, &ns, e);
}

int map_resize_nvme(struct map_job *j, const char *serial, uint64_t size, struct map_state *ret,
		    struct err *e)
{
	struct nvme_ns ns = {};
	bool present = false;
	int r = map_see_nvme(&ns, &present, &j->root, serial, e);

	if (r == 0 && !present)
		r = err_set(e, -ENODEV, "the volume is not on this node");
	if (r == 0)
		r = await(j, serial, NULL, false, size, &ns, e);
	if (r == 0)
		map_nvme_state(&ns, &j->root, ret);
	return r;
}
