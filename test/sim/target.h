/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * The kernel's own storage targets, driven through configfs: what is connected on the simulated
 * array appears at a real initiator. "lio" is iSCSI, "nvmet" is NVMe over TCP. One target (IQN, or
 * subsystem) for each array, with the portals that were given on the command line; a volume in a
 * pod over two arrays is shown by both under the same serial.
 *
 * nvmet shows a namespace to all hosts of a subsystem: there the connection of one host is seen by
 * the array's other hosts too.
 */

#include "configfs.h"
#include "sim.h"

struct target;

/* @root is /sys/kernel/config, or a folder that stands for it. */
int target_open(const char *kind, const char *root, struct sim *s, struct target **ret,
		struct err *e);
/* Takes away what is left. NULL is fine, here and below. */
void target_close(struct target *t);

/* A host is there, or its initiators changed: it may log in. */
void target_host(struct target *t, const struct sim_host *h);
void target_host_gone(struct target *t, const struct sim_host *h);
/* @h sees @c's volume, in @file. Of a group's connection this is said for each host. */
void target_connect(struct target *t, const struct sim_host *h, const struct sim_connection *c,
		    const char *file);
void target_disconnect(struct target *t, const struct sim_host *h, const struct sim_connection *c);
void target_resize(struct target *t, const struct sim_volume *v, const char *file);

/* ---- between target.c and the two kinds ---- */

/* A volume that an array shows to somebody. */
struct target_shown {
	unsigned int array, number; /* number: lun of the target group, or nsid */
	char serial[25];
	unsigned int users;
};

struct target {
	const struct target_kind *kind;
	struct configfs fs;
	struct sim *sim;
	VEC(struct target_shown) shown;
};

struct target_kind {
	const char *name;
	enum sim_kind initiators;
	void (*open)(struct target *t, const struct sim_array *a);
	void (*close)(struct target *t, const struct sim_array *a);
	void (*host)(struct target *t, const struct sim_array *a, const char *initiator);
	void (*host_gone)(struct target *t, const struct sim_array *a, const char *initiator);
	/* The volume as such; @first: no other array shows it, @last: no other does any more. */
	void (*show)(struct target *t, const struct sim_array *a, const struct sim_volume *v,
		     unsigned int number, const char *file, bool first);
	void (*hide)(struct target *t, const struct sim_array *a, const struct target_shown *v,
		     bool last);
	void (*map)(struct target *t, const struct sim_array *a, const char *initiator,
		    const struct sim_connection *c, unsigned int number);
	void (*unmap)(struct target *t, const struct sim_array *a, const char *initiator,
		      const struct sim_connection *c);
	void (*resize)(struct target *t, const struct sim_volume *v, const char *file);
};

extern const struct target_kind target_lio, target_nvmet;
