/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/* The listening socket, room for many descriptors, and who is at the other end. */

#include "hub/request.h"

struct sockaddr;

/* "ADDR:PORT" as hub_conf_split_listen() takes it; returns the socket or -errno. */
int listen_open(const char *where, uint16_t *ret_port, struct err *e);

/* Makes room for @wanted open files; returns how many there is room for. */
size_t listen_make_room(size_t wanted);

/* Fills peer and secure of @r. A proxy on this machine says in its headers for whom it speaks
 * (@forwarded_for: the last one counts) and whether that was encrypted. */
void listen_peer(const struct sockaddr *address, bool tls, const char *forwarded_for,
		 const char *forwarded_proto, struct request *r);
