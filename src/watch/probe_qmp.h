/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * What QEMU says of itself: greeting, qmp_capabilities, query-status. Events may come at any place
 * and are passed over; replies are known by our ids. Pure: bytes in, what to send next out, in
 * whatever pieces they come.
 */

#include "watch/probe_reply.h"
#include "watch/probe_text.h"

enum probe_qmp_step {
	PROBE_QMP_GREETING,
	PROBE_QMP_NEGOTIATE, /* greeted: probe_qmp_command() is to be sent */
	PROBE_QMP_QUERY,     /* commands are allowed: and again */
	PROBE_QMP_END,	     /* found holds an answer or QMP_NONSENSE */
};

/* Zeroed at first. */
struct probe_qmp_talk {
	uint8_t step;  /* enum probe_qmp_step */
	uint8_t found; /* enum probe_qmp */
	struct probe_reply reply;
};

/* Appends what belongs to this step: nothing at the greeting and at the end. */
void probe_qmp_command(enum probe_qmp_step step, struct probe_text *ret);

/* Takes what came, but of no more than one step: returns how many bytes it took. */
size_t probe_qmp_feed(struct probe_qmp_talk *q, const void *data, size_t n);

/* A RunState of qapi/run-state.json. */
enum probe_qmp probe_qmp_state(const struct probe_word *status);
