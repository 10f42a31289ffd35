/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/* Names and limits that agent and hub share; docs/wire.md says what they mean. */

#define WIRE_SCHEMA	    "pvewarden.node/1"
#define WIRE_DOCUMENTS_PATH "/api/v1/documents"
#define WIRE_AGENT_PATH	    "/api/agent"
#define WIRE_NODE_PATH	    "/api/proxmox/node"
#define WIRE_CLUSTER_PATH   "/api/proxmox/cluster"
#define WIRE_LXC_PATH	    "/api/proxmox/lxc"
#define WIRE_QEMU_PATH	    "/api/proxmox/qemu"

enum {
	WIRE_INTERVAL_S = 60,	     /* between two documents */
	WIRE_NANNY_INTERVAL_S = 300, /* between two rounds of NannyAPI's objects */
	WIRE_HEARD_INTERVALS = 3,    /* a node that was silent for longer is not heard */
	WIRE_BODY_MAX = 8 * 1024 * 1024,
	WIRE_PART_MAX = 256 * 1024,
	WIRE_DEPTH_MAX = 16,
	WIRE_NODES_MAX = 256,
	WIRE_VMIDS_MAX = 50000,
	WIRE_GUESTS_MAX = 5000,
	WIRE_STORAGES_MAX = 1000,
	WIRE_ARRAY_MAX = 4096,
	WIRE_STRING_MAX = 256 * 1024,
	WIRE_NAME_MAX = 255,
};

/* Of a share, a load, a pressure: whatever is not counted. */
#define WIRE_NUMBER_MAX 1000000000000000000ll
