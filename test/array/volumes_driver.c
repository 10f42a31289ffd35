/* SPDX-License-Identifier: AGPL-3.0-or-later */

/*
 * Answers calls as arrayd does, without its socket: volumes_driver ROOT NODE. A line of stdin is
 * "N REQUEST": the request, N times at the same time; its N replies go to stdout, a line each.
 * Files are ROOT/etc/pve, ROOT/lib and ROOT/run; devices are those of standin_workers.c.
 */

#include <pthread.h>
#include <stdio.h>

#include "array/ctx.h"

enum { AT_ONCE_MAX = 64 };

struct job {
	struct array_ctx *ctx;
	struct slice request;
	struct buf reply;
};

static void *run(void *arg)
{
	struct job *j = arg;

	(void)array_call(j->ctx, j->request, &j->reply);
	return NULL;
}

static void answer(struct array_ctx *ctx, size_t n, struct slice request)
{
	struct job jobs[AT_ONCE_MAX] = {};
	pthread_t threads[AT_ONCE_MAX];

	for (size_t i = 0; i < n; i++) {
		jobs[i] = (struct job){ .ctx = ctx, .request = request };
		if (pthread_create(&threads[i], NULL, run, &jobs[i]) != 0)
			abort();
	}
	for (size_t i = 0; i < n; i++) {
		(void)pthread_join(threads[i], NULL);
		(void)fwrite(jobs[i].reply.data, 1, jobs[i].reply.len, stdout);
		buf_done(&jobs[i].reply);
	}
	(void)fflush(stdout);
}

static int open_ctx(struct array_ctx *ret, const struct root *root, const char *path,
		    const char *node)
{
	static char lib[512], run_dir[512], tokens[512];
	struct array_ctx_options o = {
		.root = root, .lib_dir = lib, .run_dir = run_dir, .token_dir = tokens, .node = node
	};
	struct err e = {};
	int r;

	(void)snprintf(lib, sizeof(lib), "%s/lib", path);
	(void)snprintf(run_dir, sizeof(run_dir), "%s/run", path);
	(void)snprintf(tokens, sizeof(tokens), "%s/etc/pve/priv/purestorage", path);
	r = array_ctx_open(ret, &o, &e);
	if (r < 0)
		(void)fprintf(stderr, "%s\n", e.text);
	return r;
}

int main(int argc, char **argv)
{
	struct array_ctx ctx;
	struct root root;
	char *line = NULL;
	size_t room = 0;
	ssize_t len;

	if (argc != 3 || root_open(&root, argv[1], NULL) < 0 ||
	    open_ctx(&ctx, &root, argv[1], argv[2]) < 0)
		return 64;
	while ((len = getline(&line, &room, stdin)) > 0) {
		char *request = NULL;
		size_t n = strtoul(line, &request, 10);

		if (n == 0 || n > AT_ONCE_MAX || *request != ' ')
			return 64;
		request++;
		answer(&ctx, n, slice_of(request));
	}
	free(line);
	array_ctx_close(&ctx);
	root_close(&root);
	return 0;
}
