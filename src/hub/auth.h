/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * Who speaks: tokens, the registration of agents, people and their sessions. Blocking calls on the
 * caller's own store. A token's text is "pvw1.ORG.SECRET": the org's id and 32 random bytes in
 * base64url; the hub keeps its SHA-256 and compares in constant time.
 */

#include "hub/request.h"

/* What every thread shares: tries, and which tokens were used. */
struct auth;
struct auth *auth_new(void);
void auth_free(struct auth *a);

enum auth_need { AUTH_AGENT, AUTH_READER, AUTH_PERSON };

/* 0 and who it is; or -EACCES with the reply filled: 401, 403 (revoked, or a token of the wrong
 * kind), 429 (too many wrong ones from that address), 503 (the store is away). A bearer token over
 * plain http from another machine: 403 with a sentence. A reader is a read token, a session, or an
 * agent. */
int auth_check(struct auth *a, struct store *s, const struct request *r, enum auth_need need,
	       struct identity *ret, struct reply *reply);

/* Guesses are counted by address, each kind for itself: whoever has used up one may do the others.
 */
enum auth_try { AUTH_TRY_LOGIN, AUTH_TRY_CODE, AUTH_TRY_START, AUTH_TRY_TOKEN };
bool auth_may_try(struct auth *a, enum auth_try what, const char *peer, int64_t now,
		  unsigned int *ret_wait);

/* POST /api/agent: device-auth-start, authorize, register, refresh, renew-refresh-token,
 * register-with-token (facts A3). @base: how people reach this hub, for verification_uri. */
void auth_agent(struct auth *a, struct store *s, const char *base, const struct request *r,
		struct reply *reply);

/* The pages: GET and POST /login, POST /logout, GET and POST /agent/authorize. */
void auth_login(struct auth *a, struct store *s, const struct request *r, struct reply *reply);
void auth_logout(struct auth *a, struct store *s, const struct request *r, struct reply *reply);
void auth_authorize_page(struct auth *a, struct store *s, const struct request *r,
			 struct reply *reply);

/* Puts down in the database when tokens were used last, each at most once an hour: for one thread,
 * now and then. */
int auth_write_used(struct auth *a, struct store *s, struct err *e);

/* For the command line. The text of a new token is shown once. */
int auth_token_make(struct store *s, const char *org, enum store_token_kind kind, const char *agent,
		    const char *label, int64_t now, int64_t lifetime_s, struct store_token *ret,
		    char ret_text[128], struct err *e);
int auth_user_put(struct store *s, const char *org, const char *name, struct slice password,
		  bool must_be_new, struct err *e);
