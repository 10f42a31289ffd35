/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "blk/sysdisk.h"

#include <errno.h>
#include <stdio.h>

#include "util/str.h"

enum { SECTOR = 512, NUMBERS_MAX = 64 };

void sysdisk_attr(const struct root *root, const char *name, const char *attr, char *ret,
		  size_t size)
{
	CLEANUP(buf_done) struct buf text = {};
	struct slice line;
	char path[512];

	(void)snprintf(path, sizeof(path), "sys/block/%s/%s", name, attr);
	if (root_read_line(root, path, &text) < 0)
		buf_reset(&text);
	line = slice_trim(buf_slice(&text));
	(void)snprintf(ret, size, SLICE_FMT, SLICE_ARG(line));
}

int sysdisk_size(const struct root *root, const char *name, uint64_t *ret)
{
	uint64_t sectors;
	char text[32];

	sysdisk_attr(root, name, "size", text, sizeof(text));
	if (!str_to_u64(slice_of(text), &sectors))
		return -ENOENT;
	*ret = sectors * SECTOR;
	return 0;
}

int sysdisk_dev(const struct root *root, const char *name, struct devno *ret)
{
	char text[32];

	sysdisk_attr(root, name, "dev", text, sizeof(text));
	return devno_parse(slice_of(text), ret) ? 0 : -ENOENT;
}

int sysdisk_name_of(const struct root *root, struct devno dev, char ret[SYSDISK_NAME_MAX])
{
	CLEANUP(buf_done) struct buf target = {};
	char path[64];
	const char *slash;
	int r;

	(void)snprintf(path, sizeof(path), "sys/dev/block/" DEVNO_FMT, DEVNO_ARG(dev));
	r = root_readlink(root, path, &target);
	if (r < 0)
		return r;
	slash = strrchr(buf_str(&target), '/');
	(void)snprintf(ret, SYSDISK_NAME_MAX, "%s", slash ? slash + 1 : buf_str(&target));
	return 0;
}

static void add_entries(const struct root *root, const char *folder, const char *prefix,
			struct sysdisk_names *ret)
{
	DIR *dir = root_opendir(root, folder);
	struct dirent *entry;

	while (dir && (entry = readdir(dir)))
		if (entry->d_name[0] != '.' && strlen(entry->d_name) < SYSDISK_NAME_MAX &&
		    strncmp(entry->d_name, prefix, strlen(prefix)) == 0)
			(void)snprintf(vec_push(ret)->text, SYSDISK_NAME_MAX, "%.31s",
				       entry->d_name);
	if (dir)
		(void)closedir(dir);
}

void sysdisk_list(const struct root *root, const char *prefix, struct sysdisk_names *ret)
{
	add_entries(root, "sys/block", prefix, ret);
}

/* Folders of partitions are named after their disk. */
static void list_parts(const struct root *root, const char *name, struct sysdisk_names *ret)
{
	char folder[64];

	(void)snprintf(folder, sizeof(folder), "sys/block/%.31s", name);
	add_entries(root, folder, name, ret);
}

void sysdisk_holders(const struct root *root, const char *name, struct sysdisk_names *ret)
{
	CLEANUP(sysdisk_names_done) struct sysdisk_names parts = {};
	char folder[128];

	(void)snprintf(folder, sizeof(folder), "sys/block/%.31s/holders", name);
	add_entries(root, folder, "", ret);
	list_parts(root, name, &parts);
	vec_each (part, &parts) {
		(void)snprintf(folder, sizeof(folder), "sys/block/%.31s/%s/holders", name,
			       part->text);
		add_entries(root, folder, "", ret);
	}
}

size_t sysdisk_numbers(const struct root *root, const char *name, struct devno ret[64])
{
	CLEANUP(sysdisk_names_done) struct sysdisk_names parts = {};
	size_t n = 0;

	if (sysdisk_dev(root, name, &ret[n]) == 0)
		n++;
	list_parts(root, name, &parts);
	vec_each (part, &parts) {
		char attr[SYSDISK_NAME_MAX + 8], text[32];

		(void)snprintf(attr, sizeof(attr), "%s/dev", part->text);
		sysdisk_attr(root, name, attr, text, sizeof(text));
		if (n < NUMBERS_MAX && devno_parse(slice_of(text), &ret[n]))
			n++;
	}
	return n;
}
