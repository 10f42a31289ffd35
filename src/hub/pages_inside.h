/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/* What login.c and approve.c share: replies that are pages, and forms that are ours. */

#include "hub/auth_inside.h"

void pages_begin(struct reply *reply, unsigned int status);
void pages_message(struct reply *reply, unsigned int status, const char *title,
		   const char *sentence);
void pages_away(struct reply *reply);

/* False: the reply is a page that says why not. */
bool pages_are_private(const struct request *r, struct reply *reply);
bool pages_may_try(struct auth *a, enum auth_try what, const struct request *r,
		   struct reply *reply);

/* 303 to @path, with the code if it is not "". */
void pages_go(struct reply *reply, const char *path, const char *code);

/* The code in the query, "" if there is none that could be one. */
void pages_query_code(const struct request *r, char ret[AUTH_CODE_LEN + 1]);

/* What a form must show for the browser that has this cookie. */
void pages_csrf(const struct request *r, const char *cookie, char ret[DIGEST_SECRET_MAX]);
bool pages_csrf_fits(const struct request *r, const char *cookie, const char *shown);
