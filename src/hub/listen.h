/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/* The listening socket, room for many descriptors, and who is at the other end. */

#include "hub/request.h"

struct sockaddr;

/* "ADDR:PORT" as hub_conf_split_listen() takes it; returns the socket or -errno. */
int listen_open(const char *where, uint16_t *ret_port, struct err *e);

/* Makes room for @wanted open files; returns how many there is room for. */
size_t listen_make_room(size_t wanted);

/* The text that stands for @peer where addresses are counted: of IPv6 the network, for whoever has
 * one address of a /64 has all of them. */
void listen_network(const char *peer, char ret[64]);

/* The same of a socket. */
void listen_network_of(const struct sockaddr *address, char ret[64]);

/* What a request says of whom it is forwarded for. */
struct listen_said {
	bool forwarded;		  /* anything at all */
	const char *peer, *proto; /* the last line of each, or NULL */
};

/* Notes what the header @name says, line by line in their order. */
void listen_header(struct listen_said *said, const char *name, const char *value);

/* "ADDRESS [ADDRESS...]", as trusted_proxy has them. */
bool listen_are_addresses(const char *list);

/*
 * Fills peer, secure and local of @r. A proxy on this machine or at one of @trusted (or NULL) says
 * for whom it speaks and whether that was encrypted: it writes at the end, whatever stood there
 * before was said by somebody else. Of anybody else nothing of that is believed.
 */
void listen_peer(const struct sockaddr *address, bool tls, const struct listen_said *said,
		 const char *trusted, struct request *r);
