/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * Memory for bodies and replies, from the moment they come until the reply is sent: one sum for
 * all, and a share of it that no org, or no stranger's address, may pass, so that a flood of one
 * leaves room for the others. Connections are counted the same way. Safe for several threads.
 */

#include "util/base.h"

struct budget;
struct budget *budget_new(size_t total, size_t per_org);
void budget_free(struct budget *b);

/* False: that would be too much now. */
bool budget_take(struct budget *b, const char *org, size_t n);
void budget_give(struct budget *b, const char *org, size_t n);

/* What one org may take. */
size_t budget_share(const struct budget *b);

size_t budget_used(struct budget *b);
