/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "pve/cfslock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "util/clock.h"
#include "util/file.h"

#define FOLDER "etc/pve/priv/lock"

enum { RETRY_MS = 250 };

static void place(const char *file, char ret[128])
{
	(void)snprintf(ret, 128, FOLDER "/file-%s", file);
	for (char *p = ret + sizeof(FOLDER); *p; p++)
		if (*p == '.' || *p == '/')
			*p = '_';
}

int cfs_lock_take(struct cfs_lock *ret, const struct root *root, const char *file, int wait_ms,
		  struct err *e)
{
	/* Asks pmxcfs to let it go if its holder is gone. */
	static const struct timespec ask_release[2];
	const struct timespec pause = { .tv_nsec = RETRY_MS * 1000000L };
	int64_t until = clock_boot_ms() + wait_ms;
	int r = file_mkdirs(root->fd, FOLDER, 0700);

	*ret = (struct cfs_lock){};
	place(file, ret->path);
	if (r < 0)
		return err_set(e, r, "/" FOLDER ": %s", strerror(-r));
	while (mkdirat(root->fd, ret->path, 0700) < 0) {
		r = -errno;
		if (r != -EEXIST)
			return err_set(e, r, "the lock /%s cannot be taken: %s", ret->path,
				       strerror(-r));
		if (clock_boot_ms() >= until)
			return err_set(e, -ETIMEDOUT,
				       "%s is locked: somebody else is changing it (/%s)", file,
				       ret->path);
		(void)utimensat(root->fd, ret->path, ask_release, 0);
		(void)nanosleep(&pause, NULL);
	}
	ret->root = root;
	return 0;
}

void cfs_lock_done(struct cfs_lock *l)
{
	if (l->root)
		(void)unlinkat(l->root->fd, l->path, AT_REMOVEDIR);
	*l = (struct cfs_lock){};
}
