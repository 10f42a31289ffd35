/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * The judge: from the model of a node to one verdict for each mapping. Pure: no system call, no
 * clock. The order of its rules is decisions 12, first match wins; each rule is settled in
 * decisions 11 to 22.
 */

#include "dm/model.h"

enum dm_class {
	DM_INFRASTRUCTURE,
	DM_UNKNOWN,
	DM_BUSY,
	DM_GHOST,
	DM_RENAMED,
	DM_STALE_TABLE,
	DM_DUPLICATE,
	DM_MANUAL,
	DM_FOREIGN,
	DM_COPY,
	DM_UNREFERENCED,
	DM_LEFTOVER,
	DM_ARRAY_GONE,
	DM_OK,
	DM_CLASS_MAX,
};

/* In the order in which they win (decisions 1). */
enum dm_severity {
	DM_SEVERITY_NONE, /* ok and infrastructure */
	DM_SEVERITY_NOTICE,
	DM_SEVERITY_WARNING,
	DM_SEVERITY_UNKNOWN,
	DM_SEVERITY_CRITICAL,
};

/* What exactly made the class match. */
enum dm_cause {
	DM_CAUSE_NONE,
	/* unknown */
	DM_CAUSE_BLIND,		    /* a global input is missing */
	DM_CAUSE_VG_NOT_SEEN,	    /* no VG of that UUID in the report */
	DM_CAUSE_VG_DOUBTFUL,	    /* missing or duplicate PVs, exported, locked */
	DM_CAUSE_VG_NAME_TWICE,	    /* two VGs of that name */
	DM_CAUSE_STORAGE_UNDEFINED, /* a config refers to the volume through a storage nobody
				       defines */
	/* busy */
	DM_CAUSE_SUSPENDED,
	DM_CAUSE_INACTIVE_TABLE,
	DM_CAUSE_GUEST_LOCKED, /* lock: in its config */
	DM_CAUSE_FLOCK,
	DM_CAUSE_TASK,
	DM_CAUSE_INCOMING,
	DM_CAUSE_WIPING,   /* del- */
	DM_CAUSE_CHANGING, /* pvmove, conversion, merge */
	DM_CAUSE_YOUNG,
	DM_CAUSE_UNSTABLE, /* two looks did not agree */
	/* ghost */
	DM_CAUSE_DELETED,
	DM_CAUSE_NAMESAKE,
	DM_CAUSE_EXTENTS_REUSED,
	/* stale-table */
	DM_CAUSE_GROWN,
	DM_CAUSE_MOVED,
	/* duplicate */
	DM_CAUSE_SAME_SECTORS,
	DM_CAUSE_CLAIMS_NAME,
	/* array-gone */
	DM_CAUSE_VOLUME_GONE,
	DM_CAUSE_VOLUME_NOT_CONNECTED,
};

struct dm_verdict {
	enum dm_class class;
	enum dm_severity severity;
	enum dm_cause cause;
	bool counts;   /* unknown: on a VG of this node's storages, so that the answer is unknown */
	bool running;  /* a guest that refers to it runs here */
	uint32_t vmid; /* of the referring guest, else of the name; 0: none */
	const struct guest *guest;     /* whom the verdict speaks of, NULL if there is none */
	const struct dm_ref *ref;      /* the reference that decided, NULL without */
	const struct task *task;       /* of DM_CAUSE_TASK */
	const struct array_map *array; /* of array-gone */
	const struct dm_mapping *as_child_of; /* infrastructure inside a guest's disk */
	bool duplicate; /* covers sectors that are another's: see the mapping's overlaps */
};

struct dm_options {
	bool policy_running; /* --policy running: v26's view */
	int64_t min_age;     /* seconds; younger unreferenced volumes are busy */
};

/* One verdict for each of m->mappings; @ret has room for m->n. */
void dm_judge(const struct dm_model *m, const struct dm_options *o, struct dm_verdict *ret);

const char *dm_class_name(enum dm_class c);
const char *dm_severity_name(enum dm_severity s);

static inline bool dm_is_finding(const struct dm_verdict *v)
{
	return v->class != DM_OK && v->class != DM_INFRASTRUCTURE;
}

/* A global input is missing: nothing of any guest can be told. */
bool dm_blind(const struct dm_model *m);
