/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * Items of the array's answers as fa.h's structs. What is missing but needed is -EPROTO, never a
 * guess; what a user of few rights gets as null is nothing where that does no harm. Memory is @a's.
 * Pure; fuzzed.
 */

#include "array/fa.h"
#include "util/json.h"

/* The items of a list's answer. -EPROTO: it has none. */
int fa_read_items(const json_t *doc, const json_t **ret, struct err *e);

int fa_read_volume(const json_t *item, struct arena *a, struct fa_volume *ret, struct err *e);
int fa_read_snapshot(const json_t *item, struct arena *a, struct fa_snapshot *ret, struct err *e);
int fa_read_connection(const json_t *item, struct arena *a, struct fa_connection *ret,
		       struct err *e);
int fa_read_port(const json_t *item, struct arena *a, struct fa_port *ret, struct err *e);
int fa_read_host(const json_t *item, struct arena *a, struct fa_host *ret, struct err *e);
int fa_read_pod(const json_t *item, struct arena *a, struct fa_pod *ret, struct err *e);
int fa_read_about(const json_t *item, struct arena *a, struct fa_about *ret, struct err *e);
/* GET arrays/space. -EPERM: the user may not see it. */
int fa_read_array_space(const json_t *item, struct fa_space *ret, struct err *e);
/* total 0: the pod has no quota (or no use of it is said). */
void fa_read_pod_space(const json_t *item, struct fa_space *ret);
int fa_read_vgroup_space(const json_t *item, struct fa_space *ret, struct err *e);

/* item.name, "" without. Of @key: the name of the object there ("volume", "host"), "" without. */
const char *fa_read_name(const json_t *item);
const char *fa_read_name_of(const json_t *item, const char *key);
bool fa_read_destroyed(const json_t *item);
