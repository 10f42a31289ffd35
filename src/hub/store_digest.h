/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * A document taken apart once, in one pass over its bytes: which pieces the statements get, and
 * what of each guest changes with every sample ("live") and what does not. Short hashes tell
 * whether anything of the second kind is news, so that most documents touch few rows. The body has
 * been checked (hub/check.h); on other bytes this gives nonsense, never a crash. Pure.
 */

#include "util/buf.h"

enum {
	DIGEST_HASH = 33,     /* 32 hex digits */
	GUEST_HASH = 16,      /* so many of them tell one state of a guest from another */
	GUESTS_PER_PART = 64, /* of what is looked at as a whole to show one guest */
};

struct digest {
	/* Pieces of the body as they stand there; p is NULL where missing or of the wrong kind. */
	struct slice cluster_name, config_version, nodes, vmids, host, configs, storages, parts;
	struct slice dm_findings, watch_guests;
	int64_t interval;
	int quorate, complete, reporter, clustered; /* 1, 0, -1: not known */
	bool empty_list;			    /* no vmids */

	/* Made: arrays, and their hashes ("" without). */
	struct buf guests; /* [vmid, type, identity, hash, node, name, status, lock, tags, template,
			      backup, digest, "{the rest}", "{live}"] */
	size_t n_guests;
	struct buf known; /* [vmid, hash, part] of every guest: the same again if nothing is news */
	struct buf live;  /* "\nVMID {live}\nVMID {live}\n": what the known ones say now */
	struct buf ids;	  /* [vmid, identity] of every guest */
	struct buf own;	  /* [vmid, identity, status, digest, name] of those of its own node */
	struct buf host_id;		    /* {"boot_time", "version", "quorate"} */
	struct buf members;		    /* {"nodes", "config_version"} */
	struct buf storage_names;	    /* ["name" "type", ...] as they stand there */
	struct buf storage_lines;	    /* "\n{all}\n{all}\n" */
	struct buf one_config, one_storage; /* what configs and storages point to after repeats */
	struct buf data;		    /* {"host", "ha", "pmxcfs", "blind", "interval"} */
	char ids_hash[DIGEST_HASH], own_hash[DIGEST_HASH], host_hash[DIGEST_HASH],
		members_hash[DIGEST_HASH], list_hash[DIGEST_HASH], findings_hash[DIGEST_HASH];
	struct slice version; /* with its quotes */
};

/* The numbers of a minute's row in the object @host, in the order of its columns. */
enum { DIGEST_MINUTE = 8 };
void digest_minute(struct slice host, struct slice ret[DIGEST_MINUTE]);

void digest_document(struct slice body, const char *node, struct digest *ret);
void digest_done(struct digest *d);
void digest_hash(struct slice s, char ret[DIGEST_HASH]);

/* The value of member @key of the object @s as it stands there, p NULL without. */
struct slice digest_member(struct slice object, const char *key);
/* A JSON string's text without quotes; escapes stay. */
struct slice digest_plain(struct slice string);
