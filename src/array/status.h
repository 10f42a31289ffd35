/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/* array.json (docs/array.md, 5) read for people and for monitoring. */

#include "pve/root.h"
#include "util/arena.h"

#define ARRAY_STATUS_PATH   "run/pvewarden/array/array.json"
#define ARRAY_STATUS_SCHEMA "pvewarden.array/1"

enum { ARRAY_STATUS_MAX_AGE = 60 }; /* seconds; it is written every 20 */

/* Times are Unix seconds, 0 when there is none; texts NULL. */
struct array_status_array {
	const char *url, *name, *version, *api, *host;
	const char *answer, *why; /* answer "ok", or an error's name */
	int64_t session_since, last_ok;
	uint64_t requests, logins, errors, limited;
	bool ok;
};

struct array_status_storage {
	const char *id, *problem;
	uint64_t total, used; /* total 0: no limit is known */
};

struct array_status_map {
	const char *wwid, *volume, *volname, *storage, *device, *state;
	uint64_t paths, paths_ok, size;
	enum tri open;
	bool registered;
};

struct array_status_drift {
	const char *volume, *kind, *what, *remedy;
	int level; /* 0 a notice, 1 warning, 2 critical */
};

struct array_status_stuck {
	const char *serial;
	uint64_t pid;
	int64_t since;
};

struct array_status {
	const char *absent; /* why there is nothing to go by; NULL when the rest is current */
	int64_t age, time, started;
	const char *node;
	uint64_t pid, calls, failed, healed;
	struct array_status_array *arrays;
	struct array_status_storage *storages;
	struct array_status_map *maps;
	struct array_status_drift *drift;
	struct array_status_stuck *stuck;
	const char **blind;
	size_t n_arrays, n_storages, n_maps, n_drift, n_stuck, n_blind;
	struct buf text; /* the document as it stands */
	struct arena arena;
};

/* Never fails; what is not root's, not a regular file, too old or broken is absent. */
void array_status_read(struct array_status *ret, const struct root *root, int64_t now);
/* The same of a text, which is copied. */
void array_status_parse(struct array_status *ret, struct slice text, int64_t now);
void array_status_done(struct array_status *s);

/* An exit status: 2 a storage is out of reach or a volume has no path, 3 it cannot be told, 1 an
 * array does not answer, something differs, a call is stuck in the kernel. */
int array_status_exit(const struct array_status *s);
