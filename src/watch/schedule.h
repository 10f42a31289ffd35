/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/* When a daily restart is due: the next time that local clocks show that minute. */

#include "util/base.h"

/*
 * The first Unix second after @now at which local time (TZ) is @minute of the day. A minute that
 * the clocks skip in spring is taken at the moment they are put forward; one that comes twice in
 * autumn counts the first time only.
 */
int64_t schedule_next(int64_t now, int minute);
