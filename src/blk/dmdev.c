/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "blk/dmdev.h"

#include <errno.h>
#include <libdevmapper.h>
#include <poll.h>
#include <stdarg.h>
#include <sys/sysmacros.h>

#include "blk/dmdev_act.h"
#include "blk/dmrec.h"
#include "util/clock.h"
#include "util/log.h"
#include "util/str.h"

/* How often the list is taken again when devices change under us. */
enum { ATTEMPTS = 5 };

/* DM_LIST_DEVICES' second record part: event number, flags, then the UUID (linux/dm-ioctl.h). */
enum { LIST_HAS_UUID = 1 };

static void free_task(struct dm_task **t)
{
	if (*t)
		dm_task_destroy(*t);
}

#define DM_TASK CLEANUP(free_task) struct dm_task

static __attribute__((format(printf, 5, 6))) void library_says(int level, const char *file,
							       int line, int code, const char *fmt,
							       ...)
{
	char text[512];
	va_list ap;

	(void)file;
	(void)line;
	(void)code;
	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if ((level & 7) <= 4)
		log_debug("libdevmapper: %s", text);
}

/* Runs a question about one device, or about all. Returns 0 or -errno. */
static int ask(struct dm_task *t)
{
	errno = 0;
	if (dm_task_no_flush(t) && dm_task_run(t))
		return 0;
	errno = dm_task_get_errno(t) ? dm_task_get_errno(t) : errno;
	return errno ? -errno : -EIO;
}

static size_t align8(size_t n)
{
	return (n + 7) & ~(size_t)7;
}

/* The UUID behind a list record, "" if there is none, NULL if this kernel lists none. */
static const char *listed_uuid(const struct dm_names *n)
{
	const char *behind =
		(const char *)n + align8(offsetof(struct dm_names, name) + strlen(n->name) + 1);
	uint32_t flags;

	if (n->next && behind + 8 > (const char *)n + n->next)
		return NULL;
	memcpy(&flags, behind + 4, sizeof(flags));
	return flags & LIST_HAS_UUID ? behind + 8 : "";
}

/* The record behind @n, NULL at the end; the kernel aligns records to eight bytes. */
static const struct dm_names *next_record(const struct dm_names *n)
{
	return n->next ? (const void *)((const char *)n + n->next) : NULL;
}

/*
 * The list with UUIDs. The kernel adds them (since 5.13) to a request that carries a UUID of its
 * own; a blank one selects nothing and asks for all. A kernel without them lists no flags:
 * @have_uuids.
 */
static int list_devices(struct arena *a, struct dm_set *ret, bool *have_uuids, struct err *e)
{
	DM_TASK *t = dm_task_create(DM_DEVICE_LIST);
	const struct dm_names *n, *first;
	size_t count = 0;
	int r;

	if (!t || !dm_task_set_newuuid(t, " "))
		return err_set(e, -ENOMEM, "device-mapper: no request could be made");
	r = ask(t);
	if (r < 0)
		return err_set(e, r == -ENXIO || r == -ENOENT ? -ENODEV : r,
			       "device-mapper does not list its devices: %s", strerror(-r));
	first = dm_task_get_names(t);
	*ret = (struct dm_set){};
	*have_uuids = false;
	/* For an empty list the kernel writes nothing, and the blank UUID of the request is still
	 * there; a device always has a name. */
	if (!first || !first->dev || !*first->name)
		return 0;

	for (n = first; n; n = next_record(n))
		count++;
	ret->items = arena_alloc(a, count * sizeof(*ret->items));
	for (n = first; n; n = next_record(n)) {
		struct dm_dev *d = &ret->items[ret->n++];
		const char *uuid = listed_uuid(n);

		d->name = arena_str(a, slice_of(n->name));
		d->uuid = uuid ? arena_str(a, slice_of(uuid)) : "";
		d->dev = (struct devno){ major(n->dev), minor(n->dev) };
		*have_uuids |= uuid && *uuid;
	}
	return 0;
}

static bool may_hold_key(const char *type)
{
	return strcmp(type, "crypt") == 0 || strcmp(type, "integrity") == 0;
}

static void take_targets(struct dm_task *t, struct dm_dev *d, size_t count, struct arena *a)
{
	uint64_t start, length;
	char *type, *params;
	void *next = NULL;

	d->targets = arena_alloc(a, count * sizeof(*d->targets));
	do {
		struct dm_target *target = &d->targets[d->n_targets];

		next = dm_get_next_target(t, next, &start, &length, &type, &params);
		if (!type || d->n_targets == count)
			break;
		target->start = start;
		target->length = length;
		target->type = arena_str(a, slice_of(type));
		target->params = may_hold_key(type) ? "" : arena_str(a, slice_of(params));
		d->n_targets++;
	} while (next);
}

static int ask_about(struct dm_task *t, const struct dm_dev *d)
{
	if (!t || !dm_task_set_major_minor(t, (int)d->dev.major, (int)d->dev.minor, 0))
		return -ENOMEM;
	return ask(t);
}

/* Tables of these types name all their devices; of all others the kernel is asked. */
static bool names_its_devices(const struct dm_target *t)
{
	return strcmp(t->type, "linear") == 0 || strcmp(t->type, "striped") == 0 ||
	       strcmp(t->type, "thin") == 0 || strcmp(t->type, "snapshot-origin") == 0;
}

static void add_dep(struct dm_dev *d, struct devno dev)
{
	for (size_t i = 0; i < d->n_deps; i++)
		if (devno_eq(d->deps[i], dev))
			return;
	d->deps[d->n_deps++] = dev;
}

static void deps_from_table(struct dm_dev *d, struct arena *a)
{
	size_t words = 0;

	for (size_t i = 0; i < d->n_targets; i++)
		for (const char *p = d->targets[i].params; *p; p++)
			words += *p == ':';
	d->deps = arena_alloc(a, words * sizeof(*d->deps));
	for (size_t i = 0; i < d->n_targets; i++) {
		struct slice rest = slice_of(d->targets[i].params), word;
		struct devno dev;

		while (slice_split(&rest, ' ', &word))
			if (devno_parse(word, &dev))
				add_dep(d, dev);
	}
}

static int ask_deps(struct dm_dev *d, struct arena *a)
{
	DM_TASK *t = dm_task_create(DM_DEVICE_DEPS);
	const struct dm_deps *deps;
	int r = ask_about(t, d);

	if (r < 0)
		return r;
	deps = dm_task_get_deps(t);
	d->deps = arena_alloc(a, (deps ? deps->count : 0) * sizeof(*d->deps));
	for (uint32_t i = 0; deps && i < deps->count; i++)
		d->deps[d->n_deps++] =
			(struct devno){ major(deps->device[i]), minor(deps->device[i]) };
	return 0;
}

static int read_deps(struct dm_dev *d, struct arena *a)
{
	bool named = true;

	for (size_t i = 0; i < d->n_targets; i++)
		named &= names_its_devices(&d->targets[i]);
	if (!named)
		return ask_deps(d, a);
	deps_from_table(d, a);
	return 0;
}

/* Only multipath is ever asked for its status: elsewhere the question may block or write. */
static int read_paths(struct dm_dev *d)
{
	DM_TASK *t = NULL;
	uint64_t start, length;
	char *type, *params;
	int r;

	if (d->n_targets != 1 || strcmp(d->targets[0].type, "multipath") != 0)
		return 0;
	t = dm_task_create(DM_DEVICE_STATUS);
	r = ask_about(t, d);
	if (r < 0)
		return r;
	(void)dm_get_next_target(t, NULL, &start, &length, &type, &params);
	if (params)
		d->active_paths = dmtable_active_paths(params);
	return 0;
}

/* Everything about one listed device. -EAGAIN: it is not what the list said it was. */
static int read_device(struct dm_dev *d, bool have_uuids, struct arena *a)
{
	DM_TASK *t = dm_task_create(DM_DEVICE_TABLE);
	struct dm_info info;
	const char *uuid;
	int r;

	/* What is not LVM's may have a key in its table: have it wiped from all buffers. */
	if (t && strncmp(d->uuid, "LVM-", 4) != 0 && !dm_task_secure_data(t))
		return -ENOMEM;
	r = ask_about(t, d);
	if (r < 0)
		return r;
	if (!dm_task_get_info(t, &info) || !info.exists)
		return -ENXIO;
	uuid = dm_task_get_uuid(t);
	if (!have_uuids)
		d->uuid = arena_str(a, slice_of(uuid));
	if (strcmp(uuid, d->uuid) != 0 || strcmp(dm_task_get_name(t), d->name) != 0)
		return -EAGAIN;

	d->open_count = (uint32_t)info.open_count;
	d->event_nr = info.event_nr;
	d->suspended = info.suspended;
	d->read_only = info.read_only;
	d->inactive_table = info.inactive_table;
	take_targets(t, d, (size_t)info.target_count, a);
	r = read_deps(d, a);
	return r < 0 ? r : read_paths(d);
}

static int read_all(struct dm_set *set, struct arena *a, struct err *e)
{
	bool have_uuids = false;
	int r = list_devices(a, set, &have_uuids, e);
	size_t kept = 0;

	for (size_t i = 0; r == 0 && i < set->n; i++) {
		struct dm_dev *d = &set->items[i];

		r = read_device(d, have_uuids, a);
		if (r == 0)
			set->items[kept++] = *d;
		else if (r == -ENXIO)
			r = 0;
		else if (r != -EAGAIN)
			(void)err_set(e, r, "device-mapper does not answer for %s: %s", d->name,
				      strerror(-r));
	}
	set->n = kept;
	return r;
}

static int read_recorded(struct dm_set *ret, const struct root *root, struct arena *a,
			 struct err *e)
{
	CLEANUP(buf_done) struct buf text = {};
	int r = root_read(root, DMREC_PATH, SIZE_MAX / 2, &text);

	if (r < 0)
		return err_set(e, r, "%s: %s", DMREC_PATH, strerror(-r));
	return dmrec_parse(ret, buf_slice(&text), DMREC_PATH, a, e);
}

static void begin(void)
{
	dm_log_with_errno_init(library_says);
	(void)dm_set_name_mangling_mode(DM_STRING_MANGLING_NONE);
}

int dmdev_read(struct dm_set *ret, const struct root *root, struct arena *a, struct err *e)
{
	int r = -EAGAIN;

	if (!root->live)
		return read_recorded(ret, root, a, e);

	begin();
	for (int i = 0; i < ATTEMPTS && r == -EAGAIN; i++)
		r = read_all(ret, a, e);
	dm_lib_release();
	if (r == -EAGAIN)
		return err_set(e, r, "device-mapper devices keep changing while they are read");
	if (r == 0)
		dm_set_sort(ret);
	return r;
}

/* By UUID alone where there is one: name and UUID together the kernel refuses. */
static bool address(struct dm_task *t, const struct dm_dev *d)
{
	if (!t)
		return false;
	return *d->uuid ? dm_task_set_uuid(t, d->uuid) : dm_task_set_name(t, d->name);
}

int dmdev_read_one(struct dm_dev *ret, const struct dm_dev *like, struct arena *a, struct err *e)
{
	DM_TASK *t = NULL;
	struct dm_info info;
	int r;

	begin();
	t = dm_task_create(DM_DEVICE_INFO);
	r = address(t, like) ? ask(t) : -ENOMEM;
	if (r == 0 && (!dm_task_get_info(t, &info) || !info.exists))
		r = -ENXIO;
	if (r == 0) {
		*ret = (struct dm_dev){ .name = arena_str(a, slice_of(like->name)),
					.uuid = arena_str(a, slice_of(like->uuid)),
					.dev = { info.major, info.minor } };
		r = read_device(ret, true, a);
	}
	dm_lib_release();
	return r < 0 ? err_set(e, r, "%s: %s", like->name, strerror(-r)) : 0;
}

int dmdev_find(struct dm_dev *ret, const char *uuid, struct arena *a, struct err *e)
{
	DM_TASK *t = NULL;
	struct dm_info info;
	int r;

	begin();
	t = dm_task_create(DM_DEVICE_INFO);
	r = t && dm_task_set_uuid(t, uuid) ? ask(t) : -ENOMEM;
	if (r == 0 && (!dm_task_get_info(t, &info) || !info.exists))
		r = -ENXIO;
	if (r == 0) {
		*ret = (struct dm_dev){ .name = arena_str(a, slice_of(dm_task_get_name(t))),
					.uuid = arena_str(a, slice_of(uuid)),
					.dev = { info.major, info.minor } };
		r = read_device(ret, true, a);
	}
	dm_lib_release();
	return r < 0 ? err_set(e, r, "device-mapper, %s: %s", uuid, strerror(-r)) : 0;
}

/* Runs a change whose end udev reports. @cookie is 0 where udev does not. */
static int change(struct dm_task *t, uint32_t *cookie)
{
	int r;

	*cookie = 0;
	if (!dm_task_set_cookie(t, cookie, 0))
		return -EIO;
	errno = 0;
	if (dm_task_run(t))
		return 0;
	r = dm_task_get_errno(t) ? dm_task_get_errno(t) : errno;
	(void)dmdev_udev_wait(*cookie, 0);
	*cookie = 0;
	return r ? -r : -EIO;
}

int dmdev_remove(const struct dm_dev *d, uint32_t *cookie, struct err *e)
{
	DM_TASK *t = NULL;
	int r;

	begin();
	t = dm_task_create(DM_DEVICE_REMOVE);
	r = address(t, d) ? change(t, cookie) : -ENOMEM;
	dm_lib_release();
	return r < 0 ? err_set(e, r, "device-mapper does not remove %s: %s", d->name, strerror(-r))
		     : 0;
}

static bool describe(struct dm_task *t, const struct dm_dev *d)
{
	if (!t || !dm_task_set_name(t, d->name) || (*d->uuid && !dm_task_set_uuid(t, d->uuid)) ||
	    (d->read_only && !dm_task_set_ro(t)) || !dm_task_set_add_node(t, DM_ADD_NODE_ON_RESUME))
		return false;
	for (size_t i = 0; i < d->n_targets; i++)
		if (!dm_task_add_target(t, d->targets[i].start, d->targets[i].length,
					d->targets[i].type, d->targets[i].params))
			return false;
	return d->n_targets > 0;
}

int dmdev_create(const struct dm_dev *d, uint32_t *cookie, struct err *e)
{
	DM_TASK *t = NULL;
	int r;

	begin();
	t = dm_task_create(DM_DEVICE_CREATE);
	r = describe(t, d) ? change(t, cookie) : -ENOMEM;
	dm_lib_release();
	return r < 0 ? err_set(e, r, "device-mapper does not make %s: %s", d->name, strerror(-r))
		     : 0;
}

int dmdev_fail_if_no_path(const struct dm_dev *d, struct err *e)
{
	DM_TASK *t = NULL;
	int r = -ENOMEM;

	begin();
	t = dm_task_create(DM_DEVICE_TARGET_MSG);
	if (address(t, d) && dm_task_set_sector(t, 0) && dm_task_set_message(t, "fail_if_no_path"))
		r = ask(t);
	dm_lib_release();
	return r < 0 ? err_set(e, r, "device-mapper does not take a message for %s: %s", d->name,
			       strerror(-r))
		     : 0;
}

bool dmdev_udev_wait(uint32_t cookie, int deadline_ms)
{
	int64_t deadline = clock_boot_ms() + deadline_ms;
	int ready = 0;

	while (cookie && dm_udev_wait_immediate(cookie, &ready) && !ready) {
		if (clock_boot_ms() >= deadline) {
			/* In udev's place, so that the semaphore does not stay for ever. */
			(void)dm_udev_complete(cookie);
			(void)dm_udev_wait_immediate(cookie, &ready);
			return false;
		}
		(void)poll(NULL, 0, 2);
	}
	return true;
}

void dmdev_versions(char driver[64], char library[64])
{
	DM_TASK *t = dm_task_create(DM_DEVICE_VERSION);

	driver[0] = library[0] = '\0';
	(void)dm_get_library_version(library, 64);
	if (t && ask(t) == 0)
		(void)dm_task_get_driver_version(t, driver, 64);
}
