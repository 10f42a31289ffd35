/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * Memory for bodies, from the moment they are announced until they are answered: one sum for all,
 * and a share of it that no org may pass, so that a flood of one leaves room for the others. Safe
 * for several threads.
 */

#include "util/base.h"

struct budget;
struct budget *budget_new(size_t total, size_t per_org);
void budget_free(struct budget *b);

/* False: that would be too much now. */
bool budget_take(struct budget *b, const char *org, size_t n);
void budget_give(struct budget *b, const char *org, size_t n);

size_t budget_used(struct budget *b);
