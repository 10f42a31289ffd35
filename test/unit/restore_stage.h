/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/* Each rule of restoring is tried on one stage: a mapping is made, remembered as the undo journal
 * has it, taken away, and then things happen. */

#include "dm/restore.h"

#include "node_fixture.h"

#define DISK "vm-100-disk-0"
#define NAME "vg-vm--100--disk--0"

struct stage {
	struct fixture f;
	struct fx_vg *vg;
	struct fx_pv *pv, *second;
	struct fx_lv *lv;
	struct dm_undo_run run;
	struct dm_undo_entry entry;
};

/* What is asked for, and what is expected besides the reason. */
enum { GHOST_TOO = 1, THERE = 2, HALF = 4, OTHER_BOOT = 8, LV = 16 };

struct trial {
	const char *what;
	void (*make)(struct stage *s);
	const char *why;   /* part of the sentence; NULL: it may come back */
	const char *table; /* as it comes back; NULL: not asked */
	unsigned int flags;
};

#define LOST	 "cannot be told for certain"
#define REBOOTED "rebooted since"
#define PLAIN	 "0 32768 linear 8:16 2048"
#define STRIPES	 "0 65536 striped 2 128 8:16 83968 8:32 165888"

/* A volume and its mapping. */
void volume(struct stage *s);
void striped_volume(struct stage *s);
void thin_volume(struct stage *s);

/* The last mapping that was made; as the undo journal has it; away. */
struct fx_map *last_map(struct stage *s);
void remember(struct stage *s, const struct fx_map *map, enum dm_step step, const char *class);
void take_away(struct stage *s);

/* Tries each and fails the test with all that went wrong. */
void restore_try_all(const struct trial *trials, size_t n);
