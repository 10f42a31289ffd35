/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "agent/samples.h"

#include <stdio.h>

#include "util/clock.h"
#include "util/str.h"

const struct samples_field samples_guest[] = {
	{ "uptime", 0, SAMPLES_COUNT },	   { "cpus", 5, SAMPLES_SHARE },
	{ "cpu", 6, SAMPLES_SHARE },	   { "maxmem", 7, SAMPLES_COUNT },
	{ "mem", 8, SAMPLES_COUNT },	   { "maxdisk", 9, SAMPLES_COUNT },
	{ "netin", 11, SAMPLES_COUNT },	   { "netout", 12, SAMPLES_COUNT },
	{ "diskread", 13, SAMPLES_COUNT }, { "diskwrite", 14, SAMPLES_COUNT },
	{ "memhost", 15, SAMPLES_COUNT },
};
const size_t samples_guest_n = ARRAY_SIZE(samples_guest);

const struct samples_field samples_guest_pressure[] = {
	{ "cpu_some", 16, SAMPLES_PERCENT },	{ "cpu_full", 17, SAMPLES_PERCENT },
	{ "io_some", 18, SAMPLES_PERCENT },	{ "io_full", 19, SAMPLES_PERCENT },
	{ "memory_some", 20, SAMPLES_PERCENT }, { "memory_full", 21, SAMPLES_PERCENT },
};
const size_t samples_guest_pressure_n = ARRAY_SIZE(samples_guest_pressure);

const struct samples_field samples_node_pressure[] = {
	{ "cpu_some", 17, SAMPLES_PERCENT },	{ "io_some", 18, SAMPLES_PERCENT },
	{ "io_full", 19, SAMPLES_PERCENT },	{ "memory_some", 20, SAMPLES_PERCENT },
	{ "memory_full", 21, SAMPLES_PERCENT },
};
const size_t samples_node_pressure_n = ARRAY_SIZE(samples_node_pressure);

static size_t digits(struct slice s)
{
	size_t n = 0;

	while (n < s.n && s.p[n] >= '0' && s.p[n] <= '9')
		n++;
	return n;
}

/* No sign, no needless zero in front, and small enough for 64 bits. */
static bool is_whole(struct slice s)
{
	return s.n > 0 && s.n <= 18 && digits(s) == s.n && (s.n == 1 || s.p[0] != '0');
}

/* "12" or "0.0105", as JSON writes it too. */
static bool is_fraction(struct slice s)
{
	struct slice whole = { s.p, slice_find(s, '.') }, rest = slice_from(s, whole.n + 1);

	if (!is_whole(whole))
		return false;
	return whole.n == s.n || (rest.n > 0 && rest.n <= 24 && digits(rest) == rest.n);
}

static bool write_count(struct buf *out, struct slice s)
{
	struct rrd_number v;

	if (is_whole(s)) {
		buf_add(out, s.p, s.n);
		return true;
	}
	v = rrd_number_parse(s);
	if (!v.known || v.value < 0 || v.value > 9e18)
		return false;
	buf_addu(out, (uint64_t)v.value);
	return true;
}

static bool write_share(struct buf *out, struct slice s)
{
	struct rrd_number v;

	if (is_fraction(s)) {
		buf_add(out, s.p, s.n);
		return true;
	}
	v = rrd_number_parse(s);
	if (!v.known || v.value < 0 || v.value > 1e9)
		return false;
	buf_addf(out, "%.6f", v.value);
	return true;
}

static bool write_percent(struct buf *out, struct slice s)
{
	struct rrd_number v;

	if (slice_eq(s, "0") || slice_eq(s, "0.00")) {
		buf_addc(out, '0');
		return true;
	}
	v = rrd_number_parse(s);
	if (!v.known || v.value < 0 || v.value > 1e9)
		return false;
	buf_addf(out, "%.6f", v.value / 100);
	return true;
}

static bool write_value(struct buf *out, enum samples_kind kind, struct slice s)
{
	switch (kind) {
	case SAMPLES_COUNT:
		return write_count(out, s);
	case SAMPLES_SHARE:
		return write_share(out, s);
	case SAMPLES_PERCENT:
	default:
		return write_percent(out, s);
	}
}

void samples_write(struct buf *out, const struct rrd_line *l, const struct samples_field *fields,
		   size_t n)
{
	for (size_t i = 0; i < n && fields[i].index < l->n_fields; i++) {
		size_t begin = out->len;

		/* "U" is what pvestatd writes for a number that it does not know. */
		if (slice_eq(l->fields[fields[i].index], "U"))
			continue;
		buf_add(out, ", \"", 3);
		buf_adds(out, fields[i].key);
		buf_add(out, "\": ", 3);
		if (!write_value(out, fields[i].kind, l->fields[fields[i].index])) {
			out->len = begin;
			out->data[begin] = '\0';
		}
	}
}

void samples_write_object(struct buf *out, const char *key, const struct rrd_line *l,
			  const struct samples_field *fields, size_t n)
{
	size_t begin = out->len, first;

	buf_addf(out, ", \"%s\": {", key);
	first = out->len;
	samples_write(out, l, fields, n);
	if (out->len == first) {
		out->len = begin;
		out->data[begin] = '\0';
		return;
	}
	/* Nothing stands in front of the first one's comma. */
	memmove(out->data + first, out->data + first + 2, out->len - first - 1);
	out->len -= 2;
	buf_addc(out, '}');
}

bool samples_count(const struct rrd_line *l, unsigned int index, uint64_t *ret)
{
	struct rrd_number v;

	if (index >= l->n_fields)
		return false;
	v = rrd_number_parse(l->fields[index]);
	if (!v.known || v.value < 0 || v.value > 9e18)
		return false;
	*ret = (uint64_t)v.value;
	return true;
}

void samples_write_time(struct buf *out, struct samples_time *kept, int64_t at)
{
	if (at > CLOCK_YEAR_9999)
		return;
	if (!*kept->text || kept->at != at) {
		kept->at = at;
		(void)clock_rfc3339(at, kept->text);
	}
	buf_adds(out, ", \"sampled_at\": \"");
	buf_adds(out, kept->text);
	buf_addc(out, '"');
}
