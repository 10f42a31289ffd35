/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "hub/token.h"

#include <stdio.h>
#include <strings.h>

#include "hub/digest.h"
#include "util/str.h"

static const char prefix[] = "pvw1.";

enum { PREFIX = sizeof(prefix) - 1, ORG = STORE_ORG_MAX - 1, SECRET = DIGEST_SECRET_MAX - 1 };

void token_text_make(const char *org, char ret[TOKEN_TEXT_MAX])
{
	char secret[DIGEST_SECRET_MAX];

	digest_secret(secret);
	(void)snprintf(ret, TOKEN_TEXT_MAX, "%s%s.%s", prefix, org, secret);
}

static bool is_hex(const char *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!strchr("0123456789abcdef", p[i]) || !p[i])
			return false;
	return true;
}

bool token_text_read(struct slice text, char ret_org[STORE_ORG_MAX], uint8_t ret_hash[STORE_HASH])
{
	if (text.n != PREFIX + ORG + 1 + SECRET || !slice_starts(text, prefix) ||
	    !is_hex(text.p + PREFIX, ORG) || text.p[PREFIX + ORG] != '.')
		return false;
	memcpy(ret_org, text.p + PREFIX, ORG);
	ret_org[ORG] = '\0';
	digest_sha256(text, ret_hash);
	return true;
}

struct slice token_bearer(const char *authorization)
{
	static const char scheme[] = "Bearer ";

	if (!authorization || strncasecmp(authorization, scheme, sizeof(scheme) - 1) != 0)
		return (struct slice){};
	return slice_trim(slice_of(authorization + sizeof(scheme) - 1));
}

struct slice token_cookie(const char *cookies, const char *name)
{
	struct slice rest = slice_of(cookies ? cookies : ""), one, key;

	while (slice_split(&rest, ';', &one)) {
		one = slice_trim(one);
		key = (struct slice){ one.p, slice_find(one, '=') };
		if (key.n < one.n && slice_eq(key, name))
			return slice_from(one, key.n + 1);
	}
	return (struct slice){};
}

/* "%41" and '+' as forms have them; -1: not decodable. */
static int take_byte(struct slice *in)
{
	uint64_t v;
	char c = in->p[0];

	*in = slice_from(*in, 1);
	if (c == '+')
		return ' ';
	if (c != '%')
		return (unsigned char)c;
	if (in->n < 2 || !str_hex_to_u64((struct slice){ in->p, 2 }, &v))
		return -1;
	*in = slice_from(*in, 2);
	return (int)v;
}

static bool decode(struct slice in, char *ret, size_t size)
{
	size_t n = 0;

	while (in.n) {
		int c = take_byte(&in);

		if (c <= 0 || n + 1 >= size)
			return false;
		ret[n++] = (char)c;
	}
	ret[n] = '\0';
	return str_utf8_valid((struct slice){ ret, n });
}

bool token_form_value(struct slice body, const char *key, char *ret, size_t size)
{
	struct slice one, name;

	ret[0] = '\0';
	while (slice_split(&body, '&', &one)) {
		name = (struct slice){ one.p, slice_find(one, '=') };
		if (name.n < one.n && slice_eq(name, key)) {
			if (decode(slice_from(one, name.n + 1), ret, size))
				return true;
			ret[0] = '\0';
			return false;
		}
	}
	return false;
}
