/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/* The methods of call_volume_methods that have files of their own, and what these share. */

#include "array/call.h"

/* A guest's number. */
int call_vmid(struct call *c, const char *key, uint32_t *ret, struct err *e);

int call_free(struct call *c, struct err *e);
int call_rename(struct call *c, struct err *e);
int call_create_base(struct call *c, struct err *e);
int call_attribute_get(struct call *c, struct err *e);
int call_attribute_set(struct call *c, struct err *e);

/* 1: the volume has its tag "protected"; 0, also where the array knows no tags. */
int call_is_protected(struct call *c, const char *full, struct err *e);
