/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "watch/probe_round.h"

#include <errno.h>
#include <poll.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "util/clock.h"
#include "watch/probe_agent.h"
#include "watch/probe_http.h"
#include "watch/probe_qmp.h"
#include "watch/probe_verdict.h"

enum phase { PHASE_CONNECT, PHASE_SEND, PHASE_RECEIVE, PHASE_ENDED };

enum { CONNS_MAX = PROBE_TARGETS_MAX * PROBE_ADDRESSES_MAX, READ_MAX = 512 };

struct conn {
	int fd;
	uint8_t phase, target;
	uint8_t talk; /* which one of the talks, for AGENT and QMP */
	uint16_t sent;
	uint32_t got;
	struct probe_http http;
};

/* The first of these are all that a usual round touches, a page or two. */
static struct {
	const struct probe_ask *ask;
	struct probe_answer *answer;
	int64_t begun; /* all times are microseconds */
	size_t n_conns, n_talks;
	union {
		struct probe_agent agent;
		struct probe_qmp_talk qmp;
	} talks[PROBE_FDS_MAX];
	char data[READ_MAX];
	struct pollfd polls[CONNS_MAX];
	struct conn conns[CONNS_MAX];
} now_on;

static const struct probe_target *target_of(const struct conn *c)
{
	return &now_on.ask->targets[c->target];
}

static int64_t deadline_of(const struct conn *c)
{
	uint32_t ms = now_on.ask->timeout_ms;

	if (target_of(c)->kind == PROBE_QMP && ms > PROBE_QMP_HOLD_MS)
		ms = PROBE_QMP_HOLD_MS;
	return now_on.begun + (int64_t)ms * 1000;
}

static void end(struct conn *c)
{
	if (c->fd >= 0)
		(void)close(c->fd);
	c->fd = -1;
	c->phase = PHASE_ENDED;
}

static void end_others(uint8_t target)
{
	for (size_t i = 0; i < now_on.n_conns; i++)
		if (now_on.conns[i].target == target)
			end(&now_on.conns[i]);
}

static void settle(struct conn *c, enum probe_result result, enum probe_why why, uint16_t value)
{
	typeof(now_on.answer->targets[0]) *t = &now_on.answer->targets[c->target];

	end(c);
	t->us = (uint32_t)(clock_boot_us() - now_on.begun);
	if (probe_verdict_weight(result, why) <= probe_verdict_weight(t->result, t->why))
		return;
	t->result = (uint8_t)result;
	t->why = (uint8_t)why;
	t->value = value;
	if (result == PROBE_GOOD)
		end_others(c->target);
}

static void settle_qmp(struct conn *c, enum probe_qmp found)
{
	now_on.answer->qmp = (uint8_t)found;
	if (found == QMP_RUNNING)
		settle(c, PROBE_GOOD, PROBE_WHY_NONE, 0);
	else
		settle(c, PROBE_BAD, probe_verdict_qmp(found), 0);
}

/* The other side's doing, in what it failed to do. */
static void settle_bad(struct conn *c, enum probe_why why)
{
	if (target_of(c)->kind != PROBE_QMP)
		settle(c, PROBE_BAD, why, 0);
	else
		settle_qmp(c, why == PROBE_WHY_TIMEOUT	? QMP_SILENT
			      : why == PROBE_WHY_CLOSED ? QMP_CLOSED
							: QMP_NONSENSE);
}

static void settle_errno(struct conn *c, int code)
{
	enum probe_why why = probe_verdict_errno(code);

	if (why == PROBE_WHY_OURS)
		settle(c, PROBE_UNKNOWN, why, 0);
	else
		settle_bad(c, why);
}

static void compose(const struct conn *c, struct probe_text *ret)
{
	switch ((enum probe_kind)target_of(c)->kind) {
	case PROBE_HTTP:
		probe_http_request(target_of(c), ret);
		break;
	case PROBE_AGENT:
		probe_agent_command(&now_on.talks[c->talk].agent, ret);
		break;
	case PROBE_QMP:
		probe_qmp_command(now_on.talks[c->talk].qmp.step, ret);
		break;
	case PROBE_TCP:
	case PROBE_KIND_MAX:
	default:
		break;
	}
}

/* The text is made anew for each part that goes out: nearly always there is one. */
static void send_more(struct conn *c)
{
	struct probe_text text = {};
	ssize_t n = 0;

	compose(c, &text);
	if (text.n > c->sent)
		n = send(c->fd, text.data + c->sent, text.n - c->sent, MSG_NOSIGNAL | MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n < 0) {
		settle_errno(c, errno);
		return;
	}
	c->sent = (uint16_t)(c->sent + n);
	if (c->sent == text.n)
		c->phase = PHASE_RECEIVE;
}

/* There is something new to say. */
static void send_next(struct conn *c)
{
	c->sent = 0;
	c->phase = PHASE_SEND;
	send_more(c);
}

static void connected(struct conn *c)
{
	if (target_of(c)->kind == PROBE_TCP)
		settle(c, PROBE_GOOD, PROBE_WHY_NONE, 0);
	else
		send_next(c);
}

static void connect_ended(struct conn *c)
{
	socklen_t size = sizeof(int);
	int code = 0;

	if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &code, &size) < 0)
		code = errno;
	/* Now it is what a router on the way said (ICMPv6: prohibited), not our own sandbox. */
	if (code == EACCES)
		code = EHOSTUNREACH;
	if (code)
		settle_errno(c, code);
	else
		connected(c);
}

static void take_http(struct conn *c, size_t n)
{
	const struct probe_target *t = target_of(c);
	enum probe_http_state state = probe_http_feed(&c->http, now_on.data, n);
	uint16_t status = c->http.status;

	if (state == PROBE_HTTP_BAD)
		settle_bad(c, PROBE_WHY_NONSENSE);
	else if (state == PROBE_HTTP_DONE && status >= t->status_low && status <= t->status_high)
		settle(c, PROBE_GOOD, PROBE_WHY_NONE, status);
	else if (state == PROBE_HTTP_DONE)
		settle(c, PROBE_BAD, PROBE_WHY_STATUS, status);
}

static void take_agent(struct conn *c, size_t n)
{
	struct probe_agent *a = &now_on.talks[c->talk].agent;
	bool synced = a->state == PROBE_AGENT_PING;

	switch (probe_agent_feed(a, now_on.data, n)) {
	case PROBE_AGENT_DONE:
		settle(c, PROBE_GOOD, PROBE_WHY_NONE, 0);
		break;
	case PROBE_AGENT_BAD:
		settle_bad(c, PROBE_WHY_NONSENSE);
		break;
	case PROBE_AGENT_PING:
		if (!synced)
			send_next(c);
		break;
	case PROBE_AGENT_SEEK:
	case PROBE_AGENT_SYNC:
		break;
	}
}

static void take_qmp(struct conn *c, size_t n)
{
	struct probe_qmp_talk *q = &now_on.talks[c->talk].qmp;
	uint8_t before = q->step;

	for (size_t i = 0; i < n && q->step != PROBE_QMP_END;)
		i += probe_qmp_feed(q, now_on.data + i, n - i);
	if (q->step == PROBE_QMP_END)
		settle_qmp(c, q->found);
	else if (q->step != before)
		send_next(c);
}

static void take(struct conn *c, size_t n)
{
	c->got += (uint32_t)n;
	if (target_of(c)->kind == PROBE_HTTP)
		take_http(c, n);
	else if (target_of(c)->kind == PROBE_AGENT)
		take_agent(c, n);
	else
		take_qmp(c, n);
	if (c->phase != PHASE_ENDED && c->got >= PROBE_BYTES_MAX)
		settle_bad(c, PROBE_WHY_NONSENSE);
}

static void receive(struct conn *c)
{
	while (c->phase == PHASE_RECEIVE) {
		ssize_t n = recv(c->fd, now_on.data, sizeof(now_on.data), MSG_DONTWAIT);

		if (n > 0)
			take(c, (size_t)n);
		else if (n == 0)
			settle_bad(c, PROBE_WHY_CLOSED);
		else if (errno == EAGAIN)
			return;
		else if (errno != EINTR)
			settle_errno(c, errno);
	}
}

static void step(struct conn *c)
{
	if (c->phase == PHASE_CONNECT)
		connect_ended(c);
	else if (c->phase == PHASE_SEND)
		send_more(c);
	else if (c->phase == PHASE_RECEIVE)
		receive(c);
}

static struct conn *add_conn(size_t target, int fd)
{
	struct conn *c = &now_on.conns[now_on.n_conns++];

	*c = (struct conn){ .fd = fd, .target = (uint8_t)target };
	return c;
}

/* No IPv6 on this node says nothing about a guest that also has an IPv4 address. */
static bool is_not_spoken(const struct probe_address *a, int code)
{
	return code == EAFNOSUPPORT || (a->family == AF_INET6 && code == EADDRNOTAVAIL);
}

static void begin_address(size_t target, const struct probe_address *a)
{
	struct sockaddr_storage to = {};
	socklen_t size = probe_sockaddr(a, now_on.ask->targets[target].port, &to);
	int fd = socket(a->family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);
	struct conn *c = add_conn(target, fd);

	if (fd >= 0 && connect(fd, (const struct sockaddr *)&to, size) == 0)
		connected(c);
	else if (is_not_spoken(a, errno))
		settle(c, PROBE_UNKNOWN, PROBE_WHY_NO_SOCKET, 0);
	else if (fd < 0 || errno != EINPROGRESS)
		settle_errno(c, errno);
}

static void begin_talk(size_t target, int fd)
{
	struct conn *c = add_conn(target, fd);

	c->talk = (uint8_t)now_on.n_talks++;
	memset(&now_on.talks[c->talk], 0, sizeof(now_on.talks[0]));
	if (now_on.ask->targets[target].kind == PROBE_AGENT) {
		uint32_t *id = &now_on.talks[c->talk].agent.id;

		if (getrandom(id, sizeof(*id), GRND_NONBLOCK) != sizeof(*id))
			*id = (uint32_t)now_on.begun;
		*id &= INT32_MAX;
	}
	send_next(c);
}

static void begin(int fds[PROBE_FDS_MAX])
{
	const struct probe_ask *ask = now_on.ask;
	size_t slot = 0;

	for (size_t i = 0; i < ask->n_targets; i++) {
		now_on.answer->targets[i].why = PROBE_WHY_NO_SOCKET;
		if (ask->targets[i].kind == PROBE_TCP || ask->targets[i].kind == PROBE_HTTP) {
			for (size_t k = 0; k < ask->n_addresses; k++)
				if (now_on.answer->targets[i].result != PROBE_GOOD)
					begin_address(i, &ask->addresses[k]);
		} else if (slot < PROBE_FDS_MAX) {
			if (fds[slot] >= 0)
				begin_talk(i, take_fd(&fds[slot]));
			slot++;
		}
	}
}

/* Fills what poll() needs. False when all have ended. */
static bool prepare(int *timeout_ms)
{
	int64_t nearest = INT64_MAX, left;

	for (size_t i = 0; i < now_on.n_conns; i++) {
		const struct conn *c = &now_on.conns[i];

		now_on.polls[i] =
			(struct pollfd){ .fd = c->fd,
					 .events = c->phase == PHASE_RECEIVE ? POLLIN : POLLOUT };
		if (c->phase != PHASE_ENDED && deadline_of(c) < nearest)
			nearest = deadline_of(c);
	}
	left = nearest - clock_boot_us();
	*timeout_ms = left > 0 ? (int)((left + 999) / 1000) : 0;
	return nearest != INT64_MAX;
}

/* What has arrived counts, also when we come to it late: first it is read, then time is looked at.
 */
static void expire(void)
{
	int64_t now = clock_boot_us();

	for (size_t i = 0; i < now_on.n_conns; i++) {
		struct conn *c = &now_on.conns[i];

		if (c->phase != PHASE_ENDED && now >= deadline_of(c))
			settle_bad(c, PROBE_WHY_TIMEOUT);
	}
}

void probe_round(const struct probe_ask *ask, int fds[PROBE_FDS_MAX], struct probe_answer *ret)
{
	int timeout_ms;

	memset(ret, 0, sizeof(*ret));
	ret->serial = ask->serial;
	ret->n_targets = ask->n_targets;
	now_on.ask = ask;
	now_on.answer = ret;
	now_on.begun = clock_boot_us();
	now_on.n_conns = now_on.n_talks = 0;
	begin(fds);
	while (prepare(&timeout_ms)) {
		(void)poll(now_on.polls, now_on.n_conns, timeout_ms); /* failed: nothing is ready */
		for (size_t i = 0; i < now_on.n_conns; i++)
			if (now_on.polls[i].revents)
				step(&now_on.conns[i]);
		expire();
	}
	for (size_t i = 0; i < PROBE_FDS_MAX; i++)
		base_close_fd(&fds[i]);
}
