/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "agent/agentd.h"
#include "cmd.h"

int cmd_agent_run(const struct cli *cli)
{
	/* No session: its guard is a thread, and the agent forks; and it need not be root. */
	return agentd_run(cli);
}
