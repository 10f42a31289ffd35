/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * A node made up for one test: a cluster of pve1 (this node) and pve2, volume groups with healthy
 * volumes, live mappings, guests. What can go wrong is told as it happens on a real node: a mapping
 * is made from its volume as it is at that moment, and then the volume is deleted, grown, renamed.
 * fixture_check() writes it all as a recorded node into a fresh folder and runs the whole check.
 */

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <cmocka.h>

#include "dm/check.h"
#include "test_pve_tree.h"

/* 4 MiB extents behind the first MiB, in sectors. */
enum { FX_EXTENT = 8192, FX_PE_START = 2048, FX_AREAS_MAX = 4 };

#define FX_NODE "pve1"
#define FX_NOW	"2026-11-21T04:04:04Z"

struct fx_pv {
	const char *name; /* "/dev/sda" */
	char uuid[LVM_ID_LEN + 1];
	struct devno dev;
	uint64_t next_extent; /* the first that no volume of the fixture took */
	bool missing, duplicate;
};

struct fx_seg {
	const char *type;
	uint64_t start, size; /* extents */
	uint64_t stripe;      /* bytes, 0 when linear */
	size_t n_areas;
	struct {
		struct fx_pv *pv;
		uint64_t first;
	} areas[FX_AREAS_MAX];
	const char *ranges; /* NULL: made of the areas */
};

struct fx_vg {
	const char *name, *exported, *lock_type, *system_id;
	char uuid[LVM_ID_LEN + 1];
	bool hidden; /* on no disk that can be read */
	bool autoactivation;
	VEC(struct fx_pv *) pvs;
	VEC(struct fx_lv *) lvs;
};

struct fx_lv {
	struct fx_vg *vg;
	const char *name, *attr, *tags, *time, *role, *layout;
	char uuid[LVM_ID_LEN + 1];
	bool internal, deleted, autoactivation;
	uint64_t extents;
	struct fx_lv *pool;
	unsigned int thin_id;
	VEC(struct fx_seg) segs;
};

struct fx_map {
	const char *name, *uuid;
	struct devno dev;
	unsigned int open, paths;
	const char *flags; /* "-", "suspended", "inactive", "readonly" */
	VEC(const char *) targets;
	VEC(struct devno) deps;
};

struct fixture {
	struct tree tree;
	struct arena arena;
	VEC(struct fx_vg *) vgs;
	VEC(struct fx_map *) maps;
	struct buf storages, unix_sockets, tasks, flocks, users;
	const char *quorate;  /* of capture.json; "null" leaves it to .members */
	const char *lvm_text; /* instead of the report; "" is an empty file */
	bool no_lvm, no_storages, no_guests;
	unsigned int serial, thin_ids;
	bool checked;
	struct dm_check check;
};

void fixture_make(struct fixture *f);
void fixture_done(struct fixture *f);

/* A VG with one disk, or one on @pv's device that is given; and a further disk. */
struct fx_vg *fixture_vg(struct fixture *f, const char *name);
struct fx_pv *fixture_pv(struct fixture *f, struct fx_vg *vg);

/* Thick, linear, on the first PV's next free extents, 51 days old. */
struct fx_lv *fixture_lv(struct fixture *f, struct fx_vg *vg, const char *name, uint64_t extents);
/* The same where nothing is said of its segments yet. */
struct fx_lv *fixture_bare_lv(struct fixture *f, struct fx_vg *vg, const char *name);
/* A further linear segment at @first of @pv. */
void fixture_segment(struct fx_lv *lv, struct fx_pv *pv, uint64_t first, uint64_t extents);
void fixture_striped(struct fx_lv *lv, struct fx_pv *a, uint64_t first_a, struct fx_pv *b,
		     uint64_t first_b, uint64_t extents, uint64_t stripe);
struct fx_lv *fixture_pool(struct fixture *f, struct fx_vg *vg, const char *name);
struct fx_lv *fixture_thin(struct fixture *f, struct fx_lv *pool, const char *name,
			   uint64_t extents);

/* The mapping that LVM would make of @lv as it is now, not open. Thin: the pool's too. */
struct fx_map *fixture_map(struct fixture *f, struct fx_lv *lv);
/* Any other: the name as it stands, @uuid "" for none; tables and deps are the caller's. */
struct fx_map *fixture_raw(struct fixture *f, const char *name, const char *uuid);
void fixture_target(struct fixture *f, struct fx_map *map, const char *fmt, ...) PRINTF_LIKE(3, 4);
void fixture_dep(struct fx_map *map, struct devno dev);
struct fx_map *fixture_find(struct fixture *f, const char *name);
/* "LVM-<vg><lv>SUFFIX" */
const char *fixture_uuid(struct fixture *f, const struct fx_lv *lv, const char *suffix);
/* Sector of a PV's extent. */
uint64_t fixture_sector(uint64_t extent);

/* A config as text. */
void fixture_vm(struct fixture *f, const char *node, unsigned int vmid, const char *conf);
void fixture_ct(struct fixture *f, const char *node, unsigned int vmid, const char *conf);
void fixture_runs(struct fixture *f, unsigned int vmid);
void fixture_ct_runs(struct fixture *f, unsigned int vmid);
void fixture_incoming(struct fixture *f, unsigned int vmid);
void fixture_task(struct fixture *f, const char *type, unsigned int vmid);
void fixture_flock(struct fixture *f, unsigned int vmid);
void fixture_storage(struct fixture *f, const char *text);
/* A disk or, with @whole, a partition of it in /sys. */
void fixture_disk(struct fixture *f, const char *name, struct devno dev);
void fixture_partition(struct fixture *f, const char *disk, const char *name, struct devno dev,
		       uint64_t start);

/* Writes what is still in memory; done by fixture_check(). */
void fixture_write(struct fixture *f);
/* @o NULL: the defaults of `dm check`. */
const struct dm_check *fixture_check(struct fixture *f, const struct dm_options *o);
const struct dm_verdict *fixture_verdict(const struct fixture *f, const struct fx_map *map);
const struct dm_mapping *fixture_mapping(const struct fixture *f, const struct fx_map *map);

extern const struct dm_options fixture_options;
