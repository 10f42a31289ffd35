/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * What the report says in rows and sentences, apart from how it is laid out: the mail's HTML and
 * its text alternative say the same because both take it from here. Texts are the arena's.
 */

#include "dm/report.h"

struct report_row {
	const char *label, *value;
	enum host_level level;
};

struct report_rows {
	struct report_row *items; /* VEC() */
	size_t n, cap;
};

struct report_step {
	const char *text, *command; /* either may be NULL */
};

struct report_steps {
	struct report_step *items; /* VEC() */
	size_t n, cap;
};

/* "high", "too high"; NULL: nothing to say. */
const char *report_level_word(enum host_level l);

void report_host_rows(struct report_rows *ret, const struct dm_report *r, struct arena *a);
void report_environment_rows(struct report_rows *ret, const struct dm_report *r, struct arena *a);

/* What to do, in order, each with the line to type. */
void report_steps(struct report_steps *ret, const struct dm_report *r, struct arena *a);

/* Which id Proxmox gives to the next guest, and whether something is in its way. */
const char *report_next_id(const struct dm_report *r, struct arena *a);

/* How each grade came about. */
const char *report_grade_reason(const struct dm_report *r, struct arena *a);
const char *report_host_reason(const struct dm_report *r, struct arena *a);

/* What must be known before anything is changed; ends with NULL. */
extern const char *const report_safety[];
extern const char *const report_grades_explained[];
