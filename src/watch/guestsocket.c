/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "watch/guestsocket.h"

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static int connect_to(uint32_t vmid, const char *which)
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

void guest_sockets_agent(struct guest_sockets *s, struct probe_ask *ask, uint32_t vmid)
{
	int fd;

	if (!ask->n_targets || ask->targets[ask->n_targets - 1].kind != PROBE_AGENT)
		return;
	fd = connect_to(vmid, "qga");
	if (fd >= 0)
		s->fds[s->n++] = fd;
	else
		ask->n_targets--;
}

enum probe_qmp guest_sockets_qmp(struct guest_sockets *s, struct probe_ask *ask, uint32_t vmid)
{
	int fd = connect_to(vmid, "qmp");

	if (fd < 0) /* a full backlog: somebody else has it, or QEMU takes nobody any more */
		return fd == -EAGAIN ? QMP_SILENT : QMP_NONSENSE;
	s->fds[s->n++] = fd;
	ask->targets[ask->n_targets++] = (struct probe_target){ .kind = PROBE_QMP };
	return QMP_NOT_ASKED;
}

void guest_sockets_close(struct guest_sockets *s)
{
	for (size_t i = 0; i < s->n; i++)
		(void)close(s->fds[i]);
	s->n = 0;
}

void guest_sockets_spread(size_t n, struct probe_answer *a)
{
	size_t told = a->n_targets;

	if (a->qmp != QMP_NOT_ASKED && told > 0)
		told--; /* QMP's is the last one */
	for (size_t i = told; i < n && i < PROBE_TARGETS_MAX; i++) {
		memset(&a->targets[i], 0, sizeof(a->targets[i]));
		a->targets[i].result = PROBE_UNKNOWN;
		a->targets[i].why = PROBE_WHY_NO_SOCKET;
	}
	a->n_targets = (uint8_t)n;
}
