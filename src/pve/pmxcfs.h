/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * The generated files of /etc/pve (pve-cluster src/pmxcfs: cfs_create_memberlist_msg and its
 * neighbours): .members, .vmlist, .version. Another reader's stat() can tear what we read, and a
 * file can come back short, so that each is validated as a whole and read again when it does not
 * hold.
 */

#include "pve/guestconf.h"
#include "pve/root.h"
#include "util/arena.h"

struct member {
	const char *name;
	uint32_t id;
	bool online;
	const char *ip; /* may be NULL */
};

struct members {
	const char *nodename;
	bool clustered; /* a standalone node has neither cluster nor nodes here */
	const char *cluster_name;
	uint64_t config_version;
	bool quorate; /* true on a standalone node */
	struct member *nodes;
	size_t n_nodes;
};

struct vmlist_entry {
	uint32_t vmid;
	enum guest_type type;
	const char *node;
	uint64_t version; /* rises with every write of its config */
};

struct vmlist {
	struct vmlist_entry *guests; /* sorted by vmid */
	size_t n;
};

/* What has changed since it was asked last: a counter for each file, all of one life of pmxcfs. */
struct cfs_counter {
	const char *file; /* "vmlist", "storage.cfg", "ha/manager_status", ... */
	uint64_t value;
};

struct cfs_version {
	uint64_t starttime; /* of pmxcfs; with another one no counter means anything any more */
	struct cfs_counter *counters;
	size_t n;
};

/* -EBADMSG with line and column when @text is not whole. @file names it in the sentence. */
int members_parse(struct members *ret, struct slice text, const char *file, struct arena *a,
		  struct err *e);
int vmlist_parse(struct vmlist *ret, struct slice text, const char *file, struct arena *a,
		 struct err *e);
int cfs_version_parse(struct cfs_version *ret, struct slice text, const char *file, struct arena *a,
		      struct err *e);

/* Reads and validates, a few times if it must. -ENOENT: the file is not there at all. */
int members_read(struct members *ret, const struct root *r, struct arena *a, struct err *e);
int vmlist_read(struct vmlist *ret, const struct root *r, struct arena *a, struct err *e);
int cfs_version_read(struct cfs_version *ret, const struct root *r, struct arena *a, struct err *e);

/* False: that file is not counted. */
bool cfs_version_of(const struct cfs_version *v, const char *file, uint64_t *ret);

/* The owner's write bit of /etc/pve/local, which pmxcfs takes away from a node without quorum
 * (PVE::Cluster::check_cfs_quorum). TRI_UNKNOWN when there is no such link. */
enum tri pmxcfs_quorate(const struct root *r);
