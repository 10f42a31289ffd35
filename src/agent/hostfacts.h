/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * How this node is doing: pvestatd's sample, and what /proc says. Takes no time to measure, starts
 * nothing, waits for nothing.
 */

#include "agent/samples.h"
#include "pve/host.h"

/* What stays the same until the next boot. */
struct hostfacts_fixed {
	bool known;
	struct host_cpu_info cpu;
	unsigned int cores; /* of all sockets; 0: not said */
	double mhz;	    /* 0: not said */
	bool hvm;
	const char *kernel; /* "Linux 6.8.12-4-pve #1 SMP ..."; NULL: not known */
	struct arena arena;
};

void hostfacts_fixed_read(struct hostfacts_fixed *f, const struct root *r);
void hostfacts_fixed_done(struct hostfacts_fixed *f);

/* The text of /proc/cpuinfo alone. */
void hostfacts_cpuinfo(struct hostfacts_fixed *f, struct slice text);

struct hostfacts_of {
	const struct root *root;
	const struct hostfacts_fixed *fixed;
	const struct rrd_line *sample; /* NULL: none */
	const char *pve_manager;       /* NULL: not known */
	int64_t boot_time;	       /* 0: not known */
};

/* The members of "host". */
void hostfacts_write(struct jsonw *w, const struct hostfacts_of *of);
