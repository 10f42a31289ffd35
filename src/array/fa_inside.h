/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/* What the files of fa.h share: no other may include it. */

#include <pthread.h>

#include "array/fa.h"
#include "array/fa_query.h"
#include "array/fa_read.h"
#include "array/rest.h"

/* Names that go into one request: 50 of 63 characters are 4 KiB of URL. */
enum { FA_NAMES_AT_ONCE = 50 };

struct fa {
	struct rest *rest;
	char *key; /* what the pool knows it by: holds the token */
	struct fa *next;
	_Atomic bool pod_patterns; /* a filter name='POD::X*' has found something: they work */
	pthread_mutex_t lock;	   /* all below */
	json_t *ports;
	int64_t ports_until;	  /* monotonic ms */
	struct fa_pod_seen *pods; /* fa_pods.c's */
	char *own_id;		  /* NULL: it was not asked yet */
};

/* What an answer of the array says, by whoever it was asked for at @asked (rest_now_ms()). */
void fa_pods_learn(struct fa *f, const json_t *item, int64_t asked);
void fa_own_id_learn(struct fa *f, const char *id);
void fa_pods_free(struct fa *f);

/* Calls @fn for each item of a list, all pages; its first error ends it. @path has its question but
 * for limit and token. */
typedef int (*fa_item_fn)(void *arg, const json_t *item, struct err *e);
int fa_list(struct fa *f, const struct fa_call *c, const char *what, const char *path,
	    fa_item_fn fn, void *arg, struct err *e);

/*
 * A request that changes something, once it is certain what became of it. @look reads the object
 * after an unknown outcome: 0 it is done, FA_AGAIN it is not (the request is sent again), else a
 * definite -errno. Where it gets no answer it returns what fa_list() did, and is called again.
 */
enum { FA_AGAIN = 1 };
struct fa_change {
	struct rest_request request;
	int (*look)(struct fa *f, const struct fa_call *c, void *arg, struct err *e);
	void *arg;
	int64_t began;		 /* monotonic ms, set by fa_change() */
	struct rest_reply reply; /* doc: NULL when @look found it */
};
int fa_change(struct fa *f, const struct fa_call *c, struct fa_change *change, struct err *e);
void fa_change_done(struct fa_change *change);

/* Nothing was learned of the array: it may be asked again. */
bool fa_is_silence(int r);

/* Was what the array created at @created (Unix s) made after @began? Unknown without its clock. */
enum tri fa_made_since(struct fa *f, int64_t created, int64_t began);

/* As fa_volume_get(), for destroyed ones as well. */
int fa_volume_find(struct fa *f, const struct fa_call *c, const char *name, struct arena *a,
		   struct fa_volume *ret, struct err *e);

/* The volume @name as the array answered a change of it; where that says too little, as it is. */
int fa_changed_volume(struct fa *f, const struct fa_call *c, const struct fa_change *change,
		      const char *name, struct arena *a, struct fa_volume *ret, struct err *e);

/* A copy of the items of a VEC in the arena. */
#define fa_keep(a, v)                                                                \
	((v)->n ? memcpy(arena_alloc((a), (v)->n * sizeof(*(v)->items)), (v)->items, \
			 (v)->n * sizeof(*(v)->items))                               \
		: NULL)
