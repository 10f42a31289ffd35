/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * The lists inside a config as objects: drives, mount points, networks, snapshots, what is pending,
 * and the config itself with its secrets masked. Each is written as an array or an object of that
 * name.
 */

#include "agent/guestconfig.h"
#include "util/jsonw.h"

/* What stands for a secret: Proxmox' own API writes it so. */
#define GUESTPARTS_MASKED "**********"

void guestparts_drives(struct jsonw *w, const struct guestconfig *c);
void guestparts_mountpoints(struct jsonw *w, const struct guestconfig *c);
void guestparts_nets(struct jsonw *w, const struct guestconfig *c);
void guestparts_snapshots(struct jsonw *w, const struct guestconfig *c);
void guestparts_pending(struct jsonw *w, const struct guestconfig *c);

/* The config whole, every value a text, secrets masked. */
void guestparts_config(struct jsonw *w, const struct guestconfig *c);

/* That member once more, as Proxmox' API says it: what it has as integers and booleans as numbers.
 */
void guestparts_config_typed(struct slice config, struct buf *out);

/* {"nesting": "1"}; {"enabled": true, ...} */
void guestparts_features(struct jsonw *w, const char *name, const struct guestconfig *c);
void guestparts_agent(struct jsonw *w, const char *name, const struct guestconfig *c);
