/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "cmd.h"

#include <stdio.h>

#include "facts/capture.h"
#include "pve/session.h"
#include "util/log.h"

int cmd_capture(const struct cli *cli)
{
	struct capture_counts counts;
	struct err e = {};
	struct root root;
	int r = session_begin(cli, "pvewarden.capture/1", &root);

	if (r)
		return r;
	if (capture_node(&root, cli->operands[0], &counts, &e) < 0) {
		log_error("%s", e.text);
		r = CLI_CRITICAL;
	} else {
		if (counts.lvm_error)
			log_warn("LVM is not in the recording: %s", counts.lvm_error);
		printf("Recorded %zu guests and %zu device-mapper entries in %s (secrets masked).\n"
		       "Look at it with: pvewarden --root %s dm check\n",
		       counts.guests, counts.mappings, cli->operands[0], cli->operands[0]);
		r = counts.lvm_error ? CLI_WARNING : CLI_OK;
	}
	session_end(&root);
	return r;
}
