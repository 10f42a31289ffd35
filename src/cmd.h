/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * The program's map: every verb's function and options. Each returns an exit status (util/cli.h).
 */

#include "util/cli.h"

/* src/dm/ */
extern const struct cli_option dm_check_options[];
int cmd_dm_check(const struct cli *cli);
extern const struct cli_option dm_report_options[];
int cmd_dm_report(const struct cli *cli);
extern const struct cli_option dm_blockers_options[];
int cmd_dm_blockers(const struct cli *cli);
extern const struct cli_option dm_clean_options[];
int cmd_dm_clean(const struct cli *cli);
extern const struct cli_option dm_restore_options[];
int cmd_dm_restore(const struct cli *cli);

/* src/watch/ */
extern const struct cli_option watch_run_options[];
int cmd_watch_run(const struct cli *cli);
int cmd_watch_check_config(const struct cli *cli);
int cmd_watch_mail(const struct cli *cli);
int watch_mvmm(int argc, char *argv[]); /* started under mvmm's name */
extern const struct cli_option watch_maintenance_options[];
int cmd_watch_maintenance(const struct cli *cli);
int cmd_watch_status(const struct cli *cli);
int cmd_watch_stats(const struct cli *cli);

/* src/agent/ */
extern const struct cli_option agent_conf_options[];
int cmd_agent_run(const struct cli *cli);
int cmd_agent_once(const struct cli *cli);
int cmd_agent_status(const struct cli *cli);
extern const struct cli_option agent_register_options[];
int cmd_agent_register(const struct cli *cli);

/* src/array/ */
extern const struct cli_option array_serve_options[];
int cmd_array_serve(const struct cli *cli);
extern const struct cli_option array_call_options[];
int cmd_array_call(const struct cli *cli);
extern const struct cli_option array_status_options[];
int cmd_array_status(const struct cli *cli);
extern const struct cli_option array_heal_options[];
int cmd_array_heal(const struct cli *cli);
extern const struct cli_option array_reap_options[];
int cmd_array_reap(const struct cli *cli);
extern const struct cli_option array_token_options[];
int cmd_array_token(const struct cli *cli);
int cmd_array_export(const struct cli *cli);
extern const struct cli_option array_import_options[];
int cmd_array_import(const struct cli *cli);

/* src/facts/ */
int cmd_facts_guests(const struct cli *cli);
int cmd_facts_storages(const struct cli *cli);
int cmd_facts_volumes(const struct cli *cli);
int cmd_facts_node(const struct cli *cli);
int cmd_facts_cluster(const struct cli *cli);
int cmd_capture(const struct cli *cli);
