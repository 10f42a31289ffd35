/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * One round: every target of an ask at once, every address of a target at once, until each has its
 * answer or its time is over. Uses no memory but its own static one.
 */

#include "watch/probe.h"

/* What one connection may send before it is nonsense, and what is sent to it, are both bounded. */
enum { PROBE_BYTES_MAX = 16 * 1024 };

/* Closes @fds, of which -1 is one that did not come along: the first is for the first target of
 * kind AGENT or QMP, and so on. */
void probe_round(const struct probe_ask *ask, int fds[PROBE_FDS_MAX], struct probe_answer *ret);
