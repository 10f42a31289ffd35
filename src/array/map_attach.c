/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include <errno.h>
#include <stdio.h>

#include "array/fan.h"
#include "array/map_inside.h"
#include "blk/mpathd_act.h"
#include "blk/scsi_act.h"
#include "blk/vpd.h"
#include "util/clock.h"

enum {
	ASK_MS = 6000,	     /* a disk that lives answers in a few */
	SCAN_MS = 4000,	     /* of one unit; a port that does not answer would take minutes */
	AGAIN_MS = 1000,     /* the array has said yes, its port may need a moment */
	PATIENCE_MS = 10000, /* for the other paths, once there is one */
	TELL_MS = 4500,	     /* multipathd gives up after 4 s itself */
	ALLOW_MS = 10000,
	RETELL_MS = 500,
	WWIDS_MAX = 16 * 1024 * 1024,
	LINK_BYTES = 96,
};

/* One way to the volume. */
struct spot {
	struct scsi_address at;
	struct scsi_disk disk;
	struct map_seen seen;
	struct devno asked_dev; /* whom we asked */
	bool was_asked, pending, replaced, lame;
	int64_t scanned; /* when; 0: not yet */
	enum map_deed deed;
};

struct attach {
	struct map_job *job;
	const struct map_want *want;
	struct map_view view;
	struct spot spots[MAP_PLACES_MAX];
	size_t n;
	struct devno strays[MAP_PLACES_MAX]; /* the map's paths at other places: whom we asked */
	size_t n_strays;
	int64_t first; /* when the first path was there */
	int64_t told;  /* when multipathd was last told */
	struct err said;
};

/* Which spots a fan's children work on. */
struct choice {
	struct attach *a;
	struct spot *spots[MAP_PLACES_MAX];
	size_t n;
};

/* multipathd may have made the map since we looked for it. */
static void look_at_holders(struct attach *a, struct spot *s)
{
	CLEANUP(sysdisk_names_done) struct sysdisk_names holders = {};
	char uuid[DM_UUID_SIZE];

	s->seen.in_map = map_view_in_map(&a->view, &s->disk);
	s->seen.held = false;
	sysdisk_holders(&a->job->root, s->disk.name, &holders);
	vec_each (h, &holders) {
		sysdisk_attr(&a->job->root, h->text, "dm/uuid", uuid, sizeof(uuid));
		if (strcmp(uuid, a->view.uuid) == 0)
			s->seen.in_map = true;
		else
			s->seen.held = true;
	}
}

static int observe(struct attach *a, struct err *e)
{
	int r;

	map_view_done(&a->view);
	r = map_view_read(&a->view, &a->job->root, a->want->serial, e);
	for (size_t i = 0; r == 0 && i < a->n; i++) {
		struct spot *s = &a->spots[i];
		int there = scsi_disk_at(&s->disk, &a->job->root, &s->at);

		s->seen.present = there == 0;
		s->pending = there == -EAGAIN;
		s->was_asked &= there == 0 && devno_eq(s->asked_dev, s->disk.dev);
		if (!s->was_asked)
			s->seen.asked = TRI_UNKNOWN;
		if (there < 0)
			continue;
		s->seen.ours = map_view_ours(&a->view, &s->disk);
		look_at_holders(a, s);
	}
	return r;
}

static int ask_one(void *ctx, const struct root *root, size_t i, char *answer, struct err *e)
{
	const struct scsi_disk *d = &((struct choice *)ctx)->spots[i]->disk;

	(void)root;
	return vpd_ask(d->name, d->dev, answer, e);
}

static int scan_one(void *ctx, const struct root *root, size_t i, char *answer, struct err *e)
{
	(void)answer;
	return scsi_scan(root, &((struct choice *)ctx)->spots[i]->at, e);
}

/* Each disk that is there says itself who it is. */
static int ask(struct attach *a, struct err *e)
{
	struct choice c = { .a = a };
	struct fan_slot slots[MAP_PLACES_MAX];
	int r = 0;

	for (size_t i = 0; i < a->n; i++)
		if (a->spots[i].seen.present && !a->spots[i].was_asked)
			c.spots[c.n++] = &a->spots[i];
	if (c.n)
		r = fan_run(ask_one, &c, &a->job->root, c.n, map_job_left(a->job, ASK_MS), slots,
			    e);
	for (size_t i = 0; r >= 0 && i < c.n; i++) {
		struct spot *s = c.spots[i];

		s->was_asked = true;
		s->asked_dev = s->disk.dev;
		s->seen.asked = slots[i].code < 0
					? TRI_UNKNOWN
					: tri_of(strcmp(slots[i].answer, a->view.naa) == 0);
	}
	return r < 0 ? r : 0;
}

/* The volume whose map the disk is in. */
static bool is_of_another(const struct root *root, const char *name, char ret[ARRAY_SERIAL_LEN + 1])
{
	CLEANUP(sysdisk_names_done) struct sysdisk_names holders = {};
	char uuid[DM_UUID_SIZE];

	sysdisk_holders(root, name, &holders);
	vec_each (h, &holders) {
		sysdisk_attr(root, h->text, "dm/uuid", uuid, sizeof(uuid));
		if (map_plan_serial_of_uuid(uuid, ret))
			return true;
	}
	return false;
}

static int refuse(const struct attach *a, const struct spot *s, struct err *e)
{
	char other[ARRAY_SERIAL_LEN + 1];

	if (s->deed == MAP_TAKEN && is_of_another(&a->job->root, s->disk.name, other))
		return err_set(e, -EBUSY,
			       "%s at " SCSI_ADDRESS_FMT " is still in the map of another volume, "
			       "serial %s: pvewarden array status shows what that is, pvewarden "
			       "array reap takes it away if nobody needs it",
			       s->disk.name, SCSI_ADDRESS_ARG(s->at), other);
	if (s->deed == MAP_TAKEN)
		return err_set(e, -EBUSY,
			       "%s at " SCSI_ADDRESS_FMT " is used by something else than this "
			       "volume's map: lsblk /dev/%s shows by what",
			       s->disk.name, SCSI_ADDRESS_ARG(s->at), s->disk.name);
	return err_set(e, -EUCLEAN,
		       "%s at " SCSI_ADDRESS_FMT
		       " says that it is another volume than the one that "
		       "the array has there: nothing was done with it",
		       s->disk.name, SCSI_ADDRESS_ARG(s->at));
}

/* --- the map's paths at other places ------------------------------------------- */

struct strays {
	const struct scsi_disk *disks[MAP_PLACES_MAX];
	size_t n;
};

static int ask_stray(void *ctx, const struct root *root, size_t i, char *answer, struct err *e)
{
	const struct scsi_disk *d = ((struct strays *)ctx)->disks[i];

	(void)root;
	return vpd_ask(d->name, d->dev, answer, e);
}

static bool is_stray(const struct attach *a, const struct scsi_disk *d)
{
	if (strcmp(d->state, "running") != 0 || (a->view.mapped && !map_view_in_map(&a->view, d)))
		return false;
	for (size_t i = 0; i < a->n; i++)
		if (scsi_address_eq(&a->spots[i].at, &d->at))
			return false;
	for (size_t i = 0; i < a->n_strays; i++)
		if (devno_eq(a->strays[i], d->dev))
			return false;
	return true;
}

/* Nothing more is to be written there. Whether something was is for a person to find out: that it
 * is an error is how he hears of it. */
static int refuse_strays(struct attach *a, const struct scsi_disk *foreign, size_t n, struct err *e)
{
	struct err why = {};
	bool out = a->view.mapped && map_drop_paths(a->job, &a->view, foreign, n, &why) == 0;

	return err_set(e, -EUCLEAN,
		       "%s at " SCSI_ADDRESS_FMT
		       " is a path of this volume here and says that it is another volume: %s",
		       foreign[0].name, SCSI_ADDRESS_ARG(foreign[0].at),
		       out ? "it was taken out of the map now; what was written to this volume "
			     "before may be in that one, compare the two"
			   : "end what uses it, then deactivate the volume");
}

/* Connected anew a volume may get another LUN, and the one that it had is given away, while its map
 * has kept the paths there: half of what is written would go into another volume. Each is asked
 * once, as those at the right places are. */
static int check_strays(struct attach *a, struct err *e)
{
	struct scsi_disk foreign[MAP_PLACES_MAX];
	struct fan_slot slots[MAP_PLACES_MAX];
	struct strays s = {};
	size_t n = 0;
	int r = 0;

	vec_each (d, &a->view.disks)
		if (is_stray(a, d) && a->n_strays < MAP_PLACES_MAX) {
			s.disks[s.n++] = d;
			a->strays[a->n_strays++] = d->dev;
		}
	if (s.n)
		r = fan_run(ask_stray, &s, &a->job->root, s.n, map_job_left(a->job, ASK_MS), slots,
			    e);
	for (size_t i = 0; r >= 0 && i < s.n; i++)
		if (slots[i].code == 0 && strcmp(slots[i].answer, a->view.naa) != 0)
			foreign[n++] = *s.disks[i];
	return n ? refuse_strays(a, foreign, n, e) : r < 0 ? r : 0;
}

static int replace(struct attach *a, struct err *e)
{
	struct scsi_disk old[MAP_PLACES_MAX];
	enum map_in_use use;
	char why[128];
	size_t n = 0;

	for (size_t i = 0; i < a->n; i++) {
		struct spot *s = &a->spots[i];

		if (s->deed != MAP_REPLACE || s->lame)
			continue;
		/* Once: a path that fails again is no path. */
		s->lame = s->replaced;
		s->replaced = true;
		s->scanned = 0;
		if (s->lame)
			continue;
		use = map_disk_use(&a->job->root, s->disk.name, why, sizeof(why));
		if (use == MAP_OPEN) {
			s->deed = MAP_TAKEN;
			return refuse(a, s, e);
		}
		/* Not deleted, and no path: the others have to do. */
		s->lame = use == MAP_UNKNOWN;
		if (s->lame) {
			(void)err_set(&a->said, -EBUSY, "%s stays: %s", s->disk.name, why);
			continue;
		}
		/* What comes in its place may get its number. */
		s->was_asked = false;
		old[n++] = s->disk;
	}
	return n ? map_delete_disks(a->job, old, n, e) : 0;
}

static int scan(struct attach *a, struct err *e)
{
	struct choice c = { .a = a };
	struct fan_slot slots[MAP_PLACES_MAX];
	int64_t now = clock_boot_ms();
	int r = 0;

	for (size_t i = 0; i < a->n; i++) {
		struct spot *s = &a->spots[i];

		if ((s->deed == MAP_SCAN || s->deed == MAP_REPLACE) && !s->pending && !s->lame &&
		    (!s->scanned || now - s->scanned >= AGAIN_MS))
			c.spots[c.n++] = s;
	}
	if (c.n)
		r = fan_run(scan_one, &c, &a->job->root, c.n, map_job_left(a->job, SCAN_MS), slots,
			    e);
	for (size_t i = 0; r >= 0 && i < c.n; i++) {
		c.spots[i]->scanned = clock_boot_ms();
		c.spots[i]->lame = slots[i].code < 0;
		if (slots[i].code < 0)
			a->said = slots[i].e;
	}
	return r < 0 ? r : 0;
}

/* Nothing is changed before all of them have been decided on. */
static int judge(struct attach *a, struct err *e)
{
	int r = observe(a, e);

	if (r == 0)
		r = ask(a, e);
	if (r == 0)
		r = check_strays(a, e);
	for (size_t i = 0; r == 0 && i < a->n; i++) {
		struct spot *s = &a->spots[i];

		s->deed = map_plan_place(&s->seen);
		if (s->deed == MAP_TAKEN || s->deed == MAP_FOREIGN)
			r = refuse(a, s, e);
	}
	return r;
}

static int round_of(struct attach *a, struct err *e)
{
	int r = judge(a, e);

	if (r == 0)
		r = replace(a, e);
	return r == 0 ? scan(a, e) : r;
}

static bool is_usable(const struct spot *s)
{
	return s->seen.present && s->deed == MAP_TAKE && s->seen.asked == TRI_YES;
}

/* All is there, of that size, and every path has said who it is just now: a LUN may have become
 * another volume's since the map was made. */
static bool is_complete(const struct attach *a)
{
	uint64_t size = a->want->size;

	if (a->want->multipath && (!a->view.mapped || (size && a->view.size != size)))
		return false;
	for (size_t i = 0; i < a->n; i++) {
		const struct spot *s = &a->spots[i];

		if (!is_usable(s) || (a->want->multipath && !s->seen.in_map) ||
		    (size && s->disk.size != size))
			return false;
	}
	return true;
}

/* All paths; or some, and no more are to be hoped for. */
static bool is_enough(struct attach *a)
{
	size_t usable = 0, hopeless = 0;

	for (size_t i = 0; i < a->n; i++) {
		const struct spot *s = &a->spots[i];

		usable += is_usable(s);
		hopeless += !is_usable(s) && (s->lame || s->deed == MAP_TAKE);
	}
	if (usable && !a->first)
		a->first = clock_boot_ms();
	return usable && (usable + hopeless == a->n || clock_boot_ms() - a->first >= PATIENCE_MS);
}

static bool has_usable(const struct attach *a)
{
	for (size_t i = 0; i < a->n; i++)
		if (is_usable(&a->spots[i]))
			return true;
	return false;
}

static int find_paths(struct attach *a, struct err *e)
{
	for (;;) {
		int r = round_of(a, e);

		if (r < 0)
			return r;
		/* What was found just now is looked at, and asked, in the next round. */
		if (is_enough(a))
			return 0;
		if (map_job_left(a->job, 1) == 0)
			break;
		map_job_pause(a->job);
	}
	if (has_usable(a))
		return 0;
	return err_set(
		e, -ETIMEDOUT,
		"the volume did not appear on any of %zu paths%s%.200s: is its connection to "
		"this host on the array?",
		a->n, *a->said.text ? "; " : "", a->said.text);
}

/* --- multipath --------------------------------------------------------------- */

/* Where multipathd takes only disks that it knows, this one is made known before it appears, so
 * that nobody else takes it meanwhile. */
static int allow(struct attach *a, struct err *e)
{
	CLEANUP(buf_done) struct buf text = {};
	int r = root_read(&a->job->root, MPATHD_WWIDS, WWIDS_MAX, &text);

	if (r == 0 && mpathd_wwid_listed(buf_slice(&text), a->view.wwid))
		return 0;
	r = mpathd_ask(MPATHD_ADDRESS, "show config", map_job_left(a->job, TELL_MS), &text, e);
	if (r < 0 || mpathd_wants_wwids(buf_slice(&text)) == TRI_NO)
		return r;
	return mpathd_allow(a->view.wwid, map_job_left(a->job, ALLOW_MS), e);
}

/* multipathd takes a disk's identity from udev's record of it. Told of a disk without one, it would
 * not look at it again for ten seconds (retrigger_delay): only when udev is that late itself. */
static bool udev_has(const struct attach *a, const struct spot *s)
{
	char path[64];
	struct stat st;

	(void)snprintf(path, sizeof(path), "run/udev/data/b" DEVNO_FMT, DEVNO_ARG(s->disk.dev));
	return root_stat(&a->job->root, path, &st) == 0;
}

/* 0: told, or it is not the time. Only what cannot become better is an error. */
static int tell(struct attach *a, struct err *e)
{
	bool late = clock_boot_ms() - a->first >= PATIENCE_MS;
	size_t lacking = 0, ready = 0;
	int r = 0;

	if (clock_boot_ms() - a->told < RETELL_MS)
		return 0;
	for (size_t i = 0; i < a->n && r != -EPERM && r != -ECONNREFUSED; i++) {
		const struct spot *s = &a->spots[i];

		if (!is_usable(s) || s->seen.in_map)
			continue;
		lacking++;
		if (!late && !udev_has(a, s))
			continue;
		ready++;
		r = mpathd_do("add path", s->disk.name, map_job_left(a->job, TELL_MS), &a->said);
	}
	if (lacking && !ready)
		(void)err_set(&a->said, 0, "udev has not finished with its disks");
	if (!a->view.mapped && ready && ready == lacking && r != -EPERM && r != -ECONNREFUSED)
		r = mpathd_do("add map", a->view.wwid, map_job_left(a->job, TELL_MS), &a->said);
	if (ready)
		a->told = clock_boot_ms();
	if (r == -EPERM)
		return err_set(e, r, "multipath.conf keeps multipathd from this volume (%.300s)",
			       a->said.text);
	if (r == -ECONNREFUSED)
		return err_set(e, r, "%s", a->said.text);
	return 0;
}

static bool all_in_map(const struct attach *a)
{
	for (size_t i = 0; i < a->n; i++)
		if (is_usable(&a->spots[i]) && !a->spots[i].seen.in_map)
			return false;
	return a->view.mapped;
}

/* The sizes of paths must agree, or multipathd leaves some out. */
static int make_map(struct attach *a, struct err *e)
{
	int64_t begun = clock_boot_ms();

	for (;;) {
		int r = judge(a, e);

		if (r < 0)
			return r;
		if (all_in_map(a) || (a->view.mapped && clock_boot_ms() - begun >= PATIENCE_MS))
			return 0;
		r = tell(a, e);
		if (r < 0)
			return r;
		if (map_job_left(a->job, 1) == 0)
			return err_set(e, -ETIMEDOUT, "multipathd made no map of %s%s%.300s",
				       a->view.wwid, *a->said.text ? ": " : "", a->said.text);
		map_job_pause(a->job);
	}
}

/* --- all of it ---------------------------------------------------------------- */

/* A removal that was killed may have left it with errors instead of patience; where that is what
 * multipath.conf says it stays so. */
static void restore_queueing(struct attach *a)
{
	const struct dm_dev *map = &a->view.map;

	if (a->view.mapped && map->n_targets && !strstr(map->targets[0].params, "queue_if_no_path"))
		(void)mpathd_do("restorequeueing map", a->view.wwid, map_job_left(a->job, TELL_MS),
				NULL);
}

static void link_of_map(const struct attach *a, char ret[LINK_BYTES])
{
	(void)snprintf(ret, LINK_BYTES, "dm-uuid-%s", a->view.uuid);
}

static int settle(struct attach *a, struct map_state *ret, struct err *e)
{
	char link[LINK_BYTES];
	int r = observe(a, e);

	if (r < 0)
		return r;
	restore_queueing(a);
	map_view_state(&a->view, &a->job->root, ret);
	if (a->want->multipath)
		link_of_map(a, link);
	else
		(void)snprintf(link, sizeof(link), "wwn-0x%s", a->view.naa);
	return map_wait_link(a->job, link, a->want->multipath ? ret->device : NULL, e);
}

static int make(struct attach *a, struct err *e)
{
	char link[LINK_BYTES];
	int r = 0;

	if (a->want->multipath && !a->view.mapped) {
		link_of_map(a, link);
		map_wait_unlink(a->job, link);
		r = allow(a, e);
	}
	if (r == 0)
		r = find_paths(a, e);
	/* A map of the old size takes no path of the new one. */
	if (r == 0 && a->want->size)
		r = map_fit(a->job, a->want->serial, a->want->size, e);
	if (r == 0 && a->want->multipath)
		r = make_map(a, e);
	if (r == 0 && a->want->multipath && a->want->size)
		r = map_fit_map(a->job, a->want->serial, a->want->size, e);
	return r;
}

static int begin(struct attach *a, struct err *e)
{
	CLEANUP(scsi_ports_done) struct scsi_ports ports = {};
	struct map_places places = {};
	int r;

	if (a->want->protocol == ARRAY_FC)
		scsi_fc_ports(&ports, &a->job->root);
	else
		scsi_iscsi_ports(&ports, &a->job->root);
	r = map_plan_places(a->want, &ports, &places, e);
	vec_each (p, &places)
		a->spots[a->n++] = (struct spot){ .at = *p, .seen.asked = TRI_UNKNOWN };
	vec_free(&places);
	return r == 0 ? judge(a, e) : r;
}

/* A disk of the volume where none is expected. */
static bool has_others(const struct attach *a)
{
	vec_each (d, &a->view.disks) {
		bool expected = false;

		for (size_t i = 0; i < a->n; i++)
			expected |= scsi_address_eq(&a->spots[i].at, &d->at);
		if (!expected)
			return true;
	}
	return false;
}

int map_attach_scsi(struct map_job *j, const struct map_want *want, struct map_state *ret,
		    struct err *e)
{
	struct attach *a = xcalloc(1, sizeof(*a));
	int r;

	a->job = j;
	a->want = want;
	r = begin(a, e);
	if (r == 0 && !is_complete(a))
		r = make(a, e);
	if (r == 0)
		r = settle(a, ret, e);
	/* The volume is there without that; what stays is a finding. */
	if (r == 0 && has_others(a))
		(void)map_prune_view(j, &a->view, want, &a->said);
	map_view_done(&a->view);
	free(a);
	return r;
}

int map_ask_scsi(struct map_job *j, const char *serial, struct err *e)
{
	struct attach *a = xcalloc(1, sizeof(*a));
	int r;

	a->job = j;
	r = map_view_read(&a->view, &j->root, serial, e);
	if (r == 0)
		r = check_strays(a, e);
	map_view_done(&a->view);
	free(a);
	return r;
}
