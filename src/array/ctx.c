/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "array/ctx.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "util/file.h"

enum { CONNECTIONS = 4, NODE_MAX = 64 };

static int node_name(const struct array_ctx_options *o, char ret[NODE_MAX], struct err *e)
{
	if (o->node)
		(void)snprintf(ret, NODE_MAX, "%s", o->node);
	else if (gethostname(ret, NODE_MAX) < 0)
		return err_set(e, -errno, "the name of this node: %s", strerror(errno));
	ret[NODE_MAX - 1] = '\0';
	ret[strcspn(ret, ".")] = '\0';
	return *ret ? 0 : err_set(e, -ENODEV, "this node has no name");
}

static int open_registry(struct array_ctx *ctx, const struct array_ctx_options *o, struct err *e)
{
	CLEANUP(buf_done) struct buf boot_id = {};
	struct registry_dir dir = { .lib = o->lib_dir ? o->lib_dir : "/var/lib/pvewarden/array",
				    .run = ctx->run_dir };
	int ret = root_read_line(ctx->root, "proc/sys/kernel/random/boot_id", &boot_id);

	if (ret)
		return err_set(e, ret, "/proc/sys/kernel/random/boot_id: %s", strerror(-ret));
	dir.boot_id = buf_str(&boot_id);
	return registry_open(&ctx->registry, &dir, e);
}

static int open_pool(struct array_ctx *ctx, const struct array_ctx_options *o, struct err *e)
{
	CLEANUP_FREE char *private_dir = xmalloc(strlen(ctx->run_dir) + sizeof("/token"));
	struct fa_options options = {
		.token_dir = o->token_dir ? o->token_dir : "/etc/pve/priv/purestorage",
		.private_dir = private_dir,
		.max_connections = o->max_connections ? o->max_connections : CONNECTIONS,
	};
	int ret;

	(void)sprintf(private_dir, "%s/token", ctx->run_dir);
	ret = file_mkdirs(AT_FDCWD, private_dir, 0700);
	if (ret)
		return err_set(e, ret, "%s: %s", private_dir, strerror(-ret));
	return fa_pool_open(&ctx->pool, &options, e);
}

int array_ctx_open(struct array_ctx *ret, const struct array_ctx_options *o, struct err *e)
{
	char node[NODE_MAX];
	int error = node_name(o, node, e);

	if (error)
		return error;
	*ret = (struct array_ctx){ .root = o->root,
				   .run_dir = o->run_dir ? o->run_dir : "/run/pvewarden/array" };
	error = workers_start(&ret->workers, e);
	ret->node = xstrdup(node);
	ret->memo = array_memo_new();
	ret->tolds = tolds_new();
	ret->pve = pvefs_open(o->root);
	ret->tokens = apitokens_new();
	if (error == 0)
		error = open_registry(ret, o, e);
	if (error == 0)
		error = open_pool(ret, o, e);
	if (error)
		array_ctx_close(ret);
	return error;
}

void array_ctx_close(struct array_ctx *ctx)
{
	if (ctx->pool)
		fa_pool_close(ctx->pool);
	registry_close(ctx->registry);
	if (ctx->workers)
		workers_stop(ctx->workers);
	array_memo_free(ctx->memo);
	tolds_free(ctx->tolds);
	apitokens_free(ctx->tokens);
	pvefs_close(ctx->pve);
	free((void *)(uintptr_t)ctx->node);
	*ctx = (struct array_ctx){};
}
