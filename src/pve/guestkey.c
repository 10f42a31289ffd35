/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "pve/guestkey.h"

#include "util/str.h"

struct key_info {
	const char *name; /* without its number */
	enum guest_key_class class;
	int max; /* highest number of a drive; -1: none */
};

/* Both tables are sorted by name, for bsearch(). */
static const struct key_info qemu_keys[] = {
	{ "acpi", KEY_PLAIN },
	{ "affinity", KEY_PLAIN },
	{ "agent", KEY_PLAIN },
	{ "allow-ksm", KEY_PLAIN },
	{ "amd-sev", KEY_PLAIN },
	{ "arch", KEY_PLAIN },
	{ "args", KEY_PLAIN },
	{ "audio", KEY_PLAIN },
	{ "autostart", KEY_PLAIN },
	{ "balloon", KEY_PLAIN },
	{ "bios", KEY_PLAIN },
	{ "boot", KEY_PLAIN },
	{ "bootdisk", KEY_PLAIN },
	{ "cdrom", KEY_DRIVE, -1 },
	{ "cicustom", KEY_VOLIDS },
	{ "cipassword", KEY_PLAIN },
	{ "citype", KEY_PLAIN },
	{ "ciupgrade", KEY_PLAIN },
	{ "ciuser", KEY_PLAIN },
	{ "cores", KEY_PLAIN },
	{ "cpu", KEY_PLAIN },
	{ "cpulimit", KEY_PLAIN },
	{ "cpuunits", KEY_PLAIN },
	{ "delete", KEY_PLAIN },
	{ "digest", KEY_PLAIN },
	{ "efidisk", KEY_DRIVE, 0 },
	{ "fleecing-images", KEY_VOLIDS },
	{ "freeze", KEY_PLAIN },
	{ "hookscript", KEY_VOLIDS },
	{ "hostpci", KEY_PLAIN },
	{ "hotplug", KEY_PLAIN },
	{ "hugepages", KEY_PLAIN },
	{ "ide", KEY_DRIVE, 3 },
	{ "intel-tdx", KEY_PLAIN },
	{ "ipconfig", KEY_PLAIN },
	{ "ivshmem", KEY_PLAIN },
	{ "keephugepages", KEY_PLAIN },
	{ "keyboard", KEY_PLAIN },
	{ "kvm", KEY_PLAIN },
	{ "localtime", KEY_PLAIN },
	{ "lock", KEY_PLAIN },
	{ "machine", KEY_PLAIN },
	{ "memory", KEY_PLAIN },
	{ "meta", KEY_PLAIN },
	{ "migrate_downtime", KEY_PLAIN },
	{ "migrate_speed", KEY_PLAIN },
	{ "name", KEY_PLAIN },
	{ "nameserver", KEY_PLAIN },
	{ "net", KEY_PLAIN },
	{ "numa", KEY_PLAIN },
	{ "onboot", KEY_PLAIN },
	{ "ostype", KEY_PLAIN },
	{ "parallel", KEY_PLAIN },
	{ "parent", KEY_PLAIN },
	{ "protection", KEY_PLAIN },
	{ "reboot", KEY_PLAIN },
	{ "rng", KEY_PLAIN },
	{ "running-nets-host-mtu", KEY_PLAIN },
	{ "runningcpu", KEY_PLAIN },
	{ "runningmachine", KEY_PLAIN },
	{ "sata", KEY_DRIVE, 5 },
	{ "scsi", KEY_DRIVE, 30 },
	{ "scsihw", KEY_PLAIN },
	{ "searchdomain", KEY_PLAIN },
	{ "serial", KEY_PLAIN },
	{ "shares", KEY_PLAIN },
	{ "smbios", KEY_PLAIN },
	{ "smp", KEY_PLAIN },
	{ "snapstate", KEY_PLAIN },
	{ "snaptime", KEY_PLAIN },
	{ "sockets", KEY_PLAIN },
	{ "spice_enhancements", KEY_PLAIN },
	{ "sshkeys", KEY_PLAIN },
	{ "startdate", KEY_PLAIN },
	{ "startup", KEY_PLAIN },
	{ "tablet", KEY_PLAIN },
	{ "tags", KEY_PLAIN },
	{ "tdf", KEY_PLAIN },
	{ "template", KEY_PLAIN },
	{ "tpmstate", KEY_DRIVE, 0 },
	{ "unused", KEY_DRIVE, 255 },
	{ "usb", KEY_PLAIN },
	{ "vcpus", KEY_PLAIN },
	{ "vga", KEY_PLAIN },
	{ "virtio", KEY_DRIVE, 15 },
	{ "virtiofs", KEY_PLAIN },
	{ "vmgenid", KEY_PLAIN },
	{ "vmstate", KEY_VOLIDS },
	{ "vmstatestorage", KEY_PLAIN },
	{ "watchdog", KEY_PLAIN },
};

static const struct key_info lxc_keys[] = {
	{ "arch", KEY_PLAIN },	       { "cmode", KEY_PLAIN },	     { "console", KEY_PLAIN },
	{ "cores", KEY_PLAIN },	       { "cpulimit", KEY_PLAIN },    { "cpuunits", KEY_PLAIN },
	{ "debug", KEY_PLAIN },	       { "delete", KEY_PLAIN },	     { "dev", KEY_PLAIN },
	{ "entrypoint", KEY_PLAIN },   { "env", KEY_PLAIN },	     { "features", KEY_PLAIN },
	{ "hookscript", KEY_VOLIDS },  { "hostname", KEY_PLAIN },    { "lock", KEY_PLAIN },
	{ "memory", KEY_PLAIN },       { "mp", KEY_DRIVE, 255 },     { "nameserver", KEY_PLAIN },
	{ "net", KEY_PLAIN },	       { "onboot", KEY_PLAIN },	     { "ostype", KEY_PLAIN },
	{ "parent", KEY_PLAIN },       { "protection", KEY_PLAIN },  { "rootfs", KEY_DRIVE, -1 },
	{ "searchdomain", KEY_PLAIN }, { "snapstate", KEY_PLAIN },   { "snaptime", KEY_PLAIN },
	{ "startup", KEY_PLAIN },      { "swap", KEY_PLAIN },	     { "tags", KEY_PLAIN },
	{ "template", KEY_PLAIN },     { "timezone", KEY_PLAIN },    { "tty", KEY_PLAIN },
	{ "unprivileged", KEY_PLAIN }, { "unused", KEY_DRIVE, 255 },
};

static int cmp_key(const void *name, const void *info)
{
	const struct slice *n = name;
	const struct key_info *i = info;

	return slice_cmp(*n, slice_of(i->name));
}

static const struct key_info *find_key(enum guest_type type, struct slice name)
{
	const struct key_info *keys = type == GUEST_QEMU ? qemu_keys : lxc_keys;
	size_t n = type == GUEST_QEMU ? ARRAY_SIZE(qemu_keys) : ARRAY_SIZE(lxc_keys);

	return bsearch(&name, keys, n, sizeof(*keys), cmp_key);
}

static struct slice without_number(struct slice key)
{
	while (key.n && key.p[key.n - 1] >= '0' && key.p[key.n - 1] <= '9')
		key.n--;
	return key;
}

/* Numbers of drives end somewhere, and "scsi01" is no drive. */
static bool number_fits(const struct key_info *info, struct slice number)
{
	uint32_t n;

	if (info->class != KEY_DRIVE)
		return true;
	if (info->max < 0 || slice_empty(number))
		return info->max < 0 && slice_empty(number);
	return str_to_u32(number, &n) && n <= (uint32_t)info->max &&
	       (number.n == 1 || number.p[0] != '0');
}

struct guest_key guest_key_classify(enum guest_type type, struct slice key)
{
	struct slice name = without_number(key);
	const struct key_info *info = find_key(type, name);

	if (!info)
		return (struct guest_key){ KEY_UNKNOWN };
	if (number_fits(info, slice_from(key, name.n)))
		return (struct guest_key){ info->class };
	if (info->max < 0)
		return (struct guest_key){ KEY_UNKNOWN };
	return (struct guest_key){ KEY_UNKNOWN, info->name, info->max };
}

bool guest_key_is_secret(struct slice key)
{
	static const char *const names[] = { "env", "entrypoint", "lxc.environment" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (slice_eq(key, names[i]))
			return true;
	/* cipassword, and whatever the next Proxmox calls one. */
	return slice_starts(key, "lxc.environment.") || slice_holds_nocase(key, "passw") ||
	       slice_holds_nocase(key, "secret") || slice_holds_nocase(key, "token");
}
