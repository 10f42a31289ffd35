/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * The bodies of POST /api/agent, ours and NannyAPI's alike: what is asked, and what an answer says.
 * Pure: who sends them is somebody else.
 */

#include "agent/token.h"
#include "util/json.h"

enum { AUTH_WORD_MAX = 128, AUTH_LIFETIME_S = 3600 };

void auth_ask_refresh(const struct token *t, struct buf *ret);
void auth_ask_renew(const struct token *t, struct buf *ret);
void auth_ask_start(struct buf *ret);
void auth_ask_register(const char *device_code, const char *hostname, const char *kernel,
		       struct buf *ret);

/* What an answer's body is, whatever its status. */
struct auth_reply {
	bool json;		   /* an object */
	char error[AUTH_WORD_MAX]; /* its own word or sentence; "" without */
	char description[256];
};
void auth_read_reply(struct slice body, struct auth_reply *ret);

/* A pair, or an access token alone: then the refresh token stays. False: there is none in it, *t is
 * as it was. */
bool auth_take_tokens(struct slice body, int64_t now, struct token *t);

struct auth_device {
	char device_code[512], user_code[64], page[1024];
	int64_t expires_in, interval;
};
bool auth_take_device(struct slice body, struct auth_device *ret);

/* The answer to register: somebody has not approved the code yet. */
bool auth_is_pending(const struct auth_reply *r);
