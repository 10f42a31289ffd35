/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * The API tokens that a storage keeps outside of storage.cfg, for each call: from their file, or
 * what that said last while /etc/pve does not answer, so that what needs nothing else of it goes on
 * (status, path, activation). An older token opens no other array than it did.
 */

#include "array/pvefs.h"

struct apitokens;

struct apitokens *apitokens_new(void);
void apitokens_free(struct apitokens *t);

/* 1: *@ret has them; 0: there is no such file; -ETIMEDOUT: /etc/pve does not answer and never did.
 * The caller wipes @ret. */
int apitokens_read(struct apitokens *t, struct pvefs *p, const char *storage, struct buf *ret,
		   struct err *e);
