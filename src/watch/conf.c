/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "watch/conf.h"

#include <ctype.h>

#include "util/str.h"
#include "watch/conf_syntax.h"
#include "watch/conf_value.h"

struct reading {
	struct watch_settings *s;
	bool http_taken; /* the first one of a file takes the place of what was there */
};

struct field {
	size_t offset, size;
};

#define FIELD(member)                                                   \
	{                                                               \
		offsetof(struct watch_settings, member),                \
			sizeof(((struct watch_settings *)NULL)->member) \
	}

struct key {
	const char *name;
	const char *(*take)(struct slice v, struct reading *r, void *field);
	struct field fields[2]; /* what "-key" resets; the first goes to take() */
};

void watch_settings_default(struct watch_settings *s)
{
	*s = (struct watch_settings){
		.enabled = TRI_UNKNOWN,
		.status_low = 200,
		.status_high = 399,
		.probe_timeout = 1000,
		.check_interval = 60000,
		.fail_interval = 15000,
		.fail_threshold = 30000,
		.wait_interval = 15000,
		.boot_time = 60000,
		.log_interval = 900000,
		.disabled_log_interval = 25200000,
		.restart_at = -1,
		.budget = 3,
		.budget_window = 6 * 3600000,
	};
}

static const char *take_enabled(struct slice v, struct reading *r, void *field)
{
	bool b = false;
	const char *expected = conf_take_bool(v, &b);

	(void)field;
	if (!expected)
		r->s->enabled = tri_of(b);
	return expected;
}

static const char *take_agent(struct slice v, struct reading *r, void *field)
{
	(void)field;
	return conf_take_bool(v, &r->s->agent) ? "yes or no" : NULL;
}

static const char *take_name(struct slice v, struct reading *r, void *field)
{
	(void)field;
	return conf_take_name(v, r->s->name);
}

static const char *take_ip(struct slice v, struct reading *r, void *field)
{
	(void)field;
	return conf_take_ip(v, r->s->ip);
}

static const char *take_ports_all(struct slice v, struct reading *r, void *field)
{
	(void)field;
	return conf_take_ports(v, r->s->ports_all, &r->s->n_ports_all);
}

static const char *take_ports_any(struct slice v, struct reading *r, void *field)
{
	(void)field;
	return conf_take_ports(v, r->s->ports_any, &r->s->n_ports_any);
}

/* A line counts as a whole or not at all. */
static const char *take_http(struct slice v, struct reading *r, void *field)
{
	struct watch_http taken[WATCH_HTTP_MAX] = {};
	size_t n = r->http_taken ? r->s->n_http : 0;
	struct slice one;

	(void)field;
	memcpy(taken, r->s->http, n * sizeof(*taken));
	while (slice_split(&v, ',', &one)) {
		const char *expected;

		if (n == WATCH_HTTP_MAX)
			return "at most 4 addresses";
		expected = conf_take_http(slice_trim(one), &taken[n++]);
		if (expected)
			return expected;
	}
	memcpy(r->s->http, taken, sizeof(taken));
	r->s->n_http = n;
	r->http_taken = true;
	return NULL;
}

static const char *take_status(struct slice v, struct reading *r, void *field)
{
	(void)field;
	return conf_take_status(v, &r->s->status_low, &r->s->status_high);
}

static const char *take_need(struct slice v, struct reading *r, void *field)
{
	(void)field;
	return conf_take_need(v, &r->s->need, &r->s->need_of);
}

static const char *take_timeout(struct slice v, struct reading *r, void *field)
{
	(void)r;
	return conf_take_timeout(v, field);
}

static const char *take_time(struct slice v, struct reading *r, void *field)
{
	(void)r;
	return conf_take_time(v, field);
}

static const char *take_restart_at(struct slice v, struct reading *r, void *field)
{
	(void)field;
	return conf_take_minute(v, &r->s->restart_at);
}

/* mvmm takes 0 for never. */
static const char *take_restart_after(struct slice v, struct reading *r, void *field)
{
	(void)field;
	if (slice_eq(v, "0")) {
		r->s->restart_after = 0;
		return NULL;
	}
	return conf_take_time(v, &r->s->restart_after);
}

static const char *take_budget(struct slice v, struct reading *r, void *field)
{
	(void)field;
	return conf_take_budget(v, &r->s->budget, &r->s->budget_window);
}

static const char *take_ha(struct slice v, struct reading *r, void *field)
{
	(void)field;
	return conf_take_ha(v, &r->s->ha);
}

static const struct key keys[] = {
	{ "enabled", take_enabled, { FIELD(enabled) } },
	{ "name", take_name, { FIELD(name) } },
	{ "ip", take_ip, { FIELD(ip) } },
	{ "portsall", take_ports_all, { FIELD(ports_all), FIELD(n_ports_all) } },
	{ "portsany", take_ports_any, { FIELD(ports_any), FIELD(n_ports_any) } },
	{ "agent", take_agent, { FIELD(agent) } },
	{ "http", take_http, { FIELD(http), FIELD(n_http) } },
	{ "http_status", take_status, { FIELD(status_low), FIELD(status_high) } },
	{ "need", take_need, { FIELD(need), FIELD(need_of) } },
	{ "probe_timeout", take_timeout, { FIELD(probe_timeout) } },
	{ "check_interval", take_time, { FIELD(check_interval) } },
	{ "fail_interval", take_time, { FIELD(fail_interval) } },
	{ "fail_threshold", take_time, { FIELD(fail_threshold) } },
	{ "wait_interval", take_time, { FIELD(wait_interval) } },
	{ "boot_time", take_time, { FIELD(said_boot_time) } },
	{ "recovery_time", take_time, { FIELD(said_recovery_time) } },
	{ "log_interval", take_time, { FIELD(log_interval) } },
	{ "disabled_log_interval", take_time, { FIELD(disabled_log_interval) } },
	{ "restart_at", take_restart_at, { FIELD(restart_at) } },
	{ "restart_after", take_restart_after, { FIELD(restart_after) } },
	{ "budget", take_budget, { FIELD(budget), FIELD(budget_window) } },
	{ "ha", take_ha, { FIELD(ha) } },
};

static const struct key *find_key(struct slice name)
{
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		if (slice_eq(name, keys[i].name))
			return &keys[i];
	return NULL;
}

static void reset(const struct key *k, struct reading *r)
{
	struct watch_settings d;

	watch_settings_default(&d);
	for (size_t i = 0; i < ARRAY_SIZE(k->fields); i++)
		memcpy((char *)r->s + k->fields[i].offset, (char *)&d + k->fields[i].offset,
		       k->fields[i].size);
}

/* --- a key that nobody knows --------------------------------------------------------------- */

enum { WORD_MAX = 32 };

static bool same(char a, char b)
{
	return tolower((unsigned char)a) == tolower((unsigned char)b) ||
	       ((a == '-' || a == '_') && (b == '-' || b == '_'));
}

/* Levenshtein's distance; what is too long is far from everything. */
static size_t distance(struct slice a, const char *b)
{
	size_t row[WORD_MAX + 1], n = strlen(b);

	if (a.n > WORD_MAX || n > WORD_MAX)
		return WORD_MAX;
	for (size_t j = 0; j <= n; j++)
		row[j] = j;
	for (size_t i = 0; i < a.n; i++) {
		size_t corner = row[0];

		row[0] = i + 1;
		for (size_t j = 0; j < n; j++) {
			size_t best = corner + !same(a.p[i], b[j]);

			if (row[j] + 1 < best)
				best = row[j] + 1;
			if (row[j + 1] + 1 < best)
				best = row[j + 1] + 1;
			corner = row[j + 1];
			row[j + 1] = best;
		}
	}
	return row[n];
}

static void unknown_key(struct diags *diags, const char *file, const struct conf_item *item)
{
	const char *near = NULL;
	size_t best = item->key.n < 5 ? 2 : 4;
	char shown[80];

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		size_t d = distance(item->key, keys[i].name);

		if (d < best) {
			best = d;
			near = keys[i].name;
		}
	}
	str_printable(shown, sizeof(shown), item->key);
	if (near)
		diag_add(diags, file, item->line, "unknown key '%s', did you mean '%s'?", shown,
			 near);
	else
		diag_add(diags, file, item->line, "unknown key '%s'", shown);
}

/* --- the whole ----------------------------------------------------------------------------- */

static void take_item(struct reading *r, const struct conf_item *item, const char *file,
		      struct diags *diags)
{
	const struct key *k = find_key(item->key);
	const char *expected = NULL;
	char shown[128];

	if (item->kind == CONF_BAD) {
		diag_add(diags, file, item->line, "%s", item->problem);
		return;
	}
	if (!k) {
		unknown_key(diags, file, item);
	} else if (item->kind == CONF_RESET) {
		reset(k, r);
	} else if (slice_empty(item->value)) {
		diag_add(diags, file, item->line, "%s: expected a value", k->name);
	} else {
		expected = k->take(item->value, r, (char *)r->s + k->fields[0].offset);
	}
	if (!expected)
		return;
	str_printable(shown, sizeof(shown), item->value);
	diag_add(diags, file, item->line, "%s '%s': expected %s", k->name, shown, expected);
}

void watch_settings_read(struct watch_settings *s, struct slice text, const char *file,
			 struct diags *diags)
{
	CLEANUP(conf_reader_done) struct conf_reader reader = { .rest = text };
	struct reading r = { .s = s };
	struct conf_item item;
	struct watch_settings d;

	while (conf_next(&reader, &item))
		take_item(&r, &item, file, diags);
	for (size_t i = 0; i < s->n_http; i++) {
		s->http[i].status_low = s->status_low;
		s->http[i].status_high = s->status_high;
	}
	watch_settings_default(&d);
	s->boot_time = s->said_boot_time       ? s->said_boot_time
		       : s->said_recovery_time ? s->said_recovery_time
					       : d.boot_time;
}
