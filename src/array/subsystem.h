/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * A pod over two arrays and NVMe. The kernel joins paths to a namespace only within one subsystem,
 * which it knows by its NQN. The namespace of the same identity that another subsystem shows it
 * keeps away ("ignoring nsid because of duplicate IDs"), with its own multipathing or without, so
 * that dm-multipath has nothing to join either. Such a volume would work, over one array alone, and
 * be gone with it; so it is refused before there is one.
 */

#include "array/fa.h"

#define SUBSYSTEM_REMEDY \
	"set protocol iscsi or fc for the storage, or leave one array alone in its address"

/* The first two of @n arrays whose ports have no NQN in common; of one that has no port nothing is
 * known. */
bool subsystems_differ(const struct fa_ports *arrays, size_t n, const char *ret[2]);

/* 0, or -ENOTSUP with reason and remedy: the same for the arrays of a pod of @storage. */
int subsystems_check(const char *storage, const struct fa_ports *arrays, size_t n, struct err *e);
