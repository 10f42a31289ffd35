/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/* A hub's store with two organisations, and what its tests of tokens and registration ask and get.
 */

#include "hub/auth_inside.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

#include "hub/store_engine.h"
#include "hub_db.h"
#include "util/json.h"
#include "util/str.h"

enum { NOW = 1795269600 };

#define PASSWORD "correct horse battery"

/* A hub with two organisations and a person in each. */
struct hub {
	struct hub_db db;
	struct store *store;
	struct auth *auth;
	char org[2][STORE_ORG_MAX];
	struct request r; /* what the next call asks with */
	struct reply reply;
	const char *query_code;
};

void fresh_request(struct hub *h);
int auth_stage_begin(void **state);
int auth_stage_end(void **state);
void fresh_reply(struct hub *h);
void make(struct hub *h, int org, enum store_token_kind kind, int64_t lifetime,
	  struct store_token *t, char text[TOKEN_TEXT_MAX]);
int check(struct hub *h, const char *token, enum auth_need need, struct identity *who);
/* The words after which old agents throw their token away (together with "token"). */
void assert_harmless(const struct hub *h);
/* The reply is JSON with this word, and a sentence. */
void assert_error(const struct hub *h, unsigned int status, const char *word);

#define WITH_HUB(test) cmocka_unit_test_setup_teardown(test, auth_stage_begin, auth_stage_end)
