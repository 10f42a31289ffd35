/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/* Passwords of people: yescrypt as crypt(3) has it. */

#include "util/err.h"

enum { PASSWORD_MIN = 10, PASSWORD_MAX = 200, PASSWORD_HASH_MAX = 256 };

/* -EINVAL with a sentence: too short, too long, or with a NUL or a line's end. */
int password_check(struct slice password, struct err *e);

/* What is kept of @password, which has passed password_check(). */
int password_hash(struct slice password, char ret[PASSWORD_HASH_MAX], struct err *e);

/* Takes as long when @hash is NULL (there is no such person) as when there is. */
bool password_matches(struct slice password, const char *hash);
