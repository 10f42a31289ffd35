/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * What a server's answer means for what was sent: pure. A body that is not of the server's kind
 * comes from something in between, a proxy or a captive portal, and decides about nothing.
 */

#include "agent/collector.h"

enum delivery_verdict {
	DELIVERY_DONE,
	DELIVERY_REFRESH, /* 401: the token first, then once more */
	DELIVERY_LATER,	  /* after wait_ms */
	DELIVERY_REVOKED, /* 403: the same, and only a person can help */
	DELIVERY_PARK,	  /* it will never be taken: aside with it */
};

enum { DELIVERY_REVOKED_MS = 300 * 1000, DELIVERY_RETRY_AFTER_MAX_S = 3600 };

struct delivery_seen {
	int error; /* the transport's -errno; the rest is empty then */
	const char *why;
	long status;
	const char *retry_after;
	struct slice body;
};

struct delivery {
	enum delivery_verdict verdict;
	bool own;	 /* it is the server itself that answered */
	int64_t wait_ms; /* before the same is asked again, whatever the verdict */
	char why[400];	 /* a sentence for a person; "" when done */
};

/* @tries: failures so far; @now: Unix seconds; @random: any number. */
void delivery_judge(const struct delivery_seen *seen, unsigned int tries, int64_t now,
		    uint32_t random, struct delivery *ret);

/* The server says that @document lies ahead of its clock, and by ours, @now, it does not: one of
 * the two clocks is wrong. That passes, and the document is not at fault. */
bool delivery_is_of_a_clock(struct slice answer, struct slice document, int64_t now);

/* Seconds to wait as the header says it, in seconds or as a date; -1: it says nothing. */
int64_t delivery_retry_after(struct slice text, int64_t now);

/* What our hub's answer asks for; what it does not say stays. True: it had that document already.
 */
bool delivery_take_reply(struct slice body, struct collect_ask *ask);
