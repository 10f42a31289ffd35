/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/* The document for the hub: docs/wire.md in C. */

#include "agent/collector.h"
#include "agent/picture.h"

/*
 * Writes it onto the end of @out. Configs that are in it count as told from then on; what does not
 * fit into one document comes with the next.
 */
void wire_document_write(struct buf *out, struct picture *p, const struct collect_ask *ask);

/* A running process' own numbers, where /etc/pve hangs. */
void wire_document_write_hung(struct buf *out, const struct root *r, const struct collect_ask *ask,
			      const char *node, const char *cluster_uuid);
