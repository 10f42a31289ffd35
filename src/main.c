/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#include "cmd.h"
#include "util/log.h"

/* Only for the help: main() hands `pvewarden hub ...` on before this table is looked at. */
static int hub_comes_first(const struct cli *cli)
{
	return cli_usage(cli, "options come behind the verb: pvewarden hub VERB [OPTIONS]");
}

static const struct cli_verb verbs[] = {
	{ "dm", "check", NULL, 0, 0, dm_check_options,
	  "Find the device-mapper entries that block or endanger guests", cmd_dm_check, true },
	{ "dm", "report", NULL, 0, 0, dm_report_options,
	  "Report on them and on the host, as a mail, a page, text or a document", cmd_dm_report,
	  true },
	{ "dm", "clean", NULL, 0, 0, dm_clean_options,
	  "Clean up what check found: asks for each entry, keeps a journal", cmd_dm_clean },
	{ "dm", "restore", "[RUN]", 0, 1, dm_restore_options,
	  "List what was cleaned, or bring back what a run took away", cmd_dm_restore },
	{ "dm", "blockers", "[VMID]", 0, 1, dm_blockers_options,
	  "Say whether anything on this node would block a new guest of that id", cmd_dm_blockers },
	{ "watch", "run", NULL, 0, 0, watch_run_options,
	  "Watch the guests of this node and restart those that stop serving", cmd_watch_run },
	{ "watch", "check-config", NULL, 0, 0, NULL,
	  "Say what the configuration means, and try every probe once", cmd_watch_check_config },
	{ "watch", "mail", NULL, 0, 0, NULL, "Mail the alerts that wait (the supervisor's)",
	  cmd_watch_mail },
	{ "watch", "status", NULL, 0, 0, NULL,
	  "Say how the watched guests are: serving, failing, held or given up", cmd_watch_status,
	  true },
	{ "watch", "stats", NULL, 0, 0, NULL,
	  "Show checks, failures, restarts and outages of each watched guest", cmd_watch_stats,
	  true },
	{ "watch", "maintenance", "[on|off [VMID]]", 0, 2, watch_maintenance_options,
	  "Say who may not be restarted, or change it", cmd_watch_maintenance },
	{ "agent", "run", NULL, 0, 0, agent_conf_options,
	  "Collect this node's state and send it to a hub or a NannyAPI server", cmd_agent_run },
	{ "agent", "once", NULL, 0, 0, NULL, "Collect once and show it; nothing is sent",
	  cmd_agent_once },
	{ "agent", "status", NULL, 0, 0, NULL,
	  "Say what was collected and delivered last, what waits, and how the tokens are",
	  cmd_agent_status, true },
	{ "agent", "register", NULL, 0, 0, agent_register_options,
	  "Get a token: a person approves a code, or it is made at the server",
	  cmd_agent_register },
	{ "array", "status", NULL, 0, 0, array_status_options,
	  "Say how the FlashArrays, their storages and the volumes mapped here are",
	  cmd_array_status, true },
	{ "array", "heal", "[STORAGE]", 0, 1, array_heal_options,
	  "Mend connections, paths and sizes of volumes that are mapped here", cmd_array_heal },
	{ "array", "reap", "[STORAGE]", 0, 1, array_reap_options,
	  "Take away what an outage or a crash left mapped: asks for each", cmd_array_reap },
	{ "array", "token", "STORAGE", 1, 1, array_token_options,
	  "Say where a storage's API token is kept, or take it out of storage.cfg",
	  cmd_array_token },
	{ "array", "serve", NULL, 0, 0, array_serve_options,
	  "Answer Proxmox' storage plugin (the service's)", cmd_array_serve },
	{ "array", "call", NULL, 0, 0, array_call_options,
	  "Answer one request of the plugin from stdin, on stdout (without the service)",
	  cmd_array_call },
	{ "array", "export", "DEVICE SIZE", 2, 2, NULL,
	  "Write a volume's size and content to stdout, as Proxmox moves it (raw+size)",
	  cmd_array_export },
	{ "array", "import", "DEVICE", 1, 1, array_import_options,
	  "Write such a stream from stdin onto a volume", cmd_array_import },
	{ "hub", NULL, "VERB", 0, INT_MAX, NULL,
	  "Keep what agents report, and answer questions about it (package pvewarden-hub)",
	  hub_comes_first },
	{ "facts", "guests", NULL, 0, 0, NULL, "Show the guests of the cluster and their volumes",
	  cmd_facts_guests },
	{ "facts", "storages", NULL, 0, 0, NULL, "Show what storage.cfg says", cmd_facts_storages },
	{ "facts", "volumes", NULL, 0, 0, NULL,
	  "Show the logical volumes, their mappings and who refers to them", cmd_facts_volumes },
	{ "facts", "node", NULL, 0, 0, NULL, "Show what is known of this node", cmd_facts_node },
	{ "facts", "cluster", NULL, 0, 0, NULL, "Show the cluster's members and quorum",
	  cmd_facts_cluster },
	{ "capture", NULL, "DIR", 1, 1, NULL,
	  "Record this node into DIR, secrets masked, for --root DIR", cmd_capture },
};

/* The hub is a program of its own, beside this one; who has only the node's package is told. */
static int run_hub(char *argv[])
{
	char path[4096];
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - sizeof("-hub"));

	if (n > 0) {
		memcpy(path + n, "-hub", sizeof("-hub"));
		(void)execv(path, argv);
	}
	if (n > 0 && errno != ENOENT)
		log_error("%s: %s", path, strerror(errno));
	else
		log_error("the hub is not installed here: it is in the package pvewarden-hub");
	return CLI_INTERNAL;
}

int main(int argc, char *argv[])
{
	/* mvmm's users have a link of that name, and scripts that use it. */
	if (argc > 0 && strcmp(program_invocation_short_name, "mvmm") == 0)
		return watch_mvmm(argc, argv);
	if (argc > 1 && strcmp(argv[1], "hub") == 0)
		return run_hub(argv);
	if (argc > 2 && strcmp(argv[1], "--complete") == 0 && strcmp(argv[2], "hub") == 0)
		return run_hub(argv);
	return cli_main(verbs, ARRAY_SIZE(verbs), argc, argv);
}
