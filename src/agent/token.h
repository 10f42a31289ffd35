/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * What an agent shows a server: one file for each server, mode 0600, written so that a crash leaves
 * the old content or the new. Times are Unix seconds, 0 when the server did not say.
 */

#include "util/buf.h"
#include "util/err.h"

#define TOKEN_HUB_FILE	 "hub-token.json"
#define TOKEN_NANNY_FILE "nanny-token.json"

enum { TOKEN_TEXT_MAX = 8192, TOKEN_INSTANCE_BYTES = 33 };

struct token {
	char *access, *refresh, *agent_id; /* NULL: none */
	int64_t expires, refresh_expires;
	int64_t got;   /* when the access token was */
	bool ready;    /* made elsewhere, never refreshed */
	bool given_up; /* the server said several times that the refresh token is not valid; it is
			  kept all the same, and tried now and then */
};

void token_done(struct token *t);
void token_copy(struct token *to, const struct token *from);
static inline bool token_is_there(const struct token *t)
{
	return t->access || t->refresh;
}

/* Ours, and the old agent's token.json: they have the same members. -EBADMSG with a sentence. */
int token_parse(struct slice text, const char *what, struct token *ret, struct err *e);
void token_write(const struct token *t, struct buf *ret);

/* -ENOENT: there is none. */
int token_load(int dirfd, const char *file, struct token *ret, struct err *e);

/* Written by root for another user, it becomes the folder's owner's. */
int token_save(int dirfd, const char *file, const struct token *t, struct err *e);

/* A text of one line as a token that is never refreshed. -EBADMSG: it is none. */
int token_of_text(struct slice text, struct token *ret, struct err *e);

/* 32 hexadecimal digits, made when the folder has none yet. */
int token_instance(int dirfd, char ret[TOKEN_INSTANCE_BYTES], struct err *e);
