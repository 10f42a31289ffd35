/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * Which guests run, looked at each second and mostly the same as a second ago. Descriptors of the
 * processes and the inodes of their pid files tell that for nearly nothing; only when they do not,
 * and every ten seconds, everything is read.
 */

#include "pve/running.h"

struct scout_runs_seen {
	VEC(int) pidfds; /* of what ran then */
	uint64_t files;	 /* of the pid files and of the containers' monitors */
	int64_t read_at; /* 0: never, or not to be trusted */
};

/* Nothing has come or gone since scout_runs_remember(). @containers: this node has some. */
bool scout_runs_unmoved(const struct scout_runs_seen *s, const struct root *r, bool containers,
			int64_t now);
void scout_runs_remember(struct scout_runs_seen *s, const struct root *r,
			 const struct running *running, int64_t now);

/* Anybody may bind a socket of a container's name: where monitors have cgroups, they decide. */
void scout_runs_drop_pretenders(struct running *running, const struct root *r);

bool scout_runs_same(const struct running_guest *a, const struct running_guest *b);

/* Milliseconds since boot; 0: not known. */
int64_t scout_runs_started(const struct running_guest *g);
