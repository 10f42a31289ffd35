/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/* The map of pvewarden-hub: every verb's function and options. */

#include "util/cli.h"

extern const struct cli_option hub_serve_options[];
int cmd_hub_serve(const struct cli *cli);
extern const struct cli_option hub_migrate_options[];
int cmd_hub_migrate(const struct cli *cli);
extern const struct cli_option hub_backup_options[];
int cmd_hub_backup(const struct cli *cli);
extern const struct cli_option hub_token_options[];
int cmd_hub_token(const struct cli *cli);
extern const struct cli_option hub_user_options[];
int cmd_hub_user(const struct cli *cli);
