/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * Text of a known greatest length, put together without malloc and without stdio, which keeps its
 * own memory: a prober has none to give. What does not fit is left out; a request always fits.
 */

#include "watch/probe.h"

enum { PROBE_TEXT_MAX = 512 };
_Static_assert(PROBE_TEXT_MAX > PROBE_HOST_MAX + PROBE_PATH_MAX + 128, "a request fits");

struct probe_text {
	uint16_t n;
	char data[PROBE_TEXT_MAX];
};

void probe_text_add(struct probe_text *t, const char *s);
void probe_text_number(struct probe_text *t, uint32_t n);
