/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/* What the files behind hub/auth.h share. */

#include "hub/auth.h"
#include "hub/digest.h"
#include "hub/token.h"

enum {
	AUTH_ACCESS_S = 3600,
	AUTH_REFRESH_S = 30 * 86400,
	/* A renewed refresh token is good for so long yet: the answer with the new one may have
	 * been lost, and an agent tries again after an hour. */
	AUTH_OVERLAP_S = 86400,
	AUTH_SESSION_S = 12 * 3600,
	AUTH_CODE_S = 600,
	AUTH_CODE_LEN = 8,
	AUTH_RETRY_S = 5,
	AUTH_FULL_RETRY_S = 60,
	AUTH_COOKIE_NAME_MAX = 32,
};

#define AUTH_SESSION_COOKIE "pvw_session"
#define AUTH_VISIT_COOKIE   "pvw_visit"

/* The full name is __Host-NAME, which browsers take only with Secure, for this host and from
 * itself; where Secure is left out (see login.c) it is NAME. */
void auth_cookie_name(const struct request *r, const char *name, char ret[AUTH_COOKIE_NAME_MAX]);
struct slice auth_cookie(const struct request *r, const char *name);

/* Looks @text up. 0; -ENOENT: not ours or not known; -EKEYEXPIRED: it was ours; another -errno of
 * the store. A revoked one is found: auth_is_revoked(). */
int auth_find(struct store *s, struct slice text, int64_t now, struct store_token *ret);
bool auth_is_revoked(const struct store_token *t, int64_t now);

/* A new token that the store does not have yet. */
void auth_token_begin(const char *org, enum store_token_kind kind, const char *agent,
		      const char *label, int64_t now, int64_t lifetime_s, struct store_token *ret,
		      char ret_text[TOKEN_TEXT_MAX]);

/* It was shown, and taken. */
void auth_note(struct auth *a, const struct store_token *t, int64_t now);

/* One more try of this address, or the reply with 429. */
bool auth_try(struct auth *a, enum auth_try what, const struct request *r, struct reply *reply);

/* One more agent or token by whoever is known as @id in @org, or the reply with 429. */
enum auth_maker { AUTH_MAKER_ALONE, AUTH_MAKER_SHARED };
bool auth_may_make(struct auth *a, enum auth_maker maker, const char *id, const char *org,
		   const struct request *r, struct reply *reply);

/* 503: try again. */
void auth_away(struct reply *reply);

/* Tokens and passwords do not travel readable: false and 403. */
bool auth_is_private(const struct request *r, struct reply *reply);

/* The person whose session comes with @r. -ENOENT: nobody. */
int auth_person(struct auth *a, struct store *s, const struct request *r, struct store_token *ret);

/* A code as a person types it ("abcd-2345") as it was given out; false if it cannot be one. */
bool auth_read_code(const char *typed, char ret[AUTH_CODE_LEN + 1]);
void auth_hash_code(const char *code, uint8_t ret[STORE_HASH]);
