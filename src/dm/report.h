/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * The report: one check, how the host is doing, both grades, and the order in which a reader wants
 * to see it all (what is in trouble first). The writers below turn it into a mail, a page, text and
 * JSON; they add nothing and leave nothing out but rows, and of those they say how many.
 */

#include "dm/check.h"
#include "dm/hostgrade.h"
#include "pve/host.h"

struct dm_report_guest {
	const struct guest *guest;
	const char *status;	      /* "running", "stopped", ... */
	const struct dm_tally *tally; /* NULL: nothing found */
	size_t mappings, open;	      /* entries of its volumes here */
};

struct dm_report {
	const struct dm_check *check;
	struct host host;
	struct host_grade grade;
	size_t open;	     /* entries that somebody has open, findings or not */
	const char *subject; /* one line, printable */
	const char *summary; /* two or three sentences for somebody in a hurry */
	struct {
		size_t *items; /* VEC() of mappings: worst first */
		size_t n, cap;
	} findings;
	struct {
		struct dm_report_guest *items; /* VEC(), of this node: in trouble first, then id */
		size_t n, cap;
	} guests;
	struct {
		const struct dm_tally **items; /* VEC(): ids without guest that something blocks */
		size_t n, cap;
	} missing;
	struct {
		size_t *items; /* VEC() of mappings that belong to a guest, by guest */
		size_t n, cap;
	} volumes;
	struct arena arena;
};

/* @c must outlive it. Reads the host, which takes a quarter of a second on a live node. */
void dm_report_make(struct dm_report *r, const struct dm_check *c, const struct root *root);
void dm_report_done(struct dm_report *r);

const char *dm_report_severity_word(enum dm_severity s); /* "OK", "WARNING", ... */
const char *dm_report_grade_word(const char *grade);	 /* "excellent"; NULL: "not graded" */

/* Who has finding @mapping open, in one line; NULL when it is not open. */
const char *dm_report_users(const struct dm_report *r, size_t mapping, struct arena *a);

/* "1 critical, 2 orphans", "clean". */
const char *dm_report_health(const struct dm_tally *t, struct arena *a);

/* The guest of a QEMU process, 0 if it is none. */
uint32_t dm_report_vmid_of(const struct dm_report *r, pid_t pid);

/* A page that is a mail: below 100 kB, long tables cut with a count. */
void dm_report_html(const struct dm_report *r, struct buf *out);

/* @whole: no row is left out. */
void dm_report_text(const struct dm_report *r, bool whole, struct buf *out);
void dm_report_json(const struct dm_report *r, struct buf *out);

/* The member "host" of the JSON document. */
void dm_report_write_host(struct jsonw *w, const struct dm_report *r);
