/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * What a JSON text must look like, as tables: a shape is an object with rules for its members, a
 * list with one rule for its elements, or a tuple with one rule for each. shape_check() walks the
 * text once with hub/scan.h and says where it is not so. Members without a rule are free, but for
 * depth and lengths.
 */

#include "hub/check.h"
#include "hub/scan.h"

/* What a value may be. */
enum {
	MAY_NULL = 1 << SCAN_NULL,
	MAY_BOOL = 1 << SCAN_BOOL,
	MAY_INT = 1 << SCAN_INT,
	MAY_REAL = 1 << SCAN_REAL,
	MAY_STRING = 1 << SCAN_STRING,
	MAY_ARRAY = 1 << SCAN_ARRAY,
	MAY_OBJECT = 1 << SCAN_OBJECT,
	MAY_NUMBER = MAY_INT | MAY_REAL,
};

/* What a string must be besides. */
enum shape_form {
	FORM_ANY,
	FORM_TEXT, /* at most WIRE_NAME_MAX bytes */
	FORM_NAME, /* the same, and not empty */
	FORM_TIME, /* 2026-11-21T14:00:00Z, and a day that there is */
	FORM_HEX,  /* 32 lower case hexadecimal digits */
	FORM_WORD, /* one of rule.words */
};

struct shape_rule {
	struct slice key; /* of an object's member */
	unsigned int may;
	enum shape_form form;
	unsigned int slot;	    /* remember the value there; 0: do not */
	int64_t min, max;	    /* of a number; both 0: any */
	const char *const *words;   /* ends with NULL */
	const struct shape *inside; /* of an array or object; NULL: free */
};

struct shape {
	const struct shape_rule *rules;
	uint32_t n;	     /* at most 64 */
	uint32_t n_required; /* the first so many members must be there */
	uint32_t max;	     /* elements; 0: WIRE_ARRAY_MAX */
	bool tuple;	     /* an array with exactly n elements */
};

enum { SHAPE_SLOTS = 8 };

/* A value that was remembered. A time is its integer. */
struct shape_value {
	bool there;
	struct slice text; /* with its escapes, if any */
	int64_t integer;
};

/* -EBADMSG with @fault. @root NULL: any object. */
int shape_check(struct slice text, const struct shape *root, struct shape_value slots[SHAPE_SLOTS],
		struct check_fault *fault);

/* "2026-11-21T14:00:00Z", nothing else. False leaves *ret alone. */
bool shape_time(struct slice text, int64_t *ret);

/* The document of docs/wire.md, and where its envelope is kept. */
enum { SLOT_CLUSTER = 1, SLOT_NODE, SLOT_INSTANCE, SLOT_SEQUENCE, SLOT_COLLECTED };
extern const struct shape shape_document;
