/* SPDX-License-Identifier: AGPL-3.0-or-later */

/*
 * What the scripts of test/array/ drive: the calls of docs/array.md with played devices
 * (map_played.c), in a folder that is the node.
 *
 *   calls_driver ROOT NODE
 *
 * A line on stdin is a request and its reply one line on stdout; a list of requests is made all at
 * once, each in a thread, and answered by the list of their replies. The line "heal" has all mended
 * that can be, and is answered by what was found. With PLAYED_PUBLISHER in its environment it does
 * unasked what the service does: array.json, and healing.
 */

#include <pthread.h>
#include <stdio.h>

#include "array/ctx.h"
#include "array/heal.h"
#include "array/publisher.h"
#include "util/clock.h"
#include "util/json.h"
#include "util/jsonw.h"
#include "util/str.h"

enum { THREADS_MAX = 64 };

struct job {
	struct array_ctx *ctx;
	char *request;
	struct buf reply;
};

static void *run(void *arg)
{
	struct job *j = arg;

	(void)array_call(j->ctx, slice_of(j->request), &j->reply);
	return NULL;
}

static void run_list(struct array_ctx *ctx, const json_t *list)
{
	struct job jobs[THREADS_MAX] = {};
	pthread_t threads[THREADS_MAX];
	size_t n = json_array_size(list);

	for (size_t i = 0; i < n && i < THREADS_MAX; i++) {
		jobs[i] = (struct job){ .ctx = ctx,
					.request = json_dumps(json_array_get(list, i), 0) };
		if (pthread_create(&threads[i], NULL, run, &jobs[i]))
			abort();
	}
	(void)putchar('[');
	for (size_t i = 0; i < n && i < THREADS_MAX; i++) {
		(void)pthread_join(threads[i], NULL);
		printf("%s%.*s", i ? "," : "", SLICE_ARG(slice_rtrim(buf_slice(&jobs[i].reply))));
		buf_done(&jobs[i].reply);
		free(jobs[i].request);
	}
	printf("]\n");
}

static void run_heal(struct array_ctx *ctx)
{
	CLEANUP(survey_done) struct survey s = {};
	CLEANUP(findings_done) struct findings f = {};
	CLEANUP(mends_done) struct mends m = {};
	CLEANUP(buf_done) struct buf out = {};
	struct jsonw w;

	survey_make(&s, ctx, NULL, false, clock_mono_ms() + 20000);
	findings_of(&f, &s);
	mends_of(&m, &s, &f, finding_heals, NULL);
	jsonw_begin_row(&w, &out);
	jsonw_array(&w, "found");
	for (size_t i = 0; i < f.n; i++)
		jsonw_str(&w, NULL, f.items[i].what);
	jsonw_close(&w);
	jsonw_array(&w, "mended");
	for (size_t i = 0; i < m.n; i++)
		jsonw_i64(&w, NULL, heal_one(ctx, &m.items[i], NULL));
	jsonw_close(&w);
	jsonw_end(&w);
	printf("%.*s\n", SLICE_ARG(slice_rtrim(buf_slice(&out))));
}

static void run_line(struct array_ctx *ctx, char *line)
{
	struct job job = { .ctx = ctx, .request = line };
	json_t *doc = NULL;

	if (*line == '[' && json_parse(slice_of(line), "the list", &doc, NULL) == 0) {
		run_list(ctx, doc);
	} else if (strcmp(line, "\"heal\"\n") == 0) {
		run_heal(ctx);
	} else {
		(void)run(&job);
		printf("%s", buf_str(&job.reply));
		buf_done(&job.reply);
	}
	json_decref(doc);
	(void)fflush(stdout);
}

int main(int argc, char *argv[])
{
	char lib[256], run_dir[256], token[256], *line = NULL;
	struct root root;
	struct publisher *publisher = NULL;
	struct array_ctx ctx;
	struct array_ctx_options o = {
		.root = &root, .lib_dir = lib, .run_dir = run_dir, .token_dir = token
	};
	struct err e = {};
	size_t size = 0;

	if (argc != 3 || root_open(&root, argv[1], &e))
		return 64;
	o.node = argv[2];
	(void)snprintf(lib, sizeof(lib), "%s/var/lib/pvewarden/array", argv[1]);
	(void)snprintf(run_dir, sizeof(run_dir), "%s/run/pvewarden/array", argv[1]);
	(void)snprintf(token, sizeof(token), "%s/etc/pve/priv/purestorage", argv[1]);
	if (array_ctx_open(&ctx, &o, &e)) {
		fprintf(stderr, "calls_driver: %s\n", e.text);
		return 1;
	}
	if (getenv("PLAYED_PUBLISHER") && publisher_start(&publisher, &ctx, &e)) {
		fprintf(stderr, "calls_driver: %s\n", e.text);
		return 1;
	}
	while (getline(&line, &size, stdin) > 0)
		run_line(&ctx, line);
	free(line);
	if (!publisher_stop(publisher))
		return 1;
	array_ctx_close(&ctx);
	root_close(&root);
	return 0;
}
