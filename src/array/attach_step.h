/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/* The single steps of array/attach.c. Each says in its sentence what failed. */

#include "array/attach.h"

enum {
	ATTACH_RESERVE_MS = 8000, /* of an activation, to take back what did not become a device */
	DETACH_RESERVE_MS = 8000, /* of a removal, for the arrays and the registry */
	STEP_MIN_MS = 1000,	  /* what a step gets even when the request is late */
};

int attach_time(const struct call *c, int reserve_ms);

/* *@entry is NULL when there is none, and when the registry cannot be read (a warning then). */
const struct registry_entry *attach_entry(struct call *c, const char *volname, const char *snap);
struct registry_entry attach_new_entry(const struct call *c, const struct attach_target *t);
/* What this node knows of @t's volume under another name; NULL: nothing. */
const struct registry_entry *attach_alias(struct call *c, const struct attach_target *t);
/* @entry is the volume's only name here from now on. */
int attach_drop_aliases(struct call *c, const struct registry_entry *entry, struct err *e);
/* @entry's name on the array; NULL when this node has another volume of that name. */
const char *attach_own_name(struct call *c, const struct registry_entry *entry);
/* A registry that had to be set aside is a warning. */
int attach_put(struct call *c, const struct registry_entry *entry, struct err *e);

/* The arrays that were connected by this call itself, in the places of a map_want's arrays; NULL:
 * it was so before, or that is not known. */
struct attach_made {
	struct fa *on[MAP_ARRAYS_MAX];
};

/*
 * This host, or its group, on all arrays of the storage at once; *ret gets where the volume is to
 * be looked for, *@made what is new, also after an error. An array that fails while another one
 * succeeds is a warning, and *partial.
 */
int attach_connect(struct call *c, const struct attach_target *t, struct map_want *ret,
		   struct attach_made *made, bool *partial, struct err *e);

/* Ends those connections again, if they are this host's own, and takes what they have brought here
 * out of the volume's map, which stays. */
void attach_unmake(struct call *c, const struct attach_target *t, struct map_want *want,
		   const struct attach_made *made);

/* The host group that @t is connected to; NULL: this node's host, also for what stands for a
 * snapshot, which is this node's alone. */
const char *attach_group(const struct call *c, const struct attach_target *t);

/* A volume and one array. */
struct attach_way {
	struct fa *array;
	const struct fa_call *fa;
	const struct array_conf *conf;
	const char *group; /* attach_group() */
	const char *volume, *serial;
	const struct fa_ports *ports;
};
/* Connected there; memory is @a's. In attach_lun.c. */
int attach_connect_at(const struct attach_way *w, const struct root *root, struct arena *a,
		      struct fa_connections *ret, struct err *e);

enum attach_off {
	ATTACH_OFF,	    /* no array shows it to this host any more */
	ATTACH_MAYBE_SHOWN, /* not by connections of this host's own; a host group's may be there */
	ATTACH_UNREACHED,   /* an array was not reached, and was named in the log */
};

/*
 * This host's connections of the volume of @serial, on all arrays. It may have been renamed since,
 * by another node: where nothing is connected under @array_volume, it is looked for by its serial.
 * NULL: that name is known to be another volume's.
 */
enum attach_off attach_disconnect(struct call *c, const char *array_volume, const char *serial);
