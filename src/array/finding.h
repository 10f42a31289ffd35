/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * What a survey means: the state of each map, and what differs from how it should be. Pure. A map
 * whose array did not answer is unknown, and never gone.
 */

#include "array/survey.h"
#include "pve/arraystate.h"

enum finding_kind {
	FINDING_MISSING_CONNECTION, /* connected on one of its arrays, and not on another */
	FINDING_PATHS,		    /* some of its paths have failed, lack, or do not agree */
	FINDING_SIZE,		    /* the array has another size than the device */
	FINDING_GONE,	       /* there is a device, and the volume is destroyed or not there */
	FINDING_NOT_CONNECTED, /* there is a device, and no connection to this host */
	FINDING_LEAVING,       /* its removal began and was not finished */
	FINDING_STALE,	       /* of an earlier boot: recorded, and not there */
	FINDING_SNAPSHOT, /* stood for a snapshot that an earlier boot, or a call that was cut, read
			   */
	FINDING_COPY,	  /* stands for a snapshot that was removed since */
	FINDING_NO_STORAGE,   /* its storage is not in storage.cfg, or not for this node */
	FINDING_UNREGISTERED, /* a volume of ours that somebody else has mapped */
	FINDING_POD,	      /* a pod is not online on one of its arrays */
	FINDING_MAX,
};

enum finding_level { FINDING_NOTICE, FINDING_WARNING, FINDING_CRITICAL };

struct finding {
	enum finding_kind kind;
	enum finding_level level;
	const struct survey_map *map;	  /* NULL of a pod */
	const struct survey_array *array; /* of a missing connection, of a pod */
	bool lacking;			  /* of paths: a way to its arrays works and has none */
	bool beyond;			  /* of paths: dead, what leads to them is to be mended */
	bool astray;			  /* of paths: one is at a LUN that is not the volume's */
	bool cut_off;			  /* of those: no array connects it, or has it, any more */
	const char *volume, *storage, *what, *remedy;
};

/* In the order of survey.maps. */
struct finding_map {
	enum array_map_state state;
	bool known;		    /* false: state says nothing */
	const char *volume;	    /* the array's name; NULL: not known */
	const char *storage;	    /* NULL: of none here */
	const struct fa_volume *is; /* what an array says */
	enum tri exists, connected; /* on its arrays, not destroyed; to this host */
	enum tri origin;	    /* of what stands for a snapshot: is that one there */
};

enum { FINDING_SETTLED_S = 900 }; /* what is younger may be at work at this moment */

struct findings {
	struct finding_map *maps;
	struct finding *items; /* VEC() */
	size_t n, cap;
	struct arena arena;
};

/* @s must outlive @ret. */
void findings_of(struct findings *ret, const struct survey *s);
void findings_done(struct findings *f);

const char *finding_kind_name(enum finding_kind k);
const char *finding_level_name(enum finding_level l);

/* What `array heal` mends where the registry has the map, and what it names where not. */
bool finding_is_for_heal(const struct finding *f);
/* What `array heal` mends, and what `array reap` takes away. */
bool finding_heals(const struct finding *f);
bool finding_reaps(const struct finding *f);

/* What plan_reap() makes of it, with the reason: the second opinion before anything is removed. */
bool finding_may_go(const struct findings *f, const struct survey *s, const struct finding *x,
		    char why[256]);
