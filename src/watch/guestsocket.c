/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "watch/guestsocket.h"

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

int guest_socket(uint32_t vmid, const char *which)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), r;

	if (fd < 0)
		return -errno;
	(void)snprintf(to.sun_path, sizeof(to.sun_path), "/run/qemu-server/%u.%s", vmid, which);
	if (connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0)
		return fd;
	r = -errno;
	(void)close(fd);
	return r;
}
