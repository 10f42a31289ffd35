/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/* A token's text, "pvw1.ORG.SECRET", and what a browser or an agent shows of it in its headers.
 * Pure. */

#include "hub/store.h"

enum { TOKEN_TEXT_MAX = 128 };

/* A new one of @org. */
void token_text_make(const char *org, char ret[TOKEN_TEXT_MAX]);

/* Whose it says it is, and its hash. False: no token of this hub's kind. */
bool token_text_read(struct slice text, char ret_org[STORE_ORG_MAX], uint8_t ret_hash[STORE_HASH]);

/* What stands behind "Bearer" in an Authorization header; empty if it is none. */
struct slice token_bearer(const char *authorization);

/* The value of the cookie @name in a Cookie header; empty if there is none. */
struct slice token_cookie(const char *cookies, const char *name);

/* The value of @key in a form's body, decoded and terminated. False: not there, it does not fit, or
 * it is not UTF-8. */
bool token_form_value(struct slice body, const char *key, char *ret, size_t size);
