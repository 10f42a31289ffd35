/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * How the machine itself is doing, for the report: what /proc, /sys and two statfs() calls say. No
 * process is started. What could not be read is unknown, never 0. On a recorded node the same files
 * answer, and capture.json for what a folder cannot hold (file systems, what was measured over
 * time).
 */

#include "pve/cluster.h"
#include "util/jsonw.h"

/* A percentage or a temperature that may not be known. */
struct host_figure {
	bool known;
	double value;
};

struct host_space {
	bool known;
	uint64_t total, used; /* bytes */
};

struct host_process {
	pid_t pid;
	const char *command; /* comm, never its arguments */
	double cpu_percent;  /* of one core */
};

struct host_net {
	const char *name;
	bool bridge, bond;	 /* neither: a physical port */
	uint64_t received, sent; /* bytes since boot */
};

struct host_pool {
	const char *name, *state; /* "ONLINE", "DEGRADED", ... */
};

struct host_cpu_info {
	const char *model;	       /* NULL: not said */
	unsigned int threads, sockets; /* 0: not known */
};

enum { HOST_TOP_MAX = 5 };

struct host {
	const char *product; /* "Dell Inc. PowerEdge R650"; NULL: not said */
	const char *address; /* the node's own, as the cluster knows it; NULL: not known */
	struct host_cpu_info cpu;
	struct host_figure cpu_percent;
	struct host_figure load[3];
	struct host_figure celsius; /* the hottest sensor of the processor */
	int64_t uptime;		    /* seconds; 0: not known */
	struct host_space memory, swap, root, var;
	bool var_separate; /* /var is a file system of its own */
	struct host_process top[HOST_TOP_MAX];
	size_t n_top;
	bool top_known;
	struct host_nets {
		struct host_net *items; /* VEC() */
		size_t n, cap;
	} nets;
	struct host_pools {
		struct host_pool *items; /* VEC() */
		size_t n, cap;
	} pools;
};

/* Takes a quarter of a second on a live node, to see who uses the processor. Texts are @a's. */
void host_read(struct host *ret, const struct root *root, const struct cluster *c, struct arena *a);
void host_done(struct host *h);

/* A share of a space in percent, 0 to 100; unknown if there is none. */
struct host_figure host_percent_of(struct host_space s);

/* What capture.json keeps of it: the member "host". */
void host_write(struct jsonw *w, const struct host *h);

/* The files that host_read() looks at, @each called for every one that is there. */
void host_files(const struct root *root, void (*each)(void *arg, const char *path), void *arg);
