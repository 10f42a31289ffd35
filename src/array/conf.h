/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * One storage of type `purestorage`: its section of storage.cfg, checked. Keys and their meaning
 * are the plugin's that our users come from (seeds: README, "Configuration"); docs/array.md, 2 has
 * ours. Pure: no file is read here. Read from the "config" object of a request, which is Proxmox'
 * parsed section as it stands.
 */

#include "util/arena.h"
#include "util/diag.h"
#include "util/json.h"

enum { ARRAY_ADDRESSES_MAX = 4 };

enum array_protocol { ARRAY_ISCSI, ARRAY_FC, ARRAY_NVME_TCP };

struct array_address {
	const char *url;   /* "https://fa1.example.com", no slash at the end */
	const char *token; /* of the section, or of the request's "secrets"; "" without one */
};

struct array_conf {
	const char *storage; /* its id */
	struct array_address addresses[ARRAY_ADDRESSES_MAX];
	size_t n_addresses;
	const char *vgname, *podname; /* at most one; NULL without */
	const char *vnprefix;	      /* "" without */
	const char *prefix;	      /* of an array's volume name: "vg/", "pod::", with vnprefix */
	const char *host;	      /* this node's object on the array: NODE[-hgsuffix] */
	const char *host_group;	      /* connect this group instead of the host; NULL without */
	enum array_protocol protocol;
	bool check_ssl, check_ssl_given;
	int token_ttl;			  /* seconds, 3600 without */
	int debug;			  /* 0..3; -1: the section does not say */
	uint64_t quota;			  /* bytes for the whole volume group; 0 without */
	uint64_t qos_iops, qos_bandwidth; /* of new volumes, 0 without */
	bool multipath;			  /* false: without multipathd, one path */
	bool shared_secrets;		  /* tokens did not come from the section */
};

/* An id as Proxmox makes them (pve-storage-id): it becomes part of names of files. */
bool array_storage_ok(const char *id);

/*
 * @node is the short node name (PVE::INotify::nodename). @secrets: {"token", "kept"}, where "kept"
 * says that it is what the token's own file has; or NULL. -EINVAL with a sentence that names
 * storage, key and what was expected. What is odd but works (two addresses with a vgname, a key
 * that is not acted on) goes to @diags. Memory is @a's.
 */
int array_conf_read(struct array_conf *ret, const char *storage, const json_t *config,
		    const json_t *secrets, const char *node, struct arena *a, struct diags *diags,
		    struct err *e);

/* One more for @diags where check_ssl is not given: not for a storage that is about to get it. */
void array_conf_name_unverified(const struct array_conf *c, struct diags *diags);
