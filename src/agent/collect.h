/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/* One cycle: a picture, and what was asked for made of it. */

#include "agent/collector.h"
#include "agent/picture.h"

/* @ret's texts are emptied first, their memory is used again. Never fails: it says so in @ret. */
void collect_cycle(struct picture *p, const struct root *r, const struct collect_ask *ask,
		   struct collect_answer *ret);
