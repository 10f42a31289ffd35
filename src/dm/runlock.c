/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "dm/runlock.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/file.h>
#include <unistd.h>

#include "util/clock.h"
#include "util/file.h"
#include "util/str.h"

#define FOLDER "run/pvewarden/dm"
#define PATH   FOLDER "/clean.lock"

enum { RETRY_MS = 100 };

static int busy(const struct root *root, struct err *e)
{
	CLEANUP(buf_done) struct buf text = {};
	char shown[128];

	(void)root_read_line(root, PATH, &text);
	str_printable(shown, sizeof(shown), buf_slice(&text));
	return err_set(e, -EBUSY, "another run is at work%s%s (--wait DURATION waits for it)",
		       *shown ? ": " : "", shown);
}

/* Who it is, for those that come second. */
static void sign(int fd)
{
	char text[80], when[CLOCK_TEXT_MAX];
	int n = snprintf(text, sizeof(text), "pid %ld, since %s\n", (long)getpid(),
			 clock_rfc3339(clock_now(), when));

	if (ftruncate(fd, 0) == 0)
		(void)!pwrite(fd, text, (size_t)n, 0);
}

int dm_run_lock(const struct root *root, int64_t wait_s, struct err *e)
{
	int64_t deadline = clock_boot_ms() + wait_s * 1000;
	CLEANUP_FD int fd = -1;
	int r = file_mkdirs(root->fd, FOLDER, 0755);

	if (r == 0)
		fd = openat(root->fd, PATH, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (fd < 0)
		return err_set(e, r < 0 ? r : -errno, "/" PATH ": %s",
			       strerror(r < 0 ? -r : errno));
	while (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			return err_set(e, -errno, "/" PATH ": %s", strerror(errno));
		if (clock_boot_ms() >= deadline)
			return busy(root, e);
		(void)poll(NULL, 0, RETRY_MS);
	}
	sign(fd);
	return take_fd(&fd);
}

void dm_run_unlock(const int *fd)
{
	if (*fd >= 0)
		(void)flock(*fd, LOCK_UN);
	base_close_fd(fd);
}
