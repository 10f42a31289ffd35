/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "array/lun.h"

#include <pthread.h>
#include <stdio.h>

#include "array/map_plan.h"

/* --- what is here ---------------------------------------------------------------------------- */

static bool is_arrays(const struct fa_ports *ports, const struct scsi_port *way,
		      enum array_protocol protocol)
{
	for (size_t i = 0; i < ports->n; i++) {
		const struct fa_port *p = &ports->items[i];
		const char *id = protocol == ARRAY_FC ? p->wwn : p->iqn;

		if (id && map_plan_is_port(protocol, id, way->id))
			return true;
	}
	return false;
}

static void keep_arrays(struct scsi_ports *ways, const struct fa_ports *ports,
			enum array_protocol protocol)
{
	size_t kept = 0;

	for (size_t i = 0; i < ways->n; i++)
		if (is_arrays(ports, &ways->items[i], protocol))
			ways->items[kept++] = ways->items[i];
	ways->n = kept;
}

static bool is_behind(const struct scsi_address *at, const struct scsi_ports *ways)
{
	vec_each (way, ways)
		if (way->host == at->host && way->channel == at->channel &&
		    way->target == at->target)
			return true;
	return false;
}

/* Another's map may have taken it, whatever it said that it was. */
static bool is_free(const struct root *root, const struct scsi_disk *d, const char *serial)
{
	CLEANUP(sysdisk_names_done) struct sysdisk_names holders = {};
	char is[ARRAY_SERIAL_LEN + 1], uuid[DM_UUID_SIZE];

	sysdisk_holders(root, d->name, &holders);
	vec_each (h, &holders) {
		sysdisk_attr(root, h->text, "dm/uuid", uuid, sizeof(uuid));
		if (!map_plan_serial_of_uuid(uuid, is) || strcmp(is, serial) != 0)
			return false;
	}
	return true;
}

static bool is_own(const struct root *root, const struct scsi_disks *own,
		   const struct scsi_address *at, const char *serial)
{
	vec_each (d, own)
		if (scsi_address_eq(&d->at, at))
			return is_free(root, d, serial);
	return false;
}

void luns_read(struct luns *ret, const struct root *root, enum array_protocol protocol,
	       const struct fa_ports *ports, const char *serial)
{
	CLEANUP(scsi_addresses_done) struct scsi_addresses units = {};
	CLEANUP(scsi_ports_done) struct scsi_ports ways = {};
	CLEANUP(scsi_disks_done) struct scsi_disks own = {};
	char wwid[ARRAY_WWID_LEN + 1], naa[ARRAY_WWID_LEN + 8];

	*ret = (struct luns){};
	if (protocol == ARRAY_NVME_TCP)
		return;
	if (protocol == ARRAY_FC)
		scsi_fc_ports(&ways, root);
	else
		scsi_iscsi_ports(&ways, root);
	keep_arrays(&ways, ports, protocol);
	if (!ways.n)
		return;
	scsi_units(&units, root);
	array_wwid_of(serial, wwid);
	(void)snprintf(naa, sizeof(naa), "naa.%s", wwid + 1);
	scsi_disks_like(&own, root, naa);
	vec_each (at, &units) {
		unsigned int lun = map_plan_lun_of(at->lun);

		/* 0 is no volume's, it stands for the array itself. */
		if (!lun || lun > LUN_MAX || !is_behind(at, &ways))
			continue;
		ret->any = true;
		if (is_own(root, &own, at, serial))
			ret->own[lun] = true;
		else
			ret->other[lun] = true;
	}
}

/* --- which --------------------------------------------------------------------------------- */

/* Private ones are given from 1 up; shared ones from 254 down, then from 255 up. */
static unsigned int nth(unsigned int i, bool shared)
{
	return shared && i <= LUN_SHARED ? LUN_SHARED + 1 - i : i;
}

unsigned int luns_choose(const struct luns *l, bool shared)
{
	if (!l->any)
		return 0;
	for (unsigned int lun = 1; lun <= LUN_MAX; lun++)
		if (l->own[lun] && !l->other[lun])
			return lun;
	for (unsigned int i = 1; i <= LUN_MAX; i++) {
		unsigned int lun = nth(i, shared);

		if (!l->own[lun] && !l->other[lun])
			return lun;
	}
	return 0;
}

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct {
	struct claim {
		const void *array;
		unsigned int lun;
		char serial[ARRAY_SERIAL_LEN + 1];
	} * items; /* VEC() */
	size_t n, cap;
} claims; /* under lock */

unsigned int luns_claim(const struct luns *l, bool shared, const void *array, const char *serial)
{
	struct luns free = *l;
	unsigned int lun;

	(void)pthread_mutex_lock(&lock);
	vec_each (c, &claims)
		if (c->array == array && strcmp(c->serial, serial) != 0)
			free.other[c->lun] = true;
	lun = luns_choose(&free, shared);
	if (lun) {
		struct claim *c = vec_push(&claims);

		*c = (struct claim){ .array = array, .lun = lun };
		(void)snprintf(c->serial, sizeof(c->serial), "%s", serial);
	}
	(void)pthread_mutex_unlock(&lock);
	return lun;
}

void luns_release(const char *serial)
{
	size_t kept = 0;

	(void)pthread_mutex_lock(&lock);
	for (size_t i = 0; i < claims.n; i++)
		if (strcmp(claims.items[i].serial, serial) != 0)
			claims.items[kept++] = claims.items[i];
	claims.n = kept;
	if (!kept)
		vec_free(&claims);
	(void)pthread_mutex_unlock(&lock);
}
