/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "array/map_plan.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <strings.h>

#include "util/str.h"

#define NAA_HEAD  "naa.624a9370"
#define UUID_HEAD "mpath-3624a9370"

/* WWPNs are written with colons, with 0x, in either case. */
static bool same_wwpn(const char *a, const char *b)
{
	if (strncasecmp(a, "0x", 2) == 0)
		a += 2;
	for (;; a++, b++) {
		a += *a == ':';
		b += *b == ':';
		if (tolower((unsigned char)*a) != tolower((unsigned char)*b))
			return false;
		if (!*a)
			return true;
	}
}

bool map_plan_is_port(enum array_protocol protocol, const char *said, const char *kernels)
{
	return protocol == ARRAY_FC ? same_wwpn(said, kernels) : strcmp(said, kernels) == 0;
}

static bool is_ones_port(const struct map_array *array, const struct scsi_port *port,
			 enum array_protocol protocol)
{
	for (size_t i = 0; i < array->n_ports && i < MAP_PORTS_MAX; i++)
		if (map_plan_is_port(protocol, array->ports[i].id, port->id))
			return true;
	return false;
}

static void add_place(struct map_places *ret, const struct scsi_address *at)
{
	vec_each (old, ret)
		if (scsi_address_eq(old, at))
			return;
	if (ret->n < MAP_PLACES_MAX)
		*vec_push(ret) = *at;
}

/* SAM: up to 255 a LUN is addressed as a peripheral, above that flat, as FlashArrays do. The kernel
 * keeps the two bits that say so in its number of the unit. */
enum { FLAT_FROM = 256, FLAT = 0x4000 };

static uint64_t kernels_lun(unsigned int lun)
{
	return lun < FLAT_FROM ? lun : (uint64_t)lun + FLAT;
}

unsigned int map_plan_lun_of(uint64_t kernels)
{
	return (unsigned int)(kernels >= FLAT && kernels < 2ULL * FLAT ? kernels - FLAT : kernels);
}

static int nowhere(const struct map_want *want, size_t unusable, struct err *e)
{
	const char *what = want->protocol == ARRAY_FC ? "remote FC port" : "iSCSI session";

	if (want->n_arrays == 0)
		return err_set(e, -ENODEV, "the volume is connected on no array");
	if (unusable)
		return err_set(e, -ENODEV,
			       "none of the %zu %ss to the array works at this moment: look at the "
			       "network between this node and the array",
			       unusable, what);
	if (want->protocol == ARRAY_FC)
		return err_set(e, -ENODEV,
			       "this node sees no FC port of the array: look at zoning and cables");
	return err_set(e, -ENODEV,
		       "this node has no iSCSI session to %s: log in with iscsiadm -m discovery "
		       "-t sendtargets -p %s, then iscsiadm -m node -l",
		       want->arrays[0].n_ports ? want->arrays[0].ports[0].id : "the array",
		       want->arrays[0].n_ports ? want->arrays[0].ports[0].portal : "PORTAL");
}

int map_plan_places(const struct map_want *want, const struct scsi_ports *ports,
		    struct map_places *ret, struct err *e)
{
	size_t unusable = 0;

	for (size_t i = 0; i < want->n_arrays && i < MAP_ARRAYS_MAX; i++) {
		const struct map_array *array = &want->arrays[i];

		vec_each (port, ports) {
			struct scsi_address at = { port->host, port->channel, port->target,
						   kernels_lun(array->lun) };

			if (!array->connected || !is_ones_port(array, port, want->protocol))
				continue;
			unusable += !port->usable;
			if (port->usable)
				add_place(ret, &at);
		}
	}
	return ret->n ? 0 : nowhere(want, unusable, e);
}

/* An array that was given two addresses is two of @want's, with the same ports. */
bool map_plan_is_outdated(const struct map_want *want, const struct scsi_ports *ports,
			  const struct scsi_address *at)
{
	bool ret = false;

	vec_each (port, ports) {
		if (port->host != at->host || port->channel != at->channel ||
		    port->target != at->target)
			continue;
		for (size_t i = 0; i < want->n_arrays && i < MAP_ARRAYS_MAX; i++) {
			const struct map_array *array = &want->arrays[i];

			if (!is_ones_port(array, port, want->protocol))
				continue;
			if (array->connected && kernels_lun(array->lun) == at->lun)
				return false;
			ret = true;
		}
	}
	return ret;
}

enum map_deed map_plan_place(const struct map_seen *seen)
{
	if (!seen->present)
		return MAP_SCAN;
	if (seen->asked == TRI_NO)
		return MAP_FOREIGN;
	/* A path that does not answer at this moment is multipath's business. */
	if (seen->in_map)
		return MAP_TAKE;
	if (seen->held)
		return MAP_TAKEN;
	return seen->ours && seen->asked == TRI_YES ? MAP_TAKE : MAP_REPLACE;
}

/* "part1-mpath-3624..." of "mpath-3624...". */
bool map_plan_is_part(const struct map_holder *holder, const char *uuid)
{
	struct dm_uuid id = dmuuid_parse(holder->dm_uuid);

	return id.kind == DM_UUID_PART && slice_eq(id.rest, uuid);
}

static bool is_lvm(const char *dm_uuid)
{
	struct dm_uuid id = dmuuid_parse(dm_uuid);

	return id.kind == DM_UUID_LVM || id.kind == DM_UUID_LVM_INTERNAL;
}

void map_plan_name_holder(const char *dm_name, const char *dm_uuid, const char *name, char *why,
			  size_t size)
{
	struct dm_lvm_name lvm;

	if (is_lvm(dm_uuid)) {
		dmname_split(&lvm, dm_name);
		(void)snprintf(
			why, size,
			"LVM volume group %s is active on it: vgchange -an %s; keep LVM away "
			"from guests' disks (global_filter in /etc/lvm/lvm.conf)",
			lvm.vg, lvm.vg);
	} else {
		(void)snprintf(why, size, "%.90s stands on it", *dm_name ? dm_name : name);
	}
}

static void name_part_user(const struct map_holder *h, char *why, size_t size)
{
	if (is_lvm(h->above_uuid))
		map_plan_name_holder(h->above_name, h->above_uuid, "", why, size);
	else
		(void)snprintf(why, size, "its partition %.90s is open", h->dm_name);
}

enum map_in_use map_plan_use(const char *uuid, uint32_t open_count,
			     const struct map_holder *holders, size_t n,
			     const struct map_openers *openers, char *why, size_t size)
{
	*why = '\0';
	for (size_t i = 0; i < n; i++) {
		const struct map_holder *h = &holders[i];

		if (!map_plan_is_part(h, uuid)) {
			map_plan_name_holder(h->dm_name, h->dm_uuid, h->name, why, size);
			return MAP_OPEN;
		}
		if (h->open_count < 0) {
			(void)snprintf(why, size, "its partition %.90s does not say", h->dm_name);
			return MAP_UNKNOWN;
		}
		if (h->open_count > 0 || h->held) {
			name_part_user(h, why, size);
			return MAP_OPEN;
		}
	}
	if (open_count <= n)
		return MAP_FREE;
	if (openers && openers->user) {
		(void)snprintf(why, size, "%s", openers->who);
		return MAP_OPEN;
	}
	/* One more than we know of may be a guest's disk in the kernel. */
	if (openers && open_count - n <= openers->probes) {
		(void)snprintf(why, size, "udev looks at it at this moment");
		return MAP_PASSING;
	}
	(void)snprintf(why, size, "it is open (%zu times)", open_count - n);
	return MAP_OPEN;
}

bool map_plan_may_fail(const struct map_state *s)
{
	return s->present && s->paths_ok == 0 && (map_is_idle(s) || s->lvm_only);
}

/* A program that was replaced under a process that runs it is "... (deleted)". */
static bool runs(const struct map_process *p, const char *program)
{
	const char *slash = strrchr(p->exe, '/');
	size_t n = strlen(program);

	return slash && strncmp(slash + 1, program, n) == 0 &&
	       (slash[1 + n] == '\0' || strcmp(slash + 1 + n, " (deleted)") == 0);
}

/* Anybody can take the name; not everybody runs that program. `udevadm lock` has another name. */
bool map_plan_is_udev(const struct map_process *p)
{
	return (strcmp(p->command, "(udev-worker)") == 0 ||
		strcmp(p->command, "systemd-udevd") == 0) &&
	       (runs(p, "udevadm") || runs(p, "systemd-udevd"));
}

bool map_plan_is_probe(const struct map_process *p, const struct map_process *parent)
{
	static const char *const helpers[] = { "blkid", "dmsetup", "kpartx", "multipath",
					       "scsi_id" };

	if (map_plan_is_udev(p))
		return true;
	for (size_t i = 0; i < ARRAY_SIZE(helpers); i++)
		if (strcmp(p->command, helpers[i]) == 0 && runs(p, helpers[i]))
			return map_plan_is_udev(parent);
	return false;
}

static bool serial_of(const char *text, const char *head, char ret[ARRAY_SERIAL_LEN + 1])
{
	char serial[ARRAY_SERIAL_LEN + 1];
	size_t n = strlen(head);

	if (strncmp(text, head, n) != 0 || strlen(text + n) != ARRAY_SERIAL_LEN)
		return false;
	for (size_t i = 0; i <= ARRAY_SERIAL_LEN; i++)
		serial[i] = (char)toupper((unsigned char)text[n + i]);
	if (!array_serial_ok(serial))
		return false;
	memcpy(ret, serial, sizeof(serial));
	return true;
}

bool map_plan_serial_of_wwid(const char *wwid, char ret[ARRAY_SERIAL_LEN + 1])
{
	return serial_of(wwid, NAA_HEAD, ret);
}

bool map_plan_serial_of_uuid(const char *uuid, char ret[ARRAY_SERIAL_LEN + 1])
{
	return serial_of(uuid, UUID_HEAD, ret);
}

/* "00" serial[0..14] "24a937" serial[14..24]: the way back of array_nguid_of(). */
bool map_plan_serial_of_nguid(const char *nguid, char ret[ARRAY_SERIAL_LEN + 1])
{
	char joined[ARRAY_NGUID_LEN + 1], again[ARRAY_NGUID_LEN + 1], serial[ARRAY_SERIAL_LEN + 1];

	if (strlen(nguid) != ARRAY_NGUID_LEN)
		return false;
	(void)snprintf(joined, sizeof(joined), "%.14s%s", nguid + 2, nguid + 22);
	if (!serial_of(joined, "", serial))
		return false;
	array_nguid_of(serial, again);
	if (strcasecmp(again, nguid) != 0)
		return false;
	memcpy(ret, serial, sizeof(serial));
	return true;
}

int map_plan_twins(const struct nvme_ns *a, const struct nvme_ns *b, struct err *e)
{
	if (*a->nqn && *b->nqn && strcmp(a->nqn, b->nqn) != 0)
		return err_set(e, -EUCLEAN,
			       "%s and %s are the same volume in two NVMe subsystems (%.96s, "
			       "%.96s), whose paths the kernel does not join: it can be reached by "
			       "one array alone, or by iSCSI or FC",
			       a->name, b->name, a->nqn, b->nqn);
	return err_set(e, -EUCLEAN,
		       "%s and %s are the same volume: the kernel's NVMe multipathing is off "
		       "(nvme_core.multipath=Y on the kernel's command line)",
		       a->name, b->name);
}

static bool has_controller(const struct nvme_ctrls *have, const struct map_port *port)
{
	vec_each (c, have)
		if (strcmp(c->nqn, port->id) == 0 && strcasecmp(c->address, port->portal) == 0)
			return true;
	return false;
}

size_t map_plan_missing(const struct map_want *want, const struct nvme_ctrls *have,
			struct map_missing ret[MAP_ARRAYS_MAX * MAP_PORTS_MAX])
{
	size_t n = 0;

	for (size_t i = 0; i < want->n_arrays && i < MAP_ARRAYS_MAX; i++)
		for (size_t k = 0; k < want->arrays[i].n_ports && k < MAP_PORTS_MAX; k++)
			if (want->arrays[i].connected && *want->arrays[i].ports[k].portal &&
			    !has_controller(have, &want->arrays[i].ports[k]))
				ret[n++] = (struct map_missing){ i, k };
	return n;
}
