/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * Numbers of pvestatd's lines as members of a JSON object, copied as they stand where they can be:
 * a thousand guests have twenty thousand of them in each document. A number that is not known is
 * left out.
 */

#include "pve/rrd.h"
#include "util/jsonw.h"

struct samples_field {
	const char *key;
	unsigned int index; /* in the line */
	enum samples_kind {
		SAMPLES_COUNT,	/* a whole number */
		SAMPLES_SHARE,	/* 0 to 1, and more than 1 where Proxmox says so */
		SAMPLES_PERCENT /* written as a share */
	} kind;
};

/* Each as `, "key": number` onto the end of @out. */
void samples_write(struct buf *out, const struct rrd_line *l, const struct samples_field *fields,
		   size_t n);

/* The same as an object of its own, `, "key": {...}`; left out if no number is known. */
void samples_write_object(struct buf *out, const char *key, const struct rrd_line *l,
			  const struct samples_field *fields, size_t n);

/* One of them as a whole number; false: not known. */
bool samples_count(const struct rrd_line *l, unsigned int index, uint64_t *ret);

/* `, "sampled_at": "..."`; the last time is kept as text, because most samples are of one moment.
 */
struct samples_time {
	int64_t at;
	char text[40];
};
void samples_write_time(struct buf *out, struct samples_time *kept, int64_t at);

extern const struct samples_field samples_guest[], samples_guest_pressure[],
	samples_node_pressure[];
extern const size_t samples_guest_n, samples_guest_pressure_n, samples_node_pressure_n;
