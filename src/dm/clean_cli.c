/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "dm/clean_cli.h"

#include <unistd.h>

#include "dm/clean.h"
#include "util/str.h"

int dm_parse_lock_time(const struct cli *cli, int *ret)
{
	const char *text = cli_value(cli, "lock-time");
	uint32_t ms = DM_LOCK_MS;

	if (text && (!str_to_u32(slice_of(text), &ms) || ms < 50 || ms > 60000))
		return cli_usage(cli, "--lock-time '%s': expected milliseconds, 50 to 60000", text);
	*ret = (int)ms;
	return 0;
}

int dm_clean_late(void *unused)
{
	static const char text[] =
		"\npvewarden: the node did not answer in time (does /etc/pve hang?): the run ends "
		"here; what was being looked at was not changed\n";

	(void)unused;
	(void)!write(STDERR_FILENO, text, sizeof(text) - 1);
	return CLI_CRITICAL;
}
