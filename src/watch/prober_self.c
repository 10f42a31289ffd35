/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "watch/prober_self.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "util/str.h"
#include "watch/probe_text.h"

/* Fields of /proc/PID/stat behind the name, which may hold anything. */
enum { FIELD_AFTER_NAME = 3, FIELD_HEAP = 47, FIELD_ARGS = 48, FIELD_ARGS_END = 49 };

static void parse(struct slice text, struct prober_self *ret)
{
	const char *name_end = memrchr(text.p, ')', text.n);
	struct slice rest = slice_from(text, name_end ? (size_t)(name_end - text.p) + 2 : text.n);
	struct slice field;

	for (int i = FIELD_AFTER_NAME; slice_split(&rest, ' ', &field); i++) {
		uint64_t n;

		if (i < FIELD_HEAP || i > FIELD_ARGS_END || !str_to_u64(field, &n))
			continue;
		*(i == FIELD_HEAP ? &ret->heap : i == FIELD_ARGS ? &ret->args : &ret->args_end) = n;
	}
}

struct prober_self prober_self_find(void)
{
	CLEANUP_FD int fd = open("/proc/self/stat", O_RDONLY | O_CLOEXEC);
	struct prober_self self = {};
	char text[1024];
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text));

	if (n > 0)
		parse((struct slice){ text, (size_t)n }, &self);
	return self;
}

void prober_self_rename(const struct prober_self *self, uint32_t vmid)
{
	size_t room = self->args && self->args_end > self->args ? self->args_end - self->args : 0;
	struct probe_text name = {};
	const size_t prefix = strlen("pvewarden: ");

	probe_text_add(&name, "pvewarden: guest ");
	probe_text_number(&name, vmid);
	(void)prctl(PR_SET_NAME, name.data + prefix, 0, 0, 0);
	if (room > name.n) {
		memset((void *)self->args, 0, room);
		memcpy((void *)self->args, name.data, name.n);
	}
}

void prober_self_drop_heap(const struct prober_self *self)
{
	uintptr_t end = (uintptr_t)sbrk(0), thread = (uintptr_t)&errno;

	/* A static program has its thread's own variables there. */
	if (!self->heap || self->heap >= end || (thread >= self->heap && thread < end))
		return;
	if (brk((void *)self->heap) < 0)
		return; /* then it costs memory, and nothing else */
}
