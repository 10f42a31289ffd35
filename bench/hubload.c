/* SPDX-License-Identifier: AGPL-3.0-or-later */

/*
 * hubload PORT TOKENS TEMPLATE CONNECTIONS SECONDS RATE: posts documents over CONNECTIONS
 * kept-alive connections, each a node of its own with its own token, and says how many a second
 * were stored and how long they took. RATE 0: as fast as they are answered; else so many a second,
 * each at its time, and one that could not begin in time counts from when it should have begun. In
 * the template NODE@@@@ is the node, TIME@@@@@@@@@@@@@@@@ the time, 1000000000 the sequence.
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

struct connection {
	int fd;
	char *text; /* head and body */
	size_t len, sent, got;
	char *time_at, *sequence_at;
	unsigned long long sequence;
	double due, begun;
	int busy;
	char answer[ANSWER];
};

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

static void make_request(struct connection *c, const char *template, const char *token, int number)
{
	size_t n = strlen(template);
	char name[16], *body;
	int head;

	c->text = malloc(n + 512);
	head = snprintf(c->text, 512,
			"POST /api/v1/documents HTTP/1.1\r\nHost: localhost\r\n"
			"Authorization: Bearer %s\r\nContent-Type: application/json\r\n"
			"Content-Length: %zu\r\n\r\n",
			token, n);
	body = c->text + head;
	memcpy(body, template, n + 1);
	c->len = (size_t)head + n;
	snprintf(name, sizeof(name), "n%07d", number);
	for (char *at = body; (at = strstr(at, "NODE@@@@"));)
		memcpy(at, name, 8);
	c->sequence_at = strstr(body, "1000000000");
	c->sequence = 1000000000ULL + (unsigned long long)time(NULL) % 100000000 * 10;
}

/* All places of the time are of one second; they are found once more for each document. */
static void stamp(struct connection *c)
{
	char text[32], number[16];
	time_t t = time(NULL);
	struct tm tm;

	gmtime_r(&t, &tm);
	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm);
	if (!c->time_at)
		c->time_at = strstr(c->text, "TIME@@@@@@@@@@@@@@@@");
	memcpy(c->time_at, text, 20);
	snprintf(number, sizeof(number), "%llu", ++c->sequence);
	memcpy(c->sequence_at, number, 10);
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
	stamp(c);
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

static void run(struct connection *all, int n, int epoll, double seconds, double rate)
{
	double start = now(), every = rate > 0 ? n / rate : 0;
	struct epoll_event events[256];

	for (int i = 0; i < n; i++)
		all[i].due = start + (rate > 0 ? i / rate : 0);
	while (now() < start + seconds) {
		double t = now();
		int got;

		for (int i = 0; i < n; i++)
			if (!all[i].busy && all[i].due <= t) {
				begin(&all[i], epoll, rate > 0 ? all[i].due : t);
				all[i].due += every;
			}
		got = epoll_wait(epoll, events, 256, 1);
		for (int i = 0; i < got; i++) {
			struct connection *c = events[i].data.ptr;

			if (events[i].events & EPOLLOUT)
				push(c, epoll);
			if (events[i].events & ~(unsigned int)EPOLLOUT && pull(c))
				finish(c);
		}
	}
}

int main(int argc, char *argv[])
{
	int n = argc == 7 ? atoi(argv[4]) : 0, epoll = epoll_create1(0);
	double seconds = argc == 7 ? atof(argv[5]) : 0;
	struct connection *all = calloc((size_t)n + 1, sizeof(*all));
	char *tokens, *template, *token, *rest;

	if (n < 1)
		return 64;
	samples = calloc(SAMPLES, sizeof(*samples));
	rest = tokens = read_file(argv[2]);
	template = read_file(argv[3]);
	for (int i = 0; i < n; i++) {
		struct epoll_event e = { .events = EPOLLIN, .data.ptr = &all[i] };

		token = strsep(&rest, "\n");
		if (!token || !*token)
			return 65;
		make_request(&all[i], template, token, i);
		open_connection(&all[i], atoi(argv[1]));
		epoll_ctl(epoll, EPOLL_CTL_ADD, all[i].fd, &e);
	}
	run(all, n, epoll, seconds, atof(argv[6]));
	qsort(samples, n_samples, sizeof(*samples), by_value);
	if (n_samples)
		printf("%.0f documents/s, %zu kept, %zu failed, p50 %.1f ms, p99 %.1f ms, longest %.1f ms\n",
		       (double)kept / seconds, kept, failed, samples[n_samples / 2] * 1e3,
		       samples[n_samples * 99 / 100] * 1e3, samples[n_samples - 1] * 1e3);
	free(tokens);
	return failed > 0;
}
