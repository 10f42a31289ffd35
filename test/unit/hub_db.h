/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/* A hub's database on disk: migrated, in a folder of its own, and gone again with it. */

#include "hub/store.h"

struct hub_db {
	char folder[64], path[96];
};

/* What hub_db_make() opened is the caller's to close. */
struct store *hub_db_make(struct hub_db *db);
void hub_db_remove(const struct hub_db *db);
