/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * Events: what this program did to the node, as structured records in the system's journal, where
 * they can be searched by field (journalctl MESSAGE_ID=...). The only place that knows sd-journal.
 * On a machine without journald they are dropped: they go beside what a person is told, never
 * instead of it.
 */

#include "util/log.h"

struct event_field {
	const char *name;  /* "PVEWARDEN_DEVICE": upper case, digits and underscores */
	const char *value; /* NULL: the field is left out */
};

/* @message_id: 32 hexadecimal digits that mean this kind of event (units/pvewarden.catalog). */
void event_log(enum log_level level, const char *message_id, const char *message,
	       const struct event_field *fields, size_t n);
