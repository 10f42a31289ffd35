/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "pve/hostparse.h"

#include "util/str.h"

/* "12.34" with at most nine digits before the point: /proc knows no other numbers. */
static bool decimal(struct slice s, double *ret)
{
	struct slice whole = { s.p, slice_find(s, '.') }, rest;
	uint64_t units, fraction = 0;
	double scale = 1;

	if (!str_to_u64(whole, &units) || units > 999999999)
		return false;
	if (whole.n < s.n) {
		rest = slice_from(s, whole.n + 1);
		if (rest.n > 9 || !str_to_u64(rest, &fraction))
			return false;
		for (size_t i = 0; i < rest.n; i++)
			scale *= 10;
	}
	*ret = (double)units + (double)fraction / scale;
	return true;
}

/* The next word of a line; false at its end. */
static bool word(struct slice *rest, struct slice *ret)
{
	*rest = slice_trim(*rest);
	if (slice_empty(*rest))
		return false;
	ret->p = rest->p;
	for (ret->n = 0; ret->n < rest->n && !str_is_space(rest->p[ret->n]);)
		ret->n++;
	*rest = slice_from(*rest, ret->n);
	return true;
}

static bool number_word(struct slice *rest, uint64_t *ret)
{
	struct slice w;

	return word(rest, &w) && str_to_u64(w, ret);
}

bool hostparse_load(struct slice text, struct host_figure ret[3])
{
	struct host_figure found[3] = {};
	struct slice w;

	for (size_t i = 0; i < 3; i++) {
		if (!word(&text, &w) || !decimal(w, &found[i].value))
			return false;
		found[i].known = true;
	}
	memcpy(ret, found, sizeof(found));
	return true;
}

int64_t hostparse_uptime(struct slice text)
{
	double seconds;
	struct slice w;

	return word(&text, &w) && decimal(w, &seconds) ? (int64_t)seconds : 0;
}

/* "key<TAB>: value" of /proc/cpuinfo and "key: value" of /proc/meminfo. */
static bool key_value(struct slice line, struct slice *key, struct slice *value)
{
	size_t colon = slice_find(line, ':');

	if (colon == line.n)
		return false;
	*key = slice_trim((struct slice){ line.p, colon });
	*value = slice_trim(slice_from(line, colon + 1));
	return true;
}

void hostparse_cpuinfo(struct slice text, struct host_cpu_info *ret, struct arena *a)
{
	struct slice line, key, value;
	uint64_t socket, last = 0;

	*ret = (struct host_cpu_info){};
	while (slice_split(&text, '\n', &line)) {
		if (!key_value(line, &key, &value))
			continue;
		if (slice_eq(key, "processor"))
			ret->threads++;
		else if (slice_eq(key, "model name") && !ret->model && value.n && value.n < 256 &&
			 !memchr(value.p, '\0', value.n))
			ret->model = arena_str(a, value);
		/* Sockets are numbered from 0. */
		else if (slice_eq(key, "physical id") && str_to_u64(value, &socket) &&
			 socket < 1024 && (!ret->sockets || socket > last)) {
			last = socket;
			ret->sockets = (unsigned int)socket + 1;
		}
	}
}

static bool kibibytes(struct slice value, uint64_t *ret)
{
	uint64_t n;

	if (!number_word(&value, &n) || n > UINT64_MAX / 1024 || !slice_eq(slice_trim(value), "kB"))
		return false;
	*ret = n * 1024;
	return true;
}

static struct host_space space_of(bool known, uint64_t total, uint64_t unused)
{
	if (!known || unused > total)
		return (struct host_space){};
	return (struct host_space){ .known = true, .total = total, .used = total - unused };
}

void hostparse_meminfo(struct slice text, struct host_space *memory, struct host_space *swap)
{
	struct {
		const char *key;
		uint64_t value;
		bool known;
	} rows[] = { { "MemTotal", 0, false },
		     { "MemAvailable", 0, false },
		     { "SwapTotal", 0, false },
		     { "SwapFree", 0, false } };
	struct slice line, key, value;

	while (slice_split(&text, '\n', &line)) {
		if (!key_value(line, &key, &value))
			continue;
		for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
			if (slice_eq(key, rows[i].key))
				rows[i].known = kibibytes(value, &rows[i].value);
	}
	*memory = space_of(rows[0].known && rows[1].known && rows[0].value, rows[0].value,
			   rows[1].value);
	*swap = space_of(rows[2].known && rows[3].known, rows[2].value, rows[3].value);
}

bool hostparse_jiffies(struct slice text, struct host_jiffies *ret)
{
	/* user nice system idle iowait irq softirq steal; guest time is in user already */
	enum { IDLE = 3, IOWAIT = 4, FIELDS = 8 };
	struct slice line = { text.p, slice_find(text, '\n') }, w;
	struct host_jiffies found = {};

	if (!word(&line, &w) || !slice_eq(w, "cpu"))
		return false;
	for (int i = 0; i < FIELDS; i++) {
		uint64_t n;

		if (!number_word(&line, &n) || n > UINT64_MAX / 16)
			return false;
		found.total += n;
		if (i != IDLE && i != IOWAIT)
			found.busy += n;
	}
	*ret = found;
	return true;
}

struct host_figure hostparse_cpu(struct host_jiffies before, struct host_jiffies after)
{
	struct host_figure f = {};

	if (after.total <= before.total || after.busy < before.busy)
		return f;
	f.value = 100 * (double)(after.busy - before.busy) / (double)(after.total - before.total);
	/* The counters of sleeping processors may step back a little. */
	f.known = f.value <= 100;
	return f;
}

bool hostparse_task(struct slice text, struct host_task *ret)
{
	/* Fields are counted from 1; the state follows the command, field 2. */
	enum { FIELD_USER = 14, FIELD_SYSTEM = 15, FIELD_START = 22 };
	struct host_task found = {};
	size_t open = slice_find(text, '('), shut = text.n;
	struct slice rest, w;

	/* The command may itself hold blanks and parentheses. */
	while (shut > 0 && text.p[shut - 1] != ')')
		shut--;
	if (shut == 0 || open + 1 >= shut)
		return false;
	found.command = (struct slice){ text.p + open + 1, shut - open - 2 };
	if (memchr(found.command.p, '\0', found.command.n))
		return false;
	rest = slice_from(text, shut);
	for (int i = 3; i <= FIELD_START; i++) {
		uint64_t n = 0;

		if (!word(&rest, &w))
			return false;
		if (i != FIELD_USER && i != FIELD_SYSTEM && i != FIELD_START)
			continue;
		if (!str_to_u64(w, &n) || n > UINT64_MAX / 4)
			return false;
		if (i == FIELD_START)
			found.start = n;
		else
			found.used += n;
	}
	*ret = found;
	return true;
}

bool hostparse_net(struct slice line, struct slice *ret_name, uint64_t *ret_received,
		   uint64_t *ret_sent)
{
	enum { RECEIVED = 0, SENT = 8 };
	size_t colon = slice_find(line, ':');
	struct slice name = slice_trim((struct slice){ line.p, colon }), rest;
	uint64_t received = 0, n = 0;

	if (colon == line.n || name.n == 0 || name.n > 15 || memchr(name.p, '\0', name.n) ||
	    memchr(name.p, '/', name.n))
		return false;
	rest = slice_from(line, colon + 1);
	for (int i = RECEIVED; i <= SENT; i++) {
		if (!number_word(&rest, &n))
			return false;
		if (i == RECEIVED)
			received = n;
	}
	*ret_name = name;
	*ret_received = received;
	*ret_sent = n;
	return true;
}

struct host_figure hostparse_celsius(struct slice text)
{
	struct slice s = slice_trim(text);
	uint64_t millidegrees;

	/* Below 1 and above 150 degrees it is a sensor that is not connected. */
	if (!str_to_u64(s, &millidegrees) || millidegrees < 1000 || millidegrees > 150000)
		return (struct host_figure){};
	return (struct host_figure){ .known = true, .value = (double)millidegrees / 1000 };
}
