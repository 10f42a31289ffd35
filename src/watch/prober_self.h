/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/* A forked child's appearance and its share of its parent's memory. */

#include "util/base.h"

/* What the kernel says of where this process' things lie; zeros when it does not say. */
struct prober_self {
	uintptr_t heap, args, args_end;
};

/* Before the sandbox, which has no /proc. */
struct prober_self prober_self_find(void);

/* "pvewarden: guest 100" for ps, "guest 100" for its short name. As far as there is room. */
void prober_self_rename(const struct prober_self *self, uint32_t vmid);

/*
 * Gives the parent's heap back: as the parent goes on writing, each page of it would become the
 * child's own. After this nothing in the child may use malloc or what libc once took from it.
 */
void prober_self_drop_heap(const struct prober_self *self);
