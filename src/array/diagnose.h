/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * `array status --diagnose STORAGE` (decisions 47): everything that must be right before a volume
 * becomes a device, looked at one by one, each with what to do. Changes nothing.
 */

#include "array/storages.h"
#include "array/initiator.h"

#define DIAGNOSIS_SCHEMA "pvewarden.array.diagnosis/1"

enum diagnosis_level { DIAGNOSIS_OK, DIAGNOSIS_WARNING, DIAGNOSIS_BAD };

struct diagnosis_line {
	enum diagnosis_level level;
	const char *subject, *what, *remedy; /* remedy NULL: none is needed */
};

/* What an array told; NULL pointers where it did not. */
struct diagnosis_array {
	const char *url;
	bool has_host, has_ports;
	struct fa_host host;
	struct fa_ports ports;
};

struct diagnosis {
	const char *storage;	      /* stands for STORAGE in remedies */
	struct diagnosis_line *items; /* VEC() */
	size_t n, cap;
	struct diagnosis_array arrays[ARRAY_ADDRESSES_MAX];
	size_t n_arrays;
	struct arena arena;
};

void diagnosis_done(struct diagnosis *d);
/* @remedy may be NULL; STORAGE in it is replaced. */
void diagnosis_add(struct diagnosis *d, enum diagnosis_level level, const char *subject,
		   const char *remedy, const char *fmt, ...) PRINTF_LIKE(5, 6);

/* The arrays of @conf: reached, token, vgroup or pod, host object, which may have to be made with
 * @own. Fills d->arrays. */
void diagnose_arrays(struct diagnosis *d, struct fa_pool *pool, const struct array_conf *conf,
		     const struct initiators *own, int64_t deadline);

/* Whether the API token stands where it belongs. */
void diagnose_secret(struct diagnosis *d, const struct array_conf *conf);

/* This node's initiators, sessions and ports, against what d->arrays has. */
void diagnose_links(struct diagnosis *d, const struct root *root, const struct array_conf *conf);

/* multipath and LVM. @running: what multipathd answers to "show config"; NULL: not known. */
void diagnose_multipath(struct diagnosis *d, const struct root *root, const struct array_conf *conf,
			const char *running);
void diagnose_lvm(struct diagnosis *d, const struct root *root, enum array_protocol protocol);

/* 0, 1 or 2 by the worst line. */
int diagnosis_exit(const struct diagnosis *d);
void diagnosis_json(const struct diagnosis *d, struct buf *out);
void diagnosis_show(const struct diagnosis *d, size_t width, bool color, struct buf *out);
