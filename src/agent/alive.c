/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "agent/alive.h"

#include <errno.h>
#include <stdio.h>

#include "util/str.h"

#define SLICE_DIR      "sys/fs/cgroup/qemu.slice"
#define UNIX_BYTES_MAX ((size_t)64 * 1024 * 1024)

enum { PROCS_MAX = 65536, CMDLINE_MAX = 1024 * 1024, PIDS_MAX = 16 };

/* "-id 100": the word behind the option, exactly. */
static bool has_id(struct slice cmdline, uint32_t vmid)
{
	struct slice word;
	uint32_t n;

	while (slice_split(&cmdline, '\0', &word)) {
		if (!slice_eq(word, "-id"))
			continue;
		return slice_split(&cmdline, '\0', &word) && str_to_u32(word, &n) && n == vmid;
	}
	return false;
}

static bool is_vm(struct alive *a, const struct root *r, struct slice pid, uint32_t vmid)
{
	char path[48];
	uint32_t n;

	if (!str_to_u32(pid, &n))
		return false;
	(void)snprintf(path, sizeof(path), "proc/%u/cmdline", n);
	return root_read(r, path, CMDLINE_MAX, &a->text) == 0 && has_id(buf_slice(&a->text), vmid);
}

static enum tri vm_is(struct alive *a, const struct root *r, uint32_t vmid)
{
	CLEANUP(buf_done) struct buf procs = {};
	struct slice rest, pid;
	struct stat st;
	char path[80];
	int code;

	(void)snprintf(path, sizeof(path), SLICE_DIR "/%u.scope/cgroup.procs", vmid);
	code = root_read(r, path, PROCS_MAX, &procs);
	/* Without any VM there is no slice, but there is always the tree that it would stand in. */
	if (code == -ENOENT)
		return root_stat(r, "sys/fs/cgroup", &st) == 0 ? TRI_NO : TRI_UNKNOWN;
	if (code < 0)
		return TRI_UNKNOWN;
	rest = buf_slice(&procs);
	for (int i = 0; i < PIDS_MAX && slice_split(&rest, '\n', &pid); i++)
		if (is_vm(a, r, pid, vmid))
			return TRI_YES;
	return TRI_NO;
}

/* "... @/var/lib/lxc/101/command" */
static bool container_of(struct slice line, uint32_t *ret)
{
	static const char before[] = "@/var/lib/lxc/", behind[] = "/command";
	const char *at = memmem(line.p, line.n, before, sizeof(before) - 1);
	struct slice id;

	if (!at || !slice_ends(line, behind))
		return false;
	id = slice_from(line, (size_t)(at - line.p) + sizeof(before) - 1);
	if (id.n < sizeof(behind) - 1)
		return false;
	id.n -= sizeof(behind) - 1;
	return str_to_u32(id, ret);
}

static int cmp_id(const void *x, const void *y)
{
	const uint32_t *a = x, *b = y;

	return (*a > *b) - (*a < *b);
}

static void read_containers(struct alive *a, const struct root *r)
{
	struct slice rest, line;
	uint32_t vmid;

	a->ids.n = 0;
	a->read = true;
	a->containers = root_read(r, "proc/net/unix", UNIX_BYTES_MAX, &a->text) == 0;
	rest = a->containers ? buf_slice(&a->text) : SLICE("");
	while (slice_split(&rest, '\n', &line))
		if (container_of(line, &vmid))
			*vec_push(&a->ids) = vmid;
	if (a->ids.n > 1)
		qsort(a->ids.items, a->ids.n, sizeof(*a->ids.items), cmp_id);
}

enum tri alive_is(struct alive *a, const struct root *r, enum guest_type type, uint32_t vmid)
{
	if (type == GUEST_QEMU)
		return vm_is(a, r, vmid);
	if (!a->read)
		read_containers(a, r);
	if (!a->containers)
		return TRI_UNKNOWN;
	return tri_of(a->ids.n &&
		      bsearch(&vmid, a->ids.items, a->ids.n, sizeof(vmid), cmp_id) != NULL);
}

void alive_forget(struct alive *a)
{
	a->read = false;
}

void alive_done(struct alive *a)
{
	vec_free(&a->ids);
	buf_done(&a->text);
	a->read = false;
}
