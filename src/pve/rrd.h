/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * /etc/pve/.rrd: the last sample that each node's pvestatd sent (pve-cluster status.c,
 * cfs_rrd_dump; fields: pve-manager PVE/Service/pvestatd.pm). Both generations of keys are read;
 * newer ones may only append fields.
 */

#include "pve/root.h"
#include "util/arena.h"

enum rrd_kind { RRD_NODE, RRD_GUEST, RRD_STORAGE };

/* A number that may be undefined ("U", or absent in an older format). */
struct rrd_number {
	bool known;
	double value;
};

enum {
	RRD_NODE_LEVEL = 1,
	RRD_NODE_CTIME = 2,
	RRD_GUEST_NAME = 1,
	RRD_GUEST_STATUS = 2,
	RRD_GUEST_CTIME = 4,
	RRD_FIELDS_MAX = 32,
};

struct rrd_entry {
	enum rrd_kind kind;
	const char *node;    /* of RRD_NODE and RRD_STORAGE */
	const char *storage; /* of RRD_STORAGE */
	uint32_t vmid;	     /* of RRD_GUEST */
	int64_t ctime;	     /* when the sample was taken, Unix seconds */
	const char *status;  /* of RRD_GUEST: "running", "stopped", "paused", ... */
	const char *name;    /* of RRD_GUEST */
	struct rrd_number fields[RRD_FIELDS_MAX]; /* by the index of the format's own list */
	size_t n_fields;
};

struct rrd {
	struct rrd_entry *entries; /* of two lines for one key the younger sample is kept */
	size_t n;
};

/* One line as it stands, nothing copied: for those who want a few numbers of thousands of lines. */
struct rrd_line {
	enum rrd_kind kind;
	struct slice node, storage; /* as in struct rrd_entry */
	uint32_t vmid;
	int64_t ctime;
	struct slice fields[RRD_FIELDS_MAX];
	size_t n_fields;
};

/* False: not a line of ours, or one without a time, which nobody could trust. */
bool rrd_line_parse(struct slice line, struct rrd_line *ret);
struct rrd_number rrd_number_parse(struct slice field);

/* The lines of a whole text: without what the socket adds. -EBADMSG: it is torn. */
int rrd_whole(struct slice *text, struct err *e);

/* Reads the text alone, a few times until it is whole. */
int rrd_read_text(struct buf *ret, const struct root *r, struct err *e);

/* Lines that do not hold are skipped; a last line without newline counts as torn: -EBADMSG. */
int rrd_parse(struct rrd *ret, struct slice text, struct arena *a, struct err *e);
int rrd_read(struct rrd *ret, const struct root *r, struct arena *a, struct err *e);

/* NULL when there is no sample. */
const struct rrd_entry *rrd_guest(const struct rrd *rrd, uint32_t vmid);
const struct rrd_entry *rrd_node(const struct rrd *rrd, const char *node);
