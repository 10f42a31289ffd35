/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * Who runs map.h's calls: a process forked before the first thread is made, which forks one child a
 * call. A child that the kernel never gives back is left behind and remembered: its serial is not
 * touched again until it is gone. Nothing here waits past a deadline, and no lock is held
 * meanwhile.
 */

#include "array/map.h"

struct workers;

/* Before any thread. The same in `array call` as in arrayd. */
int workers_start(struct workers **ret, struct err *e);
void workers_stop(struct workers *w);
/* To be watched: its end means that arrayd must end too. */
int workers_fd(const struct workers *w);

/* As map.h's, from any thread. -EALREADY: an earlier call on that serial is stuck in the kernel. */
int workers_look(struct workers *w, const char *serial, enum array_protocol protocol,
		 struct map_state *ret, struct err *e);
int workers_list(struct workers *w, struct map_list *ret, struct arena *a, struct err *e);
int workers_attach(struct workers *w, const struct map_want *want, int deadline_ms,
		   struct map_state *ret, struct err *e);
int workers_prune(struct workers *w, const struct map_want *want, int deadline_ms, struct err *e);
int workers_ask(struct workers *w, const char *serial, enum array_protocol protocol,
		int deadline_ms, struct err *e);
int workers_detach(struct workers *w, const char *serial, enum array_protocol protocol,
		   int deadline_ms, struct map_left *left, struct err *e);
int workers_forget(struct workers *w, const struct map_left *left, int deadline_ms, struct err *e);
int workers_resize(struct workers *w, const char *serial, enum array_protocol protocol,
		   uint64_t size, int deadline_ms, struct map_state *ret, struct err *e);
int workers_refresh(struct workers *w, const char *serial, enum array_protocol protocol,
		    uint64_t size, int deadline_ms, struct err *e);

struct worker_stuck {
	char serial[ARRAY_SERIAL_LEN + 1];
	pid_t pid;
	int64_t since;
};
size_t workers_stuck(struct workers *w, struct worker_stuck *ret, size_t max);
