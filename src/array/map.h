/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * Volumes as devices of this node: the only files of the part that act on SCSI, NVMe, multipath and
 * device-mapper (map.c, map_attach.c, map_prune.c, map_nvme.c). Everything here may never return
 * from the kernel, so it is called through array/worker.h, whose process can be given up. Identity
 * is the serial: a disk is asked itself (INQUIRY page 0x83; nguid), names and LUNs are only where
 * to look (facts D1-D5, F2; decisions 45).
 */

#include "array/name.h"
#include "blk/devno.h"

enum { MAP_PORTS_MAX = 32, MAP_ARRAYS_MAX = ARRAY_ADDRESSES_MAX, MAP_WAYS_MAX = 64 };

/* Plain memory throughout: these structs travel between processes. */
struct map_array { /* one array that the volume is connected on */
	unsigned int lun;
	bool connected; /* false: known to be, or seen to be, out of reach: its paths may lack */
	size_t n_ports;
	struct map_port {
		char id[224];	 /* target IQN, WWPN (16 hex digits), or NQN */
		char portal[64]; /* "10.0.0.1:3260"; "" for FC */
	} ports[MAP_PORTS_MAX];
};

struct map_want {
	enum array_protocol protocol;
	bool multipath;
	char serial[ARRAY_SERIAL_LEN + 1];
	uint64_t
		size; /* of the array's volume; paths of another size are rescanned. 0: not known */
	size_t n_arrays;
	struct map_array arrays[MAP_ARRAYS_MAX];
	char host_nqn[224],
		host_id[40]; /* NVMe: to connect controllers with; "" : only those there */
};

enum map_in_use {
	MAP_FREE,
	MAP_OPEN,
	MAP_UNKNOWN,
	/* A map that only udev's own looks have open: over in a moment, unless no path works and
	 * I/O waits for one. map_detach() sees to that; everything else takes it for open. */
	MAP_PASSING,
};

/* What there is of a volume on this node, without touching a disk. */
struct map_state {
	bool present;	 /* a map or a whole disk with this identity */
	char device[64]; /* "dm-7", "nvme0n1", "sdc" (without multipath); "" */
	struct devno dev;
	uint64_t size; /* bytes, as the kernel knows it */
	enum map_in_use in_use;
	char why[256]; /* who holds it, or why it is not known */
	bool lvm_only; /* MAP_OPEN, and by nothing but what this node's LVM found in it, which
			* nobody has open: map_detach() takes that away first (map_lvm.h) */
	unsigned int paths, paths_ok;
	unsigned int deaf; /* disks of it that SCSI does not reach: they learn no new size */
	bool mismatched;   /* paths of several sizes, or a path that says another identity */
};

/* Nobody uses it: what map_detach() may take away. */
static inline bool map_is_idle(const struct map_state *s)
{
	return s->in_use == MAP_FREE || s->in_use == MAP_PASSING;
}

/* Not all of its paths work, or none is left: without its disks a map stays while it is open. */
static inline bool map_is_failing(const struct map_state *s)
{
	return s->paths_ok < s->paths || !s->paths;
}

/* SCSI disks without a map. */
static inline bool map_is_bare(const struct map_state *s)
{
	return strncmp(s->device, "sd", 2) == 0;
}

/* A namespace of NVMe: there when an array shows it to this host, and gone when none does. */
static inline bool map_is_namespace(const struct map_state *s)
{
	return strncmp(s->device, "nvme", 4) == 0;
}

/* Reads only: DM by UUID, /sys. Never blocks on a disk. */
int map_look(const char *serial, enum array_protocol protocol, struct map_state *ret,
	     struct err *e);

/*
 * All volumes of any FlashArray that this node has: maps, and disks without a map. Memory is @a's.
 */
struct map_way { /* a session, or a remote port of FC, as SCSI numbers it */
	uint32_t host, channel, target;
	unsigned int lun; /* of a path, as the array counts */
};
struct map_found {
	char serial[ARRAY_SERIAL_LEN + 1];
	struct map_state state;
	bool ways_known; /* a multipath map of SCSI disks, and all of its paths' ways fit */
	size_t n_ways;
	struct map_way ways[MAP_WAYS_MAX]; /* each once for each LUN */
};
struct map_list {
	struct map_found *items;
	size_t n;
};
int map_list(struct map_list *ret, struct arena *a, struct err *e);

/*
 * Makes the volume usable: scans only the sessions and ports of its arrays for only its LUN,
 * deletes a disk of another identity at that address, waits for events (no fixed sleep), adds the
 * map, checks size. When it is there already with that size and its paths, each path is asked who
 * it is, and nothing else is done or started. -ENODEV: no session or port of these arrays (the
 * sentence says what to do); -ETIMEDOUT: no device within @deadline_ms; -EBUSY: a path is taken by
 * somebody else; -EUCLEAN: identity or size does not agree; -ECONNREFUSED: multipathd does not run;
 * -EPERM: multipath.conf keeps it from this volume. With less than all paths after ten seconds it
 * is content: @ret counts them.
 */
int map_attach(const struct map_want *want, int deadline_ms, struct map_state *ret, struct err *e);

/*
 * Disks that stand on an array of @want at another LUN than the array says, or where it is not
 * `connected`, and do not say themselves that they are the volume: out of its map, if that keeps a
 * path, and out of the kernel, if nobody has them. What answers for the volume stays.
 */
int map_prune(const struct map_want *want, int deadline_ms, struct err *e);

/*
 * Who each path of a volume says it is that is here already: -EUCLEAN when one is another volume's
 * by now. One that does not answer at this moment is multipath's business. Nothing is changed.
 */
int map_ask(const char *serial, enum array_protocol protocol, int deadline_ms, struct err *e);

/*
 * The safe order (facts D3) in two halves, because the array disconnects in between.
 * map_detach: -EBUSY if it is open or held, or that cannot be told; flushes that device alone,
 * removes the map, sets its disks offline. Where no path works, and nobody but udev's probe has the
 * map open, I/O is made to fail instead of waiting, so that the probe ends; what anybody else waits
 * for is left alone, and all is put back when the map stays. map_forget: after the disconnect,
 * deletes the disks that still say this identity, looks that nothing is left; a namespace is only
 * waited for, and stays as long as an array shows it. @left: what to give map_forget, filled by
 * map_detach.
 */
struct map_left {
	char serial[ARRAY_SERIAL_LEN + 1];
	enum array_protocol protocol;
	size_t n;
	char disks[64][16];
};
int map_detach(const char *serial, enum array_protocol protocol, int deadline_ms,
	       struct map_left *left, struct err *e);
int map_forget(const struct map_left *left, int deadline_ms, struct err *e);

/* After the array has grown it: every path, then the map, until the kernel says @size. */
int map_resize(const char *serial, enum array_protocol protocol, uint64_t size, int deadline_ms,
	       struct map_state *ret, struct err *e);
/* After a rollback: drops what is cached, re-reads size and partitions. -EBUSY if open. */
int map_refresh(const char *serial, enum array_protocol protocol, uint64_t size, int deadline_ms,
		struct err *e);
