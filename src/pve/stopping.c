/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "pve/stopping.h"

#include "util/bus.h"

bool node_is_stopping(void)
{
	char state[32];

	return bus_system_state(state, sizeof(state)) == 0 && strcmp(state, "stopping") == 0;
}
