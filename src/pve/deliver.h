/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * A mail on its way, by whichever transport the configuration names. sendmail and Proxmox'
 * notifications are started as children: never call this from a sandboxed daemon, whose limits they
 * would inherit (decisions 4).
 */

#include "pve/mailconf.h"

#define NOTIFY_PROGRAM "/usr/libexec/pvewarden/notify"

/* 0: taken for every recipient. -EPERM or -EACCES: will not be better before the configuration is;
 * any other -errno: may be tried again. @id is the same for each try of one mail. */
int deliver(const struct mail_config *c, const struct mail *m, const char *id, struct err *e);

/* Trying again without a change cannot help. */
bool delivery_is_hopeless(int code);
