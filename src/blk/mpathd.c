/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "blk/mpathd.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "blk/mpathd_act.h"
#include "util/clock.h"
#include "util/proc.h"
#include "util/str.h"

enum { REPLY_MAX = 32 * 1024 * 1024 };

enum mpathd_answer mpathd_answer(struct slice reply)
{
	static const struct {
		const char *words;
		enum mpathd_answer answer;
	} known[] = {
		{ "in use", MPATHD_IN_USE },	       { "not found", MPATHD_NOT_FOUND },
		{ "blacklisted", MPATHD_BLACKLISTED }, { "timeout", MPATHD_TIMEOUT },
		{ "permission deny", MPATHD_DENIED },
	};
	struct slice text;

	while (reply.n && reply.p[reply.n - 1] == '\0')
		reply.n--;
	text = slice_trim(reply);
	if (slice_eq(text, "ok"))
		return MPATHD_OK;
	if (slice_eq(text, "fail"))
		return MPATHD_FAIL;
	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		if (slice_holds_nocase(text, known[i].words))
			return known[i].answer;
	return slice_starts(text, "fail") ? MPATHD_FAIL : MPATHD_OTHER;
}

/* Waits for @events on @fd. */
static int await(int fd, short events, int64_t deadline)
{
	for (;;) {
		struct pollfd p = { .fd = fd, .events = events };
		int64_t left = deadline - clock_boot_ms();
		int n = left > 0 ? poll(&p, 1, (int)left) : 0;

		if (n > 0)
			return 0;
		if (n == 0)
			return -ETIMEDOUT;
		if (errno != EINTR)
			return -errno;
	}
}

static int send_all(int fd, const void *data, size_t n, int64_t deadline)
{
	const char *at = data;

	while (n) {
		ssize_t sent = send(fd, at, n, MSG_NOSIGNAL | MSG_DONTWAIT);
		int r;

		if (sent > 0) {
			at += sent;
			n -= (size_t)sent;
			continue;
		}
		if (sent < 0 && errno != EAGAIN && errno != EINTR)
			return -errno;
		r = await(fd, POLLOUT, deadline);
		if (r < 0)
			return r;
	}
	return 0;
}

static int recv_all(int fd, void *data, size_t n, int64_t deadline)
{
	char *at = data;

	while (n) {
		ssize_t got = recv(fd, at, n, MSG_DONTWAIT);
		int r;

		if (got == 0)
			return -EPROTO;
		if (got > 0) {
			at += got;
			n -= (size_t)got;
			continue;
		}
		if (errno != EAGAIN && errno != EINTR)
			return -errno;
		r = await(fd, POLLIN, deadline);
		if (r < 0)
			return r;
	}
	return 0;
}

static int dial(const char *address)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	size_t n = strlen(address);
	int fd, r;

	if (n > sizeof(to.sun_path) - 1)
		return -ENAMETOOLONG;
	memcpy(to.sun_path + 1, address, n);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	if (connect(fd, (struct sockaddr *)&to,
		    (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + n)) == 0)
		return fd;
	r = errno == EAGAIN ? -ETIMEDOUT : -errno;
	base_close_fd(&fd);
	return r;
}

static int talk(int fd, const char *command, int64_t deadline, struct buf *ret)
{
	size_t n = strlen(command) + 1;
	int r = send_all(fd, &n, sizeof(n), deadline);

	if (r == 0)
		r = send_all(fd, command, n, deadline);
	if (r == 0)
		r = recv_all(fd, &n, sizeof(n), deadline);
	if (r == 0 && (n == 0 || n > REPLY_MAX))
		r = -EPROTO;
	if (r < 0)
		return r;
	buf_reset(ret);
	r = recv_all(fd, buf_reserve(ret, n), n, deadline);
	if (r < 0)
		return r;
	if (ret->data[n - 1] != '\0')
		return -EPROTO;
	ret->len = n - 1;
	return 0;
}

int mpathd_ask(const char *address, const char *command, int deadline_ms, struct buf *ret,
	       struct err *e)
{
	int64_t deadline = clock_boot_ms() + deadline_ms;
	CLEANUP_FD int fd = dial(address);
	int r = fd < 0 ? fd : talk(fd, command, deadline, ret);

	if (r == 0)
		return 0;
	if (r == -ECONNREFUSED)
		return err_set(e, r, "multipathd does not run: systemctl start multipathd");
	return err_set(e, r, "multipathd does not answer to \"%s\": %s", command, strerror(-r));
}

static int errno_of(enum mpathd_answer answer)
{
	switch (answer) {
	case MPATHD_OK:
		return 0;
	case MPATHD_IN_USE:
		return -EBUSY;
	case MPATHD_NOT_FOUND:
		return -ENOENT;
	case MPATHD_BLACKLISTED:
	case MPATHD_DENIED:
		return -EPERM;
	case MPATHD_FAIL:
	case MPATHD_TIMEOUT:
	case MPATHD_OTHER:
		break;
	}
	return -EAGAIN;
}

int mpathd_do(const char *verb, const char *what, int deadline_ms, struct err *e)
{
	CLEANUP(buf_done) struct buf reply = {};
	char command[160], shown[120];
	int r;

	(void)snprintf(command, sizeof(command), "%s %s", verb, what);
	r = mpathd_ask(MPATHD_ADDRESS, command, deadline_ms, &reply, e);
	if (r < 0)
		return r;
	r = errno_of(mpathd_answer(buf_slice(&reply)));
	if (r == 0)
		return 0;
	str_printable(shown, sizeof(shown), slice_trim(buf_slice(&reply)));
	return err_set(e, r, "multipathd answers \"%s\" to \"%s\"", shown, command);
}

int mpathd_allow(const char *wwid, int deadline_ms, struct err *e)
{
	const char *const argv[] = { "/sbin/multipath", "-a", wwid, NULL };
	CLEANUP(proc_result_done) struct proc_result result = {};
	int r = proc_run(argv, NULL, deadline_ms, 65536, &result, e);

	if (r == 0 && result.status != 0)
		return err_set(e, -EIO, "multipath -a %s: exit status %d", wwid, result.status);
	return r;
}

/* A line `find_multipaths "strict"` among the defaults. */
enum tri mpathd_wants_wwids(struct slice config)
{
	struct slice line;

	while (slice_split(&config, '\n', &line)) {
		struct slice value;

		line = slice_trim(line);
		if (!slice_starts(line, "find_multipaths"))
			continue;
		value = slice_trim(slice_from(line, strlen("find_multipaths")));
		if (value.n > 2 && value.p[0] == '"' && value.p[value.n - 1] == '"')
			value = (struct slice){ value.p + 1, value.n - 2 };
		if (slice_eq(value, "strict") || slice_eq(value, "yes") || slice_eq(value, "on") ||
		    slice_eq(value, "smart"))
			return TRI_YES;
		if (slice_eq(value, "no") || slice_eq(value, "off") || slice_eq(value, "greedy"))
			return TRI_NO;
	}
	return TRI_UNKNOWN;
}

bool mpathd_wwid_listed(struct slice text, const char *wwid)
{
	struct slice line;

	while (slice_split(&text, '\n', &line)) {
		line = slice_trim(line);
		if (line.n > 2 && line.p[0] == '/' && line.p[line.n - 1] == '/' &&
		    slice_eq((struct slice){ line.p + 1, line.n - 2 }, wwid))
			return true;
	}
	return false;
}
