/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * The report on its way: sent as the configuration says, kept on disk when it could not be, tried
 * again by the timer. Each prints its own sentences on stderr and returns an enum cli_exit.
 */

#include "pve/root.h"
#include "util/cli.h"
#include "util/mail.h"

/* CLI_OK: every recipient's transport took it. CLI_UNDELIVERED: not sent; kept, and said where. */
int dm_report_send(const struct cli *cli, const struct root *root, const struct mail *m);

/* Sends again what was kept, if its time has come. CLI_OK also when there is nothing. */
int dm_report_retry(const struct cli *cli, const struct root *root);

/* Takes the five settings out of an old script into our own file of mode 0600. */
int dm_report_import(const struct cli *cli, const struct root *root, const char *script);
