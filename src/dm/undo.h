/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * The undo journal: what cleaning is about to take away, on disk before it is taken. One file for
 * each run, which only ever grows, a JSON object on each line:
 *
 *	{"schema": "pvewarden.dm-undo/1", "node", "boot_id", "time", "pid"}
 *	{"record": "intent", "n": 1, "step": "remove", "name", "uuid", "table": [...], ...}
 *	{"record": "done", "n": 1, "time"}     also: skipped, failed, restoring, restored
 *
 * A line that a crash has torn was not acted upon yet: the act comes after the line's fsync. An
 * intent without an end may or may not have been carried out; the kernel knows.
 */

#include "blk/identity.h"
#include "dm/plan.h"

#define DM_UNDO_DIR "var/lib/pvewarden/dm/undo"

enum { DM_UNDO_KEEP = 200, DM_UNDO_BYTES_MAX = 64 * 1024 * 1024 };

enum dm_undo_state {
	DM_UNDO_INTENDED,
	DM_UNDO_DONE,
	DM_UNDO_SKIPPED,
	DM_UNDO_FAILED,
	DM_UNDO_RESTORING,
	DM_UNDO_RESTORED,
};

struct dm_undo_entry {
	unsigned int n;	 /* counts from 1 */
	unsigned int of; /* the entry that this one was removed for, 0: for itself */
	enum dm_step step;
	struct dm_dev dev;	      /* as it was: name, UUID, mode, table */
	struct blk_identity *parents; /* of each device in the table */
	size_t n_parents;
	const char *class;
	uint32_t vmid;
	const char *vg_name, *vg_uuid, *lv_name, *lv_uuid; /* NULL where there is none */
	uint64_t vg_seqno;
	enum dm_undo_state state;
	const char *text; /* why it was skipped or failed, NULL otherwise */
	int64_t time;
};

struct dm_undo_run {
	const char *id; /* the file's name without ".jsonl" */
	const char *node, *boot_id;
	int64_t time;
	struct dm_undo_entry *items; /* VEC() */
	size_t n, cap;
	size_t torn; /* lines that a crash cut off, or that speak of what such a line held */
	struct arena arena;
};

/* Newest last, without files of other names. Fails only when the folder is there and cannot be
 * read. */
struct dm_undo_ids {
	const char **items; /* VEC() */
	size_t n, cap;
	struct arena arena;
};
int dm_undo_list(struct dm_undo_ids *ret, const struct root *root, struct err *e);
void dm_undo_ids_done(struct dm_undo_ids *ids);

/* -ENOENT: no such run. -EBADMSG: it is no undo journal, with file and line. */
int dm_undo_read(struct dm_undo_run *ret, const struct root *root, const char *id, struct err *e);
int dm_undo_parse(struct dm_undo_run *ret, struct slice text, const char *id, struct err *e);
void dm_undo_done(struct dm_undo_run *run);

/* Writing. A zeroed writer has no file yet. */
struct dm_undo_writer {
	int fd; /* -1 or 0: none */
	char id[64];
	unsigned int n; /* entries so far */
	bool failed;	/* a line could not be written: none follows */
};

/* Begins a run's file: made, and on disk. */
int dm_undo_create(struct dm_undo_writer *w, const struct root *root, const struct node *node,
		   struct err *e);
/* Goes on with an old run's file. */
int dm_undo_append(struct dm_undo_writer *w, const struct root *root, const char *id,
		   struct err *e);
void dm_undo_close(struct dm_undo_writer *w);

/* JSON can hold names and table as they are: they are UTF-8. */
bool dm_undo_can_hold(const struct dm_dev *dev);

/* Each is on disk when it returns 0. dm_undo_intend() numbers the entry; -EILSEQ: the journal
 * cannot hold it. */
int dm_undo_intend(struct dm_undo_writer *w, struct dm_undo_entry *entry, struct err *e);
int dm_undo_mark(struct dm_undo_writer *w, unsigned int n, enum dm_undo_state state,
		 const char *text, struct err *e);

/* What the kernel calls this boot; "" if it does not say. */
const char *dm_boot_id(const struct root *root, struct arena *a);
