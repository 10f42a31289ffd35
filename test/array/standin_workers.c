/* SPDX-License-Identifier: AGPL-3.0-or-later */

/*
 * worker.h without a kernel: a device is a file of the folder $DEVICES, called as its serial, with
 * "SIZE STATE" in it; STATE is free, open or unknown. What a test writes there is what this node
 * has. Linked before the library, so that its own worker.c is not taken.
 */

#include "array/worker.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "util/file.h"

struct workers {
	const char *dir;
};

static void place(const struct workers *w, const char *serial, char ret[512])
{
	(void)snprintf(ret, 512, "%s/%s", w->dir, serial);
}

int workers_start(struct workers **ret, struct err *e)
{
	*ret = xcalloc(1, sizeof(**ret));
	(*ret)->dir = getenv("DEVICES");
	return (*ret)->dir ? 0 : err_set(e, -EINVAL, "no $DEVICES");
}

void workers_stop(struct workers *w)
{
	free(w);
}

int workers_fd(const struct workers *w)
{
	(void)w;
	return -1;
}

static int put(const struct workers *w, const char *serial, uint64_t size, const char *state)
{
	CLEANUP(buf_done) struct buf text = {};
	char path[512];

	place(w, serial, path);
	buf_addf(&text, "%" PRIu64 " %s\n", size, state);
	return file_write_atomic(AT_FDCWD, path, buf_slice(&text), 0600);
}

int workers_look(struct workers *w, const char *serial, enum array_protocol protocol,
		 struct map_state *ret, struct err *e)
{
	CLEANUP(buf_done) struct buf text = {};
	char path[512], state[16] = "";
	int r;

	(void)protocol;
	*ret = (struct map_state){};
	place(w, serial, path);
	r = file_read_at(AT_FDCWD, path, 4096, &text);
	if (r == -ENOENT)
		return 0;
	if (r < 0 || sscanf(text.data, "%" SCNu64 " %15s", &ret->size, state) != 2)
		return err_set(e, -EIO, "%s is no device", path);
	ret->present = true;
	(void)snprintf(ret->device, sizeof(ret->device), "dm-0");
	ret->in_use = strcmp(state, "open") == 0   ? MAP_OPEN
		      : strcmp(state, "free") == 0 ? MAP_FREE
						   : MAP_UNKNOWN;
	(void)snprintf(ret->why, sizeof(ret->why), "%s", "the test says so");
	ret->paths = ret->paths_ok = 2;
	return 0;
}

int workers_idle(struct workers *w, const char *serial, enum array_protocol protocol,
		 struct map_state *ret, struct err *e)
{
	return workers_look(w, serial, protocol, ret, e);
}

int workers_list(struct workers *w, struct map_list *ret, struct arena *a, struct err *e)
{
	(void)w, (void)a, (void)e;
	*ret = (struct map_list){};
	return 0;
}

int workers_attach(struct workers *w, const struct map_want *want, int deadline_ms,
		   struct map_state *ret, struct err *e)
{
	int r = put(w, want->serial, want->size, "free");

	(void)deadline_ms;
	return r < 0 ? err_set(e, r, "attach")
		     : workers_look(w, want->serial, want->protocol, ret, e);
}

int workers_detach(struct workers *w, const char *serial, enum array_protocol protocol,
		   int deadline_ms, struct map_left *left, struct err *e)
{
	struct map_state here;
	char path[512];
	int r = workers_look(w, serial, protocol, &here, e);

	(void)deadline_ms;
	if (r < 0 || !here.present)
		return r;
	if (here.in_use != MAP_FREE)
		return err_set(e, -EBUSY, "%s is open", serial);
	place(w, serial, path);
	(void)snprintf(left->serial, sizeof(left->serial), "%s", serial);
	left->protocol = protocol;
	return unlink(path) < 0 ? -errno : 0;
}

int workers_forget(struct workers *w, const struct map_left *left, int deadline_ms, struct err *e)
{
	(void)w, (void)left, (void)deadline_ms, (void)e;
	return 0;
}

int workers_resize(struct workers *w, const char *serial, enum array_protocol protocol,
		   uint64_t size, int deadline_ms, struct map_state *ret, struct err *e)
{
	int r = workers_look(w, serial, protocol, ret, e);

	(void)deadline_ms;
	if (r < 0 || !ret->present)
		return r;
	ret->size = size;
	return put(w, serial, size, ret->in_use == MAP_OPEN ? "open" : "free");
}

int workers_refresh(struct workers *w, const char *serial, enum array_protocol protocol,
		    uint64_t size, int deadline_ms, struct err *e)
{
	struct map_state here;
	int r = workers_resize(w, serial, protocol, size, deadline_ms, &here, e);

	return r == 0 && here.in_use == MAP_OPEN ? err_set(e, -EBUSY, "%s is open", serial) : r;
}

size_t workers_stuck(struct workers *w, struct worker_stuck *ret, size_t max)
{
	(void)w, (void)ret, (void)max;
	return 0;
}
