/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "agent/collector.h"

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

#include "agent/collect.h"
#include "util/file.h"

/* How long a killed child may take to be gone before it counts as stuck in the kernel. */
enum { KILL_GRACE_MS = 100 };

/* Far above what a node of the largest size has; beyond it the child is not to be believed. */
#define TEXT_MAX ((uint64_t)256 * 1024 * 1024)

/* Texts of this size are given back to the system instead of being kept for the next answer. */
enum { KEEP_MAX = 1024 * 1024 };

/* In front of the document and the posts; both sides are one program. */
struct head {
	int32_t error;
	uint8_t clustered, quorate;
	uint32_t guests, milliseconds, cpu_microseconds;
	uint64_t document_len, posts_len;
	char why[512], node[COLLECT_NODE_MAX], cluster[COLLECT_NODE_MAX],
		cluster_uuid[COLLECT_NODE_MAX];
};

/* --- the child ---------------------------------------------------------------------------------
 */

static void default_signals(void)
{
	sigset_t none;

	for (int n = 1; n < SIGRTMIN; n++)
		(void)signal(n, SIG_DFL);
	(void)signal(SIGPIPE, SIG_IGN);
	/* The daemon ends us; a terminal's Ctrl-C is its business. */
	(void)signal(SIGINT, SIG_IGN);
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
}

static void send_answer(int fd, const struct collect_answer *a)
{
	struct head h = {
		.error = a->error,
		.clustered = a->clustered,
		.quorate = a->quorate,
		.guests = a->guests,
		.milliseconds = a->milliseconds,
		.cpu_microseconds = a->cpu_microseconds,
		.document_len = a->document.len,
		.posts_len = a->posts.len,
	};

	memcpy(h.why, a->why, sizeof(h.why));
	memcpy(h.node, a->node, sizeof(h.node));
	memcpy(h.cluster, a->cluster, sizeof(h.cluster));
	memcpy(h.cluster_uuid, a->cluster_uuid, sizeof(h.cluster_uuid));
	if (file_write_all(fd, (struct slice){ (const char *)&h, sizeof(h) }) < 0 ||
	    file_write_all(fd, buf_slice(&a->document)) < 0 ||
	    file_write_all(fd, buf_slice(&a->posts)) < 0)
		_exit(0); /* nobody listens any more */
}

/* False: the daemon has closed its end. */
static bool receive_ask(int fd, struct collect_ask *ret)
{
	size_t n = 0;

	while (n < sizeof(*ret)) {
		ssize_t got = read(fd, (char *)ret + n, sizeof(*ret) - n);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return false;
		n += (size_t)got;
	}
	return true;
}

static void give_back(struct buf *b)
{
	if (b->cap > KEEP_MAX)
		buf_done(b);
}

static NORETURN void serve(int fd, const char *path)
{
	struct collect_answer answer = {};
	struct picture picture = {};
	struct collect_ask ask;
	struct root root;

	if (root_open(&root, path, NULL) < 0)
		_exit(1);
	/* Large texts come and go: they are not to leave holes. */
	(void)mallopt(M_MMAP_THRESHOLD, 256 * 1024);
	(void)mallopt(M_TRIM_THRESHOLD, 256 * 1024);
	while (receive_ask(fd, &ask)) {
		collect_cycle(&picture, &root, &ask, &answer);
		send_answer(fd, &answer);
		give_back(&answer.document);
		give_back(&answer.posts);
	}
	_exit(0);
}

static NORETURN void be(pid_t parent, int fd, const char *path)
{
	int null;

	default_signals();
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	(void)prctl(PR_SET_NAME, "agent-collector");
	if (getppid() != parent)
		_exit(0);
	if (fd != 3 && dup2(fd, 3) < 0)
		_exit(1);
	(void)close_range(4, ~0U, 0);
	(void)fcntl(3, F_SETFL, 0);
	/* What is said is said in the answer. Standard error stays: a crash is to be seen. */
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null >= 0) {
		(void)dup2(null, 0);
		(void)dup2(null, 1);
		(void)close(null);
	}
	serve(3, path);
}

/* --- the daemon's side -------------------------------------------------------------------------
 */

int collector_start(struct collector *c, const struct root *r, struct err *e)
{
	pid_t parent = getpid();
	int fds[2];

	*c = (struct collector){ .fd = -1 };
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) < 0)
		return err_set(e, -errno, "no socket for the collector: %s", strerror(errno));
	c->pid = fork();
	if (c->pid == 0)
		be(parent, fds[1], r->path);
	(void)close(fds[1]);
	if (c->pid < 0) {
		int code = -errno;

		(void)close(fds[0]);
		c->pid = 0;
		return err_set(e, code, "the collector could not be started: %s", strerror(-code));
	}
	c->fd = fds[0];
	return 0;
}

int collector_ask(struct collector *c, const struct collect_ask *ask)
{
	ssize_t n;

	if (c->fd < 0)
		return -EPIPE;
	if (c->asked)
		return -EBUSY;
	n = send(c->fd, ask, sizeof(*ask), MSG_DONTWAIT | MSG_NOSIGNAL);
	/* Its socket is empty between two questions: half of one never fits. */
	if (n != (ssize_t)sizeof(*ask))
		return n < 0 && errno == EAGAIN ? -EBUSY : -EPIPE;
	c->asked = true;
	return 0;
}

/* Up to @want bytes in all into @b. 1: they are there; 0: more is to come; -EPIPE. */
static int receive(int fd, struct buf *b, size_t want)
{
	while (b->len < want) {
		ssize_t n = recv(fd, buf_reserve(b, want - b->len), want - b->len, MSG_DONTWAIT);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return 0;
		if (n <= 0)
			return -EPIPE;
		b->len += (size_t)n;
		b->data[b->len] = '\0';
	}
	return 1;
}

static void terminate(char *text, size_t n)
{
	text[n - 1] = '\0';
}

static void take_head(struct collect_answer *a, struct head *h)
{
	terminate(h->why, sizeof(h->why));
	terminate(h->node, sizeof(h->node));
	terminate(h->cluster, sizeof(h->cluster));
	terminate(h->cluster_uuid, sizeof(h->cluster_uuid));
	a->error = h->error;
	a->clustered = h->clustered;
	a->quorate = h->quorate;
	a->guests = h->guests;
	a->milliseconds = h->milliseconds;
	a->cpu_microseconds = h->cpu_microseconds;
	memcpy(a->why, h->why, sizeof(a->why));
	memcpy(a->node, h->node, sizeof(a->node));
	memcpy(a->cluster, h->cluster, sizeof(a->cluster));
	memcpy(a->cluster_uuid, h->cluster_uuid, sizeof(a->cluster_uuid));
}

int collector_take(struct collector *c, struct collect_answer *ret)
{
	struct head h;
	int r;

	if (c->fd < 0)
		return -EPIPE;
	r = receive(c->fd, &c->incoming, sizeof(h));
	if (r <= 0)
		return r;
	memcpy(&h, c->incoming.data, sizeof(h));
	if (!c->asked || h.document_len > TEXT_MAX || h.posts_len > TEXT_MAX)
		return -EPIPE;
	r = receive(c->fd, &c->coming.document, h.document_len);
	if (r > 0)
		r = receive(c->fd, &c->coming.posts, h.posts_len);
	if (r <= 0)
		return r;
	take_head(&c->coming, &h);
	*ret = c->coming;
	c->coming = (struct collect_answer){};
	buf_reset(&c->incoming);
	c->asked = false;
	return 1;
}

bool collector_stop(struct collector *c, pid_t *ret_pid)
{
	bool gone = c->pid <= 0;

	if (ret_pid)
		*ret_pid = c->pid;
	if (c->pid > 0)
		(void)kill(c->pid, SIGKILL);
	for (int i = 0; i < KILL_GRACE_MS && !gone; i++) {
		gone = waitpid(c->pid, NULL, WNOHANG) != 0;
		if (!gone)
			(void)poll(NULL, 0, 1);
	}
	if (c->pid > 0 && c->fd >= 0)
		(void)close(c->fd);
	buf_done(&c->incoming);
	collect_answer_done(&c->coming);
	*c = (struct collector){ .fd = -1 };
	return !gone;
}
