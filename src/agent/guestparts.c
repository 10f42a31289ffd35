/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "agent/guestparts.h"

#include <stdio.h>

#include "agent/props.h"
#include "agent/wire.h"
#include "pve/guestkey.h"
#include "util/str.h"

/* Only a hostile config comes near these; what is beyond them is left out. */
enum {
	LIST_MAX = 512,
	VALUE_MAX = 8192,
	TEXT_MAX = 8192,	/* of one description */
	BYTES_MAX = 192 * 1024, /* of one list as JSON */
};

/* Cut where a character ends. */
static struct slice cut(struct slice s, size_t max)
{
	if (s.n <= max)
		return s;
	s.n = max;
	while (s.n && ((unsigned char)s.p[s.n] & 0xc0) == 0x80)
		s.n--;
	return s;
}

/* A list that grows: how many rows it has, and where it began. */
struct list {
	struct jsonw *w;
	size_t n, begin;
};

static void begin_list(struct list *l, struct jsonw *w, const char *name)
{
	jsonw_array(w, name);
	*l = (struct list){ .w = w, .begin = w->out->len };
}

/* Asked for each row: is there room for it? */
static bool has_room(struct list *l)
{
	return l->n++ < LIST_MAX && l->w->out->len - l->begin < BYTES_MAX;
}

/* "net12" of "net": letters, then a number that is there. */
static bool is_numbered(struct slice key, const char *name)
{
	size_t n = strlen(name);
	uint32_t number;

	return slice_starts(key, name) && str_to_u32(slice_from(key, n), &number);
}

static void write_key(struct jsonw *w, struct slice key)
{
	jsonw_slice(w, "key", cut(key, 64));
}

/* --- drives and mount points -------------------------------------------------------------------
 */

/* "local-lvm:vm-100-disk-0", "/dev/sdb", "none" */
static void write_volume(struct jsonw *w, struct slice file)
{
	struct volid id;

	if (volid_parse(file, &id)) {
		jsonw_slice(w, "storage", cut(id.storage, WIRE_NAME_MAX));
		jsonw_slice(w, "volume", cut(id.volname, VALUE_MAX));
	} else {
		jsonw_null(w, "storage");
		jsonw_slice(w, "volume", cut(file, VALUE_MAX));
	}
}

static void write_size(struct jsonw *w, struct props *p)
{
	struct slice text;
	uint64_t size;

	if (props_take(p, "size", &text) && str_to_size(text, &size) && size <= INT64_MAX)
		jsonw_u64(w, "size", size);
}

static void write_drive(struct jsonw *w, struct slice key, struct slice value)
{
	struct slice file = SLICE(""), media;
	struct props p;

	props_read(&p, cut(value, VALUE_MAX), "file");
	if (!props_take(&p, "file", &file))
		(void)props_take(&p, "volume", &file);
	jsonw_row(w, NULL);
	write_key(w, key);
	write_volume(w, file);
	write_size(w, &p);
	jsonw_slice(w, "media", props_take(&p, "media", &media) ? media : SLICE("disk"));
	props_rest(w, &p, "options");
	jsonw_close(w);
}

static bool is_unused(struct slice key)
{
	return slice_starts(key, "unused");
}

static bool is_drive(const struct guestconfig *c, const struct guestconfig_option *o)
{
	return !o->raw && guest_key_classify(c->type, o->key).class == KEY_DRIVE &&
	       (c->type == GUEST_QEMU || is_unused(o->key));
}

void guestparts_drives(struct jsonw *w, const struct guestconfig *c)
{
	struct list l;

	begin_list(&l, w, "drives");
	vec_each (o, &c->main)
		if (is_drive(c, o) && has_room(&l))
			write_drive(w, o->key, o->value);
	jsonw_close(w);
}

static void write_mountpoint(struct jsonw *w, struct slice key, struct slice value)
{
	struct slice volume = SLICE(""), mp = SLICE("/");
	struct props p;

	props_read(&p, cut(value, VALUE_MAX), "volume");
	(void)props_take(&p, "volume", &volume);
	jsonw_row(w, NULL);
	write_key(w, key);
	write_volume(w, volume);
	(void)props_take(&p, "mp", &mp);
	jsonw_slice(w, "mp", mp);
	write_size(w, &p);
	props_bool(w, &p, "ro", "ro");
	props_bool(w, &p, "shared", "shared");
	props_rest(w, &p, "options");
	jsonw_close(w);
}

static bool is_mountpoint(const struct guestconfig *c, const struct guestconfig_option *o)
{
	return c->type == GUEST_LXC && (slice_eq(o->key, "rootfs") || is_numbered(o->key, "mp"));
}

void guestparts_mountpoints(struct jsonw *w, const struct guestconfig *c)
{
	struct list l;

	begin_list(&l, w, "mountpoints");
	vec_each (o, &c->main)
		if (is_mountpoint(c, o) && has_room(&l))
			write_mountpoint(w, o->key, o->value);
	jsonw_close(w);
}

/* --- networks ----------------------------------------------------------------------------------
 */

static void write_addresses(struct jsonw *w, struct props *p)
{
	props_text(w, p, "ip", "ip");
	props_text(w, p, "ip6", "ip6");
	props_text(w, p, "gw", "gw");
	props_text(w, p, "gw6", "gw6");
}

/* "virtio=BC:24:11:..,bridge=vmbr0": the model is the key; also "model=virtio,macaddr=..". */
static void write_model(struct jsonw *w, struct props *p)
{
	static const char *const models[] = {
		"virtio",	 "e1000",	  "e1000e",	   "rtl8139", "vmxnet3",
		"e1000-82540em", "e1000-82544gc", "e1000-82545em", "i82551",  "i82557b",
		"i82559er",	 "ne2k_isa",	  "ne2k_pci",	   "pcnet",
	};
	struct slice mac = SLICE("");

	for (size_t i = 0; i < ARRAY_SIZE(models); i++) {
		if (!props_take(p, models[i], &mac))
			continue;
		jsonw_str(w, "model", models[i]);
		jsonw_slice(w, "mac", mac);
		return;
	}
	props_text(w, p, "model", "model");
	props_text(w, p, "macaddr", "mac");
}

/* Cloud-init's addresses stand under a key of their own. */
static void write_ipconfig(struct jsonw *w, const struct guestconfig *c, struct slice net)
{
	struct slice value;
	struct props p;
	char key[24];

	(void)snprintf(key, sizeof(key), "ipconfig" SLICE_FMT, SLICE_ARG(slice_from(net, 3)));
	if (!guestconfig_get(&c->main, key, &value))
		return;
	props_read(&p, cut(value, VALUE_MAX), NULL);
	write_addresses(w, &p);
}

static void write_net(struct jsonw *w, const struct guestconfig *c,
		      const struct guestconfig_option *o)
{
	bool container = c->type == GUEST_LXC;
	struct props p;

	props_read(&p, cut(o->value, VALUE_MAX), container ? NULL : "model");
	jsonw_row(w, NULL);
	write_key(w, o->key);
	if (container) {
		props_text(w, &p, "name", "name");
		props_text(w, &p, "type", "model");
		props_text(w, &p, "hwaddr", "mac");
	} else {
		write_model(w, &p);
	}
	props_text(w, &p, "bridge", "bridge");
	if (container)
		write_addresses(w, &p);
	else
		write_ipconfig(w, c, o->key);
	props_number(w, &p, "tag", "tag");
	props_number(w, &p, "mtu", "mtu");
	props_bool(w, &p, "firewall", "firewall");
	props_bool(w, &p, "link_down", "link_down");
	props_text(w, &p, "trunks", "trunks");
	props_text(w, &p, "rate", "rate");
	props_rest(w, &p, "options");
	jsonw_close(w);
}

void guestparts_nets(struct jsonw *w, const struct guestconfig *c)
{
	struct list l;

	begin_list(&l, w, "nets");
	vec_each (o, &c->main)
		if (!o->raw && is_numbered(o->key, "net") && o->key.n < 12 && has_room(&l))
			write_net(w, c, o);
	jsonw_close(w);
}

/* --- snapshots and what is pending -------------------------------------------------------------
 */

static void write_unless_empty(struct jsonw *w, const char *name, struct slice text, size_t max)
{
	if (slice_empty(text))
		jsonw_null(w, name);
	else
		jsonw_slice(w, name, cut(text, max));
}

void guestparts_snapshots(struct jsonw *w, const struct guestconfig *c)
{
	struct list l;

	begin_list(&l, w, "snapshots");
	vec_each (s, &c->snapshots) {
		if (!has_room(&l))
			break;
		jsonw_row(w, NULL);
		jsonw_slice(w, "name", cut(s->name, WIRE_NAME_MAX));
		jsonw_time(w, "at", s->at);
		write_unless_empty(w, "parent", s->parent, WIRE_NAME_MAX);
		write_unless_empty(w, "vmstate", s->vmstate, VALUE_MAX);
		write_unless_empty(w, "description", guestconfig_snapshot_text(c, s), TEXT_MAX / 8);
		jsonw_close(w);
	}
	jsonw_close(w);
}

/* QEMU's own arguments may hold a password for anything. */
static bool is_masked(struct slice key, struct slice value)
{
	static const char *const words[] = { "passw", "secret", "token", "credential", "key" };

	if (guest_key_is_secret(key))
		return true;
	for (size_t i = 0; slice_eq(key, "args") && i < ARRAY_SIZE(words); i++)
		if (slice_holds_nocase(value, words[i]))
			return true;
	return false;
}

static void write_value(struct jsonw *w, const char *name, struct slice key,
			const struct slice *value)
{
	if (!value)
		jsonw_null(w, name);
	else if (is_masked(key, *value))
		jsonw_str(w, name, GUESTPARTS_MASKED);
	else
		jsonw_slice(w, name, cut(*value, VALUE_MAX / 8));
}

static void write_pending(void *arg, struct slice key, const struct slice *now,
			  const struct slice *new)
{
	struct list *l = arg;

	if (!has_room(l))
		return;
	jsonw_row(l->w, NULL);
	write_key(l->w, key);
	write_value(l->w, "now", key, now);
	write_value(l->w, "new", key, new);
	jsonw_close(l->w);
}

void guestparts_pending(struct jsonw *w, const struct guestconfig *c)
{
	struct list l;

	begin_list(&l, w, "pending");
	(void)guestconfig_pending(c, write_pending, &l);
	jsonw_close(w);
}

/* --- the config itself -------------------------------------------------------------------------
 */

/* The values of an lxc.* key that comes again, one a line. */
static size_t write_raw(struct jsonw *w, const char *key, const struct guestconfig_option *o,
			size_t left)
{
	CLEANUP(buf_done) struct buf text = {};
	size_t n = 0;

	for (; n < left && slice_eq2(o[n].key, o->key); n++) {
		if (n)
			buf_addc(&text, '\n');
		if (text.len < VALUE_MAX)
			buf_add(&text, o[n].value.p, o[n].value.n);
	}
	jsonw_slice(w, key, cut(buf_slice(&text), VALUE_MAX));
	return n;
}

void guestparts_config(struct jsonw *w, const struct guestconfig *c)
{
	struct slice description = guestconfig_description(c);
	size_t begin;
	char key[80];

	jsonw_row(w, "config");
	begin = w->out->len;
	if (!slice_empty(description))
		jsonw_slice(w, "description", cut(description, TEXT_MAX));
	for (size_t i = 0; i < c->main.n && w->out->len - begin < BYTES_MAX;) {
		const struct guestconfig_option *o = &c->main.items[i];

		if (o->key.n > 64) {
			i++;
			continue;
		}
		(void)snprintf(key, sizeof(key), SLICE_FMT, SLICE_ARG(o->key));
		if (o->raw && !is_masked(o->key, o->value)) {
			i += write_raw(w, key, o, c->main.n - i);
			continue;
		}
		if (i == 0 || !slice_eq2(o[-1].key, o->key))
			jsonw_slice(w, key,
				    is_masked(o->key, o->value) ? SLICE(GUESTPARTS_MASKED)
								: cut(o->value, VALUE_MAX));
		i++;
	}
	jsonw_close(w);
}

/* What the schemas of Proxmox' API have as integers and booleans. */
static bool is_number(struct slice key, struct slice value)
{
	static const char *const keys[] = {
		"acpi",		"autostart", "balloon",	      "console",       "cores",
		"cpuunits",	"debug",     "freeze",	      "keephugepages", "kvm",
		"localtime",	"memory",    "migrate_speed", "numa",	       "onboot",
		"protection",	"reboot",    "shares",	      "smp",	       "sockets",
		"swap",		"tablet",    "tdf",	      "template",      "tty",
		"unprivileged", "vcpus",
	};
	uint64_t n;

	if (value.n > 15 || !str_to_u64(value, &n) || (value.n > 1 && value.p[0] == '0'))
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		if (slice_eq(key, keys[i]))
			return true;
	return false;
}

/* The next string of our own JSON, without its quotes; *rest goes on behind it. */
static bool next_string(struct slice *rest, struct slice *ret)
{
	size_t begin = slice_find(*rest, '"') + 1, end = begin;

	while (end < rest->n && rest->p[end] != '"')
		end += rest->p[end] == '\\' ? 2 : 1;
	if (end >= rest->n)
		return false;
	*ret = (struct slice){ rest->p + begin, end - begin };
	*rest = slice_from(*rest, end + 1);
	return true;
}

void guestparts_config_typed(struct slice config, struct buf *out)
{
	struct slice rest = config, key, value;
	const char *from = config.p;

	if (!next_string(&rest, &key)) /* the name of the object itself */
		return;
	while (next_string(&rest, &key) && next_string(&rest, &value)) {
		if (!is_number(key, value))
			continue;
		buf_add(out, from, (size_t)(value.p - 1 - from));
		buf_add(out, value.p, value.n);
		from = value.p + value.n + 1;
	}
	buf_add(out, from, (size_t)(config.p + config.n - from));
}

void guestparts_features(struct jsonw *w, const char *name, const struct guestconfig *c)
{
	struct slice text;
	struct props p = {};

	if (guestconfig_get(&c->main, "features", &text))
		props_read(&p, cut(text, VALUE_MAX), NULL);
	if (p.n)
		props_rest(w, &p, name);
	else
		jsonw_raw(w, name, SLICE("{}"));
}

void guestparts_agent(struct jsonw *w, const char *name, const struct guestconfig *c)
{
	struct slice text, value;
	struct props p = {};
	bool on = false;

	if (guestconfig_get(&c->main, "agent", &text))
		props_read(&p, cut(text, VALUE_MAX), "enabled");
	if (props_take(&p, "enabled", &value))
		(void)prop_bool(value, &on);
	jsonw_row(w, name);
	jsonw_bool(w, "enabled", on);
	props_rest(w, &p, "options");
	jsonw_close(w);
}
