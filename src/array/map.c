/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "array/map.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <poll.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "array/fan.h"
#include "array/map_inside.h"
#include "blk/dmdev_act.h"
#include "blk/mpathd_act.h"
#include "blk/scsi_act.h"
#include "util/clock.h"
#include "util/file.h"

enum {
	TELL_MS = 4500,	  /* multipathd gives up after 4 s itself */
	DELETE_MS = 5000, /* of disks, all at once */
	RESCAN_MS = 5000,
	FLUSH_MS = 20000,  /* of what a guest left in the page cache */
	PASSING_MS = 3000, /* a short look at a device: udev's, LVM's */
	ENDING_MS = 15000, /* the same when all that it asks fails: one question after the other */
	PASSING_STEP_MS = 20,
	UNDO_MS = 1000, /* of a deadline, to put back what was changed */
	UDEV_MS = 5000,
	DISKS_MAX = ARRAY_SIZE(((struct map_left *)0)->disks),
};

/* --- one call's surroundings --------------------------------------------------- */

/* A removal that stops half-way leaves no map behind whose guest would get errors. */
static int begin_leaving(struct map_job *j, int deadline_ms, struct err *e)
{
	int r = map_job_begin(j, deadline_ms > 4 * UNDO_MS ? deadline_ms - UNDO_MS : deadline_ms,
			      e);

	j->leaving = true;
	return r;
}

static int end_leaving(struct map_job *j, int r)
{
	/* One that is gone by now is not found. */
	if (r < 0 && *j->failing)
		(void)mpathd_do("restorequeueing map", j->failing, TELL_MS, NULL);
	map_job_done(j);
	return r;
}

/* --- disks ------------------------------------------------------------------------ */

struct disks {
	const struct scsi_disk *items;
	size_t n;
};

/* One fan over disks; the first error counts. */
static int each_disk(struct map_job *j, fan_fn *fn, const struct scsi_disk *disks, size_t n,
		     int most_ms, struct err *e)
{
	struct disks d = { disks, n < FAN_MAX ? n : FAN_MAX };
	struct fan_slot slots[FAN_MAX];
	int r;

	if (n == 0)
		return 0;
	r = fan_run(fn, &d, &j->root, d.n, map_job_left(j, most_ms), slots, e);
	if (r < 0)
		return r;
	for (size_t i = 0; i < d.n; i++)
		if (slots[i].code < 0)
			return err_set(e, slots[i].code, "%s: %s", disks[i].name, slots[i].e.text);
	return 0;
}

static int delete_one(void *ctx, const struct root *root, size_t i, char *answer, struct err *e)
{
	(void)answer;
	return scsi_delete(root, &((struct disks *)ctx)->items[i], e);
}

static int offline_one(void *ctx, const struct root *root, size_t i, char *answer, struct err *e)
{
	(void)answer;
	return scsi_offline(root, &((struct disks *)ctx)->items[i], e);
}

static int rescan_one(void *ctx, const struct root *root, size_t i, char *answer, struct err *e)
{
	(void)answer;
	return scsi_rescan(root, &((struct disks *)ctx)->items[i], e);
}

int map_delete_disks(struct map_job *j, const struct scsi_disk *disks, size_t n, struct err *e)
{
	return each_disk(j, delete_one, disks, n, DELETE_MS, e);
}

/* Those that can be asked, of another size than @size. */
static size_t other_size(const struct map_view *v, uint64_t size, struct scsi_disk *ret, size_t max)
{
	size_t n = 0;

	vec_each (d, &v->disks)
		if (d->size != size && strcmp(d->state, "running") == 0 && n < max)
			ret[n++] = *d;
	return n;
}

static int fit_disks(struct map_job *j, const char *serial, uint64_t size, struct err *e)
{
	struct scsi_disk odd[DISKS_MAX];
	int r = 0;

	for (;;) {
		struct map_view v;
		size_t n = 0;

		r = map_view_read(&v, &j->root, serial, e);
		if (r == 0)
			n = other_size(&v, size, odd, DISKS_MAX);
		map_view_done(&v);
		if (r < 0 || n == 0)
			return r;
		if (map_job_left(j, 1) == 0)
			return err_set(e, -EUCLEAN, "%s has %llu bytes, on the array it has %llu",
				       odd[0].name, (unsigned long long)odd[0].size,
				       (unsigned long long)size);
		r = each_disk(j, rescan_one, odd, n, RESCAN_MS, e);
		if (r < 0 && r != -ENODEV)
			return r;
		map_job_pause(j);
	}
}

int map_fit_map(struct map_job *j, const char *serial, uint64_t size, struct err *e)
{
	struct err said = {};

	for (;;) {
		struct map_view v;
		uint64_t now = 0;
		int r = map_view_read(&v, &j->root, serial, e);
		bool mapped = v.mapped;
		char wwid[sizeof(v.wwid)];

		now = v.size;
		memcpy(wwid, v.wwid, sizeof(wwid));
		map_view_done(&v);
		if (r < 0 || !mapped || now == size)
			return r;
		if (map_job_left(j, 1) == 0)
			return err_set(
				e, -EUCLEAN,
				"the map of %s has %llu bytes, on the array it has %llu; %.200s",
				wwid, (unsigned long long)now, (unsigned long long)size, said.text);
		r = mpathd_do("resize map", wwid, map_job_left(j, TELL_MS), &said);
		if (r == -ECONNREFUSED)
			return err_set(e, r, "%s", said.text);
		if (r < 0)
			map_job_pause(j);
	}
}

/* --- looking ---------------------------------------------------------------------- */

static int look(struct map_job *j, const char *serial, enum array_protocol protocol,
		struct map_state *ret, struct err *e)
{
	struct map_view v;
	struct nvme_ns ns = {};
	bool present = false;
	int r;

	*ret = (struct map_state){};
	if (protocol == ARRAY_NVME_TCP) {
		r = map_see_nvme(&ns, &present, &j->root, serial, e);
		if (r == 0 && present)
			map_nvme_state(&ns, &j->root, ret);
		return r;
	}
	r = map_view_read(&v, &j->root, serial, e);
	if (r == 0)
		map_view_state(&v, &j->root, ret);
	map_view_done(&v);
	return r;
}

int map_look(const char *serial, enum array_protocol protocol, struct map_state *ret, struct err *e)
{
	struct map_job j;
	int r = map_job_begin(&j, 0, e);

	if (r < 0)
		return r;
	r = look(&j, serial, protocol, ret, e);
	map_job_done(&j);
	return r;
}

int map_list(struct map_list *ret, struct arena *a, struct err *e)
{
	struct map_job j;
	int r = map_job_begin(&j, 0, e);

	if (r < 0)
		return r;
	r = map_see_all(ret, &j.root, a, e);
	map_job_done(&j);
	return r;
}

int map_attach(const struct map_want *want, int deadline_ms, struct map_state *ret, struct err *e)
{
	struct map_job j;
	int r;

	if (!array_serial_ok(want->serial))
		return err_set(e, -EINVAL, "\"%.40s\" is no volume's serial", want->serial);
	r = map_job_begin(&j, deadline_ms, e);
	if (r < 0)
		return r;
	r = want->protocol == ARRAY_NVME_TCP ? map_attach_nvme(&j, want, ret, e)
					     : map_attach_scsi(&j, want, ret, e);
	map_job_done(&j);
	return r;
}

int map_prune(const struct map_want *want, int deadline_ms, struct err *e)
{
	struct map_job j;
	int r;

	if (want->protocol == ARRAY_NVME_TCP)
		return 0;
	r = map_job_begin(&j, deadline_ms, e);
	if (r < 0)
		return r;
	r = map_prune_scsi(&j, want, e);
	map_job_done(&j);
	return r;
}

/* Of a namespace the kernel itself asks, whenever the array says that something has changed. */
int map_ask(const char *serial, enum array_protocol protocol, int deadline_ms, struct err *e)
{
	struct map_job j;
	int r = map_job_begin(&j, deadline_ms, e);

	if (r < 0)
		return r;
	if (protocol != ARRAY_NVME_TCP)
		r = map_ask_scsi(&j, serial, e);
	map_job_done(&j);
	return r;
}

/* --- letting go -------------------------------------------------------------------- */

static int refuse_used(const struct map_job *j, const struct map_state *s, struct err *e)
{
	char who[128] = "";
	bool blind;

	if (s->in_use == MAP_OPEN && map_see_user(&j->root, s->device, who, sizeof(who), &blind))
		return err_set(e, -EBUSY, "the volume is in use as /dev/%s: %s", s->device, who);
	return err_set(e, -EBUSY, "the volume is in use as /dev/%s: %s", s->device,
		       *s->why ? s->why : "nobody can tell by whom");
}

/* A map without a path keeps what it is given until one comes back: errors are better now. Told by
 * multipathd, it stays so until that is told otherwise or reads its configuration again. */
static int stop_queueing(struct map_job *j, const struct map_view *v, struct err *e)
{
	(void)snprintf(j->failing, sizeof(j->failing), "%s", v->wwid);
	if (mpathd_do("disablequeueing map", v->wwid, map_job_left(j, TELL_MS), NULL) == 0)
		return 0;
	return dmdev_fail_if_no_path(&v->map, e);
}

/* Of a map that only a probe has open: what it waits for fails, and it closes the map. */
static int end_probe(struct map_job *j, const char *serial, struct err *e)
{
	struct map_view v;
	int r = map_view_read(&v, &j->root, serial, e);

	if (r == 0 && v.mapped)
		r = stop_queueing(j, &v, e);
	map_view_done(&v);
	return r;
}

/* What a guest waits for is not ours to fail, for as short as that may be. */
static bool fails_for_somebody(const struct map_job *j, const struct map_state *s)
{
	char who[128];
	bool blind;

	return *j->failing && s->in_use == MAP_OPEN && !s->lvm_only &&
	       map_see_user(&j->root, s->device, who, sizeof(who), &blind);
}

/* What somebody opens meanwhile stays, and who asks next whether the volume is free is told of it.
 */
static void drop_lvm(struct map_job *j, const char *serial, enum array_protocol protocol)
{
	CLEANUP(arena_done) struct arena a = {};
	struct map_lvm lvm;
	int r = 0;

	if (!map_see_lvm(&lvm, &j->root, serial, protocol, &a))
		return;
	for (size_t i = 0; i < lvm.n && r == 0; i++) {
		uint32_t cookie = 0;

		r = dmdev_remove(lvm.items[i], &cookie, NULL);
		(void)dmdev_udev_wait(cookie, map_job_left(j, UDEV_MS));
	}
}

/* Nobody has it open. A short look at it is waited for: udev's, at a device that was just closed,
 * or LVM's, at all disks. udev's is ended where it would wait itself, for a path that may never
 * come back: asked again after that, because somebody else may have come meanwhile. */
static int must_be_free(struct map_job *j, const char *serial, enum array_protocol protocol,
			struct map_state *ret, struct err *e)
{
	int64_t until = clock_boot_ms() + PASSING_MS;

	for (;;) {
		int r = look(j, serial, protocol, ret, e);

		if (r < 0 || !ret->present || ret->in_use == MAP_FREE)
			return r;
		if (ret->in_use == MAP_UNKNOWN || clock_boot_ms() >= until ||
		    map_job_left(j, 1) == 0 || fails_for_somebody(j, ret))
			return refuse_used(j, ret, e);
		if (j->leaving && !*j->failing && map_plan_may_fail(ret)) {
			r = end_probe(j, serial, e);
			if (r < 0)
				return r;
			until = clock_boot_ms() + ENDING_MS;
		}
		if (j->leaving && ret->lvm_only)
			drop_lvm(j, serial, protocol);
		(void)poll(NULL, 0, PASSING_STEP_MS);
	}
}

static int flush_name(const char *name, struct err *e)
{
	char path[64];
	CLEANUP_FD int fd = -1;

	(void)snprintf(path, sizeof(path), "/dev/%.31s", name);
	/* Not for writing: udev would look at the device again after that. */
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fsync(fd) < 0 || ioctl(fd, BLKFLSBUF, 0) < 0)
		return err_set(e, -errno, "%s cannot be flushed: %s", path, strerror(errno));
	return 0;
}

static int flush_one(void *ctx, const struct root *root, size_t i, char *answer, struct err *e)
{
	(void)root;
	(void)i;
	(void)answer;
	return flush_name(ctx, e);
}

static int flush_disk(void *ctx, const struct root *root, size_t i, char *answer, struct err *e)
{
	(void)root;
	(void)answer;
	return flush_name(((struct disks *)ctx)->items[i].name, e);
}

/* That device alone. Without a path there is nothing to write to, and nothing left to write: the
 * kernel has done so when the last user closed it. */
static int flush(struct map_job *j, const struct map_state *s, struct err *e)
{
	int r = fan_one(flush_one, (void *)s->device, &j->root, map_job_left(j, FLUSH_MS), e);

	return s->paths_ok == 0 && r != -ETIMEDOUT ? 0 : r;
}

/* Here nothing ends the waiting for a path: half an hour, in which it would count as stuck. */
static int flush_nvme(struct map_job *j, const struct map_state *s, struct err *e)
{
	return s->paths_ok ? flush(j, s, e) : 0;
}

/* Without a map: those disks that can be reached. */
static int flush_disks(struct map_job *j, const struct map_view *v, struct err *e)
{
	struct scsi_disk running[DISKS_MAX];
	size_t n = 0;

	vec_each (d, &v->disks)
		if (strcmp(d->state, "running") == 0 && n < DISKS_MAX)
			running[n++] = *d;
	return each_disk(j, flush_disk, running, n, FLUSH_MS, e);
}

static bool is_mapped(struct map_job *j, const char *serial, struct err *e)
{
	struct map_view v;
	bool mapped = map_view_read(&v, &j->root, serial, e) < 0 || v.mapped;

	map_view_done(&v);
	return mapped;
}

static int remove_part(struct map_job *j, const char *name, const char *uuid, struct err *e)
{
	CLEANUP(arena_done) struct arena a = {};
	struct map_holder h = {};
	struct dm_dev part;
	uint32_t cookie = 0;
	int r;

	sysdisk_attr(&j->root, name, "dm/uuid", h.dm_uuid, sizeof(h.dm_uuid));
	if (!map_plan_is_part(&h, uuid))
		return err_set(e, -EBUSY, "%s stands on the volume", name);
	r = dmdev_find(&part, h.dm_uuid, &a, e);
	if (r == 0)
		r = dmdev_remove(&part, &cookie, e);
	(void)dmdev_udev_wait(cookie, UDEV_MS);
	return r == -ENXIO ? 0 : r;
}

/* What multipathd would do, where it does not run. */
static int remove_ourselves(struct map_job *j, const struct map_view *v, struct err *e)
{
	CLEANUP(sysdisk_names_done) struct sysdisk_names parts = {};
	uint32_t cookie = 0;
	int r = 0;

	sysdisk_holders(&j->root, v->dm, &parts);
	vec_each (p, &parts)
		if (r == 0)
			r = remove_part(j, p->text, v->uuid, e);
	if (r == 0)
		r = dmdev_remove(&v->map, &cookie, e);
	(void)dmdev_udev_wait(cookie, UDEV_MS);
	return r == -ENXIO ? 0 : r;
}

/* 0 only when device-mapper says that it is gone. */
static int remove_map(struct map_job *j, const char *serial, const struct map_view *v,
		      struct err *e)
{
	struct err said = {}, last = {};

	for (;;) {
		struct map_state s;
		int r = mpathd_do("del map", v->wwid, map_job_left(j, TELL_MS), &said);

		if (r == -ECONNREFUSED || r == -ENOENT)
			r = remove_ourselves(j, v, &said);
		if (!is_mapped(j, serial, &last))
			return 0;
		r = must_be_free(j, serial, ARRAY_ISCSI, &s, e);
		if (r < 0)
			return r;
		if (map_job_left(j, 1) == 0)
			return err_set(e, -ETIMEDOUT, "the map %s stays: %.300s", v->wwid,
				       said.text);
		map_job_pause(j);
	}
}

static void remember(struct map_left *left, const struct map_view *v)
{
	vec_each (d, &v->disks)
		if (left->n < DISKS_MAX && map_view_ours(v, d) &&
		    strlen(d->name) < sizeof(left->disks[0]))
			(void)snprintf(left->disks[left->n++], sizeof(left->disks[0]), "%.15s",
				       d->name);
}

/* Errors stop before anything irreversible. */
static int let_go(struct map_job *j, const char *serial, const struct map_view *v,
		  const struct map_state *s, struct err *e)
{
	bool failing = v->mapped && map_is_failing(s);
	int r = failing ? stop_queueing(j, v, e) : 0;

	if (r == 0)
		r = v->mapped ? flush(j, s, e) : flush_disks(j, v, e);
	if (r == 0 && v->mapped)
		r = remove_map(j, serial, v, e);
	return r;
}

/* The disks of @v that say they are this volume. */
static size_t ours(const struct map_view *v, struct scsi_disk *ret, size_t max)
{
	size_t n = 0;

	vec_each (d, &v->disks)
		if (map_view_ours(v, d) && n < max)
			ret[n++] = *d;
	return n;
}

static int detach_scsi(struct map_job *j, const char *serial, const struct map_state *s,
		       struct map_left *left, struct err *e)
{
	struct scsi_disk disks[DISKS_MAX];
	struct map_view v;
	size_t n = 0;
	int r = map_view_read(&v, &j->root, serial, e);

	if (r == 0) {
		remember(left, &v);
		n = ours(&v, disks, DISKS_MAX);
		r = let_go(j, serial, &v, s, e);
	}
	map_view_done(&v);
	return r == 0 ? each_disk(j, offline_one, disks, n, DELETE_MS, e) : r;
}

int map_detach(const char *serial, enum array_protocol protocol, int deadline_ms,
	       struct map_left *left, struct err *e)
{
	struct map_state s;
	struct map_job j;
	int r = begin_leaving(&j, deadline_ms, e);

	if (r < 0)
		return r;
	*left = (struct map_left){ .protocol = protocol };
	(void)snprintf(left->serial, sizeof(left->serial), "%s", serial);
	r = must_be_free(&j, serial, protocol, &s, e);
	if (r == 0 && s.present)
		r = protocol == ARRAY_NVME_TCP ? flush_nvme(&j, &s, e)
					       : detach_scsi(&j, serial, &s, left, e);
	return end_leaving(&j, r);
}

/* Disks of it that nobody stands on, and a map that came back in the meantime. */
static int forget_round(struct map_job *j, const char *serial, bool *gone, struct err *e)
{
	struct scsi_disk disks[DISKS_MAX];
	struct map_state s;
	struct map_view v;
	int r = map_view_read(&v, &j->root, serial, e);
	size_t n = r == 0 ? ours(&v, disks, DISKS_MAX) : 0;

	*gone = r == 0 && !v.mapped && n == 0;
	if (r == 0 && !*gone)
		r = must_be_free(j, serial, ARRAY_ISCSI, &s, e);
	if (r == 0 && v.mapped)
		r = stop_queueing(j, &v, e);
	if (r == 0 && v.mapped)
		r = remove_map(j, serial, &v, e);
	map_view_done(&v);
	return r == 0 ? map_delete_disks(j, disks, n, e) : r;
}

/* A rescan by somebody else may bring disks back as long as the array still shows them: whatever
 * says this identity goes, also what was not there before. */
static int forget_scsi(struct map_job *j, const char *serial, struct err *e)
{
	for (;;) {
		bool gone = false;
		int r = forget_round(j, serial, &gone, e);

		if (r < 0 || gone)
			return r;
		if (map_job_left(j, 1) == 0)
			return err_set(e, -ETIMEDOUT,
				       "disks of the volume stay: is its connection to this host "
				       "still on the array?");
		map_job_pause(j);
	}
}

int map_forget(const struct map_left *left, int deadline_ms, struct err *e)
{
	struct map_job j;
	int r = begin_leaving(&j, deadline_ms, e);

	if (r < 0)
		return r;
	r = left->protocol == ARRAY_NVME_TCP ? map_forget_nvme(&j, left->serial, e)
					     : forget_scsi(&j, left->serial, e);
	return end_leaving(&j, r);
}

/* --- another size, another content --------------------------------------------------- */

/*
 * Between the disks and the map there is a moment in which a map that shrinks is larger than its
 * disks. What is read behind their end then (udev's probe looks at the end) is an error that counts
 * as the path's: each path in turn is failed, found well again and given the same read, and where
 * the map queues that never ends. Without queueing it ends with an error for who has read. What a
 * guest has open is left as it is.
 */
static int stop_queueing_to_shrink(struct map_job *j, const char *serial, uint64_t size,
				   struct err *e)
{
	struct map_state s = {};
	struct map_view v;
	int r = map_view_read(&v, &j->root, serial, e);

	if (r == 0 && v.mapped && v.size > size) {
		map_view_state(&v, &j->root, &s);
		if (s.in_use != MAP_OPEN) {
			(void)snprintf(j->failing, sizeof(j->failing), "%s", v.wwid);
			r = mpathd_do("disablequeueing map", v.wwid, map_job_left(j, TELL_MS), e);
		}
	}
	map_view_done(&v);
	return r;
}

/* multipathd makes the map anew when it shrinks, and may have it queue again. */
static void fail_if_no_path(struct map_job *j, const char *serial)
{
	struct map_view v;

	if (map_view_read(&v, &j->root, serial, NULL) == 0 && v.mapped)
		(void)dmdev_fail_if_no_path(&v.map, NULL);
	map_view_done(&v);
}

/* Until who has read there has his error. */
static void await_idle(struct map_job *j, const char *serial)
{
	int64_t until = clock_boot_ms() + ENDING_MS;
	struct map_state s;

	while (look(j, serial, ARRAY_ISCSI, &s, NULL) == 0 && s.present && s.in_use != MAP_FREE &&
	       clock_boot_ms() < until && map_job_left(j, 1) > 0) {
		fail_if_no_path(j, serial);
		(void)poll(NULL, 0, PASSING_STEP_MS);
	}
}

int map_fit(struct map_job *j, const char *serial, uint64_t size, struct err *e)
{
	int r = stop_queueing_to_shrink(j, serial, size, e);
	bool shrinks = *j->failing;

	if (shrinks)
		j->deadline -= UNDO_MS;
	if (r == 0)
		r = fit_disks(j, serial, size, e);
	if (r == 0)
		r = map_fit_map(j, serial, size, e);
	if (shrinks) {
		await_idle(j, serial);
		j->deadline += UNDO_MS;
		(void)mpathd_do("restorequeueing map", j->failing, TELL_MS, NULL);
		*j->failing = '\0';
	}
	return r;
}

/* multipathd refuses while a path has the old size; better said before than after. */
static int must_answer(struct map_job *j, const char *serial, uint64_t size, struct err *e)
{
	struct map_view v;
	int r = map_view_read(&v, &j->root, serial, e);

	if (r == 0 && !v.mapped && v.disks.n == 0)
		r = err_set(e, -ENODEV, "the volume is not on this node");
	vec_each (d, &v.disks)
		if (r == 0 && d->size != size && strcmp(d->state, "running") != 0)
			r = err_set(e, -EAGAIN,
				    "the path %s is %s and cannot be told the new size: try again "
				    "when it is back",
				    d->name, d->state);
	map_view_done(&v);
	return r;
}

static int resize(struct map_job *j, const char *serial, enum array_protocol protocol,
		  uint64_t size, struct map_state *ret, struct err *e)
{
	int r;

	if (protocol == ARRAY_NVME_TCP)
		return map_resize_nvme(j, serial, size, ret, e);
	r = must_answer(j, serial, size, e);
	if (r == 0)
		r = map_fit(j, serial, size, e);
	return r == 0 ? look(j, serial, protocol, ret, e) : r;
}

int map_resize(const char *serial, enum array_protocol protocol, uint64_t size, int deadline_ms,
	       struct map_state *ret, struct err *e)
{
	struct map_job j;
	int r = map_job_begin(&j, deadline_ms, e);

	if (r < 0)
		return r;
	r = resize(&j, serial, protocol, size, ret, e);
	map_job_done(&j);
	return r;
}

/* Disks read their partition table again; a map has none of its own, udev's rules do it (kpartx).
 */
static int reread(void *ctx, const struct root *root, size_t i, char *answer, struct err *e)
{
	const char *name = ctx;
	CLEANUP_FD int fd = -1;
	char path[64];

	(void)i;
	(void)answer;
	if (strncmp(name, "dm-", 3) == 0) {
		(void)snprintf(path, sizeof(path), "sys/block/%.31s/uevent", name);
		fd = root_openat(root, path, O_WRONLY);
		return fd < 0 ? fd : file_write_all(fd, SLICE("change"));
	}
	(void)snprintf(path, sizeof(path), "/dev/%.31s", name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || ioctl(fd, BLKRRPART, 0) < 0)
		return err_set(e, -errno, "partitions of %s: %s", path, strerror(errno));
	return 0;
}

int map_refresh(const char *serial, enum array_protocol protocol, uint64_t size, int deadline_ms,
		struct err *e)
{
	struct map_state s;
	struct map_job j;
	int r = map_job_begin(&j, deadline_ms, e);

	if (r < 0)
		return r;
	r = must_be_free(&j, serial, protocol, &s, e);
	if (r == 0 && s.present)
		r = fan_one(flush_one, s.device, &j.root, map_job_left(&j, FLUSH_MS), e);
	if (r == 0 && s.present && size)
		r = resize(&j, serial, protocol, size, &s, e);
	if (r == 0 && s.present)
		r = fan_one(reread, s.device, &j.root, map_job_left(&j, RESCAN_MS), e);
	map_job_done(&j);
	return r;
}
