/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * Configuration files as they may leave the machine. Masking is an allow-list: what is not known to
 * be harmless becomes MASKED, but every reference to a volume stays, because a recorded node must
 * be judged as the real one. Pure.
 */

#include "pve/guestconf.h"
#include "util/buf.h"

#define MASKED "masked"

/* A guest's config. */
void mask_guest(enum guest_type type, struct slice text, struct buf *out);

/* storage.cfg: values of keys that no known storage type has are masked. */
void mask_storage_cfg(struct slice text, struct buf *out);

/* datacenter.cfg: only the keys that are read are kept. */
void mask_datacenter_cfg(struct slice text, struct buf *out);

/* The command line of a QEMU process: program, -id, -pidfile and -incoming are kept. */
void mask_cmdline(struct slice text, struct buf *out);
