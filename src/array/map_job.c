/* SPDX-License-Identifier: AGPL-3.0-or-later */

/* What a call on devices stands on: its deadline, what the kernel tells meanwhile, udev's links. */

#include <errno.h>
#include <stdio.h>

#include "array/map_inside.h"
#include "blk/uevent.h"
#include "util/clock.h"
#include "util/str.h"

enum { LOOK_AGAIN_MS = 250, UNLINK_MS = 3000 };

int map_job_begin(struct map_job *j, int deadline_ms, struct err *e)
{
	int r;

	*j = (struct map_job){};
	r = root_open(&j->root, "/", e);
	if (r < 0)
		return r;
	j->deadline = clock_boot_ms() + deadline_ms;
	j->events = uevent_open();
	return 0;
}

void map_job_done(struct map_job *j)
{
	base_close_fd(&j->events);
	root_close(&j->root);
}

int map_job_left(const struct map_job *j, int most)
{
	int64_t left = j->deadline - clock_boot_ms();

	return left <= 0 ? 0 : left < most ? (int)left : most;
}

void map_job_pause(const struct map_job *j)
{
	uevent_wait(j->events, -1, map_job_left(j, LOOK_AGAIN_MS));
}

static bool link_is(const struct map_job *j, const char *link, const char *device)
{
	CLEANUP(buf_done) struct buf target = {};
	const char *slash;
	char path[128];

	(void)snprintf(path, sizeof(path), "dev/disk/by-id/%s", link);
	if (root_readlink(&j->root, path, &target) < 0)
		return false;
	slash = strrchr(buf_str(&target), '/');
	return !device || (slash && strcmp(slash + 1, device) == 0);
}

void map_wait_unlink(const struct map_job *j, const char *link)
{
	int64_t until = clock_boot_ms() + UNLINK_MS;

	while (link_is(j, link, NULL) && clock_boot_ms() < until && map_job_left(j, 1))
		map_job_pause(j);
}

int map_wait_link(const struct map_job *j, const char *link, const char *device, struct err *e)
{
	while (!link_is(j, link, device)) {
		if (map_job_left(j, 1) == 0)
			return err_set(e, -ETIMEDOUT,
				       "the device is there, but udev has made no link "
				       "/dev/disk/by-id/%s: systemctl status systemd-udevd",
				       link);
		map_job_pause(j);
	}
	return 0;
}
