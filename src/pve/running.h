/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * Which guests run on this node, by the tests that Proxmox itself uses: for VMs the pid file and
 * the exact command line (PVE::QemuServer::Helpers::vm_running_locally), for containers the command
 * socket of their monitor (PVE::LXC::list_active_containers).
 */

#include "pve/guestconf.h"
#include "pve/root.h"

struct running_guest {
	uint32_t vmid;
	enum guest_type type;
	pid_t pid;	 /* of a container's monitor; 0 if only its socket was seen */
	bool incoming;	 /* a QEMU that waits for a migration or a restore (-incoming) */
	int64_t started; /* Unix seconds, 0 if not known */
	uint64_t ticks;	 /* the same since boot, as the kernel counts: an identity */
};

struct running {
	struct running_guest *items; /* VEC(), sorted by vmid */
	size_t n, cap;
};

/* Reads /run/qemu-server, /proc/PID/{cmdline,stat} of those pids and /proc/net/unix. -errno when
 * /proc/net/unix cannot be read; a missing /run/qemu-server means that no VM ever ran. */
int running_read(struct running *ret, const struct root *r, struct err *e);
void running_done(struct running *r);

const struct running_guest *running_find(const struct running *r, uint32_t vmid);

/* The command line test alone: @cmdline is NUL separated. */
bool running_is_qemu_of(struct slice cmdline, uint32_t vmid, bool *ret_incoming);
