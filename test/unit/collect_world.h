/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/* A cluster of three nodes made of files, seen from pve1: whole cycles of the agent over it. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "agent/collect.h"
#include "authorities.h"
#include "test_pve_tree.h"
#include "util/json.h"

#define NOW "2026-11-21T14:00:00Z"

/* That 102 runs. */
#define SCOPE "sys/fs/cgroup/qemu.slice/102.scope/cgroup.procs"

struct world {
	struct tree tree;
	struct picture picture;
	struct collect_answer answer;
	struct collect_ask ask;
	json_t *doc, *posts;
};

void world_make(struct world *w);
void world_done(struct world *w);

/* A cycle whose texts are JSON. */
void world_cycle(struct world *w);
/* What the cycle before it said. */
void world_forget(struct world *w);

/* Files of /etc/pve that change; @more are further guests of the list. */
void write_members(const struct tree *t, int quorate);
void write_vmlist(const struct tree *t, int version_of_100, const char *more);
void write_version(const struct tree *t, int starttime, int vmlist);

/* The row of a list of the document; the body of the i-th post, which goes to @path. */
json_t *row_of(json_t *doc, const char *list, int vmid);
json_t *post(const struct world *w, size_t i, const char *path);

/* @expected as it stands in the sources, compared as JSON. */
void assert_json(json_t *v, const char *expected);
void assert_member(json_t *obj, const char *key, const char *expected);
