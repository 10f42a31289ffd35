/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * NVMe as /sys shows it: controllers and namespaces. With the kernel's own multipathing one
 * namespace has one disk, nvme0n1, over hidden ones, nvme0c1n1, one a controller. Reading these
 * files never touches a disk.
 */

#include "blk/sysdisk.h"
#include "util/err.h"

enum { NVME_NQN_MAX = 224, NVME_NGUID_MAX = 33 };

struct nvme_ns {
	char name[SYSDISK_NAME_MAX];
	struct devno dev;
	char nguid[NVME_NGUID_MAX]; /* 32 hex digits, lower case; "" */
	char nqn[NVME_NQN_MAX];	    /* of its subsystem; "": not said */
	uint64_t size;		    /* bytes */
	unsigned int paths, paths_live;
	bool held; /* a device stands on it or on a partition of it */
};

struct nvme_list {
	struct nvme_ns *items; /* VEC() */
	size_t n, cap;
};

/* Adds the disks with that @nguid; NULL: all that have one. */
void nvme_namespaces(struct nvme_list *ret, const struct root *root, const char *nguid);

struct nvme_ctrl {
	char name[SYSDISK_NAME_MAX]; /* "nvme1" */
	char nqn[NVME_NQN_MAX];
	char address[64]; /* "10.0.0.1:4420" */
	bool live;
};

struct nvme_ctrls {
	struct nvme_ctrl *items; /* VEC() */
	size_t n, cap;
};

/* Adds the controllers that stand over a network. */
void nvme_controllers(struct nvme_ctrls *ret, const struct root *root);

/* "624A9370-0011-..." or without hyphens, as the kernel or an array writes it. */
bool nvme_nguid_parse(struct slice text, char ret[NVME_NGUID_MAX]);

/* "traddr=10.0.0.1,trsvcid=4420,src_addr=..." to "10.0.0.1:4420", IPv6 in brackets. */
bool nvme_address_parse(struct slice text, char ret[64]);

static inline void nvme_list_done(struct nvme_list *l)
{
	vec_free(l);
}
static inline void nvme_ctrls_done(struct nvme_ctrls *c)
{
	vec_free(c);
}
