/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * The calls that change device-mapper. Only dm/clean.c and array/map.c may include this; the
 * include check knows. Each can hang in the kernel: call it in a worker (util/worker.h). Nothing is
 * ever forced, deferred or tried again.
 */

#include "blk/dmdev.h"

/*
 * Removes @d: by its UUID alone, or by its name where it has none. Device numbers are never used:
 * the kernel gives them away again at once. 0, -ENXIO (there is none), -EBUSY (it is open), other
 * -errno. *cookie is what udev reports its end to: dmdev_udev_wait().
 */
int dmdev_remove(const struct dm_dev *d, uint32_t *cookie, struct err *e);

/*
 * Makes a device of @d's name, UUID, mode and table. -EBUSY: name or UUID is taken. Whoever is
 * killed in the middle may leave a device without a table behind.
 */
int dmdev_create(const struct dm_dev *d, uint32_t *cookie, struct err *e);

/* Has a multipath map answer with errors when no path is left, instead of waiting for one. By UUID.
 */
int dmdev_fail_if_no_path(const struct dm_dev *d, struct err *e);

/* Until udev has done its part for @cookie. False: it had not before the deadline, and is not
 * waited for any more. */
bool dmdev_udev_wait(uint32_t cookie, int deadline_ms);
