/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * The table of all that this server answers: method, path, who may ask, how large a body may be.
 * docs/openapi.yaml describes the same table, and a test compares the two.
 */

#include "hub/target.h"

enum route_id {
	ROUTE_DOCUMENTS,
	ROUTE_OBJECT, /* NannyAPI's posts: detail is an enum store_object */
	ROUTE_AGENT,
	ROUTE_LOGIN,
	ROUTE_LOGOUT,
	ROUTE_AUTHORIZE,
	ROUTE_LIST,    /* detail is an enum store_list */
	ROUTE_ONE,     /* the same */
	ROUTE_HISTORY, /* the same */
	ROUTE_NANNY_LIST,
	ROUTE_NANNY_ONE,
	ROUTE_NANNY_DELETE,
	ROUTE_HEALTH,
	ROUTE_METRICS,
	ROUTE_OPENAPI,
};

enum route_need { NEED_NOBODY, NEED_AGENT, NEED_READER, NEED_PERSON };

struct route {
	const char *method, *path; /* "{name}" stands for one segment */
	enum route_id id;
	int detail;
	enum route_need need;
	size_t body_max; /* 0: a body is refused */
};

enum { ROUTE_CAPTURES = 3 };

struct route_match {
	const struct route *route;
	const char *captures[ROUTE_CAPTURES]; /* point into the target */
	char allow[64];			      /* methods of that path, for 405 and OPTIONS */
};

/* 0; -ENOENT: no such path; -EOPNOTSUPP: the path has other methods (allow). HEAD is GET. */
int route_find(const char *method, const struct target *t, struct route_match *ret);

/* All of them, for `hub serve --routes`. */
const struct route *route_table(size_t *ret_n);
