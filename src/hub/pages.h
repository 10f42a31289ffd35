/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/* The pages that people see: written here, complete, without a script or anything from elsewhere.
 * Pure. Texts from outside are escaped by util/html.h. */

#include "util/buf.h"

struct page_login {
	const char *problem;	/* NULL: none */
	const char *name, *org; /* as typed before */
	const char *code;	/* to go on with; "" */
	const char *csrf;
};
void page_login(const struct page_login *p, struct buf *ret);

enum page_step {
	PAGE_ASK_CODE,
	PAGE_CONFIRM,
	PAGE_APPROVED,
	PAGE_REFUSED,
};

struct page_authorize {
	enum page_step step;
	const char *problem;
	const char *user, *org; /* who is logged in */
	const char *code;	/* "ABCD2345" */
	const char *from;	/* who asks: an address, with a name if it gave one */
	int64_t minutes;	/* until the code is over */
	const char *csrf;
};
void page_authorize(const struct page_authorize *p, struct buf *ret);

/* A page with a sentence. */
void page_message(const char *title, const char *sentence, struct buf *ret);
