/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * What this node has mapped, on disk: /var/lib/pvewarden/array/registry.json, written atomically
 * before a volume is connected and after it is gone. An entry is "verified" while this boot's
 * activation has seen name, array's id and serial agree; path() trusts only such an entry, and only
 * while it is open or was just checked, as another node may rename the volume (facts F2, decisions
 * 45). arrayd and `array call` share it under one flock, and each volume has a lock
 * of its own: /run/pvewarden/array/lock/.
 */

#include "array/name.h"

struct registry_entry {
	const char *storage, *volname, *snap;	       /* snap "" for the volume itself */
	const char *array_volume, *volume_id, *serial; /* "" while what stands for a snapshot is
							   made or destroyed on the array */
	const char *origin; /* of what stands for a snapshot: that one's id; "": not known */
	enum array_protocol protocol;
	uint64_t size;
	int64_t since;
	bool verified; /* in this boot */
	bool partial;  /* an array of the storage was not reached when it was connected */
	bool leaving;  /* its removal has begun */
	int64_t put;   /* given by registry_put(), another one each time: has it been put since? */
	int64_t checked; /* when an array and the disk last agreed on it; CLOCK_BOOTTIME, ms, of the
			    boot in which it is verified */
};

struct registry_dir {
	const char *lib, *run;
	const char *boot_id;
};

struct registry;
/* Makes the folders. A file that cannot be read is no reason to fail here. */
int registry_open(struct registry **ret, const struct registry_dir *dir, struct err *e);
void registry_close(struct registry *r);

/*
 * Reads the file again if another process has written it. -ENOENT: no such entry. -EBADMSG and
 * others: the file is there and cannot be read, so that nothing is known; this is never "not
 * mapped", and who needs to know asks array and kernel. Memory is @a's.
 */
int registry_find(struct registry *r, const char *storage, const char *volname, const char *snap,
		  struct arena *a, struct registry_entry *ret);
int registry_find_serial(struct registry *r, const char *serial, struct arena *a,
			 struct registry_entry *ret);
int registry_list(struct registry *r, struct arena *a, struct registry_entry **ret, size_t *n,
		  struct err *e);
/*
 * Both fsync before they return. registry_put() sets a file that cannot be read aside, as
 * registry.json.bad, and returns 1: from then on the registry holds what is activated from here on.
 * registry_drop() leaves such a file alone (-EBADMSG).
 */
int registry_put(struct registry *r, const struct registry_entry *entry, struct err *e);
int registry_drop(struct registry *r, const char *storage, const char *volname, const char *snap,
		  struct err *e);

/* @entry was found in order again: only that is noted, and `put` stays. Nothing where the registry
 * has another entry by now. */
int registry_checked(struct registry *r, const struct registry_entry *entry, struct err *e);

/* A volume's lock, by storage and name: at most until @deadline (CLOCK_MONOTONIC, ms). The
 * descriptor, closed to let it go; -ETIMEDOUT with who holds it. */
int registry_lock_volume(struct registry *r, const char *storage, const char *volname,
			 int64_t deadline, struct err *e);
