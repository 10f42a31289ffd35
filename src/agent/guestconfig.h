/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * A guest's config by key: what runs (the main section), what is to come (the pending one), and its
 * snapshots. Values are slices of the text that was read, which must stay; the struct is used again
 * for one guest after the other, so that a thousand of them take no allocation each.
 */

#include "pve/guestconf.h"
#include "util/buf.h"

struct guestconfig_option {
	struct slice key, value;
	uint32_t order;
	bool raw; /* an lxc.* line: the same key may come again, and all of them count */
};

struct guestconfig_options {
	struct guestconfig_option *items; /* VEC(), sorted; a key once unless raw */
	size_t n, cap;
};

struct guestconfig_snapshot {
	struct slice name, parent, vmstate; /* empty: not said */
	int64_t at;			    /* Unix seconds, 0: not said */
	size_t text, text_len;		    /* its description in descriptions */
};

enum { GUESTCONFIG_SNAPSHOTS_MAX = 1000, GUESTCONFIG_DELETES_MAX = 1000 };

struct guestconfig {
	enum guest_type type;
	struct guestconfig_options main, pending;
	struct {
		struct slice *items;
		size_t n, cap;
	} deletes; /* keys that are to go */
	struct {
		struct guestconfig_snapshot *items;
		size_t n, cap;
	} snapshots;		 /* the first thousand */
	struct buf descriptions; /* decoded, one behind the other */
	bool described;
	size_t text_len; /* the main section's, which comes first */
};

/* Any bytes; what Proxmox would drop is left out. */
void guestconfig_read(struct guestconfig *c, enum guest_type type, struct slice text);
void guestconfig_done(struct guestconfig *c);

/* False: not there; *ret is then empty. */
bool guestconfig_get(const struct guestconfig_options *o, const char *key, struct slice *ret);
bool guestconfig_get_slice(const struct guestconfig_options *o, struct slice key,
			   struct slice *ret);

/* The main section's booleans, numbers and texts. */
bool guestconfig_bool(const struct guestconfig *c, const char *key, bool otherwise);
uint64_t guestconfig_number(const struct guestconfig *c, const char *key, uint64_t otherwise);
struct slice guestconfig_text(const struct guestconfig *c, const char *key);

struct slice guestconfig_description(const struct guestconfig *c);
struct slice guestconfig_snapshot_text(const struct guestconfig *c,
				       const struct guestconfig_snapshot *s);

/* Each change that waits for a restart; @arg is handed on. @now or @new is NULL: not there. */
typedef void (*guestconfig_pending_fn)(void *arg, struct slice key, const struct slice *now,
				       const struct slice *new);
size_t guestconfig_pending(const struct guestconfig *c, guestconfig_pending_fn each, void *arg);
