/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "hub/digest.h"

#include <errno.h>
#include <sys/random.h>

#include <gnutls/crypto.h>

#include "util/log.h"

void digest_sha256(struct slice text, uint8_t ret[DIGEST_BYTES])
{
	int r = gnutls_hash_fast(GNUTLS_DIG_SHA256, text.p, text.n, ret);

	if (r < 0) {
		log_error("SHA-256: %s", gnutls_strerror(r));
		abort();
	}
}

void digest_random(void *ret, size_t n)
{
	uint8_t *at = ret;

	while (n) {
		ssize_t got = getrandom(at, n, 0);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0) {
			log_error("no random bytes: %s", strerror(errno));
			abort();
		}
		at += got;
		n -= (size_t)got;
	}
}

static void base64url(const uint8_t bytes[DIGEST_BYTES], char ret[DIGEST_SECRET_MAX])
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
	uint32_t bits = 0;
	unsigned int n = 0;
	size_t at = 0;

	for (size_t i = 0; i < DIGEST_BYTES; i++) {
		bits = bits << 8 | bytes[i];
		for (n += 8; n >= 6; n -= 6)
			ret[at++] = digits[bits >> (n - 6) & 63];
	}
	ret[at++] = digits[bits << (6 - n) & 63];
	ret[at] = '\0';
}

void digest_secret(char ret[DIGEST_SECRET_MAX])
{
	uint8_t bytes[DIGEST_BYTES];

	digest_random(bytes, sizeof(bytes));
	base64url(bytes, ret);
}

void digest_derive(const char *label, struct slice text, char ret[DIGEST_SECRET_MAX])
{
	size_t n = strlen(label) + 1;
	CLEANUP_FREE char *both = xmalloc(n + text.n);
	uint8_t hash[DIGEST_BYTES];

	memcpy(both, label, n);
	memcpy(both + n, text.p, text.n);
	digest_sha256((struct slice){ both, n + text.n }, hash);
	base64url(hash, ret);
}

bool digest_equal(const void *a, const void *b, size_t n)
{
	const volatile uint8_t *x = a, *y = b;
	uint8_t differ = 0;

	for (size_t i = 0; i < n; i++)
		differ |= x[i] ^ y[i];
	return differ == 0;
}

bool digest_equal_text(const char *a, const char *b)
{
	size_t n = strlen(a);

	return n == strlen(b) && digest_equal(a, b, n);
}
