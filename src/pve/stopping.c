/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "pve/stopping.h"

#include "util/bus.h"

enum tri node_is_stopping(const struct root *r)
{
	char state[32];
	struct stat st;

	/* sd_booted(3): this folder is systemd's sign. */
	if (root_stat(r, "run/systemd/system", &st) < 0)
		return TRI_NO;
	if (bus_system_state(state, sizeof(state)) < 0)
		return TRI_UNKNOWN;
	return tri_of(strcmp(state, "stopping") == 0);
}
