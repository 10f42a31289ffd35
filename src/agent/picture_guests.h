/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/* The guests of a picture: whose configs are read, and the samples that belong to them. */

#include "agent/picture.h"

/* Own guests, and those of the nodes that the hub does not hear of if we are the reporter. */
void picture_guests_read(struct picture *p, const struct picture_want *want);

/* Each guest's line of .rrd, and this node's. */
void picture_samples_read(struct picture *p);

void picture_guests_forget(struct picture *p);
