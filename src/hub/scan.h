/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * JSON one token at a time, in place: no tree, no copy, no allocation, no recursion. RFC 8259 to
 *the letter, UTF-8 valid, and of what the letter leaves open only what every reader behind us can
 *hold: no NUL, no half surrogate pair, integers of 64 bits, other numbers of a double's range.
 *
 *	struct scan s;
 *	scan_begin(&s, text);
 *	while ((kind = scan_next(&s)) > SCAN_DONE)
 *		...
 */

#include "util/base.h"

enum { SCAN_DEPTH_MAX = 64, SCAN_NUMBER_MAX = 300 };

/* In this order: what is left of DONE is a fault, what is right of it a token. */
enum scan_kind {
	SCAN_FAULT,
	SCAN_DONE,
	SCAN_CLOSE, /* the end of an object or array */
	SCAN_NULL,
	SCAN_BOOL,
	SCAN_INT,
	SCAN_REAL,
	SCAN_STRING,
	SCAN_ARRAY,  /* its elements follow, then SCAN_CLOSE */
	SCAN_OBJECT, /* its members follow, then SCAN_CLOSE */
};

/* An object or array that is not closed yet. */
struct scan_level {
	bool object, key_escaped;
	uint32_t count;	  /* elements or members begun, the one at hand included */
	struct slice key; /* of the member at hand, between its quotes */
};

struct scan {
	const char *at, *end;
	unsigned int max_depth;
	size_t max_string;

	unsigned int depth;
	struct scan_level levels[SCAN_DEPTH_MAX];
	bool done;

	/* The token at hand: a string between its quotes, or a number as it is written. */
	struct slice text;
	bool escaped; /* text has backslashes */
	bool truth;
	int64_t integer;

	const char *fault; /* why, when SCAN_FAULT came */
	bool limit;	   /* it is JSON, and too much of it */
};

/* Depth and lengths are not limited beyond SCAN_DEPTH_MAX until the caller lowers them. */
void scan_begin(struct scan *s, struct slice text);

/* The next token. A member's key is in scan_level(). After SCAN_FAULT or SCAN_DONE the same again.
 */
enum scan_kind scan_next(struct scan *s);

/* The object or array that the token at hand stands in; NULL for the whole text. */
static inline struct scan_level *scan_level(struct scan *s)
{
	return s->depth ? &s->levels[s->depth - 1] : NULL;
}

/* Where the token at hand is, "$.guests[3].vmid", as seen from @depth levels; cut when @size is too
 * small. */
void scan_path(const struct scan *s, unsigned int depth, char *ret, size_t size);

/* A string (or key) of the scanner without its escapes, terminated. False when it does not fit. */
bool scan_unescape(struct slice text, char *ret, size_t size);
