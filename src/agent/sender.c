/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "agent/sender.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "util/file.h"

enum { PART_MAX = 64 * 1024 * 1024, KILLED_WAIT_MS = 100, READ_BYTES = 64 * 1024 };

/* One request: this, then the texts one after the other. 0 bytes: there is none. */
struct ask_head {
	uint32_t url, bearer, agent_id, body;
	uint32_t has_body; /* an empty one is sent as well */
	int32_t deadline_ms;
};

struct answer_head {
	int32_t error;
	int32_t status;
	uint32_t body;
	char why[sizeof(((struct sender_answer *)NULL)->why)];
	char content_type[HTTP_HEADER_MAX], retry_after[HTTP_HEADER_MAX];
};

void sender_answer_done(struct sender_answer *a)
{
	http_answer_done(&a->http);
	*a = (struct sender_answer){};
}

/* --- the sender's own side ------------------------------------------------------------------- */

static bool read_all(int fd, void *into, size_t n)
{
	char *at = into;

	while (n) {
		ssize_t got = read(fd, at, n);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return false;
		at += got;
		n -= (size_t)got;
	}
	return true;
}

/* A terminated text; NULL: there is none. False: the other side is gone. */
static bool read_text(int fd, size_t n, struct buf *ret)
{
	buf_reset(ret);
	if (n > PART_MAX)
		return false;
	if (!read_all(fd, buf_reserve(ret, n), n))
		return false;
	ret->len += n;
	ret->data[ret->len] = '\0';
	return true;
}

struct texts {
	struct buf url, bearer, agent_id, body;
};

static bool read_ask(int fd, struct ask_head *h, struct texts *t)
{
	return read_all(fd, h, sizeof(*h)) && read_text(fd, h->url, &t->url) &&
	       read_text(fd, h->bearer, &t->bearer) && read_text(fd, h->agent_id, &t->agent_id) &&
	       read_text(fd, h->body, &t->body);
}

static bool answer(int fd, int r, const struct err *e, const struct http_answer *a)
{
	struct answer_head h = { .error = r };

	if (r < 0) {
		(void)snprintf(h.why, sizeof(h.why), "%s", e->text);
	} else {
		h.status = (int32_t)a->status;
		h.body = (uint32_t)a->body.len;
		memcpy(h.content_type, a->content_type, sizeof(h.content_type));
		memcpy(h.retry_after, a->retry_after, sizeof(h.retry_after));
	}
	return file_write_all(fd, (struct slice){ (const char *)&h, sizeof(h) }) == 0 &&
	       (r < 0 || file_write_all(fd, buf_slice(&a->body)) == 0);
}

static void serve(int fd, const char *ca_file)
{
	struct http_client *client = NULL;
	struct http_answer got = {};
	struct ask_head h;
	struct texts t = {};

	while (read_ask(fd, &h, &t)) {
		struct http_call call = { .url = buf_str(&t.url),
					  .bearer = h.bearer ? buf_str(&t.bearer) : NULL,
					  .agent_id = h.agent_id ? buf_str(&t.agent_id) : NULL,
					  .deadline_ms = h.deadline_ms,
					  .max_answer = SENDER_ANSWER_MAX };
		struct err e = {};
		int r = 0;

		if (h.has_body)
			call.body = buf_slice(&t.body);
		if (!client)
			r = http_client_open(&client, ca_file, &e);
		if (r == 0)
			r = http_client_call(client, &call, &got, &e);
		/* The next document comes in a minute: its memory is not kept until then. */
		buf_done(&t.body);
		buf_wipe(&t.bearer);
		if (!answer(fd, r, &e, &got))
			break;
		buf_done(&got.body);
		(void)malloc_trim(0);
	}
}

static NORETURN void be(int fd, pid_t parent, const char *ca_file)
{
	sigset_t none;

	for (int n = 1; n < SIGRTMIN; n++)
		(void)signal(n, SIG_DFL);
	(void)signal(SIGPIPE, SIG_IGN);
	/* The daemon ends us by closing the socket: a terminal's Ctrl-C is its business. */
	(void)signal(SIGINT, SIG_IGN);
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	(void)prctl(PR_SET_NAME, "agent-sender");
	if (getppid() != parent)
		_exit(0);
	if (fd != 3)
		(void)dup2(fd, 3);
	(void)close_range(4, ~0U, 0);
	(void)fcntl(3, F_SETFL, 0);
	(void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	serve(3, ca_file);
	_exit(0);
}

/* --- the daemon's side ----------------------------------------------------------------------- */

static bool is_gone(pid_t pid, int ms)
{
	for (;; ms--) {
		if (waitpid(pid, NULL, WNOHANG) != 0)
			return true;
		if (ms <= 0)
			return false;
		(void)poll(NULL, 0, 1);
	}
}

int sender_start(struct sender *s, const char *ca_file, struct err *e)
{
	pid_t parent = getpid();
	int fds[2], code;

	/* Its certificates may lie in a file system that hangs. */
	if (s->left && !is_gone(s->left, 0))
		return err_set(e, -EAGAIN, "the last sender is stuck in the kernel");
	*s = (struct sender){ .fd = -1 };
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) < 0)
		return err_set(e, -errno, "no socket for a sender: %s", strerror(errno));
	s->pid = fork();
	if (s->pid == 0)
		be(fds[1], parent, ca_file);
	code = -errno;
	(void)close(fds[1]);
	if (s->pid < 0) {
		(void)close(fds[0]);
		s->pid = 0;
		return err_set(e, code, "a sender could not be started: %s", strerror(-code));
	}
	s->fd = fds[0];
	return 0;
}

void sender_stop(struct sender *s)
{
	pid_t left = s->left;

	if (s->pid > 0) {
		(void)kill(s->pid, SIGKILL);
		left = is_gone(s->pid, KILLED_WAIT_MS) ? 0 : s->pid;
		(void)close(s->fd);
	}
	buf_wipe(&s->out);
	buf_done(&s->in);
	*s = (struct sender){ .fd = -1, .left = left };
}

static void add_text(struct buf *out, const char *text)
{
	if (text)
		buf_adds(out, text);
}

static uint32_t length(const char *text)
{
	return text ? (uint32_t)strlen(text) : 0;
}

int sender_ask(struct sender *s, const struct http_call *call)
{
	struct ask_head h = { .url = length(call->url),
			      .bearer = length(call->bearer),
			      .agent_id = length(call->agent_id),
			      .body = (uint32_t)call->body.n,
			      .has_body = call->body.p != NULL,
			      .deadline_ms = call->deadline_ms };
	int r;

	if (s->busy)
		return -EBUSY;
	if (call->body.n > PART_MAX)
		return -EFBIG;
	buf_reset(&s->out);
	s->out_at = 0;
	buf_add(&s->out, &h, sizeof(h));
	add_text(&s->out, call->url);
	add_text(&s->out, call->bearer);
	add_text(&s->out, call->agent_id);
	buf_add(&s->out, call->body.p, call->body.n);
	s->busy = true;
	r = sender_write(s);
	return r < 0 ? r : 0;
}

int sender_write(struct sender *s)
{
	while (sender_wants_to_write(s)) {
		ssize_t n = send(s->fd, s->out.data + s->out_at, s->out.len - s->out_at,
				 MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return 0;
		if (n < 0)
			return -EPIPE;
		s->out_at += (size_t)n;
	}
	buf_wipe(&s->out);
	s->out_at = 0;
	return 0;
}

static void unpack(struct sender *s, const struct answer_head *h, struct sender_answer *ret)
{
	*ret = (struct sender_answer){ .error = h->error };
	ret->http.status = h->status;
	(void)snprintf(ret->why, sizeof(ret->why), "%.*s", (int)sizeof(h->why) - 1, h->why);
	(void)snprintf(ret->http.content_type, HTTP_HEADER_MAX, "%.*s", HTTP_HEADER_MAX - 1,
		       h->content_type);
	(void)snprintf(ret->http.retry_after, HTTP_HEADER_MAX, "%.*s", HTTP_HEADER_MAX - 1,
		       h->retry_after);
	buf_add(&ret->http.body, s->in.data + sizeof(*h), h->body);
	buf_done(&s->in);
	s->busy = false;
}

int sender_take(struct sender *s, struct sender_answer *ret)
{
	struct answer_head h;

	for (;;) {
		ssize_t n = recv(s->fd, buf_reserve(&s->in, READ_BYTES), READ_BYTES, MSG_DONTWAIT);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			break;
		if (n <= 0)
			return -EPIPE;
		s->in.len += (size_t)n;
		if (s->in.len > sizeof(h) + SENDER_ANSWER_MAX)
			return -EPIPE;
	}
	if (s->in.len < sizeof(h))
		return 0;
	memcpy(&h, s->in.data, sizeof(h));
	if (h.body > SENDER_ANSWER_MAX)
		return -EPIPE;
	if (s->in.len < sizeof(h) + h.body)
		return 0;
	unpack(s, &h, ret);
	return 1;
}
