/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * The HTTP server: libmicrohttpd's threads take requests in and send replies; what may wait is
 * elsewhere (hub/call.h), meanwhile the connection is suspended.
 */

#include "hub/call.h"

struct web;

/* Listens and serves from now on. *ret_port is the port (for ":0"). */
int web_start(struct web **ret, struct hub *hub, uint16_t *ret_port, struct err *e);

/* No more new connections; what is under way goes on, what comes is answered with 503. */
void web_drain(struct web *w);

/* After that: ends the threads and closes what is left. Nothing may be under way in the pool or
 * with the writers. */
void web_stop(struct web *w);
