/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "blk/uevent.h"

#include <errno.h>
#include <linux/netlink.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	KERNEL = 1,
	UDEV = 2,
	DEAF_MS = 50, /* without events: how often to look */
	BUFFER = 1024 * 1024,
};

int uevent_open(void)
{
	struct sockaddr_nl address = { .nl_family = AF_NETLINK, .nl_groups = KERNEL | UDEV };
	int fd =
		socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_KOBJECT_UEVENT);
	int size = BUFFER, r;

	if (fd < 0)
		return -errno;
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
		return fd;
	r = -errno;
	base_close_fd(&fd);
	return r;
}

/* A full socket loses events, which is as good as one: there is something to look at. */
static void drain(int fd)
{
	char text[4096];

	while (recv(fd, text, sizeof(text), 0) >= 0 || errno == ENOBUFS || errno == EINTR)
		;
}

void uevent_wait(int fd, int other, int ms)
{
	struct pollfd p[] = { { .fd = fd, .events = POLLIN }, { .fd = other, .events = POLLIN } };

	if (fd < 0 && ms > DEAF_MS)
		ms = DEAF_MS;
	if (poll(p, ARRAY_SIZE(p), ms > 0 ? ms : 0) > 0 && p[0].revents)
		drain(fd);
}
