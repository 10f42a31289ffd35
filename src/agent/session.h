/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * What is to be done about a token, decided from its times and from what the server has said: pure.
 *
 * A refresh token is the one thing that only a person can bring back. It is given up only when the
 * server itself says so, in its own protocol's word, several times over an hour; a TLS error, a
 * wrong clock, a proxy's page or any text is no such word. Even then it is kept, and tried now and
 * then.
 */

#include "agent/auth.h"

enum {
	SESSION_EARLY_S = 300,	    /* an access token is refreshed so long before its end */
	SESSION_REFUSALS = 5,	    /* so many, */
	SESSION_REFUSED_S = 3600,   /* over so long, are believed */
	SESSION_GIVEN_UP_S = 3600,  /* between two tries then */
	SESSION_LONGEST_S = 3700,   /* nothing is put off for longer, Retry-After included */
	SESSION_NO_RENEW_S = 86400, /* a server without renewal is asked again after this */
};

struct session {
	int64_t renew_before, check_every, renew_retry; /* settings, seconds */
	bool rejected;					/* the access token, with a 401 */
	int64_t got;					/* the last token, by a refresh of ours */
	int64_t next_try, next_renew;
	unsigned int failures; /* refreshes in a row that brought nothing */
	unsigned int refusals; /* those of them that were the server's own word */
	int64_t first_refusal;
	unsigned int denied; /* refresh or access token, in a row: what is told to people */
};

enum session_step {
	SESSION_NONE,	 /* there is no token */
	SESSION_USE,	 /* the access token */
	SESSION_REFRESH, /* first */
	SESSION_RENEW,	 /* first */
	SESSION_WAIT,	 /* until *ret_until */
};

/* What came back: the transport's -errno, or an answer. */
struct session_seen {
	int error;
	long status;
	const char *content_type;
	struct slice body;
	int64_t wait_ms; /* what back-off or Retry-After say */
};

enum session_result {
	SESSION_GOT,
	SESSION_LATER,	  /* nothing is known about the token */
	SESSION_REFUSED,  /* the server's own word, not yet believed */
	SESSION_GIVEN_UP, /* believed: a person has to register again */
	SESSION_NO_RENEW, /* this server does not know renewal */
};

enum session_step session_next(const struct session *s, const struct token *t, int64_t now,
			       int64_t *ret_until);

/* Takes the answer to a refresh (or a renewal) into *s and *t. */
enum session_result session_took(struct session *s, struct token *t, bool renewal,
				 const struct session_seen *seen, int64_t now);

/* The access token was refused, by the server itself (@own) or by something in between. False: a
 * token just got was refused as well, so that another refresh would change nothing; it is waited
 * for. */
bool session_rejected(struct session *s, const struct token *t, bool own, int64_t now);

/* The third refusal of the server's own, then each tenth: somebody has to register again. */
bool session_is_to_be_told(const struct session *s);
