/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * What the service mends by itself, and how often it tries. What failed waits for some minutes; a
 * way over which a volume cannot be seen at all is looked at less and less often, until the volume
 * has been seen well: what lacks then is news.
 */

#include <pthread.h>

#include "array/finding.h"

enum {
	TRIES_AGAIN_S = 300,   /* one that could not be healed waits so long */
	TRIES_DOUBLED_MAX = 8, /* and for paths that still lack twice as long, so often */
};

struct tried {
	char serial[ARRAY_SERIAL_LEN + 1];
	bool paths;	    /* for its paths; else for a connection */
	unsigned int times; /* again */
	bool soon;	    /* what was another volume's has left its map: its own paths are next */
	int64_t at;	    /* CLOCK_BOOTTIME, ms */
};

/* Used by several threads. */
struct tries {
	pthread_mutex_t lock;
	struct tried *items; /* VEC() */
	size_t n, cap;
};

void tries_init(struct tries *t);
void tries_done(struct tries *t);

/* What is tried: connections that lack, and paths. */
bool tries_connect(const struct finding *f);
bool tries_look_again(const struct finding *f);

/* @now: CLOCK_BOOTTIME in ms. */
bool tries_is_due(struct tries *t, const struct finding *f, int64_t now);

/* It was tried at @now; 0, or -errno. */
void tries_note(struct tries *t, const struct finding *f, int result, int64_t now);

/* Those whose volumes lack nothing any more, as far as @s can tell. */
void tries_forget(struct tries *t, const struct survey *s, const struct findings *f);
