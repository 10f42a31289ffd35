/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/* What the files that act on devices share: map.c, map_attach.c, map_prune.c, map_nvme.c. */

#include "array/map_see.h"

struct map_job {
	struct root root;
	int64_t deadline;		  /* of CLOCK_BOOTTIME, ms */
	int events;			  /* uevent_open() */
	bool leaving;			  /* the map is to go */
	char failing[ARRAY_WWID_LEN + 1]; /* the map that does not queue any more; "": none */
};

int map_job_begin(struct map_job *j, int deadline_ms, struct err *e);
void map_job_done(struct map_job *j);

/* Milliseconds that are left, @most at most. */
int map_job_left(const struct map_job *j, int most);

/* Until something happened, or it is time to look again, or the deadline. */
void map_job_pause(const struct map_job *j);

/* Until udev has taken away the link of a device that is gone, for some seconds at most: a new one
 * of that number would have it at once, and lose it in a moment. */
void map_wait_unlink(const struct map_job *j, const char *link);

/* Until udev's link /dev/disk/by-id/@link stands for @device. */
int map_wait_link(const struct map_job *j, const char *link, const char *device, struct err *e);

int map_attach_scsi(struct map_job *j, const struct map_want *want, struct map_state *ret,
		    struct err *e);
/* As map_prune(), of what @v has. */
int map_prune_view(struct map_job *j, const struct map_view *v, const struct map_want *want,
		   struct err *e);
/* Out of the map and out of the kernel, what nobody has: that other paths are left is the caller's
 * to know. The first error counts, the others go nevertheless. */
int map_drop_paths(struct map_job *j, const struct map_view *v, const struct scsi_disk *disks,
		   size_t n, struct err *e);
int map_prune_scsi(struct map_job *j, const struct map_want *want, struct err *e);
int map_ask_scsi(struct map_job *j, const char *serial, struct err *e);
int map_attach_nvme(struct map_job *j, const struct map_want *want, struct map_state *ret,
		    struct err *e);
int map_forget_nvme(struct map_job *j, const char *serial, struct err *e);
int map_resize_nvme(struct map_job *j, const char *serial, uint64_t size, struct map_state *ret,
		    struct err *e);

/* Has the running ones among its disks read their size again, until all say @size; then the map. */
int map_fit(struct map_job *j, const char *serial, uint64_t size, struct err *e);
/* The map alone. */
int map_fit_map(struct map_job *j, const char *serial, uint64_t size, struct err *e);

/* Deletes disks, each in a child. 0: all of them are gone or going. */
int map_delete_disks(struct map_job *j, const struct scsi_disk *disks, size_t n, struct err *e);
