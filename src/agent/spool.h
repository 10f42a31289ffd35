/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * Documents on their way to a server: each a file, in the order in which they were added, kept
 *until the server has taken it. The folder never grows beyond a number of bytes: then the oldest
 *go, and are counted. What a server refuses for good is put aside with the reason, so that it does
 *not hold up the rest.
 *
 *	spool/SEQUENCE-LENGTH.json	waiting; the length tells a file that a crash cut short
 *	spool/parked/SEQUENCE.json	refused, and SEQUENCE.why beside it
 *	spool/counts.json		how many were dropped, parked and found damaged
 *
 * Times are Unix seconds.
 */

#include "util/buf.h"
#include "util/err.h"

enum {
	SPOOL_PARKED_MAX = 100, /* newest ones, of no more bytes than may wait; older ones go */
	SPOOL_BACKOFF_FIRST_MS = 1000,
	SPOOL_BACKOFF_LONGEST_MS = 300 * 1000,
};

struct spool_entry {
	uint64_t sequence, length;
};

struct spool {
	int dirfd;
	uint64_t max_bytes;
	struct spool_entry *items; /* VEC(), oldest first */
	size_t n, cap;
	uint64_t bytes;
	uint64_t next; /* sequence of the next document, never used twice */
	uint64_t dropped, parked, damaged;
};

/*
 * Takes over what is in the folder @dirfd, which stays the caller's: leftovers of a crash are
 * removed, cut files put aside as damaged. -errno with a sentence.
 */
int spool_open(struct spool *ret, int dirfd, uint64_t max_bytes, struct err *e);
void spool_close(struct spool *s);

/*
 * 0: @document is on disk, and stays there whatever happens to us. The oldest are dropped to make
 * room. -ENOSPC and the like when the disk is full: nothing has changed, and everything goes on.
 * -EFBIG: larger than all that may be kept.
 */
int spool_add(struct spool *s, struct slice document, uint64_t *ret_sequence, struct err *e);

/* The oldest one into @ret; -ENOENT: none waits. One that cannot be read any more is counted as
 * damaged, put aside, and the next one is tried. */
int spool_oldest(struct spool *s, struct buf *ret, uint64_t *ret_sequence, struct err *e);

/* The server has taken it. Unknown sequences are taken as well: it may have been dropped meanwhile.
 */
void spool_done(struct spool *s, uint64_t sequence);

/* The server will never take it. */
void spool_park(struct spool *s, uint64_t sequence, const char *why);

/* How long to wait before try number @tries (0 is the first after a failure): a random time below
 * a limit that doubles, so that a thousand agents do not come back at once. @random: any number. */
int64_t spool_backoff_ms(unsigned int tries, uint32_t random);
