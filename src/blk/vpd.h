/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * What a SCSI disk answers when it is asked who it is: INQUIRY page 0x83, device identification
 * (SPC-4, 7.8.6). /sys has what it said when it was found; LUNs are given to other volumes since.
 */

#include "blk/devno.h"
#include "util/err.h"

enum { VPD_ID_MAX = 33 };

/*
 * The NAA name of the logical unit in hexadecimal digits, lower case: 32 of a registered extended
 * one, else 16. False: the page has none, or is cut off.
 */
bool vpd_naa(const uint8_t *page, size_t n, char ret[VPD_ID_MAX]);

/*
 * Asks the disk /dev/@name, which must have the number @dev. May block in the kernel as long as a
 * path takes to fail. -ENXIO: another device, or nothing there that answers; -EIO: it answered
 * nonsense.
 */
int vpd_ask(const char *name, struct devno dev, char ret[VPD_ID_MAX], struct err *e);
