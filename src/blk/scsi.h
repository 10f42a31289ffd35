/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * SCSI as /sys shows it: ways from this node to targets (iSCSI sessions, FC remote ports), and
 * disks with their address and what they said they were. Reading these files never touches a disk.
 */

#include "blk/sysdisk.h"
#include "util/err.h"

enum { SCSI_ID_MAX = 224, SCSI_PORTAL_MAX = 64, SCSI_WWID_MAX = 128 };

/* host:channel:target:lun, as in the names of /sys/class/scsi_device. */
struct scsi_address {
	uint32_t host, channel, target;
	uint64_t lun;
};

#define SCSI_ADDRESS_FMT    "%u:%u:%u:%llu"
#define SCSI_ADDRESS_ARG(a) (a).host, (a).channel, (a).target, (unsigned long long)(a).lun

bool scsi_address_parse(struct slice text, struct scsi_address *ret);
bool scsi_address_eq(const struct scsi_address *a, const struct scsi_address *b);

struct scsi_port {
	uint32_t host, channel, target;
	char id[SCSI_ID_MAX];	      /* target IQN; WWPN in 16 hex digits */
	char portal[SCSI_PORTAL_MAX]; /* "10.0.0.1:3260"; "" for FC */
	bool usable;		      /* logged in; online */
};

struct scsi_ports {
	struct scsi_port *items; /* VEC() */
	size_t n, cap;
};

/* Adds what there is; a kernel without iSCSI or FC has none. */
void scsi_iscsi_ports(struct scsi_ports *ret, const struct root *root);
void scsi_fc_ports(struct scsi_ports *ret, const struct root *root);

struct scsi_disk {
	char name[SYSDISK_NAME_MAX];
	struct devno dev;
	struct scsi_address at;
	char wwid[SCSI_WWID_MAX]; /* "naa.624a9370...", what it said when it was found; "" */
	char state[32];		  /* "running", "offline", "transport-offline", "blocked" */
	uint64_t size;		  /* bytes */
	bool held;		  /* a device stands on it or on a partition of it */
};

struct scsi_disks {
	struct scsi_disk *items; /* VEC() */
	size_t n, cap;
};

/* -ENOENT: there is no such disk, or it has gone meanwhile. */
int scsi_disk_read(struct scsi_disk *ret, const struct root *root, const char *name);

/* The disk at @at. -ENOENT: nothing there. -EAGAIN: a device without a disk yet. */
int scsi_disk_at(struct scsi_disk *ret, const struct root *root, const struct scsi_address *at);

struct scsi_addresses {
	struct scsi_address *items; /* VEC() */
	size_t n, cap;
};

/* Adds where the kernel has a unit of any kind, a disk or not. */
void scsi_units(struct scsi_addresses *ret, const struct root *root);

/* Adds the disks whose wwid begins with @prefix. */
void scsi_disks_like(struct scsi_disks *ret, const struct root *root, const char *prefix);

static inline void scsi_ports_done(struct scsi_ports *ports)
{
	vec_free(ports);
}
static inline void scsi_addresses_done(struct scsi_addresses *addresses)
{
	vec_free(addresses);
}
static inline void scsi_disks_done(struct scsi_disks *disks)
{
	vec_free(disks);
}
