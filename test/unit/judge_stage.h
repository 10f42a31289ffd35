/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/* Each rule of the judge is tried on one stage: what is the verdict on the mapping in question? */

#include "dm/judge.h"

#include "dm_stage.h"

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

#define INFRA		       DM_INFRASTRUCTURE, NONE, DM_CAUSE_NONE
#define OK		       DM_OK, NONE, DM_CAUSE_NONE
#define BLIND		       DM_UNKNOWN, UNKNOWN, DM_CAUSE_BLIND, COUNTS
#define BUSY		       DM_BUSY, NOTICE
#define MOVED		       DM_STALE_TABLE, CRITICAL, DM_CAUSE_MOVED
#define PLAIN(class, severity) DM_##class, severity, DM_CAUSE_NONE

/* Tries each and fails the test with all that went wrong. */
void judge_try_all(const struct trial *trials, size_t n);
