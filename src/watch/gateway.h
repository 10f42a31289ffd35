/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * Whether our own gateway answers: if it did and does not any more, failing guests are not to
 * blame. One echo request every few seconds; of what comes back only that it came is taken, because
 * a gateway may be a guest.
 */

#include "util/base.h"

enum { GATEWAY_EVERY_MS = 5000, GATEWAY_LOST_MS = 13000 };

struct gateway {
	int fd;		/* -1: nothing to ask, or no way to */
	uint32_t route; /* with "auto": the gateway of the default route, network byte order */
	int64_t asked_at;
	int64_t answered_at; /* 0: never: then it says nothing, it may not like to be asked */
};

/* @which: "auto" for the default route's, "none", or a literal address. */
void gateway_open(struct gateway *g, const char *which);
void gateway_close(struct gateway *g);

/* With "auto": the default route goes elsewhere now, so that the old one's silence means nothing.
 */
bool gateway_has_moved(const struct gateway *g, const char *which);

/* Sends one request. */
void gateway_ask(struct gateway *g, int64_t now);

/* Something came in. */
void gateway_receive(struct gateway *g, int64_t now);

/* TRI_NO: it did answer, and has not for a while although it was asked. */
enum tri gateway_answers(const struct gateway *g, int64_t now);

/* The default gateway's address in the text of /proc/net/route, network byte order; 0 without. */
uint32_t gateway_of_routes(struct slice text);
