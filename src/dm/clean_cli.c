/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "dm/clean_cli.h"

#include <signal.h>
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

int dm_clean_late(void *phase)
{
	static const struct {
		const char *text;
		int status;
	} ends[] = {
		[DM_PHASE_FIRST] = { "could not tell: the node did not answer in time (does /etc/pve "
				     "hang?); nothing was done",
				     CLI_UNKNOWN },
		[DM_PHASE_ACT] = { "a look at the node did not end in time (does /etc/pve hang?): the "
				   "run ends here; what was being looked at was not changed",
				   CLI_CRITICAL },
		[DM_PHASE_LAST] = { "all is done; the check at the end did not end in time (does "
				    "/etc/pve hang?)",
				    CLI_WARNING },
	};
	const enum dm_phase *p = phase;

	(void)!write(STDERR_FILENO, "\npvewarden: ", 12);
	(void)!write(STDERR_FILENO, ends[*p].text, strlen(ends[*p].text));
	(void)!write(STDERR_FILENO, "\n", 1);
	return ends[*p].status;
}

static volatile sig_atomic_t told_to_stop;

static void stop(int signal)
{
	(void)signal;
	told_to_stop = 1;
}

void dm_catch_signals(void)
{
	struct sigaction act = { .sa_handler = stop };

	(void)sigaction(SIGINT, &act, NULL);
	(void)sigaction(SIGTERM, &act, NULL);
	(void)sigaction(SIGHUP, &act, NULL);
}

bool dm_told_to_stop(void)
{
	return told_to_stop;
}
