/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * The grade of the host as version 26 of the old script gave it: processor, memory, and how many
 * orphans lie about. Pure.
 */

#include <stddef.h>

#include "util/base.h"

/* What a figure is called beside its number, and so its colour. */
enum host_level { HOST_GOOD, HOST_HIGH, HOST_TOO_HIGH, HOST_LEVEL_UNKNOWN };

struct hostgrade_input {
	bool cpu_known, memory_known, orphans_known;
	double cpu, memory; /* percent */
	size_t orphans;
};

struct host_grade {
	bool graded; /* false: something that it takes is not known */
	int score;
	const char *grade; /* "A+", "A", "B", "C", "D"; NULL when not graded */
	enum host_level cpu, memory, orphans;
	const char *reason; /* what took points away, or what is not known; NULL: nothing */
};

void hostgrade(struct host_grade *ret, const struct hostgrade_input *in);

/* Percentages are judged as they are shown: in whole percent. */
int hostgrade_percent(double value);
enum host_level hostgrade_cpu(double percent);
enum host_level hostgrade_memory(double percent);
/* More than all processors can do at once, and half as much again. */
enum host_level hostgrade_load(double load, unsigned int threads);
