/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "array/keep.h"

#include <strings.h>

#include "array/secret.h"

enum { CHANGE_MS = 5000 }; /* a write goes through all nodes of the cluster */

struct job {
	int (*op)(struct job *j, const struct root *root, struct err *e);
	struct array_conf conf; /* its storage and tokens */
	const char *run_dir;
	struct buf text;
	struct arena arena;
};

static int run(void *arg, const struct root *root, struct err *e)
{
	struct job *j = arg;

	return j->op(j, root, e);
}

static void drop(void *arg)
{
	struct job *j = arg;

	buf_wipe(&j->text);
	for (size_t i = 0; i < j->conf.n_addresses; i++)
		explicit_bzero((char *)(uintptr_t)j->conf.addresses[i].token,
			       strlen(j->conf.addresses[i].token));
	arena_done(&j->arena);
	free(j);
}

static int op_write(struct job *j, const struct root *root, struct err *e)
{
	return secret_write(root, &j->conf, e);
}

static int op_remove(struct job *j, const struct root *root, struct err *e)
{
	return secret_remove(root, j->conf.storage, e);
}

static int op_remove_sessions(struct job *j, const struct root *root, struct err *e)
{
	return secret_remove_sessions(root, j->run_dir, j->conf.storage, e);
}

static int op_read(struct job *j, const struct root *root, struct err *e)
{
	return secret_read(root, j->conf.storage, &j->text, e);
}

static int keep(struct call *c, int (*op)(struct job *j, const struct root *root, struct err *e),
		struct buf *ret, struct err *e)
{
	struct job *j = xcalloc(1, sizeof(*j));
	void *job = j;
	int r;

	j->op = op;
	j->run_dir = arena_str(&j->arena, slice_of(c->ctx->run_dir));
	j->conf.storage = arena_str(&j->arena, slice_of(c->conf.storage));
	j->conf.n_addresses = c->conf.n_addresses;
	for (size_t i = 0; i < c->conf.n_addresses; i++)
		j->conf.addresses[i].token =
			arena_str(&j->arena, slice_of(c->conf.addresses[i].token));
	r = pvefs_run(c->ctx->pve, run, drop, &job, op == op_read ? PVEFS_FILE_MS : CHANGE_MS, e);
	if (!job)
		return r;
	if (ret && r > 0)
		buf_add(ret, j->text.data, j->text.len);
	drop(j);
	return r;
}

int keep_write(struct call *c, struct err *e)
{
	return keep(c, op_write, NULL, e);
}

int keep_remove(struct call *c, struct err *e)
{
	return keep(c, op_remove, NULL, e);
}

int keep_remove_sessions(struct call *c, struct err *e)
{
	return keep(c, op_remove_sessions, NULL, e);
}

int keep_read(struct call *c, struct buf *ret, struct err *e)
{
	return keep(c, op_read, ret, e);
}
