/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * Which guests some enabled backup job takes (PVE::VZDump::get_included_guests): the vzdump
 * sections of /etc/pve/jobs.cfg, and the lines of /etc/pve/vzdump.cron that came before them. A
 * drive's own backup=0 does not matter: its guest is in the job.
 */

#include "pve/guest.h"

struct backupjob {
	bool all;	  /* all but @ids; else @ids alone */
	const char *node; /* takes what is on that node only; NULL: anywhere */
	uint32_t *ids;	  /* sorted */
	size_t n;
};

struct backupjobs {
	struct backupjob *jobs; /* enabled ones */
	size_t n;
};

/* Texts may be empty. @users (user.cfg) says who is in a pool. Everything is @a's. */
void backupjobs_parse(struct backupjobs *ret, struct slice jobs, struct slice cron,
		      struct slice users, struct arena *a);

bool backupjobs_take(const struct backupjobs *b, uint32_t vmid, const char *node);
