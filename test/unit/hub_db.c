/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

#include "hub_db.h"

struct store *hub_db_make(struct hub_db *db)
{
	struct err e = {};
	struct store *s;

	(void)snprintf(db->folder, sizeof(db->folder), "/tmp/test-hub-XXXXXX");
	assert_non_null(mkdtemp(db->folder));
	(void)snprintf(db->path, sizeof(db->path), "%s/hub.db", db->folder);
	if (store_open(&s, db->path, STORE_CREATE | STORE_ANY_VERSION, &e) < 0 ||
	    store_migrate(s, NULL, NULL, &e) < 0)
		fail_msg("%s", e.text);
	return s;
}

void hub_db_remove(const struct hub_db *db)
{
	static const char *const ends[] = { "", "-wal", "-shm" };
	char path[128];

	for (size_t i = 0; i < ARRAY_SIZE(ends); i++) {
		(void)snprintf(path, sizeof(path), "%s%s", db->path, ends[i]);
		(void)unlink(path);
	}
	(void)rmdir(db->folder);
}
