/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * The sentence that goes with a negative errno, where a human will read it. Functions take it as
 * their last parameter; NULL means that the caller does not want to know.
 */

#include "util/base.h"

struct err {
	char text[512];
};

/* Writes the sentence and returns @code, so that a caller can `return err_set(e, -EIO, ...)`. */
int err_set(struct err *e, int code, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* Puts "context: " in front of what is there already; returns @code. */
int err_wrap(struct err *e, int code, const char *fmt, ...) PRINTF_LIKE(3, 4);
