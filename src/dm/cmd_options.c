/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "dm/cmd_options.h"

int dm_parse_options(const struct cli *cli, struct dm_options *ret)
{
	const char *policy = cli_value(cli, "policy");

	*ret = (struct dm_options){ .min_age = 24 * 3600 };
	if (policy && strcmp(policy, "running") == 0)
		ret->policy_running = true;
	else if (policy && strcmp(policy, "configured") != 0)
		return cli_usage(cli, "--policy '%s': expected configured or running", policy);
	return cli_duration(cli, "min-age", &ret->min_age) ? 0 : CLI_USAGE;
}
