/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * The decisions of map.c, without a system call: where a volume's paths must be, what is done with
 * what stands there, who counts as its user.
 */

#include "array/map.h"
#include "blk/nvme.h"
#include "blk/scsi.h"

enum { MAP_PLACES_MAX = 128 };

struct map_places {
	struct scsi_address *items; /* VEC() */
	size_t n, cap;
};

/*
 * The addresses of @want's LUN behind the usable ports of its connected arrays. An array's iSCSI
 * portals share one IQN: every session of it is a way. -ENODEV: none, with what to do.
 */
int map_plan_places(const struct map_want *want, const struct scsi_ports *ports,
		    struct map_places *ret, struct err *e);

/* Behind a port of one of @want's arrays, at a LUN at which none of them shows the volume. */
bool map_plan_is_outdated(const struct map_want *want, const struct scsi_ports *ports,
			  const struct scsi_address *at);

/* Is a port, by its WWPN or IQN as the array writes it, the one that the kernel calls @kernels? */
bool map_plan_is_port(enum array_protocol protocol, const char *said, const char *kernels);

/* The array's number of a unit, by the kernel's. */
unsigned int map_plan_lun_of(uint64_t kernels);

/* What is known of an address. */
struct map_seen {
	bool present;
	bool ours;	/* the identity that it had when it was found (/sys) */
	bool in_map;	/* a path of this volume's map */
	bool held;	/* by anything else */
	enum tri asked; /* it is ours by its own words; TRI_UNKNOWN: it does not answer */
};

enum map_deed {
	MAP_TAKE,    /* a path */
	MAP_SCAN,    /* nothing there yet */
	MAP_REPLACE, /* what stands there is of the past: delete, then scan */
	MAP_TAKEN,   /* somebody else uses it */
	MAP_FOREIGN, /* the array has another volume there than it says */
};

enum map_deed map_plan_place(const struct map_seen *seen);

/* A device that stands on a volume's map or disk. */
struct map_holder {
	char name[SYSDISK_NAME_MAX];				 /* "dm-9" */
	char dm_name[DM_NAME_SIZE], dm_uuid[DM_UUID_SIZE];	 /* "" of others */
	char above_name[DM_NAME_SIZE], above_uuid[DM_UUID_SIZE]; /* what stands on it itself */
	int64_t open_count;					 /* -1: not known */
	bool held;
};

/* Who was found to have a map open, its holders apart. */
struct map_openers {
	size_t probes; /* open files of udev's own processes, each counted once */
	bool user;     /* anybody else: who */
	char who[128];
};

/*
 * Is a map used that is open @open_count times, for which each of @holders counts once? kpartx'
 * partition maps of it that nobody has opened do not make it used. Nor do udev's probes, if they
 * are all who have it open: MAP_PASSING. @openers NULL: not looked for. @why says who does.
 */
enum map_in_use map_plan_use(const char *uuid, uint32_t open_count,
			     const struct map_holder *holders, size_t n,
			     const struct map_openers *openers, char *why, size_t size);

/* Who it is, and for a volume group how to end it. */
void map_plan_name_holder(const char *dm_name, const char *dm_uuid, const char *name, char *why,
			  size_t size);

/*
 * May I/O that waits for a path of a map which is to go be made to fail? Only when none works, and
 * nobody but a probe, or LVM's own, can be the one that waits.
 */
bool map_plan_may_fail(const struct map_state *s);

/* A process as /proc shows it, and whether it is udev's daemon or one of its workers. */
struct map_process {
	const char *command, *exe; /* "(udev-worker)", "/usr/bin/udevadm" */
};
bool map_plan_is_udev(const struct map_process *p);
/* @p looks for udev: it is udev's, or one of the helpers of its rules that @parent has started. */
bool map_plan_is_probe(const struct map_process *p, const struct map_process *parent);

/* That holder is a partition map of the map with @uuid. */
bool map_plan_is_part(const struct map_holder *holder, const char *uuid);

/* "naa.624a9370..." to the serial; false when it is no FlashArray's. Also of a map's UUID. */
bool map_plan_serial_of_wwid(const char *wwid, char ret[ARRAY_SERIAL_LEN + 1]);
bool map_plan_serial_of_uuid(const char *uuid, char ret[ARRAY_SERIAL_LEN + 1]);
bool map_plan_serial_of_nguid(const char *nguid, char ret[ARRAY_SERIAL_LEN + 1]);

/* Why @a and @b, of one NGUID, are two disks: -EUCLEAN. */
int map_plan_twins(const struct nvme_ns *a, const struct nvme_ns *b, struct err *e);

/* The NVMe ports of @want without a controller yet; indexes into arrays and ports. */
struct map_missing {
	size_t array, port;
};
size_t map_plan_missing(const struct map_want *want, const struct nvme_ctrls *have,
			struct map_missing ret[MAP_ARRAYS_MAX * MAP_PORTS_MAX]);
