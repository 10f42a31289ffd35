/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * What is to be done with a volume on this node, from what registry, array and kernel say of it.
 * Pure: array/attach.c does what comes out. What is not known refuses; it never counts as "no".
 */

#include "array/registry.h"
#include "array/fa.h"
#include "array/map.h"

/* In the order in which they are done. */
enum plan_step {
	PLAN_DETACH_OLD = 1 << 0, /* the device of another volume that had this name */
	PLAN_CLEAN = 1 << 1,	  /* a removal that was cut: what is left of it goes first */
	PLAN_PUT = 1 << 2,	  /* the entry, not verified, before anything is connected */
	PLAN_CONNECT = 1 << 3,
	PLAN_ATTACH = 1 << 4,
	PLAN_RESIZE = 1 << 5,
	PLAN_VERIFY = 1 << 6, /* the entry is verified */

	PLAN_MARK = 1 << 7, /* the entry is `leaving`; made if there was none */
	PLAN_DETACH = 1 << 8,
	PLAN_DISCONNECT = 1 << 9,
	PLAN_FORGET = 1 << 10,
	PLAN_DROP = 1 << 11,
};

struct plan {
	unsigned int steps;
	int refuse; /* 0 or -errno, with why */
	char why[512];
};

struct plan_activate_in {
	const struct registry_entry *entry; /* NULL: none, or the registry cannot be read */
	const char *serial;		    /* the array's, now */
	uint64_t size, connections;	    /* the array's; UINT64_MAX: not said */
	bool again;			    /* asked to connect, whatever is known */
	bool multipath;			    /* bare disks are no device */
	const struct map_state *here;	    /* the device with that serial */
	const struct map_state *old; /* the one with the entry's, where that is another; NULL */
};
/*
 * -EUCLEAN: the array gave no serial. -EBUSY: what had this name before is open here. -EALREADY: a
 * call on it is stuck in the kernel. Nothing to do when it is verified, present with its size and
 * a path, connected: the map that works is the evidence that this host is connected.
 */
void plan_activate(const struct plan_activate_in *in, struct plan *ret);

struct plan_deactivate_in {
	const struct registry_entry *entry; /* NULL as above */
	const struct map_state *here;
	uint64_t connections; /* UINT64_MAX: not asked */
	bool host_group;      /* connected for all nodes: stays connected */
};
/* -EBUSY: open here, or that cannot be told. */
void plan_deactivate(const struct plan_deactivate_in *in, struct plan *ret);

/*
 * Is it still what was to be taken away? Asked under the volume's lock, because a guest may have
 * been started since it was looked at, whose disks are opened only a moment after their
 * activation. @now: the entry, NULL without; @put: that of the entry that was looked at;
 * @paths_tell: paths_ok is not only what SCSI has last heard of a single disk. -ECANCELED: no.
 */
void plan_still(const struct registry_entry *now, int64_t put, const struct map_state *here,
		bool paths_tell, struct plan *ret);

/* May what stands behind it be replaced or renamed? @what: "rolled back". -EBUSY. */
void plan_idle(const struct map_state *here, const char *what, struct plan *ret);

/* Which arrays this host is to be connected on again: bit i of @ret_arrays. @connected: one for
 * each array. Only entries that are verified and stay. */
void plan_heal(const struct registry_entry *entry, enum tri exists, const enum tri *connected,
	       size_t n_arrays, unsigned int *ret_arrays);

/*
 * Is the snapshot there that @entry's copy was made of, by what one array has under its full name
 * @name? Destroyed is not there, nor is another one that has taken the name. Unknown: the entry
 * does not say of which it was made.
 */
enum tri plan_origin(const struct registry_entry *entry, const char *name,
		     const struct fa_snapshots *said);

enum plan_reap_verdict {
	PLAN_REAP_KEEP,	  /* as it should be, or in use */
	PLAN_REAP_REPORT, /* odd, and nothing that may be touched */
	PLAN_REAP_REMOVE, /* to be removed as attach_remove() does */
};
struct plan_reap_in {
	const struct registry_entry *entry; /* NULL: not in the registry */
	const struct map_state *here;	    /* not present: an entry without a device */
	enum tri exists;		    /* on the array, not destroyed */
	enum tri connected;		    /* to this host, on any array */
	bool orphan; /* the snapshot that it stands for is known to be gone */
};
/* @why: a sentence for people, whatever the verdict. */
enum plan_reap_verdict plan_reap(const struct plan_reap_in *in, char why[256]);
