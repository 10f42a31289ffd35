/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "watch/conf.h"

#include <stdio.h>

/* One place is QMP's, who asks along with the others. */
enum { TARGETS_MAX = PROBE_TARGETS_MAX - 1 };

static size_t count(const struct watch_settings *s)
{
	return s->n_ports_all + s->n_ports_any + s->n_http + s->agent;
}

const char *watch_settings_problem(const struct watch_settings *s)
{
	size_t n = count(s);

	if (!n)
		return "no probe: expected portsall, portsany, http or agent=yes";
	if (n > TARGETS_MAX)
		return "more than 23 probes";
	if (!*s->ip && n > s->agent)
		return "no ip: portsall, portsany and http need the guest's address";
	for (size_t i = 0; i < s->n_http; i++)
		if (!*s->http[i].host && strlen(s->ip) > WATCH_HTTP_HOST_MAX)
			return "http: the name in ip is too long for it, give http://host/path";
	if (s->need_of && s->need_of != n)
		return "need: the number behind 'of' is not the number of probes";
	if (s->need > n)
		return "need: more than there are probes";
	return NULL;
}

/* As the Host header has it: an IPv6 address between brackets, without its interface; the port
 * unless it is HTTP's own. */
static void set_host(char ret[PROBE_HOST_MAX], const char *ip, const struct watch_http *h)
{
	int n = (int)strcspn(ip, "%");
	bool six = strchr(ip, ':') != NULL;
	char port[sizeof(":65535")] = "";

	if (h->port != 80)
		(void)snprintf(port, sizeof(port), ":%u", h->port);
	if (*h->host)
		(void)snprintf(ret, PROBE_HOST_MAX, "%s%s", h->host, port);
	else
		(void)snprintf(ret, PROBE_HOST_MAX, "%s%.*s%s%s", six ? "[" : "",
			       n < WATCH_HTTP_HOST_MAX ? n : WATCH_HTTP_HOST_MAX, ip,
			       six ? "]" : "", port);
}

static void add_http(struct probe_target *t, const struct watch_settings *s,
		     const struct watch_http *h)
{
	*t = (struct probe_target){ .kind = PROBE_HTTP,
				    .port = h->port,
				    .status_low = h->status_low,
				    .status_high = h->status_high };
	memcpy(t->path, h->path, sizeof(t->path));
	set_host(t->host, s->ip, h);
}

size_t watch_settings_targets(const struct watch_settings *s,
			      struct probe_target targets[PROBE_TARGETS_MAX])
{
	size_t n = 0;

	for (size_t i = 0; i < s->n_ports_all && n < TARGETS_MAX; i++)
		targets[n++] = (struct probe_target){ .kind = PROBE_TCP, .port = s->ports_all[i] };
	for (size_t i = 0; i < s->n_ports_any && n < TARGETS_MAX; i++)
		targets[n++] = (struct probe_target){ .kind = PROBE_TCP, .port = s->ports_any[i] };
	for (size_t i = 0; i < s->n_http && n < TARGETS_MAX; i++)
		add_http(&targets[n++], s, &s->http[i]);
	if (s->agent && n < TARGETS_MAX)
		targets[n++] = (struct probe_target){ .kind = PROBE_AGENT };
	return n;
}

/* How many of the targets [from, to) gave which answer; one that is missing was not asked. */
static void tally(const struct probe_answer *answer, size_t from, size_t to,
		  size_t n[PROBE_RESULT_MAX])
{
	for (size_t i = from; i < to; i++) {
		uint8_t r = i < answer->n_targets && i < PROBE_TARGETS_MAX
				    ? answer->targets[i].result
				    : PROBE_UNKNOWN;

		n[r < PROBE_RESULT_MAX ? r : PROBE_UNKNOWN]++;
	}
}

/* At least @need of those counted in @n. */
static enum probe_result at_least(size_t need, const size_t n[PROBE_RESULT_MAX])
{
	if (n[PROBE_GOOD] >= need)
		return PROBE_GOOD;
	return n[PROBE_GOOD] + n[PROBE_UNKNOWN] < need ? PROBE_BAD : PROBE_UNKNOWN;
}

enum probe_result watch_settings_verdict(const struct watch_settings *s,
					 const struct probe_answer *answer)
{
	size_t all[PROBE_RESULT_MAX] = {}, any[PROBE_RESULT_MAX] = {}, total = count(s);
	enum probe_result a, b;

	if (!total)
		return PROBE_UNKNOWN;
	if (s->need) {
		tally(answer, 0, total, all);
		return at_least(s->need, all);
	}
	tally(answer, 0, s->n_ports_all, all);
	tally(answer, s->n_ports_all, s->n_ports_all + s->n_ports_any, any);
	tally(answer, s->n_ports_all + s->n_ports_any, total, all);
	a = at_least(total - s->n_ports_any, all);
	b = at_least(s->n_ports_any > 0, any);
	if (a == PROBE_BAD || b == PROBE_BAD)
		return PROBE_BAD;
	return a == PROBE_GOOD && b == PROBE_GOOD ? PROBE_GOOD : PROBE_UNKNOWN;
}
