/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * Folders, values and links below one root. In configfs a new folder has its values and some
 * folders already; below a plain folder, for tests, they are made as they are used.
 * What fails is said on stderr.
 */

#include "util/buf.h"
#include "util/err.h"

struct configfs {
	int fd;
	char *root; /* absolute: targets of links are */
	bool plain;
};

int configfs_open(struct configfs *c, const char *root, struct err *e);
void configfs_close(struct configfs *c);

bool configfs_has(const struct configfs *c, const char *path);
bool configfs_folder(const struct configfs *c, const char *path);
bool configfs_value(const struct configfs *c, const char *path, const char *value);
/* The link @path to @target, both below the root. */
bool configfs_link(const struct configfs *c, const char *path, const char *target);
void configfs_unlink(const struct configfs *c, const char *path);
void configfs_remove(const struct configfs *c, const char *path);

/* A path of pieces. The caller frees it. */
char *configfs_path(const char *fmt, ...) PRINTF_LIKE(1, 2);
