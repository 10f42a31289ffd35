/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * The node itself: its name, its clock, its versions. On a recorded node capture.json says what a
 * directory cannot hold; without it the names come from .members and /etc/pve/local.
 */

#include "pve/root.h"
#include "util/arena.h"

struct node {
	const char *name;
	bool recorded;	     /* not the live machine */
	int64_t now;	     /* Unix seconds: the time of the recording */
	int64_t boot_time;   /* 0 if not known */
	enum tri quorate;    /* what lstat said of /etc/pve/local; TRI_UNKNOWN: ask .members */
	const char *release; /* Proxmox' version, "8.2.4"; NULL if not installed */
	const char *kernel;  /* uname release */
};

/*
 * -ENODEV: this is no Proxmox VE node (neither /etc/pve nor its Perl modules are there); -EUCLEAN:
 * its names contradict each other; else what reading said.
 */
int node_read(struct node *ret, const struct root *r, struct arena *a, struct err *e);

/* The version in /usr/share/perl5/PVE/pvecfg.pm, NULL if there is none. */
const char *node_pve_release(const struct root *r, struct arena *a);

/* "pve-manager/8.2.4/faa83925c9641325" as pveversion says it, NULL if the file does not. */
const char *node_pve_manager(const struct root *r, struct arena *a);
