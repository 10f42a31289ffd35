/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "watch/phase.h"

#include <stddef.h>
#include <string.h>

static const char *const names[WATCH_STATE_MAX] = {
	[WATCH_ABSENT] = "absent",
	[WATCH_DISABLED] = "disabled",
	[WATCH_MISCONFIGURED] = "misconfigured",
	[WATCH_BOOTING] = "booting",
	[WATCH_SERVING] = "serving",
	[WATCH_FAILING] = "failing",
	[WATCH_HELD] = "held",
	[WATCH_STOPPING] = "stopping",
	[WATCH_STARTING] = "starting",
	[WATCH_EXHAUSTED] = "exhausted",
	[WATCH_STUCK] = "stuck",
	[WATCH_OFF] = "off",
};

const char *watch_state_name(enum watch_state s)
{
	return s < WATCH_STATE_MAX ? names[s] : "unknown";
}

enum watch_state watch_state_of(const char *name)
{
	size_t i = 0;

	while (i < WATCH_STATE_MAX && strcmp(name, names[i]) != 0)
		i++;
	return (enum watch_state)i;
}
