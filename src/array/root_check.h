/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * Whether what acts on devices may do so with the files below @root (decisions 10): /, and in
 * programs that are built for tests any other one. 0 or -EPERM.
 */

#include "pve/root.h"

int array_root_check(const struct root *root, struct err *e);
