/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * Mails that could not be delivered: each a folder below /var/lib/pvewarden/dm/outbox with the
 * text, the HTML, the attachments and state.json, readable for root alone. A folder appears whole
 * or not at all. They are tried again with growing pauses, and after three days put aside into
 * outbox-failed.
 */

#include "pve/root.h"
#include "util/arena.h"
#include "util/mail.h"

#define OUTBOX_DIR	  "var/lib/pvewarden/dm/outbox"
#define OUTBOX_FAILED_DIR "var/lib/pvewarden/dm/outbox-failed"

enum {
	OUTBOX_KEEP = 20,		/* the newest ones, of each of the two folders */
	OUTBOX_GIVE_UP = 3 * 24 * 3600, /* seconds after the first try */
	OUTBOX_FIRST_PAUSE = 300,
	OUTBOX_LONGEST_PAUSE = 6 * 3600,
};

struct outbox_state {
	unsigned int attempts;
	int64_t first, next; /* Unix seconds */
	const char *error;   /* of the last attempt */
};

/* Keeps @m, which has been tried once at @now and failed with @error. @ret_path (at least 256
 * bytes) is where. Older ones beyond OUTBOX_KEEP are removed: @ret_dropped. */
int outbox_keep(const struct root *root, const struct mail *m, const char *id, const char *error,
		int64_t now, char *ret_path, size_t *ret_dropped, struct err *e);

/* When to try again after that many attempts; @random spreads nodes that failed together. */
int64_t outbox_pause(unsigned int attempts, uint32_t random);

/*
 * Calls @send for each kept mail whose time has come; what it returns 0 for is removed, the rest
 * gets its next time or is put aside. One at a time on a machine: -EBUSY if another one is at it.
 */
struct outbox_result {
	size_t sent, waiting, failed, put_aside;
	const char *error; /* of the last that failed */
};
int outbox_retry(const struct root *root, int64_t now,
		 int (*send)(void *ctx, const struct mail *m, const char *id, struct err *e),
		 void *ctx, struct outbox_result *ret, struct arena *a, struct err *e);
