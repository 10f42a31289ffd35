/* SPDX-License-Identifier: AGPL-3.0-or-later */

/*
 * array/map.h without a kernel: what the simulator shows to this host is what can be attached. A
 * program that links this file has no other map. Devices are files of a folder, so that they
 * outlive the process as the kernel's do:
 *
 *   SERIAL        size and state; present while the map is there
 *   SERIAL.open   made by the test: somebody has it open
 *   SERIAL.foreign  made by the test: one of its paths leads to another volume
 *   SERIAL.deaf     made by the test: one of its paths is away
 *   SERIAL.unknown   made by the test: whether somebody has cannot be told
 *   SERIAL.ways   made by the test: the SCSI hosts that its paths go over, a line each
 *   SERIAL.nvme   it is a namespace: it was attached as one
 *   SERIAL.want   what map_attach() was asked for the last time, as JSON
 *   SERIAL.left   disks that map_detach() left for map_forget(). A namespace has none: it stays as
 *                 long as an array shows it
 *   events        one line an act, for what is asserted of their order
 *
 * PLAYED_DIR, PLAYED_HOST (the host's name on the arrays), PLAYED_CONTROL (the simulator's port),
 * PLAYED_DELAY_MS (how long each act takes), PLAYED_WAIT_MS (how long at most a device is waited
 * for).
 */

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "array/map.h"
#include "util/clock.h"
#include "util/file.h"
#include "util/json.h"
#include "util/jsonw.h"
#include "util/str.h"

struct shown { /* what the arrays show of a volume to this host */
	uint64_t size;
	unsigned int arrays, luns[MAP_ARRAYS_MAX];
};

static const char *env(const char *name)
{
	const char *v = getenv(name);

	return v ? v : "";
}

static void path_of(const char *serial, const char *kind, char ret[256])
{
	(void)snprintf(ret, 256, "%s/%s%s", env("PLAYED_DIR"), serial, kind);
}

static bool there(const char *serial, const char *kind)
{
	char path[256];

	path_of(serial, kind, path);
	return access(path, F_OK) == 0;
}

static void mark(const char *serial, const char *kind)
{
	char path[256];
	CLEANUP_FD int fd = -1;

	path_of(serial, kind, path);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
}

static void note(const char *what, const char *serial)
{
	char path[256], line[128];
	CLEANUP_FD int fd = -1;
	int n = snprintf(line, sizeof(line), "%s %s\n", what, serial);

	path_of("events", "", path);
	fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if (fd >= 0)
		(void)file_write_all(fd, (struct slice){ line, (size_t)n });
	(void)usleep((useconds_t)atoi(env("PLAYED_DELAY_MS")) * 1000);
}

/* ---- the simulator ---- */

static int ask(struct buf *reply)
{
	static const char request[] = "GET /state HTTP/1.0\r\n\r\n";
	struct sockaddr_in to = { .sin_family = AF_INET,
				  .sin_port = htons((uint16_t)atoi(env("PLAYED_CONTROL"))),
				  .sin_addr = { htonl(INADDR_LOOPBACK) } };
	CLEANUP_FD int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0)
		return -errno;
	if (file_write_all(fd, SLICE(request)) < 0)
		return -EIO;
	return file_read_fd(fd, 64 * 1024 * 1024, reply);
}

static json_t *state_of_arrays(void)
{
	CLEANUP(buf_done) struct buf reply = {};
	const char *body;
	json_t *doc = NULL;

	if (ask(&reply) < 0)
		return NULL;
	body = strstr(buf_str(&reply), "\r\n\r\n");
	if (!body || json_parse(slice_of(body + 4), "the simulator's state", &doc, NULL))
		return NULL;
	return doc;
}

static const char *volume_of(const json_t *state, const char *serial, uint64_t *size)
{
	json_t *v;
	size_t i;

	json_array_foreach(json_arr(state, "volumes"), i, v)
	{
		const char *is = json_str(v, "serial");

		if (is && strcmp(is, serial) == 0 &&
		    !json_is_true(json_object_get(v, "destroyed"))) {
			*size = json_number(v, "provisioned");
			return json_str(v, "name");
		}
	}
	return NULL;
}

static bool is_this_host(const json_t *array, const json_t *connection)
{
	const char *host = json_str(json_obj(connection, "host"), "name");
	const char *group = json_str(json_obj(connection, "host_group"), "name");
	json_t *h;
	size_t i;

	if (host)
		return strcmp(host, env("PLAYED_HOST")) == 0;
	json_array_foreach(json_arr(array, "hosts"), i, h)
	{
		const char *name = json_str(h, "name");
		const char *of = json_str(json_obj(h, "host_group"), "name");

		if (group && name && of && strcmp(name, env("PLAYED_HOST")) == 0 &&
		    strcmp(of, group) == 0)
			return true;
	}
	return false;
}

static void shown_by(const json_t *array, const char *volume, struct shown *ret)
{
	json_t *c;
	size_t i;

	json_array_foreach(json_arr(array, "connections"), i, c)
	{
		const char *of = json_str(json_obj(c, "volume"), "name");

		if (of && strcmp(of, volume) == 0 && is_this_host(array, c))
			ret->luns[ret->arrays++] = (unsigned int)json_number(c, "lun");
	}
}

static struct shown look_there(const char *serial)
{
	json_t *state = state_of_arrays(), *array;
	struct shown ret = {};
	const char *volume = state ? volume_of(state, serial, &ret.size) : NULL, *name;

	json_object_foreach(json_obj(state, "arrays"), name,
			    array) if (volume && !json_is_true(json_object_get(array, "down")) &&
				       ret.arrays < MAP_ARRAYS_MAX) shown_by(array, volume, &ret);
	json_decref(state);
	return ret;
}

/* ---- devices ---- */

static int write_device(const char *serial, uint64_t size)
{
	char path[256], text[32];
	int n = snprintf(text, sizeof(text), "%" PRIu64 "\n", size);

	path_of(serial, "", path);
	return file_write_atomic(AT_FDCWD, path, (struct slice){ text, (size_t)n }, 0600);
}

int map_look(const char *serial, enum array_protocol protocol, struct map_state *ret, struct err *e)
{
	CLEANUP(buf_done) struct buf text = {};
	char path[256];

	(void)protocol, (void)e;
	*ret = (struct map_state){};
	path_of(serial, "", path);
	if (file_read_at(AT_FDCWD, path, 64, &text))
		return 0;
	ret->present = str_to_u64(slice_trim(buf_slice(&text)), &ret->size);
	ret->paths = 2;
	ret->paths_ok = look_there(serial).arrays;
	ret->deaf = there(serial, ".deaf");
	ret->in_use = there(serial, ".open")	  ? MAP_OPEN
		      : there(serial, ".unknown") ? MAP_UNKNOWN
						  : MAP_FREE;
	(void)snprintf(ret->device, sizeof(ret->device), "%s-%.8s",
		       there(serial, ".nvme") ? "nvme" : "dm", serial);
	if (ret->in_use != MAP_FREE)
		(void)snprintf(ret->why, sizeof(ret->why), "held by the test");
	return 0;
}

static void read_ways(struct map_found *f)
{
	unsigned int lun = look_there(f->serial).luns[0]; /* the same on all arrays, in tests */
	CLEANUP(buf_done) struct buf text = {};
	struct slice rest, line;
	char path[256];

	path_of(f->serial, ".ways", path);
	if (file_read_at(AT_FDCWD, path, 4096, &text))
		return;
	f->ways_known = true;
	rest = buf_slice(&text);
	for (size_t i = 0; i < MAP_WAYS_MAX; i++)
		f->ways[i].lun = lun;
	while (f->n_ways < MAP_WAYS_MAX && slice_split(&rest, '\n', &line))
		f->n_ways += str_to_u32(line, &f->ways[f->n_ways].host);
}

int map_list(struct map_list *ret, struct arena *a, struct err *e)
{
	DIR *dir = opendir(env("PLAYED_DIR"));
	VEC(struct map_found) found = {};
	struct dirent *d;

	*ret = (struct map_list){};
	while (dir && (d = readdir(dir))) {
		struct map_found *f;

		if (!array_serial_ok(d->d_name))
			continue;
		f = vec_push(&found);
		*f = (struct map_found){};
		(void)snprintf(f->serial, sizeof(f->serial), "%.24s", d->d_name);
		(void)map_look(f->serial, ARRAY_ISCSI, &f->state, e);
		read_ways(f);
	}
	if (dir)
		(void)closedir(dir);
	ret->items = arena_alloc(a, found.n * sizeof(*found.items));
	ret->n = found.n;
	for (size_t i = 0; i < found.n; i++)
		ret->items[i] = found.items[i];
	vec_free(&found);
	return 0;
}

/* A namespace is known by its identifier, a disk is looked for at its LUN. */
static bool has_lun(const struct shown *shown, const struct map_want *want)
{
	bool by_name = want->protocol == ARRAY_NVME_TCP;

	for (size_t i = 0; i < want->n_arrays; i++)
		for (unsigned int k = 0; k < shown->arrays; k++)
			if (want->arrays[i].connected && want->arrays[i].n_ports &&
			    (by_name || want->arrays[i].lun == shown->luns[k]))
				return true;
	return false;
}

static void write_want(const struct map_want *want)
{
	CLEANUP(buf_done) struct buf text = {};
	struct jsonw w;
	char path[256];

	jsonw_begin_row(&w, &text);
	jsonw_i64(&w, "protocol", want->protocol);
	jsonw_bool(&w, "multipath", want->multipath);
	jsonw_u64(&w, "size", want->size);
	jsonw_str(&w, "host_nqn", want->host_nqn);
	jsonw_str(&w, "host_id", want->host_id);
	jsonw_array(&w, "ports");
	for (size_t i = 0; i < want->n_arrays; i++)
		for (size_t k = 0; k < want->arrays[i].n_ports; k++)
			jsonw_fmt(&w, NULL, "%u %s %s", want->arrays[i].lun,
				  want->arrays[i].ports[k].id, want->arrays[i].ports[k].portal);
	jsonw_close(&w);
	jsonw_end(&w);
	path_of(want->serial, ".want", path);
	(void)file_write_atomic(AT_FDCWD, path, buf_slice(&text), 0600);
}

int map_attach(const struct map_want *want, int deadline_ms, struct map_state *ret, struct err *e)
{
	int wait_ms = atoi(env("PLAYED_WAIT_MS"));
	int64_t deadline = clock_mono_ms() + (wait_ms < deadline_ms ? wait_ms : deadline_ms);
	struct shown shown = look_there(want->serial);
	char left[256];

	note("attach", want->serial);
	write_want(want);
	for (; !has_lun(&shown, want); shown = look_there(want->serial)) {
		if (clock_mono_ms() >= deadline)
			return err_set(e, -ETIMEDOUT, "no device of serial %s", want->serial);
		(void)usleep(50000);
	}
	if (there(want->serial, ".foreign"))
		return err_set(e, -EUCLEAN, "sda is another volume");
	if (want->size && want->size != shown.size)
		return err_set(e, -EUCLEAN, "the disk has another size than on the array");
	path_of(want->serial, ".left", left);
	(void)unlink(left);
	if (want->protocol == ARRAY_NVME_TCP)
		mark(want->serial, ".nvme");
	if (!there(want->serial, "") && write_device(want->serial, shown.size))
		return err_set(e, -EIO, "the played device cannot be written");
	return map_look(want->serial, want->protocol, ret, e);
}

int map_prune(const struct map_want *want, int deadline_ms, struct err *e)
{
	char line[64];
	unsigned int connected = 0;

	(void)deadline_ms, (void)e;
	for (size_t i = 0; i < want->n_arrays; i++)
		connected += want->arrays[i].connected;
	(void)snprintf(line, sizeof(line), "%s %u", want->serial, connected);
	note("prune", line);
	return 0;
}

int map_ask(const char *serial, enum array_protocol protocol, int deadline_ms, struct err *e)
{
	(void)protocol, (void)deadline_ms;
	return there(serial, ".foreign") ? err_set(e, -EUCLEAN, "sda is another volume") : 0;
}

int map_detach(const char *serial, enum array_protocol protocol, int deadline_ms,
	       struct map_left *left, struct err *e)
{
	char path[256], kept[256];

	(void)deadline_ms;
	note("detach", serial);
	if (there(serial, ".open") || there(serial, ".unknown"))
		return err_set(e, -EBUSY, "held by the test");
	*left = (struct map_left){ .protocol = protocol };
	(void)snprintf(left->serial, sizeof(left->serial), "%s", serial);
	if (protocol == ARRAY_NVME_TCP)
		return 0;
	left->n = 1;
	(void)snprintf(left->disks[0], sizeof(left->disks[0]), "sda");
	path_of(serial, "", path);
	path_of(serial, ".left", kept);
	(void)rename(path, kept);
	return 0;
}

int map_forget(const struct map_left *left, int deadline_ms, struct err *e)
{
	bool nvme = left->protocol == ARRAY_NVME_TCP, shown = look_there(left->serial).arrays > 0;
	char path[256];

	(void)deadline_ms;
	note(shown ? "forget-connected" : "forget", left->serial);
	if (nvme && shown)
		return err_set(e, -ETIMEDOUT, "the namespace of %s has not gone", left->serial);
	path_of(left->serial, nvme ? "" : ".left", path);
	(void)unlink(path);
	return 0;
}

int map_resize(const char *serial, enum array_protocol protocol, uint64_t size, int deadline_ms,
	       struct map_state *ret, struct err *e)
{
	(void)deadline_ms;
	note("resize", serial);
	if (!there(serial, "") || look_there(serial).size != size || write_device(serial, size))
		return err_set(e, -EIO, "%s does not have that size", serial);
	return map_look(serial, protocol, ret, e);
}

int map_refresh(const char *serial, enum array_protocol protocol, uint64_t size, int deadline_ms,
		struct err *e)
{
	(void)protocol, (void)deadline_ms;
	note("refresh", serial);
	if (there(serial, ".open"))
		return err_set(e, -EBUSY, "held by the test");
	return size && there(serial, "") ? write_device(serial, size) : 0;
}
