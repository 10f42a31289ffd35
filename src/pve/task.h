/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * Who is working on a guest at this moment: Proxmox' running tasks (/var/log/pve/tasks/active,
 * PVE:: RESTEnvironment) and its per-guest file locks, seen by inode in /proc/locks, never by
 * taking them.
 */

#include "pve/guestconf.h"
#include "pve/root.h"
#include "util/arena.h"

struct task {
	const char *upid;
	const char *type; /* "vzdump", "qmrestore", "imgdel", ... */
	uint32_t vmid;	  /* 0: none in its id */
	pid_t pid;
};

struct tasks {
	struct task *items; /* only those whose process lives */
	size_t n, cap;
};

/* Console tasks (vncproxy, vncshell, spiceproxy, termproxy, spiceshell) touch no disk: left out.
 * A missing file is an empty list. */
int tasks_read(struct tasks *ret, const struct root *r, struct arena *a, struct err *e);
void tasks_done(struct tasks *t);
const struct task *tasks_find(const struct tasks *t, uint32_t vmid);

/* "UPID:node:PID:PSTART:START:type:id:user:" */
struct upid {
	struct slice node, type, id, user;
	uint64_t pid, pstart, start;
};
bool upid_parse(struct slice text, struct upid *ret);

/*
 * The tasks that stop that guest (stop, shutdown, reboot; VMs, containers, HA) and began at @since
 * (Unix seconds) or later, those that have ended included as long as Proxmox lists them: a number
 * for each, made of its UPID. At most @max into @ret; returns how many there are, or -errno when
 * the list cannot be read.
 */
ssize_t tasks_stops(const struct root *r, uint32_t vmid, int64_t since, uint64_t *ret, size_t max,
		    struct err *e);

/* One of the tasks that concern all guests of the node: startall, stopall, migrateall. */
bool task_is_of_node(const struct task *t);

/* Guests whose flock somebody else holds: lock-ID.conf of VMs, pve-config-ID.lock of containers. */
struct guest_locks {
	struct guest_lock {
		uint32_t vmid;
		enum guest_type type;
		pid_t pid; /* the holder; 0 or -1 if /proc/locks does not know */
	} * items;
	size_t n, cap;
};
int guest_locks_read(struct guest_locks *ret, const struct root *r, struct err *e);
void guest_locks_done(struct guest_locks *l);
const struct guest_lock *guest_locks_find(const struct guest_locks *l, uint32_t vmid);
