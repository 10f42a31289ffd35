/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * What there is at this moment: the volumes that this node has mapped, by its registry and by its
 * devices, and what each array says of them. Looks only. What it means is array/finding.h's.
 */

#include "array/call.h"
#include "array/storages.h"
#include "blk/scsi.h"

enum {
	SURVEY_ABOUT_S = 600,	 /* an array's name and version are asked for so often */
	SURVEY_IDLE_S = 60,	 /* and so often where nothing is mapped: is it there? */
	SURVEY_SEARCH_S = 60,	 /* a volume that is not under its name is searched so often */
	SURVEY_STRANGER_S = 600, /* one that no registry knows, so often */
	SURVEY_PORT_S = 30,	 /* a port has to work so long before a path over it is missed */
};

#define SURVEY_POD_UNKNOWN "unknown"

/* One array as this node's host object sees it. */
struct survey_array {
	struct fa *fa;
	const char *url, *host;
	int answer; /* 0, or -errno with why; of everything that was asked */
	const char *why;
	bool asked;    /* volumes and connections say something */
	bool complete; /* volumes holds all of the prefixes, destroyed ones too */
	struct fa_about about;
	struct fa_volumes named, all; /* by the names of the registry; by the storages' prefixes */
	struct fa_connections connections; /* of this host */
	struct fa_ports ports;	       /* asked for where a way may lack a path, or a path may be
					  at a wrong LUN; else none */
	struct fa_snapshots snapshots; /* that are mapped here as copies */
	struct fa_counters counters;
	struct arena arena;
};

struct survey_storage {
	const struct array_storage *storage;
	size_t arrays[ARRAY_ADDRESSES_MAX], n_arrays; /* of survey.arrays */
	/* Why what that array says of the pod's volumes does not count: its status there, as an
	 * array has it on which it is online; NULL: it is online, or there is no pod. */
	const char *away[ARRAY_ADDRESSES_MAX];
	const char *problem; /* NULL: space is known */
	uint64_t total, used;
};

/* A volume of this node: in the registry, on a device, or both. */
struct survey_map {
	char serial[ARRAY_SERIAL_LEN + 1];
	const struct registry_entry *entry; /* NULL: the registry does not know it */
	const struct map_found *found;	    /* NULL: there is no device */
	const char *source; /* of a copy: its snapshot's full name; NULL: not asked for */
	bool missing;	    /* all arrays of its storage were searched: they do not have it */
	bool settled;	    /* the registry had the entry as it is before and after the devices were
			       listed */
};

/* A session of iSCSI, or a remote port of FC, of this node. */
struct survey_port {
	struct scsi_port at;
	enum array_protocol protocol;
	bool settled; /* it has worked for a while: who scans by himself has had the time */
};

struct survey {
	int64_t now; /* Unix seconds */
	struct array_storages storages;
	struct survey_storage *rows; /* one for each of storages */
	struct survey_array *arrays;
	size_t n_arrays;
	struct survey_map *maps;
	size_t n_maps;
	struct survey_port *ports; /* read after the devices: what has gone since lacks nothing */
	size_t n_ports;
	struct worker_stuck stuck[16];
	size_t n_stuck;
	const char *blind[4]; /* what could not be looked at */
	size_t n_blind;
	struct arena arena;
};

/* A port that works, and since when it was seen to; CLOCK_BOOTTIME, ms. */
struct survey_since {
	struct map_way way;
	enum array_protocol protocol;
	int64_t since;
};
struct survey_sinces {
	struct survey_since *items; /* VEC() */
	size_t n, cap;
};

/* What one survey leaves for the next. A zeroed struct is an empty memory. */
struct survey_memory {
	int64_t searched; /* when volumes were searched by their prefixes; CLOCK_BOOTTIME, ms; 0:
			     never */
	struct survey_found {
		char serial[ARRAY_SERIAL_LEN + 1];
		char name[256];
	} * items; /* VEC(): found under another name; "": searched everywhere, and not there */
	size_t n, cap;
	struct survey_about {
		char url[256], id[64], name[64], version[32], api[16];
		int64_t at; /* CLOCK_BOOTTIME, ms */
	} abouts[16];
	size_t n_abouts;
	struct survey_sinces ports;
};
void survey_memory_done(struct survey_memory *m);

/*
 * Never fails: what is not known is said in the survey. Begins nothing after @deadline
 * (CLOCK_MONOTONIC, ms).
 * @memory NULL: everything is asked anew. @space: with what the storages hold, too.
 */
void survey_make(struct survey *ret, struct array_ctx *ctx, struct survey_memory *memory,
		 bool space, int64_t deadline);
void survey_done(struct survey *s);

/* The row of a registry entry's storage; NULL when storage.cfg does not have it for this node. */
const struct survey_storage *survey_storage_of(const struct survey *s, const char *id);

/*
 * This node's ways to any array, for the maps that are in @s already: one that has worked for
 * SURVEY_PORT_S counts, and without a @memory any that works.
 */
void survey_ports(struct survey *s, const struct root *root, struct survey_memory *memory,
		  int64_t now);
/* Some way works, and some map has no path over it: whose it is the arrays say, asked only then. */
bool survey_may_lack(const struct survey *s);
/* A way that works, and no path of @m's map goes over it. */
bool survey_lacks(const struct survey_map *m, const struct survey_port *p);

/* The LUN at which @a shows @serial to this host; 0: it does not, or does not say. */
unsigned int survey_lun(const struct survey_array *a, const char *serial);
/* If @way is one of @a's, it is no path of the volume: that is shown at another LUN, or not at all,
 * and another volume at this one. */
bool survey_is_wrong(const struct survey_array *a, const char *serial, const struct map_way *way);
/* Some map has such a path, if it is @a's, which its ports say. */
bool survey_may_stray(const struct survey *s, const struct survey_array *a);

/* Where each storage's pod is in step. Asks only where something is mapped and nobody has said it
 * of late. */
void survey_pods(struct survey *s, const struct fa_call *call);

/* What @a says of that serial: live, destroyed, or NULL. */
const struct fa_volume *survey_volume(const struct survey_array *a, const char *serial);
