/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/* The lines that travel back to Proxmox in the reply of a call. */

#include "array/call.h"

struct call_log *call_log_new(void);
void call_log_free(struct call_log *l);

/* fa_call's form of call_log(): @call is the struct call. */
void call_log_line(void *call, int level, const char *line);

/* The member "log". */
void call_log_write(struct call_log *l, struct jsonw *w);

/* "free (pure, volname=vm-100-disk-0)": a method with what it was asked for; memory is the call's.
 * No value of a configuration or an attribute. */
const char *call_log_what(struct call *c, const char *method);
