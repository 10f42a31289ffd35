/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * Writing JSON as it is walked: no tree, no allocation per value. Members take their key first;
 * inside an array the key is NULL. Bytes that are not UTF-8, and NUL, come out as U+FFFD, so that
 * the document is always valid. jsonw_end() checks that every begin had its end.
 */

#include "util/buf.h"

enum { JSONW_DEPTH = 16 };

struct jsonw {
	struct buf *out;
	unsigned int depth;
	bool used[JSONW_DEPTH]; /* this level holds a value already */
	char close[JSONW_DEPTH];
	bool flat[JSONW_DEPTH]; /* this level stands on one line */
};

void jsonw_begin(struct jsonw *w, struct buf *out);
/* The same on one line, for files that grow line by line. */
void jsonw_begin_row(struct jsonw *w, struct buf *out);
void jsonw_end(struct jsonw *w);

void jsonw_object(struct jsonw *w, const char *key);
void jsonw_array(struct jsonw *w, const char *key);
/* As jsonw_object(), written on one line: for rows of a list. */
void jsonw_row(struct jsonw *w, const char *key);
void jsonw_close(struct jsonw *w);

void jsonw_slice(struct jsonw *w, const char *key, struct slice v);
void jsonw_str(struct jsonw *w, const char *key, const char *v); /* NULL writes null */
void jsonw_u64(struct jsonw *w, const char *key, uint64_t v);
void jsonw_i64(struct jsonw *w, const char *key, int64_t v);
/* With two decimals; what is not finite writes null. */
void jsonw_num(struct jsonw *w, const char *key, double v);
void jsonw_bool(struct jsonw *w, const char *key, bool v);
void jsonw_null(struct jsonw *w, const char *key);
/* Unix time as RFC 3339 in UTC; 0 writes null. */
void jsonw_time(struct jsonw *w, const char *key, int64_t v);
/* A value that is JSON already, as it stands. */
void jsonw_raw(struct jsonw *w, const char *key, struct slice json);
void jsonw_fmt(struct jsonw *w, const char *key, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* A string alone, in its quotes, onto the end of @out. */
void jsonw_quote(struct buf *out, struct slice s);
