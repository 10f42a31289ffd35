/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * NannyAPI's objects as the collector hands them over: {"posts": [{"path": ..., "body": {...}}]}.
 * They are walked as text: a tree of a thousand guests would be the largest thing in memory.
 */

#include "util/base.h"

struct post {
	struct slice path, body;
};

/* The next one after *at, which begins at 0. False: there is none, or the text is not whole. */
bool posts_next(struct slice text, size_t *at, struct post *ret);

size_t posts_count(struct slice text);

/* What people call it: "qemu 100", "node pve1". */
void posts_name(const struct post *p, char *ret, size_t size);
