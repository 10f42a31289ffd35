/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include <errno.h>
#include <unistd.h>

#include "array/arrayd.h"
#include "array/cmd_ctx.h"
#include "cmd.h"
#include "util/file.h"
#include "util/log.h"

enum { CHUNK = 64 * 1024 };

const struct cli_option array_call_options[] = {
	ARRAY_CTX_OPTIONS,
	{},
};

/* One line, or all of the input. */
static int read_request(struct buf *ret, struct err *e)
{
	for (;;) {
		ssize_t got = read(STDIN_FILENO, buf_reserve(ret, CHUNK), CHUNK);
		char *end;

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return err_set(e, -errno, "the request could not be read: %s",
				       strerror(errno));
		end = memchr(ret->data + ret->len, '\n', (size_t)got);
		ret->len = end ? (size_t)(end - ret->data) : ret->len + (size_t)got;
		if (ret->len > ARRAYD_REQUEST_MAX)
			return err_set(e, -E2BIG, "the request has more than %d bytes",
				       ARRAYD_REQUEST_MAX);
		if (end || got == 0)
			return 0;
	}
}

/* Whatever a library prints goes where it cannot be taken for the answer. */
static int keep_stdout(void)
{
	int fd = dup(STDOUT_FILENO);

	if (fd >= 0)
		(void)dup2(STDERR_FILENO, STDOUT_FILENO);
	return fd;
}

static int run(const struct cli *cli, struct buf *reply)
{
	CLEANUP(buf_wipe) struct buf request = {};
	struct array_session s;
	struct err e = {};
	int r = array_session_begin(&s, cli, &e);

	if (r < 0) {
		arrayd_refuse(reply, r, e.text);
		return r;
	}
	r = read_request(&request, &e);
	if (r < 0)
		arrayd_refuse(reply, r, e.text);
	else
		r = array_call(&s.ctx, buf_slice(&request), reply);
	array_session_end(&s);
	return r;
}

int cmd_array_call(const struct cli *cli)
{
	CLEANUP(buf_done) struct buf reply = {};
	CLEANUP_FD int out = keep_stdout();
	int r = run(cli, &reply);

	if (out < 0 || file_write_all(out, buf_slice(&reply)) < 0) {
		log_error("the reply could not be written");
		return CLI_INTERNAL;
	}
	return r < 0 ? CLI_CRITICAL : CLI_OK;
}
