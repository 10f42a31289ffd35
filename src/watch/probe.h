/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * What a prober is asked about its guest and what it answers: plain values of fixed size, because
 * they cross from a process that guests talk to into one that may start and stop them. Root parses
 * no byte that a guest wrote; it checks the length of an answer and the range of each field.
 */

#include <netinet/in.h>

#include "util/base.h"

enum {
	PROBE_TARGETS_MAX = 24,
	PROBE_ADDRESSES_MAX = 4, /* a name may have several: one that answers is enough */
	PROBE_HOST_MAX = 64,
	PROBE_PATH_MAX = 192,
	PROBE_FDS_MAX = 2,	 /* guest agent and QMP */
	PROBE_QMP_HOLD_MS = 300, /* Proxmox' one QMP connection is never kept longer */
};

enum probe_kind {
	PROBE_TCP,   /* the port takes a connection */
	PROBE_HTTP,  /* GET answers with a status in the wanted range */
	PROBE_AGENT, /* the guest agent answers guest-ping, on a descriptor that comes along */
	PROBE_QMP,   /* what QEMU says of itself, on a descriptor that comes along */
	PROBE_KIND_MAX,
};

enum probe_result {
	PROBE_UNKNOWN, /* could not be asked: never a reason to act */
	PROBE_GOOD,
	PROBE_BAD,
	PROBE_RESULT_MAX,
};

/* Why a probe is not good, for the log. */
enum probe_why {
	PROBE_WHY_NONE,
	PROBE_WHY_REFUSED,
	PROBE_WHY_TIMEOUT,
	PROBE_WHY_UNREACHABLE,
	PROBE_WHY_STATUS,    /* HTTP: another status, in @value; QMP: not running, see @qmp */
	PROBE_WHY_NONSENSE,  /* what came back is not the protocol */
	PROBE_WHY_CLOSED,    /* the other side ended the connection */
	PROBE_WHY_NO_SOCKET, /* nothing to ask on: no descriptor or no address came along */
	PROBE_WHY_OURS,	     /* our own limits: descriptors, memory */
	PROBE_WHY_MAX,
};

/* QMP's RunState as far as it decides anything (qapi/run-state.json). */
enum probe_qmp {
	QMP_NOT_ASKED,
	QMP_SILENT, /* connected, but no greeting or no reply in time: hung, or somebody else has it
		     */
	QMP_NONSENSE,
	QMP_CLOSED, /* QEMU ended the connection before its answer: it is going away */
	QMP_RUNNING,
	QMP_PAUSED,    /* paused, suspended, debug, colo, save-vm, restore-vm */
	QMP_MIGRATING, /* inmigrate, postmigrate, finish-migrate */
	QMP_PRELAUNCH,
	QMP_IO_ERROR,
	QMP_INTERNAL_ERROR,
	QMP_PANICKED, /* guest-panicked */
	QMP_SHUTDOWN, /* shutdown: the guest is off, QEMU still there */
	QMP_WATCHDOG, /* watchdog: QEMU's own watchdog fired with action pause */
	QMP_OTHER,    /* a state of a newer QEMU */
	QMP_STATE_MAX,
};

struct probe_address {
	uint8_t family; /* AF_INET or AF_INET6 */
	uint32_t scope; /* of a link-local IPv6 address */
	uint8_t bytes[16];
};

struct probe_target {
	uint8_t kind; /* enum probe_kind */
	uint16_t port;
	uint16_t status_low, status_high; /* HTTP */
	char host[PROBE_HOST_MAX];	  /* HTTP: the Host header, terminated */
	char path[PROBE_PATH_MAX];	  /* HTTP: starts with '/', terminated, printable */
};

/* Sent with as many descriptors as there are targets of kind AGENT and QMP, in their order. */
struct probe_ask {
	uint32_t serial;
	uint32_t timeout_ms; /* for each target, all at once */
	uint8_t n_addresses, n_targets;
	struct probe_address addresses[PROBE_ADDRESSES_MAX];
	struct probe_target targets[PROBE_TARGETS_MAX]; /* only n_targets of them are sent */
};

struct probe_answer {
	uint32_t serial; /* of the ask */
	uint8_t n_targets;
	uint8_t qmp; /* enum probe_qmp */
	struct {
		uint8_t result; /* enum probe_result; QMP targets: GOOD when running */
		uint8_t why;	/* enum probe_why */
		uint16_t value; /* HTTP status */
		uint32_t us;	/* how long it took */
	} targets[PROBE_TARGETS_MAX];
};
