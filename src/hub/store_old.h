/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * What old agents say, in the tables that documents fill: clusters, nodes, guests, configs, events.
 * The later one wins; where a node sends documents as well, only those count. The caller holds the
 * lock of the cluster.
 */

#include "hub/store_engine.h"

struct old_object {
	const char *org, *agent;
	enum store_object kind;
	const char *type;  /* "lxc", "qemu" */
	struct slice body; /* the inner object */
	int64_t now, at;   /* received; collected, or the same */
	char *id;
};

/* A member's plain text, "" without. */
void old_text(struct slice object, const char *key, char *ret, size_t size);

int old_put_cluster(struct store *s, const struct old_object *o, const char *cluster,
		    struct err *e);
/* @alone: the agent has named no cluster. */
int old_put_node(struct store *s, const struct old_object *o, const char *cluster, const char *node,
		 bool alone, struct err *e);
int old_put_guest(struct store *s, const struct old_object *o, const char *cluster,
		  const char *node, struct err *e);

/* All of the cluster @from becomes @to's, and @from is no more. */
int old_move(struct store *s, const char *org, const char *from, const char *to, struct err *e);
