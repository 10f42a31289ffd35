/* SPDX-License-Identifier: AGPL-3.0-or-later */

/*
 * hubload PORT TEMPLATES CONNECTIONS SECONDS RATE START, a token in HUBLOAD_TOKEN: posts documents
 * over CONNECTIONS kept connections and says how many a second were stored and how long they took.
 * TEMPLATES has a line a node; all nodes send in turn, each document a minute after the node's one
 * before, from START on. RATE 0: as fast as they are answered; else so many a second, each at its
 * time, and one that could not begin in time counts from when it should have begun. SECONDS 0: each
 * node once. In a line TIME@@@@@@@@@@@@@@@@ is the time and 1000000000 the sequence.
 */

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { SAMPLES = 4000000, ANSWER = 8192 };

struct node {
	const char *line;
	size_t len, time_at, sequence_at;
};

struct connection {
	int fd;
	char *text; /* head and body */
	size_t len, sent, got;
	double due, begun;
	int busy;
	char answer[ANSWER];
};

/* Whose turn it is. */
static struct {
	struct node *nodes;
	size_t n, next;
	unsigned long long sequence;
	time_t at;
	const char *token;
} fleet;

static double *samples;
static size_t n_samples, kept, failed;

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static char *read_file(const char *path)
{
	FILE *f = fopen(path, "r");
	char *text = NULL;
	size_t cap = 0;

	if (!f || getdelim(&text, &cap, '\0', f) < 0)
		die(path);
	fclose(f);
	return text;
}

static size_t place_of(const char *line, const char *mark)
{
	const char *at = strstr(line, mark);

	if (!at) {
		fprintf(stderr, "a template without %s\n", mark);
		exit(65);
	}
	return (size_t)(at - line);
}

/* The longest line's length. */
static size_t read_fleet(char *templates)
{
	size_t longest = 0;

	for (char *line; (line = strsep(&templates, "\n")) && *line;) {
		struct node node = { .line = line, .len = strlen(line) };

		node.time_at = place_of(line, "TIME@@@@@@@@@@@@@@@@");
		node.sequence_at = place_of(line, "1000000000");
		longest = node.len > longest ? node.len : longest;
		fleet.nodes = realloc(fleet.nodes, (fleet.n + 1) * sizeof(node));
		fleet.nodes[fleet.n++] = node;
	}
	return longest;
}

/* The next node's document. */
static void write_request(struct connection *c)
{
	const struct node *node = &fleet.nodes[fleet.next];
	char text[32], *body;
	struct tm tm;

	c->len = (size_t)sprintf(c->text,
				 "POST /api/v1/documents HTTP/1.1\r\nHost: localhost\r\n"
				 "Authorization: Bearer %s\r\nContent-Type: application/json\r\n"
				 "Content-Length: %zu\r\n\r\n",
				 fleet.token, node->len);
	body = c->text + c->len;
	memcpy(body, node->line, node->len);
	c->len += node->len;
	gmtime_r(&fleet.at, &tm);
	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm);
	memcpy(body + node->time_at, text, 20);
	snprintf(text, sizeof(text), "%llu", fleet.sequence);
	memcpy(body + node->sequence_at, text, 10);
	if (++fleet.next == fleet.n) {
		fleet.next = 0;
		fleet.at += 60;
		fleet.sequence++;
	}
}

static void open_connection(struct connection *c, int port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
	int one = 1;

	inet_pton(AF_INET, "127.0.0.1", &a.sin_addr);
	c->fd = socket(AF_INET, SOCK_STREAM, 0);
	if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&a, sizeof(a)))
		die("connect");
	setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
}

static void push(struct connection *c, int epoll)
{
	struct epoll_event e = { .events = EPOLLIN, .data.ptr = c };
	ssize_t n = send(c->fd, c->text + c->sent, c->len - c->sent, MSG_DONTWAIT | MSG_NOSIGNAL);

	if (n < 0 && errno != EAGAIN)
		die("send");
	c->sent += n > 0 ? (size_t)n : 0;
	if (c->sent < c->len)
		e.events |= EPOLLOUT;
	epoll_ctl(epoll, EPOLL_CTL_MOD, c->fd, &e);
}

static void begin(struct connection *c, int epoll, double due)
{
	write_request(c);
	c->begun = due;
	c->sent = c->got = 0;
	c->busy = 1;
	push(c, epoll);
}

/* True when the whole answer is there. */
static int pull(struct connection *c)
{
	ssize_t n = recv(c->fd, c->answer + c->got, ANSWER - 1 - c->got, MSG_DONTWAIT);
	char *end, *length;

	if (n == 0 || (n < 0 && errno != EAGAIN))
		die("recv");
	c->got += n > 0 ? (size_t)n : 0;
	c->answer[c->got] = '\0';
	end = strstr(c->answer, "\r\n\r\n");
	length = strstr(c->answer, "Content-Length: ");
	return end && length &&
	       c->got >= (size_t)(end + 4 - c->answer) + strtoul(length + 16, NULL, 10);
}

static void finish(struct connection *c)
{
	int good = strncmp(c->answer, "HTTP/1.1 200", 12) == 0;

	c->busy = 0;
	if (n_samples < SAMPLES)
		samples[n_samples++] = now() - c->begun;
	kept += (size_t)good;
	if (!good && failed++ < 3)
		fprintf(stderr, "%s\n", c->answer);
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static int may_begin(const struct connection *c, double t)
{
	return !c->busy && c->due <= t;
}

static void answers(int epoll)
{
	struct epoll_event events[256];
	int got = epoll_wait(epoll, events, 256, 1);

	for (int i = 0; i < got; i++) {
		struct connection *c = events[i].data.ptr;

		if (events[i].events & EPOLLOUT)
			push(c, epoll);
		if (events[i].events & ~(unsigned int)EPOLLOUT && pull(c))
			finish(c);
	}
}

static void run(struct connection *all, int n, int epoll, double seconds, double rate)
{
	double start = now(), every = rate > 0 ? n / rate : 0;

	for (int i = 0; i < n; i++)
		all[i].due = start + (rate > 0 ? i / rate : 0);
	while (now() < start + seconds) {
		double t = now();

		for (int i = 0; i < n; i++)
			if (may_begin(&all[i], t)) {
				begin(&all[i], epoll, rate > 0 ? all[i].due : t);
				all[i].due += every;
			}
		answers(epoll);
	}
}

static void run_once(struct connection *all, int n, int epoll)
{
	for (size_t sent = 0; kept + failed < fleet.n; answers(epoll))
		for (int i = 0; i < n && sent < fleet.n; i++)
			if (!all[i].busy) {
				begin(&all[i], epoll, now());
				sent++;
			}
}

static void say(double seconds)
{
	qsort(samples, n_samples, sizeof(*samples), by_value);
	if (n_samples)
		printf("%.0f documents/s, %zu kept, %zu failed, p50 %.1f ms, p99 %.1f ms, longest %.1f ms\n",
		       (double)kept / seconds, kept, failed, samples[n_samples / 2] * 1e3,
		       samples[n_samples * 99 / 100] * 1e3, samples[n_samples - 1] * 1e3);
}

int main(int argc, char *argv[])
{
	int n = argc == 7 ? atoi(argv[3]) : 0, epoll = epoll_create1(0);
	double seconds = argc == 7 ? atof(argv[4]) : 0, began;
	struct connection *all = calloc((size_t)n + 1, sizeof(*all));
	size_t longest;

	if (n < 1)
		return 64;
	samples = calloc(SAMPLES, sizeof(*samples));
	fleet.token = getenv("HUBLOAD_TOKEN");
	longest = read_fleet(read_file(argv[2]));
	fleet.at = atoll(argv[6]);
	fleet.sequence = 1000000000ULL + (unsigned long long)fleet.at / 60;
	if (!fleet.n || !fleet.token)
		return 65;
	for (int i = 0; i < n; i++) {
		struct epoll_event e = { .events = EPOLLIN, .data.ptr = &all[i] };

		all[i].text = malloc(longest + 1024);
		open_connection(&all[i], atoi(argv[1]));
		epoll_ctl(epoll, EPOLL_CTL_ADD, all[i].fd, &e);
	}
	began = now();
	if (seconds > 0)
		run(all, n, epoll, seconds, atof(argv[5]));
	else
		run_once(all, n, epoll);
	say(now() - began);
	return failed > 0;
}
