/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/* What the two files of snapshots share. */

#include "array/fa.h"

/* By their full names, destroyed ones too. */
int fa_snapshots_named(struct fa *f, const struct fa_call *c, const char *const *names, size_t n,
		       struct arena *a, struct fa_snapshots *ret, struct err *e);
