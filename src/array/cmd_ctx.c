/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "array/cmd_ctx.h"

#include <errno.h>
#include <unistd.h>

#include "array/root_check.h"

const char *array_session_path(const struct cli *cli, const char *path, struct arena *a)
{
	const char *root = cli_value(cli, "root");

	return root && strcmp(root, "/") != 0 ? arena_fmt(a, "%s%s", root, path) : path;
}

int array_session_begin(struct array_session *ret, const struct cli *cli, struct err *e)
{
	struct arena *a = &ret->arena;
	struct array_ctx_options o;
	int r;

	*ret = (struct array_session){};
	if (geteuid() != 0 && !cli_has(cli, "root"))
		return err_set(e, -EPERM, "this is for root");
	r = root_open(&ret->root, cli_value(cli, "root"), e);
	if (r == 0)
		r = array_root_check(&ret->root, e);
	if (r < 0) {
		root_close(&ret->root);
		return r;
	}
	o = (struct array_ctx_options){
		.root = &ret->root,
		.lib_dir = array_session_path(cli, "/var/lib/pvewarden/array", a),
		.run_dir = array_session_path(cli, "/run/pvewarden/array", a),
		.token_dir = array_session_path(cli, "/etc/pve/priv/purestorage", a),
		.node = cli_value(cli, "node"),
	};
	r = array_ctx_open(&ret->ctx, &o, e);
	if (r < 0)
		root_close(&ret->root);
	return r;
}

void array_session_end(struct array_session *s)
{
	array_ctx_close(&s->ctx);
	root_close(&s->root);
	arena_done(&s->arena);
}
