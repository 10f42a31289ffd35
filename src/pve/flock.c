/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "pve/flock.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "pve/capture.h"
#include "pve/guest.h"
#include "pve/task.h"
#include "util/str.h"

#define LOCKS_BYTES_MAX ((size_t)64 * 1024 * 1024)

struct flocks {
	struct flock_entry *items; /* the three fields of a VEC(), sorted by inode */
	size_t n, cap;
};

struct folder {
	const char *path, *before, *behind;
	enum guest_type type;
};

/* Proxmox writes /var/lock, which is /run/lock. */
static const struct folder folders[] = {
	{ "run/lock/qemu-server", "lock-", ".conf", GUEST_QEMU },
	{ "run/lock/lxc", "pve-config-", ".lock", GUEST_LXC },
};

/* "00:1a:5678": major and minor in hex, the inode in decimal. */
static bool parse_file(struct slice s, struct flock_entry *ret)
{
	size_t first = slice_find(s, ':'), second;
	struct slice rest = slice_from(s, first + 1);
	uint64_t major, minor, ino;

	second = slice_find(rest, ':');
	if (!str_hex_to_u64((struct slice){ s.p, first }, &major) ||
	    !str_hex_to_u64((struct slice){ rest.p, second }, &minor) ||
	    !str_to_u64(slice_from(rest, second + 1), &ino) || major > UINT32_MAX ||
	    minor > UINT32_MAX)
		return false;
	ret->dev = makedev((unsigned int)major, (unsigned int)minor);
	ret->ino = ino;
	return true;
}

static bool next_word(struct slice *rest, struct slice *ret)
{
	*rest = slice_trim(*rest);
	return slice_split(rest, ' ', ret);
}

/* The holder may be -1 (or 0) when it lives in another pid namespace. */
static pid_t parse_pid(struct slice s)
{
	uint32_t pid;

	if (slice_eq(s, "-1"))
		return -1;
	return str_to_u32(s, &pid) && pid <= INT32_MAX ? (pid_t)pid : 0;
}

bool flock_parse(struct slice line, struct flock_entry *ret)
{
	struct slice word[6];

	/* "7: FLOCK  ADVISORY  WRITE 4711 00:1a:5678 0 EOF"; one who waits has "->" after "7:". */
	for (size_t i = 0; i < ARRAY_SIZE(word); i++)
		if (!next_word(&line, &word[i]))
			return false;
	if (!slice_eq(word[1], "FLOCK") || !parse_file(word[5], ret))
		return false;
	ret->pid = parse_pid(word[4]);
	return true;
}

static int cmp_flock(const void *a, const void *b)
{
	const struct flock_entry *x = a, *y = b;

	if (x->ino != y->ino)
		return x->ino < y->ino ? -1 : 1;
	return x->dev < y->dev ? -1 : x->dev > y->dev;
}

static int cmp_ino(const void *key, const void *item)
{
	const uint64_t *ino = key;
	const struct flock_entry *f = item;

	return *ino < f->ino ? -1 : *ino > f->ino;
}

static int read_flocks(struct flocks *ret, const struct root *r, struct err *e)
{
	CLEANUP(buf_done) struct buf text = {};
	struct slice rest, line;
	int code = root_read(r, "proc/locks", LOCKS_BYTES_MAX, &text);

	if (code < 0)
		return err_set(e, code, "proc/locks: %s", strerror(-code));
	rest = buf_slice(&text);
	while (slice_split(&rest, '\n', &line)) {
		struct flock_entry *f = vec_push(ret);

		if (!flock_parse(line, f))
			ret->n--;
	}
	if (ret->n > 1)
		qsort(ret->items, ret->n, sizeof(*ret->items), cmp_flock);
	return 0;
}

static bool vmid_of_file(const struct folder *folder, struct slice name, uint32_t *ret)
{
	if (!slice_starts(name, folder->before) || !slice_ends(name, folder->behind) ||
	    name.n < strlen(folder->before) + strlen(folder->behind))
		return false;
	name = slice_from(name, strlen(folder->before));
	name.n -= strlen(folder->behind);
	return str_to_u32(name, ret) && *ret >= VMID_MIN && *ret <= VMID_MAX;
}

/* Lock files are never removed: the folder's own inode numbers spare a stat() of nearly all. */
static void check_file(struct guest_locks *ret, const struct flocks *flocks, int dirfd,
		       const struct dirent *entry, const struct folder *folder)
{
	uint64_t ino = entry->d_ino;
	struct flock_entry key, *found;
	struct stat st;
	uint32_t vmid;

	if (!flocks->n || !vmid_of_file(folder, slice_of(entry->d_name), &vmid) ||
	    !bsearch(&ino, flocks->items, flocks->n, sizeof(*flocks->items), cmp_ino) ||
	    fstatat(dirfd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return;
	key = (struct flock_entry){ .dev = st.st_dev, .ino = st.st_ino };
	found = bsearch(&key, flocks->items, flocks->n, sizeof(key), cmp_flock);
	/* What this process holds itself says nothing of others. */
	if (found && found->pid != getpid())
		*vec_push(ret) = (struct guest_lock){ vmid, folder->type, found->pid };
}

static int read_folder(struct guest_locks *ret, const struct root *r, const struct flocks *flocks,
		       const struct folder *folder, struct err *e)
{
	DIR *d = root_opendir(r, folder->path);
	const struct dirent *entry;

	if (!d && errno == ENOENT)
		return 0;
	if (!d)
		return err_set(e, -errno, "%s: %s", folder->path, strerror(errno));
	while ((entry = readdir(d)))
		check_file(ret, flocks, dirfd(d), entry, folder);
	(void)closedir(d);
	return 0;
}

static int read_live(struct guest_locks *ret, const struct root *r, struct err *e)
{
	struct flocks flocks = {};
	int code = read_flocks(&flocks, r, e);

	for (size_t i = 0; code == 0 && i < ARRAY_SIZE(folders); i++)
		code = read_folder(ret, r, &flocks, &folders[i], e);
	vec_free(&flocks);
	return code;
}

static bool lock_of_json(const json_t *item, struct guest_lock *ret)
{
	const char *type = json_str(item, "type");
	int64_t vmid, pid = 0;

	if (!json_i64(item, "vmid", &vmid) || vmid < VMID_MIN || vmid > VMID_MAX || !type)
		return false;
	*ret = (struct guest_lock){ .vmid = (uint32_t)vmid };
	ret->type = strcmp(type, "lxc") == 0 ? GUEST_LXC : GUEST_QEMU;
	if (json_i64(item, "pid", &pid) && pid >= -1 && pid <= INT32_MAX)
		ret->pid = (pid_t)pid;
	return true;
}

/* The recording says who held what: its inodes are not those of the files in it. */
static int read_recorded(struct guest_locks *ret, const struct root *r, struct err *e)
{
	CLEANUP(capture_free) json_t *doc = NULL;
	const json_t *list, *item;
	size_t i;
	int code = capture_read(r, &doc, e);

	if (code < 0)
		return code == -ENOENT ? 0 : code;
	list = json_arr(doc, "flocks");
	json_array_foreach(list, i, item)
	{
		struct guest_lock lock;

		if (!lock_of_json(item, &lock))
			return err_set(e, -EBADMSG,
				       "capture.json: flocks[%zu]: expected vmid, type and pid", i);
		*vec_push(ret) = lock;
	}
	return 0;
}

static int cmp_lock(const void *a, const void *b)
{
	const struct guest_lock *x = a, *y = b;

	if (x->vmid != y->vmid)
		return x->vmid < y->vmid ? -1 : 1;
	return (int)x->type - (int)y->type;
}

int guest_locks_read(struct guest_locks *ret, const struct root *r, struct err *e)
{
	struct guest_locks found = {};
	int code = r->live ? read_live(&found, r, e) : read_recorded(&found, r, e);

	if (code < 0) {
		guest_locks_done(&found);
		return code;
	}
	if (found.n > 1)
		qsort(found.items, found.n, sizeof(*found.items), cmp_lock);
	*ret = found;
	return 0;
}

void guest_locks_done(struct guest_locks *l)
{
	vec_free(l);
}

const struct guest_lock *guest_locks_find(const struct guest_locks *l, uint32_t vmid)
{
	for (size_t i = 0; i < l->n; i++)
		if (l->items[i].vmid == vmid)
			return &l->items[i];
	return NULL;
}
