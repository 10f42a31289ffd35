/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * Which guests are watched, and with what settings: one answer for the supervisor and for
 * `watch check-config`. A guest has a file of its own, or the tag that opts in; without a file it
 * is asked through its agent.
 */

#include "pve/guest.h"
#include "watch/conf.h"

/* What a guest's own config says about it. */
struct watch_optin {
	enum guest_type type;
	bool tagged; /* has the tag, and may run: no template, and not onboot: 0 */
	bool agent;  /* the guest agent is on */
};

/* @tag "" : nobody opts in by tag. */
void watch_optin_read(struct watch_optin *ret, const struct guest *g, const char *tag);

/*
 * The settings of one guest: the defaults, the text of mvmm.conf, that of its own file (NULL p: it
 * has none). What is wrong in @own goes to @diags under @file. @optin NULL: its config is not
 * known.
 */
void watch_settings_of(struct watch_settings *ret, struct slice global, struct slice own,
		       const char *file, const struct watch_optin *optin, struct diags *diags);
