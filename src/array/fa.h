/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * One FlashArray: what the others ask of it, in their words. Below it array/rest.h speaks REST 2.x
 * with one session for all; no other file knows a URL or a JSON member of the array's. Every call
 * may come from any thread, and waits until its deadline at most.
 *
 * Errors, with a sentence that names array, object and what the array said:
 *   -ENOENT        it says that there is no such object (never because it did not answer)
 *   -EEXIST        the name is taken (by a destroyed object too), or the connection is there
 *   -ESTALE        the object is destroyed, not yet eradicated
 *   -EPERM         the token may not do this (403)         -EKEYREJECTED  login refused
 *   -EINVAL        refused for another reason, in its words (400)
 *   -EDQUOT        over a quota
 *   -EAGAIN        busy (429, 503) until the deadline: nothing was done
 *   -EHOSTUNREACH  not reached: nothing was done            -EPROTO  not a FlashArray's answer
 *   -ENOTSUP       no version of REST that both speak
 *   -EINPROGRESS   sent, and no answer: it may be done. Only after the object was read again until
 *                  the deadline without an answer; otherwise a call that changes something finds
 * out
 *
 * A call that fails leaves *ret alone. "Unknown" is never an empty list.
 */

#include "array/conf.h"
#include "util/buf.h"

struct fa;
struct fa_pool;

/* Where a session's token is kept for other processes and nodes: docs/array.md, 5. */
struct fa_options {
	const char *token_dir;	 /* /etc/pve/priv/purestorage; NULL: none */
	const char *private_dir; /* /run/pvewarden/array/token: when that one cannot be written */
	const char *ca_file;	 /* whom check_ssl trusts; NULL: the system's */
	int max_connections;	 /* per array; 0: 4 */
	/* A line for the request's log: level 1..3 (see `debug`), 0 warning. May be NULL. Several
	 * threads may call it at once, as struct fa_call's. */
	void (*log)(void *arg, int level, const char *line);
	void *log_arg;
};

/* The pool keeps one struct fa an address and token; it lives as long as the process. SIGPIPE is
 * ignored from then on, if nobody handles it: an array may close a connection at any time. */
int fa_pool_open(struct fa_pool **ret, const struct fa_options *o, struct err *e);
void fa_pool_close(struct fa_pool *p);

/* The arrays of @c in its order, made when first asked for. Owned by the pool. */
int fa_pool_get(struct fa_pool *p, const struct array_conf *c, struct fa **ret, size_t *n,
		struct err *e);

const char *fa_url(const struct fa *f);

/* A request waited in vain for an answer in the last minute, or, where another array can be asked,
 * as long as it may for it to be no more busy, or reached nobody with each of its tries; and none
 * has had an answer since. Known to all callers of the pool. */
bool fa_was_silent(const struct fa *f);

/* How a call is bounded, and where its log lines go; one for each request. */
struct fa_call {
	int64_t deadline; /* CLOCK_MONOTONIC, ms */
	/* Another array can be asked instead, or is at it as well: this one may be silent so long,
	 * once. What changes something has no less time for that once it was sent, as it may have
	 * been done then. 0: until the deadline. */
	int patience_ms;
	/* With it an answer to a question is waited for beyond patience_ms, as long as there is
	 * time and this does not say that it is enough: it is asked now and then. NULL: never. */
	bool (*enough)(void *arg, int64_t waited_ms);
	void *enough_arg;
	bool beside; /* asked beside another one: that it was too slow says nothing of it */
	void (*log)(void *arg, int level, const char *line); /* NULL: the pool's */
	void *log_arg;
};

/* Runs @fn once an array at the same time, each in a thread of its own, and waits for all. ret[i]
 * is what the i-th returned, e[i] its sentence. One array: in the caller's thread. */
void fa_each(struct fa *const *arrays, size_t n, int (*fn)(struct fa *, void *arg, struct err *),
	     void *arg, int *ret, struct err *e);

/* @c for one of @n arrays that are asked at the same time: where there are several, the others do
 * not wait long for one that is silent, and shortly for one that was. */
struct fa_call fa_call_beside(const struct fa *f, const struct fa_call *c, size_t n);
/* The same for a single one whose caller has others waiting. */
struct fa_call fa_call_short(const struct fa *f, const struct fa_call *c);

/* ---- volumes ---- */
struct fa_volume {
	const char *name, *id, *serial;
	uint64_t size, used; /* provisioned, space.total_used */
	int64_t created;     /* seconds */
	bool destroyed;
	const char *source;    /* name, at that time, of what it was copied from; NULL */
	const char *source_id; /* NULL: not said */
	uint64_t connections;  /* connection_count; UINT64_MAX: not said */
};
struct fa_volumes {
	struct fa_volume *items;
	size_t n;
};

/* By the array's filter, and compared here again. @names: exact names; NULL with @like, a prefix
 * ("vg/vm-100-"). Destroyed ones only if @destroyed. All pages. Memory is @a's. */
int fa_volumes_list(struct fa *f, const struct fa_call *c, const char *const *names, size_t n_names,
		    const char *like, bool destroyed, struct arena *a, struct fa_volumes *ret,
		    struct err *e);
/* Those of any of @n prefixes, which are of one pod or volume group; none: all. One request. */
int fa_volumes_like(struct fa *f, const struct fa_call *c, const char *const *likes, size_t n,
		    bool destroyed, struct arena *a, struct fa_volumes *ret, struct err *e);
/* Under whatever name it has now, destroyed ones apart. -ENOENT. */
int fa_volume_by_serial(struct fa *f, const struct fa_call *c, const char *serial, struct arena *a,
			struct fa_volume *ret, struct err *e);
/* One. -ENOENT, -ESTALE as above. */
int fa_volume_get(struct fa *f, const struct fa_call *c, const char *name, struct arena *a,
		  struct fa_volume *ret, struct err *e);

struct fa_new_volume {
	const char *name;
	uint64_t size;	    /* 0 with @source */
	const char *source; /* volume, or VOLUME.SUFFIX; NULL */
	/* @name is there and takes the source's content: rollback. Whether it has cannot be read:
	 * -EINPROGRESS after a timeout, or if the source is no snapshot. */
	bool overwrite;
	uint64_t qos_iops, qos_bandwidth;
};
/* After -EINPROGRESS inside: the volume is read, and is ours if its size or source are what was
 * asked for and it was created since. */
int fa_volume_create(struct fa *f, const struct fa_call *c, const struct fa_new_volume *v,
		     struct arena *a, struct fa_volume *ret, struct err *e);
/* The volume as it is then. -EINVAL also for less than it has: the array makes none smaller that is
 * not asked to "truncate". */
int fa_volume_resize(struct fa *f, const struct fa_call *c, const char *name, uint64_t size,
		     struct arena *a, struct fa_volume *ret, struct err *e);
int fa_volume_rename(struct fa *f, const struct fa_call *c, const char *name, const char *to,
		     struct err *e);
/* Destroyed already is success. */
int fa_volume_destroy(struct fa *f, const struct fa_call *c, const char *name, struct err *e);
int fa_volume_recover(struct fa *f, const struct fa_call *c, const char *name, struct err *e);
/* 1: the array does not allow it now (SafeMode): it goes by itself later. */
int fa_volume_eradicate(struct fa *f, const struct fa_call *c, const char *name, struct err *e);
/* Notes, protection and origin of a volume are its tags, namespace "pvewarden". value NULL: none.
 */
int fa_tag_get(struct fa *f, const struct fa_call *c, const char *volume, const char *key,
	       struct buf *ret, struct err *e); /* -ENODATA */
int fa_tag_set(struct fa *f, const struct fa_call *c, const char *volume, const char *key,
	       const char *value, struct err *e);

/* ---- snapshots ---- */
struct fa_snapshot {
	const char *name, *suffix, *volume, *id;
	uint64_t size;
	int64_t created;
	bool destroyed;
};
struct fa_snapshots {
	struct fa_snapshot *items;
	size_t n;
};

int fa_snapshots_list(struct fa *f, const struct fa_call *c, const char *const *volumes, size_t n,
		      bool destroyed, struct arena *a, struct fa_snapshots *ret, struct err *e);
/* By VOLUME.SUFFIX, destroyed ones too. */
int fa_snapshots_named(struct fa *f, const struct fa_call *c, const char *const *names, size_t n,
		       struct arena *a, struct fa_snapshots *ret, struct err *e);
/* One, by VOLUME.SUFFIX. -ENOENT, -ESTALE. */
int fa_snapshot_get(struct fa *f, const struct fa_call *c, const char *name, struct arena *a,
		    struct fa_snapshot *ret, struct err *e);
/* All of @volumes at one moment, in one call. -EEXIST: one of them has that suffix; nothing made.
 */
int fa_snapshot_create(struct fa *f, const struct fa_call *c, const char *const *volumes, size_t n,
		       const char *suffix, struct arena *a, struct fa_snapshots *ret,
		       struct err *e);
/* Destroyed and, where the array allows it, eradicated (1: not allowed now). @names: VOLUME.SUFFIX;
 * those that are gone already are success. */
int fa_snapshot_delete(struct fa *f, const struct fa_call *c, const char *const *names, size_t n,
		       struct err *e);
int fa_snapshot_rename(struct fa *f, const struct fa_call *c, const char *name, const char *suffix,
		       struct err *e);
/* Destroyed then, under another suffix, whether it was destroyed before or not; its old one is
 * free. It is live for a moment in between. */
int fa_snapshot_set_aside(struct fa *f, const struct fa_call *c, const struct fa_snapshot *s,
			  const char *suffix, struct err *e);

/* ---- connections ---- */
struct fa_connection {
	const char *volume, *volume_id; /* id NULL: not said */
	const char *host, *host_group;	/* host or group; NULL */
	unsigned int lun;		/* or the namespace's id; 0: not said, no volume has it */
	bool made;			/* by this very call, as far as is known */
};
struct fa_connections {
	struct fa_connection *items;
	size_t n;
};

/* By @volume, by @host, by both; NULL: any. */
int fa_connections_list(struct fa *f, const struct fa_call *c, const char *volume, const char *host,
			struct arena *a, struct fa_connections *ret, struct err *e);
/* One host (or group) to many volumes. A connection that is there already is success: ret has its
 * LUN (one more GET). @lun, of one volume: at that one, and -EADDRINUSE when the array says that it
 * is not free; 0: the array chooses. */
int fa_connect(struct fa *f, const struct fa_call *c, const char *host, bool group,
	       const char *const *volumes, size_t n, unsigned int lun, struct arena *a,
	       struct fa_connections *ret, struct err *e);
/* Many hosts from one volume. 1: none of them was connected (any more), or there is no volume of
 * that name. */
int fa_disconnect(struct fa *f, const struct fa_call *c, const char *const *hosts, size_t n,
		  bool group, const char *volume, struct err *e);

/* ---- the array ---- */
struct fa_port {
	const char *name, *iqn, *wwn, *nqn, *portal;
}; /* NULL where it has none */
struct fa_ports {
	struct fa_port *items;
	size_t n;
};
/* Kept for 10 minutes; *memory is @a's. */
int fa_ports_get(struct fa *f, const struct fa_call *c, struct arena *a, struct fa_ports *ret,
		 struct err *e);

struct fa_host {
	const char *name, *host_group;
	const char **iqns, **wwns, **nqns;
	size_t n_iqns, n_wwns, n_nqns;
	const char *preferred; /* names of arrays, with ", " between; "" when it prefers none */
};
int fa_host_get(struct fa *f, const struct fa_call *c, const char *name, struct arena *a,
		struct fa_host *ret, struct err *e);

struct fa_space {
	uint64_t total, used;
};
/* The array's; or with @vg a volume group's provisioned size, with total 0. */
int fa_space_get(struct fa *f, const struct fa_call *c, const char *vg, struct fa_space *ret,
		 struct err *e);
/* By the pod's quota: total 0 without one. */
int fa_pod_space_get(struct fa *f, const struct fa_call *c, const char *pod, struct fa_space *ret,
		     struct err *e);

struct fa_about {
	const char *id, *name, *os, *version, *api;
};
int fa_about_get(struct fa *f, const struct fa_call *c, struct arena *a, struct fa_about *ret,
		 struct err *e);

struct fa_pod {
	const char *name;
	bool destroyed, promoted;
	size_t n_arrays;
	struct {
		const char *id, *name, *status, *mediator;
	} arrays[8];
};
int fa_pod_get(struct fa *f, const struct fa_call *c, const char *name, struct arena *a,
	       struct fa_pod *ret, struct err *e);

enum {
	FA_POD_KEPT_MS = 45000, /* that a pod is online on all its arrays is believed so long, and
				   only while the one that said it answers */
	FA_POD_AWAY_MS = 5000,	/* and so long what was said while it was not */
};
/* Is it online on @f, by its own last word, whoever asked for that? Asks nobody. Elsewhere an array
 * tells of some time ago: it may be in resync after an outage. */
enum tri fa_pod_is_online(struct fa *f, const char *name);
/* The same, asked: 0, or fa_pod_away()'s; as fa_pod_get(). */
int fa_pod_ask(struct fa *f, const struct fa_call *c, const char *name, struct err *e);
/* -EHOSTUNREACH with what was said. */
int fa_pod_away(struct fa *f, const char *name, struct err *e);
/* What @f, on which it is online, said of the array with @id ("resyncing"); NULL: not known. */
const char *fa_pod_status(struct fa *f, const char *name, const char *id, struct arena *a);
/* -ENOENT */
int fa_vgroup_get(struct fa *f, const struct fa_call *c, const char *name, struct err *e);

/* What was asked of it since the process began, for `array status`. */
struct fa_counters {
	uint64_t requests, logins, errors, limited;
	int64_t session_since, last_ok;
	int last_error;
};
void fa_counters(const struct fa *f, struct fa_counters *ret);
