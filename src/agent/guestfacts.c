/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "agent/guestfacts.h"

#include <stdio.h>

#include "agent/props.h"
#include "pve/guestkey.h"
#include "util/clock.h"
#include "util/str.h"

enum { CORES_MAX = 8192 };

static uint64_t at_least_one(uint64_t n)
{
	return n == 0 || n > CORES_MAX ? 1 : n;
}

/* "2048", and "current=2048" since 8.1. */
static uint64_t memory_of(const struct guestconfig *c)
{
	struct slice text, current;
	uint64_t n = 512;

	if (guestconfig_get(&c->main, "memory", &text) &&
	    prop_get(text, "current", "current", &current))
		(void)str_to_u64(slice_trim(current), &n);
	return n > INT64_MAX / 1048576 ? 512 : n;
}

static struct slice text_or(const struct guestconfig *c, const char *key, const char *otherwise)
{
	struct slice text;

	return guestconfig_get(&c->main, key, &text) ? text : slice_of(otherwise);
}

/* meta: creation-qemu=8.1.5,ctime=1700000000 */
static int64_t created_of(const struct guestconfig *c)
{
	struct slice ctime;
	uint64_t n;

	if (!prop_get(guestconfig_text(c, "meta"), "ctime", NULL, &ctime) ||
	    !str_to_u64(ctime, &n) || n > CLOCK_YEAR_9999)
		return 0;
	return (int64_t)n;
}

/* --- what it boots from ------------------------------------------------------------------------
 */

static void add_boot(struct guestfacts *f, struct slice device)
{
	if (f->n_boot < GUESTFACTS_BOOT_MAX)
		f->boot[f->n_boot++] = device;
}

static bool is_cdrom(struct slice drive)
{
	struct slice media;

	return prop_get(drive, "media", NULL, &media) && slice_eq(media, "cdrom");
}

/* In the order in which Proxmox looks for them. */
static bool first_drive(const struct guestconfig *c, bool cdrom, struct slice *ret)
{
	static const struct {
		const char *bus;
		int n;
	} buses[] = { { "ide", 4 }, { "scsi", 31 }, { "virtio", 16 }, { "sata", 6 } };
	char key[16];

	for (size_t b = 0; b < ARRAY_SIZE(buses); b++) {
		for (int i = 0; i < buses[b].n; i++) {
			(void)snprintf(key, sizeof(key), "%s%d", buses[b].bus, i);
			vec_each (o, &c->main) {
				if (!slice_eq(o->key, key) || is_cdrom(o->value) != cdrom)
					continue;
				*ret = o->key;
				return true;
			}
		}
	}
	return false;
}

static void add_nets(struct guestfacts *f, const struct guestconfig *c)
{
	vec_each (o, &c->main)
		if (slice_starts(o->key, "net") && o->key.n > 3 && o->key.p[3] >= '0' &&
		    o->key.p[3] <= '9')
			add_boot(f, o->key);
}

/* "cdn", each letter a kind of device: what VMs older than 2020 have, and those that say nothing.
 */
static void boot_of_letters(struct guestfacts *f, const struct guestconfig *c, struct slice letters)
{
	struct slice device;

	for (size_t i = 0; i < letters.n; i++) {
		if (letters.p[i] == 'c' && (guestconfig_get(&c->main, "bootdisk", &device) ||
					    first_drive(c, false, &device)))
			add_boot(f, device);
		if (letters.p[i] == 'd' && first_drive(c, true, &device))
			add_boot(f, device);
		if (letters.p[i] == 'n')
			add_nets(f, c);
	}
}

static void boot_of(struct guestfacts *f, const struct guestconfig *c)
{
	struct slice boot = guestconfig_text(c, "boot"), list, device;

	f->n_boot = 0;
	if (f->type == GUEST_LXC)
		return;
	if (prop_get(boot, "order", NULL, &list)) {
		while (list_next(&list, &device))
			add_boot(f, device);
		return;
	}
	if (prop_get(boot, "legacy", "legacy", &list) && list.n <= 4)
		boot_of_letters(f, c, list);
	else
		boot_of_letters(f, c, SLICE("cdn"));
}

void guestfacts_boot(const struct guestfacts *f, const struct guestconfig *c, struct buf *out)
{
	struct slice boot = guestconfig_text(c, "boot");

	if (boot.n) {
		buf_add(out, boot.p, boot.n);
		return;
	}
	buf_adds(out, f->n_boot ? "order=" : "");
	for (size_t i = 0; i < f->n_boot; i++)
		buf_addf(out, "%s" SLICE_FMT, i ? ";" : "", SLICE_ARG(f->boot[i]));
}

/* --- the whole ---------------------------------------------------------------------------------
 */

static void read_names(struct guestfacts *f, const struct guestconfig *c)
{
	const char *key = f->type == GUEST_QEMU ? "name" : "hostname";

	(void)snprintf(f->own_name, sizeof(f->own_name), f->type == GUEST_QEMU ? "VM %u" : "CT%u",
		       f->vmid);
	f->name = text_or(c, key, f->own_name);
	/* Proxmox allows 63 bytes; the wire has an end too. */
	if (f->name.n > 255)
		f->name.n = 255;
}

static void read_processors(struct guestfacts *f, const struct guestconfig *c)
{
	struct slice cpu = text_or(c, "cpu", "kvm64");

	f->cores_known = f->type == GUEST_QEMU || guestconfig_number(c, "cores", 0) > 0;
	f->cores = at_least_one(guestconfig_number(c, "cores", 1));
	f->sockets = f->type == GUEST_QEMU ? at_least_one(guestconfig_number(c, "sockets", 1)) : 1;
	if (!prop_get(cpu, "cputype", "cputype", &f->cpu_type))
		f->cpu_type = SLICE("kvm64");
}

void guestfacts_read(struct guestfacts *ret, const struct guestconfig *c, uint32_t vmid)
{
	ret->vmid = vmid;
	ret->type = c->type;
	read_names(ret, c);
	read_processors(ret, c);
	ret->memory_mb = memory_of(c);
	ret->swap_mb = c->type == GUEST_LXC ? guestconfig_number(c, "swap", 512) : 0;
	ret->ostype = text_or(c, "ostype", c->type == GUEST_QEMU ? "other" : "unmanaged");
	ret->arch = text_or(c, "arch", c->type == GUEST_QEMU ? "x86_64" : "amd64");
	ret->kvm = guestconfig_bool(c, "kvm", true);
	ret->unprivileged = guestconfig_bool(c, "unprivileged", false);
	ret->protection = guestconfig_bool(c, "protection", false);
	ret->onboot = guestconfig_bool(c, "onboot", false);
	ret->template = guestconfig_bool(c, "template", false);
	ret->lock = guestconfig_text(c, "lock");
	ret->tags = guestconfig_text(c, "tags");
	ret->vmgenid = guestconfig_text(c, "vmgenid");
	ret->created = created_of(c);
	boot_of(ret, c);
	ret->pending = guestconfig_pending(c, NULL, NULL);
	ret->oldest_snapshot = 0;
	vec_each (s, &c->snapshots)
		if (s->at && (!ret->oldest_snapshot || s->at < ret->oldest_snapshot))
			ret->oldest_snapshot = s->at;
}

void guestfacts_tags(struct slice tags, struct buf *out)
{
	struct slice tag;
	size_t begin = out->len;

	while (list_next(&tags, &tag)) {
		if (out->len > begin)
			buf_addc(out, ',');
		buf_add(out, tag.p, tag.n);
	}
}
