/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * One request of the Perl adapter, and its answer: docs/array.md, 4 has the methods. The same
 * function serves arrayd, from many threads, and `pvewarden array call`. A request never throws
 * away what it did: it can be cut by Proxmox at any moment and be asked again.
 */

#include "array/apitoken.h"
#include "array/fa.h"
#include "array/memo.h"
#include "array/registry.h"
#include "array/told.h"
#include "array/worker.h"
#include "pve/root.h"
#include "util/jsonw.h"

struct array_ctx {
	const struct root *root; /* /proc, /sys, /etc/iscsi */
	struct pvefs *pve;	 /* /etc/pve */
	struct apitokens *tokens;
	struct fa_pool *pool;
	struct registry *registry;
	struct workers *workers;
	const char *node;
	const char *run_dir;	 /* /run/pvewarden/array */
	struct array_memo *memo; /* answers that serve many callers */
	struct tolds *tolds;	 /* what path() has said */
};

/* @reply gets one JSON object and a newline, whatever happens. Returns 0 if it says ok, else
 * -errno. */
int array_call(struct array_ctx *ctx, struct slice request, struct buf *reply);

/* ---- inside: what a method gets ---- */
struct call {
	struct array_ctx *ctx;
	struct array_conf conf;
	const json_t *request; /* all of it; secrets are in it */
	const json_t *args;
	struct arena arena; /* the request's memory */
	struct fa *arrays[ARRAY_ADDRESSES_MAX];
	size_t n_arrays;
	struct fa_call fa; /* deadline and log */
	/* The method writes at most one member with the key "result"; without one it is null. What
	 * was written is thrown away when the method fails. */
	struct jsonw *out;
	int debug;
	const char *node;     /* of the request */
	struct call_log *log; /* call_log()'s */
};

struct call_method {
	const char *name;
	int (*run)(struct call *c, struct err *e);
	int deadline_ms; /* facts A4: below Proxmox' own */
	bool no_array;	 /* needs no address or token */
	bool changes;	 /* volumes or snapshots of the array: said when done, at every level */
};
/* Each file of methods has its table; call.c joins them. */
extern const struct call_method call_storage_methods[], call_volume_methods[],
	call_snapshot_methods[], call_map_methods[];

/* A line for Proxmox' log: 1..3 as `debug` (dropped above it), and what is always told. Any thread.
 */
enum { CALL_LOG_ERROR = -2, CALL_LOG_INFO = -1, CALL_LOG_WARNING = 0 };

void call_log(struct call *c, int level, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* Arguments, with a sentence when missing or of a wrong type. */
int call_str(struct call *c, const char *key, const char **ret, struct err *e);
int call_u64(struct call *c, const char *key, uint64_t *ret, struct err *e);
bool call_flag(struct call *c, const char *key);
const char *call_opt(struct call *c, const char *key); /* NULL without, or empty */
/* Whether @what is said for the first time in @every_ms. */
bool call_is_news(struct call *c, const char *what, int every_ms);
/* "volname", taken apart; *ret is the name as it was given. */
int call_volname(struct call *c, const char **ret, struct array_volname *parsed, struct err *e);

/* Milliseconds that are left of the request's time, less @reserve_ms; 0 when it is over. */
int call_left(const struct call *c, int reserve_ms);

/*
 * Asks the arrays in order until one answers: state lives on all arrays of a pod alike, and a
 * volume outside of a pod on the first array alone (facts B3). Another array is asked only when one
 * was not reached, refused the login, or gave no answer of its own. Of either the pod has to be
 * online there: one that has no such pod would call everything missing, and one that is back from
 * an outage tells of the time before until it is in step again. An error that an array itself said
 * ends it, and so does -EINPROGRESS. All but the last may be silent for a part of the time alone,
 * and one that was silent before is the last.
 */
int call_first(struct call *c, int (*fn)(struct fa *, void *arg, struct err *), void *arg,
	       struct err *e);

/* The same where @fn asks for the pod itself, which says whether it is online. */
int call_first_pod(struct call *c, int (*fn)(struct fa *, void *arg, struct err *), void *arg,
		   struct err *e);

/* The arrays that a volume of this storage is connected on: all with a pod, else the first. */
size_t call_arrays(const struct call *c);

/* None of them has answered of late (fa_was_silent()). */
bool call_is_silent(const struct call *c);

/* What is remembered under "WHAT URL ..." of any array of this storage is asked anew: other
 * sections may have the same volumes, and the same arrays in another order. */
void call_forget(struct call *c, const char *what);

/* For tests: the engine with methods of the caller's, ended by one without a name. */
int array_call_with(struct array_ctx *ctx, const struct call_method *const *tables, size_t n_tables,
		    struct slice request, struct buf *reply);
