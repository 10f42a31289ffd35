/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/* How every command that looks at a node begins: which root, whether it may be read, and a deadline
 * that holds even if /etc/pve hangs. */

#include "pve/root.h"
#include "util/cli.h"

/* Two LVM processes of 10 s each, and time for the rest. */
enum { SESSION_DEADLINE_MS = 30000 };

/*
 * Opens --root, or this machine if the caller is root (CLI_NOPERM with a sentence otherwise).
 * Returns 0 or an exit status. After SESSION_DEADLINE_MS the process says that it could not tell
 * and ends with CLI_UNKNOWN; @schema names the document that says so with --format json.
 */
int session_begin(const struct cli *cli, const char *schema, struct root *ret);

/* The same for what needs no root: whom the system lets read it, may. */
int session_begin_as_anyone(const struct cli *cli, const char *schema, struct root *ret);
void session_end(struct root *r);

/* The node could not be read at all: says so on stdout as an answer (@schema as above), returns the
 * exit status. */
int session_could_not_tell(const struct cli *cli, const char *schema, const char *why);

/* "pvewarden_NAME_answer 3" for --format prometheus. */
void session_unknown_metric(const char *schema, const char *why, struct buf *out);

/* All of @out to stdout. Returns @status, or CLI_INTERNAL when it cannot be written. */
int session_answer(const struct buf *out, int status);
