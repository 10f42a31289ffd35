/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * The resolver: a process that turns names into addresses, because a name server may let us wait. A
 * name that does not resolve gives no address, and a guest without an address is unknown, not down.
 */

#include "watch/probe.h"
#include "watch/role.h"

struct resolver_question {
	uint32_t vmid;
	char name[256];
};

struct resolver_answer {
	uint32_t vmid;
	char name[256]; /* as it was asked */
	uint8_t n;
	struct probe_address addresses[PROBE_ADDRESSES_MAX];
};

int resolver_start(struct role *ret, struct err *e);
int resolver_ask(const struct role *r, const struct resolver_question *q);

/* -EAGAIN: none; -EPIPE: it is gone; -EPROTO: not an answer. */
int resolver_receive(const struct role *r, struct resolver_answer *ret);

struct addrinfo;

/* One of getaddrinfo()'s results into @list, which has @n so far; what is too much is left out. */
void resolver_take(struct probe_address *list, uint8_t *n, const struct addrinfo *i);

/* A literal needs no resolver. False if @text is none; *ret is not to be used then. */
bool resolver_literal(const char *text, struct probe_address *ret);
