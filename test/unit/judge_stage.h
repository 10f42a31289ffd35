/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * The stage on which each rule of the judge is tried: a node that all cases have in common, the
 * mapping in question, and what the verdict on it must be.
 */

#include "dm/judge.h"

#include "node_fixture.h"

/* One case while it is made: the node that all have in common, and the mapping in question. */
struct stage {
	struct fixture f;
	struct fx_vg *vg, *san;
	struct fx_lv *pool, *lv;
	struct fx_map *map;
};

enum { COUNTS = 1, RUNS = 2, DUPLICATE = 4, POLICY_RUNNING = 8, ANY_AGE = 16 };

struct trial {
	const char *what;
	void (*make)(struct stage *s);
	enum dm_class class;
	enum dm_severity severity;
	enum dm_cause cause;
	unsigned int flags;
	uint32_t vmid; /* 0: not asked */
};

#define NONE	 DM_SEVERITY_NONE
#define NOTICE	 DM_SEVERITY_NOTICE
#define WARNING	 DM_SEVERITY_WARNING
#define UNKNOWN	 DM_SEVERITY_UNKNOWN
#define CRITICAL DM_SEVERITY_CRITICAL

#define DISK "vm-100-disk-0"

#define INFRA		       DM_INFRASTRUCTURE, NONE, DM_CAUSE_NONE
#define OK		       DM_OK, NONE, DM_CAUSE_NONE
#define BLIND		       DM_UNKNOWN, UNKNOWN, DM_CAUSE_BLIND, COUNTS
#define BUSY		       DM_BUSY, NOTICE
#define MOVED		       DM_STALE_TABLE, CRITICAL, DM_CAUSE_MOVED
#define PLAIN(class, severity) DM_##class, severity, DM_CAUSE_NONE

void stage_make(struct stage *s);
struct fx_lv *thick(struct stage *s, const char *name);
struct fx_lv *thin(struct stage *s, const char *name);
struct fx_lv *shared(struct stage *s, const char *name);
void vm(struct stage *s, unsigned int vmid, const char *conf);
void vm_there(struct stage *s, unsigned int vmid, const char *conf);
void healthy(struct stage *s);
void stopped(struct stage *s);
void delete_lv(struct stage *s);
void root_volume(struct stage *s);
void vg_of_nobody(struct stage *s);
void moved(struct stage *s);
struct fx_map *multipath(struct stage *s, struct devno path);

/* Tries each and fails the test with all that went wrong. */
void stage_try_all(const struct trial *trials, size_t n);
