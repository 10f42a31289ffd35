/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>

#include "cmd.h"
#include "pve/root.h"
#include "util/file.h"
#include "util/str.h"

/*
 * `mvmm --usr1` and `mvmm --usr2`, as scripts have them: they signal the daemon that the pid file
 * names. Success is 0 here; mvmm had it the other way round for --usr1.
 */

#define PID_FILE "/run/pvewarden/watch/pid"

enum { NO_DAEMON = 10 };

/* A pid alone may be somebody else's by now. */
static bool is_ours(pid_t pid)
{
	CLEANUP(buf_done) struct buf name = {};
	char path[40];

	(void)snprintf(path, sizeof(path), "/proc/%d/comm", (int)pid);
	return file_read_at(-1, path, 64, &name) >= 0 &&
	       (slice_starts(buf_slice(&name), "pvewarden") ||
		slice_starts(buf_slice(&name), "mvmm"));
}

static pid_t daemon_pid(void)
{
	CLEANUP(buf_done) struct buf text = {};
	uint32_t pid;

	if (file_read_at(-1, PID_FILE, 64, &text) < 0 ||
	    !str_to_u32(slice_trim(buf_slice(&text)), &pid) || pid < 2 || pid > INT32_MAX)
		return 0;
	return is_ours((pid_t)pid) ? (pid_t)pid : 0;
}

static int send(int signal)
{
	pid_t pid = daemon_pid();

	if (!pid) {
		fprintf(stderr, "No daemon is running (" PID_FILE ").\n");
		return NO_DAEMON;
	}
	printf("Sending signal to daemon process %d\n", (int)pid);
	return kill(pid, signal) == 0 ? CLI_OK : NO_DAEMON;
}

int watch_mvmm(int argc, char *argv[])
{
	static const struct option options[] = { { "usr1", no_argument, NULL, '1' },
						 { "usr2", no_argument, NULL, '2' },
						 { "help", no_argument, NULL, 'h' },
						 {} };
	int c = getopt_long_only(argc, argv, "12h", options, NULL);

	if (c == '1' || c == '2')
		return send(c == '1' ? SIGUSR1 : SIGUSR2);
	fprintf(c == 'h' ? stdout : stderr,
		"Usage: mvmm --usr1 | --usr2\n"
		"This mvmm is a part of pvewarden: --usr1 has its watch print its state to the\n"
		"log, --usr2 toggles maintenance mode. The daemon is pvewarden-watch.service;\n"
		"see pvewarden-watch(8).\n");
	return c == 'h' ? CLI_OK : CLI_USAGE;
}
