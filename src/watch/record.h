/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * What must survive the supervisor: the intent to bring a guest back that we are about to stop, and
 * when it was restarted before. One file for each guest that was ever acted on, in
 * /var/lib/pvewarden/watch/guests, on disk before the command runs.
 */

#include "util/buf.h"
#include "util/err.h"
#include "watch/fsm.h"

enum { WATCH_STOPS_MAX = 8 };
enum { RECORD_BOOT_ID_MAX = 40, RECORD_NODE_MAX = 64 };

struct watch_record {
	/* The intent. It is ours only on the same node, in the same boot, with the same config. */
	bool owed;
	enum watch_op op; /* that was permitted last */
	enum watch_reason reason;
	bool ha;
	char boot_id[RECORD_BOOT_ID_MAX], node[RECORD_NODE_MAX];
	uint64_t digest; /* of the guest's config */
	int64_t started; /* of the process that is being stopped, milliseconds since boot */
	int64_t since;	 /* Unix seconds */
	/* Commands of ours that stop it and whose task is not known yet, and the tasks that are:
	 * any other one is somebody else's. */
	uint32_t stops;
	uint64_t known[WATCH_STOPS_MAX];
	size_t n_known;
	/* Unix seconds of the restarts that count for the budget, oldest first. */
	int64_t stamps[WATCH_STAMPS_MAX];
	size_t n_stamps;
};

/* -EBADMSG with a sentence: the file is not one of ours. */
int watch_record_parse(struct watch_record *ret, struct slice text, struct err *e);
void watch_record_format(const struct watch_record *r, uint32_t vmid, struct buf *out);

/* Of that guest, in the folder @dirfd. A missing file is an empty record. */
int watch_record_read(struct watch_record *ret, int dirfd, uint32_t vmid, struct err *e);
int watch_record_write(const struct watch_record *r, int dirfd, uint32_t vmid, struct err *e);

/* The guests that have one. @ret are VEC()'s fields. */
struct record_ids {
	uint32_t *items;
	size_t n, cap;
};
int watch_record_list(int dirfd, struct record_ids *ret);

/*
 * The tasks that have stopped the guest since, by somebody else's hand? @ended: a command of ours
 * has ended since the last call, so that its task is there if it made one.
 */
bool watch_record_meet(struct watch_record *r, const uint64_t *tasks, size_t n, bool ended);

/* Why an intent of an earlier run is not ours any more, NULL if it still is. */
const char *watch_record_mismatch(const struct watch_record *r, const char *boot_id,
				  const char *node, uint64_t digest);
