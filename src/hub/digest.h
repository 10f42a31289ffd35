/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/* The little cryptography that the hub needs: GnuTLS' SHA-256, the kernel's random bytes, and
 * comparing without telling how much was right. */

#include "util/base.h"

enum {
	DIGEST_BYTES = 32,
	DIGEST_SECRET_MAX = 44, /* 32 bytes in base64url, terminated */
};

void digest_sha256(struct slice text, uint8_t ret[DIGEST_BYTES]);

/* The kernel's; ends the program when there are none (which cannot be after boot). */
void digest_random(void *ret, size_t n);

/* 32 random bytes in base64url without padding. */
void digest_secret(char ret[DIGEST_SECRET_MAX]);

/* SHA-256 of @label, a NUL and @text, in base64url: what follows from a secret and does not tell
 * it. */
void digest_derive(const char *label, struct slice text, char ret[DIGEST_SECRET_MAX]);

/* In the same time whatever differs. */
bool digest_equal(const void *a, const void *b, size_t n);
bool digest_equal_text(const char *a, const char *b);
