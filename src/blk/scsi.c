/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "blk/scsi.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#include "blk/scsi_act.h"
#include "util/file.h"
#include "util/str.h"

#define ISCSI_SESSIONS	  "sys/class/iscsi_session"
#define ISCSI_CONNECTIONS "sys/class/iscsi_connection"
#define FC_PORTS	  "sys/class/fc_remote_ports"
#define UNITS		  "sys/class/scsi_device"

bool scsi_address_parse(struct slice text, struct scsi_address *ret)
{
	struct slice h, c, t;
	struct scsi_address a;

	if (!slice_split(&text, ':', &h) || !slice_split(&text, ':', &c) ||
	    !slice_split(&text, ':', &t) || !str_to_u32(h, &a.host) || !str_to_u32(c, &a.channel) ||
	    !str_to_u32(t, &a.target) || !str_to_u64(text, &a.lun))
		return false;
	*ret = a;
	return true;
}

bool scsi_address_eq(const struct scsi_address *a, const struct scsi_address *b)
{
	return a->host == b->host && a->channel == b->channel && a->target == b->target &&
	       a->lun == b->lun;
}

static void read_attr(const struct root *root, const char *folder, const char *name,
		      const char *attr, char *ret, size_t size)
{
	CLEANUP(buf_done) struct buf text = {};
	struct slice line;
	char path[512];

	(void)snprintf(path, sizeof(path), "%s/%s/%s", folder, name, attr);
	if (root_read_line(root, path, &text) < 0)
		buf_reset(&text);
	line = slice_trim(buf_slice(&text));
	(void)snprintf(ret, size, SLICE_FMT, SLICE_ARG(line));
}

/* The piece "hostN" of the place that an entry of a class links to. */
static bool host_of(const struct root *root, const char *folder, const char *name, uint32_t *ret)
{
	CLEANUP(buf_done) struct buf target = {};
	struct slice rest, piece;
	char path[512];

	(void)snprintf(path, sizeof(path), "%s/%s", folder, name);
	if (root_readlink(root, path, &target) < 0)
		return false;
	rest = buf_slice(&target);
	while (slice_split(&rest, '/', &piece))
		if (slice_starts(piece, "host") && str_to_u32(slice_from(piece, 4), ret))
			return true;
	return false;
}

/* "session3" -> "connection3:0" and its address; iscsid's words where the kernel has none. */
static void read_portal(const struct root *root, const char *session, char ret[SCSI_PORTAL_MAX])
{
	char name[64], address[SCSI_PORTAL_MAX - 12], port[8];
	bool v6;

	(void)snprintf(name, sizeof(name), "connection%.40s:0", session + strlen("session"));
	read_attr(root, ISCSI_CONNECTIONS, name, "persistent_address", address, sizeof(address));
	read_attr(root, ISCSI_CONNECTIONS, name, "persistent_port", port, sizeof(port));
	v6 = strchr(address, ':') && *address != '[';
	(void)snprintf(ret, SCSI_PORTAL_MAX, "%s%s%s:%s", v6 ? "[" : "", address, v6 ? "]" : "",
		       port);
	if (!*address)
		*ret = '\0';
}

static void read_session(struct scsi_ports *ret, const struct root *root, const char *name)
{
	struct scsi_port port = {};
	char text[32];

	read_attr(root, ISCSI_SESSIONS, name, "targetname", port.id, sizeof(port.id));
	if (!*port.id || !host_of(root, ISCSI_SESSIONS, name, &port.host))
		return;
	/* Kernels before 5.14 do not say it; iscsi_tcp has one target a host, number 0. */
	read_attr(root, ISCSI_SESSIONS, name, "target_id", text, sizeof(text));
	(void)str_to_u32(slice_of(text), &port.target);
	read_attr(root, ISCSI_SESSIONS, name, "state", text, sizeof(text));
	port.usable = strcmp(text, "LOGGED_IN") == 0;
	read_portal(root, name, port.portal);
	*vec_push(ret) = port;
}

static void each_entry(struct scsi_ports *ret, const struct root *root, const char *folder,
		       const char *prefix,
		       void (*fn)(struct scsi_ports *, const struct root *, const char *))
{
	DIR *dir = root_opendir(root, folder);
	struct dirent *entry;

	while (dir && (entry = readdir(dir)))
		if (strncmp(entry->d_name, prefix, strlen(prefix)) == 0)
			fn(ret, root, entry->d_name);
	if (dir)
		(void)closedir(dir);
}

void scsi_iscsi_ports(struct scsi_ports *ret, const struct root *root)
{
	each_entry(ret, root, ISCSI_SESSIONS, "session", read_session);
}

/* "rport-5:0-3": host 5, channel 0. */
static bool rport_parse(struct slice name, struct scsi_port *ret)
{
	size_t colon = slice_find(name, ':'), dash;
	struct slice channel = slice_from(name, colon + 1);

	dash = slice_find(channel, '-');
	return colon < name.n && dash < channel.n &&
	       str_to_u32((struct slice){ name.p, colon }, &ret->host) &&
	       str_to_u32((struct slice){ channel.p, dash }, &ret->channel);
}

static void read_rport(struct scsi_ports *ret, const struct root *root, const char *name)
{
	struct scsi_port port = {};
	char text[64], wwpn[40];

	if (!rport_parse(slice_of(name + strlen("rport-")), &port))
		return;
	read_attr(root, FC_PORTS, name, "port_name", wwpn, sizeof(wwpn));
	(void)snprintf(port.id, sizeof(port.id), "%s", wwpn + (strncmp(wwpn, "0x", 2) ? 0 : 2));
	/* -1 of one that is no target. */
	read_attr(root, FC_PORTS, name, "scsi_target_id", text, sizeof(text));
	if (!*port.id || !str_to_u32(slice_of(text), &port.target))
		return;
	read_attr(root, FC_PORTS, name, "port_state", text, sizeof(text));
	port.usable = strcmp(text, "Online") == 0;
	*vec_push(ret) = port;
}

void scsi_fc_ports(struct scsi_ports *ret, const struct root *root)
{
	each_entry(ret, root, FC_PORTS, "rport-", read_rport);
}

static bool read_address(struct scsi_disk *d, const struct root *root)
{
	CLEANUP(buf_done) struct buf target = {};
	const char *slash;
	char path[64];

	(void)snprintf(path, sizeof(path), "sys/block/%s/device", d->name);
	if (root_readlink(root, path, &target) < 0)
		return false;
	slash = strrchr(buf_str(&target), '/');
	return slash && scsi_address_parse(slice_of(slash + 1), &d->at);
}

int scsi_disk_read(struct scsi_disk *ret, const struct root *root, const char *name)
{
	CLEANUP(sysdisk_names_done) struct sysdisk_names holders = {};
	struct scsi_disk d = {};

	(void)snprintf(d.name, sizeof(d.name), "%.31s", name);
	if (!read_address(&d, root) || sysdisk_dev(root, d.name, &d.dev) < 0 ||
	    sysdisk_size(root, d.name, &d.size) < 0)
		return -ENOENT;
	sysdisk_attr(root, d.name, "device/wwid", d.wwid, sizeof(d.wwid));
	sysdisk_attr(root, d.name, "device/state", d.state, sizeof(d.state));
	sysdisk_holders(root, d.name, &holders);
	d.held = holders.n > 0;
	*ret = d;
	return 0;
}

int scsi_disk_at(struct scsi_disk *ret, const struct root *root, const struct scsi_address *at)
{
	char path[128], name[SYSDISK_NAME_MAX] = "";
	struct dirent *entry;
	struct stat st;
	DIR *dir;

	(void)snprintf(path, sizeof(path), UNITS "/" SCSI_ADDRESS_FMT "/device",
		       SCSI_ADDRESS_ARG(*at));
	if (root_stat(root, path, &st) < 0)
		return -ENOENT;
	(void)snprintf(path + strlen(path), sizeof(path) - strlen(path), "/block");
	dir = root_opendir(root, path);
	while (dir && (entry = readdir(dir)))
		if (entry->d_name[0] != '.')
			(void)snprintf(name, sizeof(name), "%.31s", entry->d_name);
	if (dir)
		(void)closedir(dir);
	if (!*name || scsi_disk_read(ret, root, name) < 0 || !scsi_address_eq(&ret->at, at))
		return -EAGAIN;
	return 0;
}

void scsi_units(struct scsi_addresses *ret, const struct root *root)
{
	DIR *dir = root_opendir(root, UNITS);
	struct scsi_address at;
	struct dirent *entry;

	while (dir && (entry = readdir(dir)))
		if (scsi_address_parse(slice_of(entry->d_name), &at))
			*vec_push(ret) = at;
	if (dir)
		(void)closedir(dir);
}

void scsi_disks_like(struct scsi_disks *ret, const struct root *root, const char *prefix)
{
	CLEANUP(sysdisk_names_done) struct sysdisk_names names = {};

	sysdisk_list(root, "sd", &names);
	vec_each (name, &names) {
		char wwid[SCSI_WWID_MAX];
		struct scsi_disk d;

		sysdisk_attr(root, name->text, "device/wwid", wwid, sizeof(wwid));
		if (strncmp(wwid, prefix, strlen(prefix)) == 0 &&
		    scsi_disk_read(&d, root, name->text) == 0)
			*vec_push(ret) = d;
	}
}

/* One write of a whole attribute. */
static int write_attr(const struct root *root, const char *path, const char *text, struct err *e)
{
	CLEANUP_FD int fd = root_openat(root, path, O_WRONLY);
	int r = fd < 0 ? fd : file_write_all(fd, slice_of(text));

	return r < 0 ? err_set(e, r, "writing \"%.*s\" to /%s: %s", (int)strcspn(text, "\n"), text,
			       path, strerror(-r))
		     : 0;
}

static int write_disk(const struct root *root, const struct scsi_disk *disk, const char *attr,
		      const char *text, struct err *e)
{
	struct scsi_disk now;
	char path[128];
	int r;

	/* By its address, not by its name: names are given again. */
	r = scsi_disk_at(&now, root, &disk->at);
	if (r < 0 || strcmp(now.name, disk->name) != 0 || !devno_eq(now.dev, disk->dev))
		return err_set(e, -ENODEV, "the disk %s is gone", disk->name);
	(void)snprintf(path, sizeof(path), UNITS "/" SCSI_ADDRESS_FMT "/device/%s",
		       SCSI_ADDRESS_ARG(disk->at), attr);
	r = write_attr(root, path, text, e);
	return r == -ENOENT ? -ENODEV : r;
}

int scsi_scan(const struct root *root, const struct scsi_address *at, struct err *e)
{
	char path[64], text[64];

	(void)snprintf(path, sizeof(path), "sys/class/scsi_host/host%u/scan", at->host);
	(void)snprintf(text, sizeof(text), "%u %u %llu", at->channel, at->target,
		       (unsigned long long)at->lun);
	return write_attr(root, path, text, e);
}

int scsi_delete(const struct root *root, const struct scsi_disk *disk, struct err *e)
{
	int r = write_disk(root, disk, "delete", "1", e);

	return r == -ENODEV ? 0 : r;
}

int scsi_rescan(const struct root *root, const struct scsi_disk *disk, struct err *e)
{
	return write_disk(root, disk, "rescan", "1", e);
}

int scsi_offline(const struct root *root, const struct scsi_disk *disk, struct err *e)
{
	/* The kernel wants the end of line. */
	int r = write_disk(root, disk, "state", "offline\n", e);
	char state[32];

	if (r == -ENODEV)
		return 0;
	sysdisk_attr(root, disk->name, "device/state", state, sizeof(state));
	/* The kernel refuses to set a disk whose port is lost, or being looked for. */
	if (strcmp(state, "offline") == 0 || strcmp(state, "transport-offline") == 0 ||
	    strcmp(state, "blocked") == 0)
		return 0;
	if (r < 0)
		return r;
	return *state ? err_set(e, -EIO, "the disk %s stays %s", disk->name, state) : 0;
}
