/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/* Who uses the processor at this moment: two looks at /proc, a quarter of a second apart. */

#include "pve/host.h"

/* Live only. Fills top, and cpu_percent if the machine's own counters tell it. */
void hosttop_sample(struct host *ret, const struct root *root, struct arena *a);
