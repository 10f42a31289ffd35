/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * What the watch says of a guest, in the words that mvmm's users look for in their logs where mvmm
 * had any.
 */

#include "util/log.h"
#include "watch/guests.h"

struct note_text {
	enum log_level level;
	bool alert; /* worth a mail */
	char text[700];
};

/* @f: as it is after the step; @now: boot milliseconds. False: nothing to say. */
bool watch_note_text(enum watch_note n, const struct watch_guest *g, int64_t now,
		     struct note_text *ret);

/* "2d3h10m" as mvmm wrote times: seconds below an hour, minutes above. */
const char *watch_note_duration(int64_t ms, char buf[32]);
