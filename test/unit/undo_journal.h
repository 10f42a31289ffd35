/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/* Undo journals for their tests: the lines as they stand in the file, and an entry that has
 * everything. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "dm/undo.h"

#define ID "20261121T040404Z-1234"

#define HEADER                                                                           \
	"{\"schema\": \"pvewarden.dm-undo/1\", \"node\": \"pve1\", \"boot_id\": \"b1\"," \
	" \"time\": \"2026-11-21T04:04:04Z\", \"pid\": 1}\n"
#define INTENT(n)                                                                             \
	"{\"record\": \"intent\", \"n\": " n ", \"step\": \"remove\", \"class\": \"ghost\", " \
	"\"name\": \"vg-vm--100--disk--0\", \"uuid\": \"LVM-x\", \"device\": \"253:4\", "     \
	"\"table\": []}\n"
#define MARK(record, n) "{\"record\": \"" record "\", \"n\": " n "}\n"

extern const struct dm_undo_entry full_entry;

void assert_same_dev(const struct dm_dev *a, const struct dm_dev *b);
