/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * One request of the Perl adapter, and its answer: docs/array.md, 4 has the methods. The same
 * function serves arrayd, from many threads, and `pvewarden array call`. A request never throws
 * away what it did: it can be cut by Proxmox at any moment and be asked again.
 */

#include "array/fa.h"
#include "array/registry.h"
#include "array/worker.h"
#include "pve/root.h"
#include "util/jsonw.h"

struct array_ctx {
	const struct root *root; /* /etc/pve, /proc */
	struct fa_pool *pool;
	struct registry *registry;
	struct workers *workers;
	const char *node;
	const char *run_dir;	 /* /run/pvewarden/array */
	struct array_memo *memo; /* answers that serve many callers: status; array_memo_new() */
};

struct array_memo *array_memo_new(void);
void array_memo_free(struct array_memo *m);

/* @reply gets one JSON object and a newline, whatever happens. Returns 0 if it says ok, else
 * -errno. */
int array_call(struct array_ctx *ctx, struct slice request, struct buf *reply);

/* ---- inside: what a method gets ---- */
struct call {
	struct array_ctx *ctx;
	struct array_conf conf;
	const json_t *args;
	struct arena arena; /* the request's memory */
	struct fa *arrays[ARRAY_ADDRESSES_MAX];
	size_t n_arrays;
	struct fa_call fa; /* deadline and log */
	struct jsonw *out; /* the value of "result": exactly one is written on success */
	int debug;
	void *log; /* call_log()'s */
};

struct call_method {
	const char *name;
	int (*run)(struct call *c, struct err *e);
	int deadline_ms; /* facts A4: below Proxmox' own */
	bool no_array;	 /* needs no address or token */
};
/* Each file of methods has its table; call.c joins them. */
extern const struct call_method call_storage_methods[], call_volume_methods[],
	call_snapshot_methods[], call_map_methods[];

/* A line for Proxmox' log: level 0 warning, 1..3 as `debug` (dropped below it). */
void call_log(struct call *c, int level, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* Arguments, with a sentence when missing or of a wrong type. */
int call_str(struct call *c, const char *key, const char **ret, struct err *e);
int call_u64(struct call *c, const char *key, uint64_t *ret, struct err *e);
bool call_flag(struct call *c, const char *key);
const char *call_opt(struct call *c, const char *key); /* NULL without */

/*
 * Asks the arrays in order until one answers: state lives on all arrays of a pod alike, and a
 * vgroup's on the first (facts B3). An error that the array itself said ends it.
 */
int call_first(struct call *c, int (*fn)(struct fa *, void *arg, struct err *), void *arg,
	       struct err *e);
