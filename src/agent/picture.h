/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * Everything that one cycle knows, and what it keeps for the next one: .version says which files
 * have changed, .vmlist which guests, and only those are read and understood again. With another
 * start of pmxcfs nothing that was counted means anything, and all is forgotten.
 */

#include "agent/alive.h"
#include "agent/backupjobs.h"
#include "agent/clusterid.h"
#include "agent/guesttexts.h"
#include "agent/hostfacts.h"
#include "agent/watched.h"
#include "pve/ha.h"
#include "pve/node.h"
#include "pve/storagecfg.h"

struct picture_guest {
	uint32_t vmid;
	enum guest_type type;
	const char *node; /* of the list of this cycle */
	uint64_t version; /* of the config that texts were made of */
	bool loaded;	  /* texts are of its config; else it could not be read */
	bool told;	  /* its config was in a document */
	struct guesttexts texts;
	struct slice sample; /* its line of .rrd; empty: none */
	int64_t sampled_at;
};

enum picture_file {
	PICTURE_STORAGES,
	PICTURE_RESOURCES,
	PICTURE_HA_STATUS,
	PICTURE_JOBS,
	PICTURE_CRON,
	PICTURE_USERS,
	PICTURE_CA,
	PICTURE_FILES,
};

enum { PICTURE_BLIND_MAX = 32 };

struct picture {
	const struct root *root;

	/* Kept from cycle to cycle. */
	uint64_t starttime;
	bool counting; /* there is a .version, and this is its starttime */
	struct watched files[PICTURE_FILES];
	bool listed;	       /* vmlist holds */
	uint64_t list_version; /* as counted */
	bool list_counted;
	struct vmlist vmlist;
	struct arena vmlist_arena;
	struct {
		struct picture_guest *items;
		size_t n, cap;
	} guests; /* those wanted, sorted by vmid */
	struct storage_cfg storages;
	struct arena storages_arena;
	struct ha_table ha;
	struct arena ha_arena;
	bool ha_bad;
	struct backupjobs jobs;
	struct arena jobs_arena;
	bool jobs_known;
	char ca_uuid[CLUSTERID_MAX]; /* as the authority says it; "": it cannot be read */
	struct hostfacts_fixed fixed;
	struct alive alive;
	struct guestconfig scratch;
	struct buf text, out; /* room that is used again */

	/* Of this cycle. */
	struct arena arena;
	struct cfs_version version;
	struct node node;
	struct members members;
	enum tri quorate;
	char uuid[CLUSTERID_MAX]; /* what the cluster is known as */
	bool members_known;
	bool reporter;
	bool complete; /* every guest that there is was seen */
	const char *pve_manager;
	struct buf rrd;
	struct rrd_line own; /* this node's sample */
	bool own_known;
	const char *blind[PICTURE_BLIND_MAX];
	size_t n_blind, blind_dropped;
	int64_t milliseconds; /* reading took */
};

struct picture_want {
	const char *reporter; /* "": nobody has said */
	const char *const *unheard;
	size_t n_unheard;
	const char *uuid;     /* what the cluster was known as last; "": never */
	const char *instance; /* of the agent */
};

/* A cycle. -ENODEV: no Proxmox here; -EAGAIN: it is not known of which cluster; what else cannot be
 * read is said in blind. */
int picture_read(struct picture *p, const struct root *r, const struct picture_want *want,
		 struct err *e);
void picture_done(struct picture *p);

/* A sentence for "blind". */
void picture_blind(struct picture *p, const char *fmt, ...) PRINTF_LIKE(2, 3);
