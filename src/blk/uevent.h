/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * Waiting for devices: the kernel's and udev's events, of which only "something happened" is used.
 * What has become true is always looked at in /sys itself, so that nobody's event is believed.
 */

#include "util/base.h"

/* A socket that hears both, or -errno. Open it before what is to be waited for is begun. */
int uevent_open(void);

/*
 * Until an event came, @other (a descriptor; -1: none) can be read, or @ms have passed. @fd may be
 * a negative number from uevent_open(): then it waits a short while.
 */
void uevent_wait(int fd, int other, int ms);
