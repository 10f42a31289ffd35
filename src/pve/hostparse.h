/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * The grammar of the files of /proc that tell how a machine is doing, each as a function from text
 * to figures: any bytes may come, nothing is opened, what does not hold is left unknown.
 */

#include "pve/host.h"

/* /proc/loadavg: all three or none. */
bool hostparse_load(struct slice text, struct host_figure ret[3]);

/* /proc/uptime, whole seconds; 0 if it does not hold. */
int64_t hostparse_uptime(struct slice text);

/* /proc/cpuinfo: the model's name is @a's. */
void hostparse_cpuinfo(struct slice text, struct host_cpu_info *ret, struct arena *a);

/* /proc/meminfo; used is what is not available to new programs. */
void hostparse_meminfo(struct slice text, struct host_space *memory, struct host_space *swap);

/* The first line of /proc/stat: jiffies of work and of everything, all processors. */
struct host_jiffies {
	uint64_t busy, total;
};
bool hostparse_jiffies(struct slice text, struct host_jiffies *ret);

/* What happened between two of them, in percent. */
struct host_figure hostparse_cpu(struct host_jiffies before, struct host_jiffies after);

/* /proc/PID/stat: its command, start and the jiffies it has used; false if it does not hold. */
struct host_task {
	struct slice command;
	uint64_t used, start;
};
bool hostparse_task(struct slice text, struct host_task *ret);

/* One line of /proc/net/dev. */
bool hostparse_net(struct slice line, struct slice *ret_name, uint64_t *ret_received,
		   uint64_t *ret_sent);

/* A millidegree reading of hwmon or thermal_zone; unknown when it cannot be one. */
struct host_figure hostparse_celsius(struct slice text);
