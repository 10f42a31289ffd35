/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/* Probes and their results in words. */

#include "watch/probe.h"

const char *probe_kind_name(enum probe_kind k);	    /* "tcp" */
const char *probe_result_name(enum probe_result r); /* "good" */
const char *probe_why_text(enum probe_why w);	    /* NULL for none */
const char *probe_qmp_name(enum probe_qmp q);	    /* NULL if it was not asked */

/* "port 80", "http://web:8080/health", "guest agent" */
const char *probe_target_text(const struct probe_target *t, char *buf, size_t n);
