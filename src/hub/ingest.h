/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/* What agents send: checked, handed to the writers, and answered after their commit. */

#include "hub/call.h"

enum { INGEST_UNDER_WAY = 1 };

/* The body is whole and the speaker known. INGEST_UNDER_WAY: the writers have it, and the call's
 * finished() comes from them; 0: the reply is there. */
int ingest_document(struct call *c, struct store *s);
int ingest_object(struct call *c, struct store *s);
