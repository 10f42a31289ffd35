// SPDX-License-Identifier: AGPL-3.0-or-later
/*
 * Plays a guest's process in the test machine: installed as /usr/bin/kvm or
 * /usr/bin/lxc-start it takes any arguments and sleeps. What it holds meanwhile
 * comes from the environment: ACTOR_OPEN (paths to keep open, ':' between),
 * ACTOR_LISTEN (an abstract unix socket) and ACTOR_FLOCK (a file to flock).
 * ACTOR_READY is created when all is held.
 */
#include <err.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static void hold_open(char *paths)
{
	for (char *p = strtok(paths, ":"); p; p = strtok(NULL, ":"))
		if (open(p, O_RDWR) < 0)
			err(1, "open %s", p);
}

static void hold_listen(const char *name)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	size_t len = strlen(name);
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	if (fd < 0 || len > sizeof(a.sun_path) - 1)
		err(1, "socket %s", name);
	memcpy(a.sun_path + 1, name, len);
	if (bind(fd, (struct sockaddr *)&a,
		 (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + len)) ||
	    listen(fd, 5))
		err(1, "listen %s", name);
}

static void hold_flock(const char *path)
{
	int fd = open(path, O_RDWR | O_APPEND | O_CREAT, 0644);

	if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB))
		err(1, "flock %s", path);
}

int main(void)
{
	const char *s;

	if ((s = getenv("ACTOR_OPEN")))
		hold_open(strdup(s));
	if ((s = getenv("ACTOR_LISTEN")))
		hold_listen(s);
	if ((s = getenv("ACTOR_FLOCK")))
		hold_flock(s);
	if ((s = getenv("ACTOR_READY")) && open(s, O_WRONLY | O_CREAT, 0644) < 0)
		err(1, "%s", s);
	for (;;)
		pause();
}
