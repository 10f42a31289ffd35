/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * The four NannyAPI endpoints: any spelling of their fields (docs/wire.md) into our own words for
 * store_object(). What is missing gets Proxmox' defaults; what is there with a wrong type is
 * refused with its path. Pure.
 *
 * Written: {"cluster": {"name", "id", "uuid", "nodes", "quorate", "version"}},
 * {"node": {"name", "node_id", "ip", "online", "local", "level", "pve_version", "cluster_uuid",
 * "cluster_name", "host"}}, {"guest": {"type", "vmid", "node", "name", "status", "uptime",
 * "cpu_cores", "memory_mb", "swap_mb", "rootfs", "net0", "ostype", "arch", "hostname",
 * "searchdomain", "nameserver", "features", "unprivileged", "protection", "tags" (';' between
 * them), "timezone", "vmgenid", "kvm", "boot", "cpu", "config"}}; each with "collected_at" if it
 * was sent.
 */

#include "hub/check.h"

/* -EBADMSG with the fault; a "collected_at" more than a day after @now is one. */
int nanny_read(enum store_object kind, struct slice body, int64_t now, struct buf *ret,
	       struct check_fault *fault);

/* {"success": true, "message": "Node ingested successfully", "id": ...} */
void nanny_answer(enum store_object kind, const char *id, struct buf *ret);
