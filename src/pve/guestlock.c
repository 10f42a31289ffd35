/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "pve/guestlock.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/file.h>
#include <unistd.h>

#include "util/clock.h"
#include "util/file.h"

/* How often a lock that somebody holds is tried again. */
enum { RETRY_MS = 20 };

/* Proxmox writes /var/lock, which is /run/lock; the folders and their modes are its own. */
static const struct {
	const char *folder, *before, *behind;
} places[] = {
	[GUEST_QEMU] = { "run/lock/qemu-server", "lock-", ".conf" },
	[GUEST_LXC] = { "run/lock/lxc", "pve-config-", ".lock" },
};

static int open_lock(const struct root *r, uint32_t vmid, enum guest_type type)
{
	char path[80];
	int fd;

	(void)snprintf(path, sizeof(path), "%s/%s%u%s", places[type].folder, places[type].before,
		       vmid, places[type].behind);
	fd = openat(r->fd, path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (fd < 0 && errno == ENOENT && file_mkdirs(r->fd, places[type].folder, 0755) == 0)
		fd = openat(r->fd, path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW,
			    0644);
	return fd < 0 ? -errno : fd;
}

bool guest_lock_held(const struct held_locks *l, uint32_t vmid)
{
	for (size_t i = 0; i < l->n; i++)
		if (l->items[i].vmid == vmid)
			return true;
	return false;
}

static void release_down_to(struct held_locks *l, size_t n)
{
	while (l->n > n) {
		int *fd = &l->items[--l->n].fd;

		(void)flock(*fd, LOCK_UN);
		base_close_fd(fd);
	}
}

static int take_one(struct held_locks *l, const struct root *r, uint32_t vmid, enum guest_type type,
		    struct err *e)
{
	const char *kind = type == GUEST_QEMU ? "VM" : "CT";
	CLEANUP_FD int fd = open_lock(r, vmid, type);

	if (fd < 0)
		return err_set(e, fd, "the lock file of %s %u: %s", kind, vmid, strerror(-fd));
	if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		int code = errno == EWOULDBLOCK ? -EBUSY : -errno;

		return code == -EBUSY
			       ? err_set(e, code, "somebody works on %s %u (its lock is held)",
					 kind, vmid)
			       : err_set(e, code, "the lock of %s %u: %s", kind, vmid,
					 strerror(-code));
	}
	l->items[l->n++] = (struct held_lock){ vmid, type, take_fd(&fd) };
	return 0;
}

/* Both or none: one must not be held while the other is waited for. */
static int try_both(struct held_locks *l, const struct root *r, uint32_t vmid, struct err *e)
{
	size_t before = l->n;
	int code = take_one(l, r, vmid, GUEST_QEMU, e);

	if (code == 0)
		code = take_one(l, r, vmid, GUEST_LXC, e);
	if (code < 0)
		release_down_to(l, before);
	return code;
}

int guest_lock_take(struct held_locks *l, const struct root *r, uint32_t vmid, int wait_ms,
		    struct err *e)
{
	int64_t deadline = clock_boot_ms() + wait_ms;
	int code;

	if (!r->live)
		return err_set(e, -EINVAL, "a recorded node has no locks to take");
	if (guest_lock_held(l, vmid))
		return 0;
	if (l->n + 2 > GUEST_LOCKS_MAX)
		return err_set(e, -EBUSY, "too many guests are concerned at once");
	while ((code = try_both(l, r, vmid, e)) == -EBUSY && clock_boot_ms() < deadline)
		(void)poll(NULL, 0, RETRY_MS);
	if (code == 0 && l->n == 2)
		l->since = clock_boot_ms();
	return code;
}

void guest_lock_release(struct held_locks *l)
{
	release_down_to(l, 0);
	l->since = 0;
}
