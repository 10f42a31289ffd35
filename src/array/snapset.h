/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * The disks of one guest that were snapshotted at one moment, and which of them Proxmox has asked
 * for since: it asks disk by disk, the array takes all in one call (docs/array.md, 4). Kept in
 * RUN/snapshots/STORAGE,VMID,SNAP.json, written before the array is asked and again after, so that
 * a crash in between leaves a set that says "perhaps". Gone when all are claimed, and at boot.
 */

#include "util/arena.h"
#include "util/err.h"

enum {
	SNAPSET_CLAIM_S = 600, /* how long a member waits to be claimed */
	SNAPSET_CLOCK_S = 60,  /* how far the array's clock may be from this node's */
};

struct snapset_member {
	const char *volname;
	bool claimed;
};

struct snapset {
	int64_t since;	  /* Unix seconds: the array was asked then */
	bool taken;	  /* the array has said so; false: asked, and no more is known */
	int64_t prepared; /* for whom: snapdisks_prepared() of the guest at that time, or 0 */
	struct snapset_member *members;
	size_t n;
};

struct snapset_key {
	const char *run_dir, *storage;
	uint32_t vmid;
	const char *snap;
};

/* All members unclaimed, not taken. Memory is @a's. */
void snapset_begin(struct snapset *ret, const char *const *volnames, size_t n, int64_t now,
		   struct arena *a);

bool snapset_has(const struct snapset *s, const char *volname);

enum snapset_claim {
	SNAPSET_CLAIMED, /* it was waiting, and is claimed now */
	SNAPSET_STRANGE, /* none of the set's */
	SNAPSET_AGAIN,	 /* claimed before */
	SNAPSET_LATE,	 /* too old a set: the call belongs to something else */
	SNAPSET_PERHAPS, /* the array was asked, and never answered */
};
enum snapset_claim snapset_claim(struct snapset *s, const char *volname, int64_t now);

/* Whether a snapshot of that time can be of a set that nobody knows the end of. */
bool snapset_may_be(const struct snapset *s, int64_t created);

/* -EBADMSG with a sentence. */
int snapset_parse(struct snapset *ret, struct slice text, struct arena *a, struct err *e);

/* -ENOENT: there is none. */
int snapset_read(struct snapset *ret, const struct snapset_key *key, struct arena *a,
		 struct err *e);
/* fsyncs before it returns. A set that is claimed to the last is removed instead. */
int snapset_write(const struct snapset *s, const struct snapset_key *key, struct err *e);
int snapset_drop(const struct snapset_key *key, struct err *e);
