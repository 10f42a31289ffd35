/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include <errno.h>
#include <stdio.h>

#include "sim.h"

static const char *const NAME[FAULT_KINDS] = {
	[FAULT_LATENCY] = "latency",
	[FAULT_STATUS] = "status",
	[FAULT_DROP] = "drop",
	[FAULT_DROP_AFTER] = "drop-after",
	[FAULT_RESET] = "reset",
	[FAULT_RESET_AFTER] = "reset-after",
	[FAULT_HANG] = "hang",
	[FAULT_HANG_AFTER] = "hang-after",
	[FAULT_GARBAGE] = "garbage",
	[FAULT_TRUNCATED] = "truncated",
	[FAULT_HALF_CLOSED] = "half-closed",
	[FAULT_STALE] = "stale",
};

const char *sim_fault_name(enum sim_fault_kind kind)
{
	return NAME[kind];
}

static bool fits(const struct sim_fault *f, const struct sim_array *a, const char *method,
		 const char *path)
{
	return f->count != 0 && (f->arrays >> a->index & 1) &&
	       (!f->method[0] || strcmp(f->method, method) == 0) &&
	       (!f->path[0] || strcmp(f->path, path) == 0);
}

static void forget_spent(struct sim *s)
{
	size_t kept = 0;

	for (size_t i = 0; i < s->faults.n; i++)
		if (s->faults.items[i].count != 0)
			s->faults.items[kept++] = s->faults.items[i];
	s->faults.n = kept;
}

bool sim_fault_take(struct sim *s, const struct sim_array *a, const char *method, const char *path,
		    struct sim_fault *ret, int64_t *latency)
{
	bool found = false;

	*latency = 0;
	vec_each (f, &s->faults) {
		if (!fits(f, a, method, path) || (found && f->kind != FAULT_LATENCY))
			continue;
		if (f->skip > 0) {
			f->skip--;
			continue;
		}
		if (f->count > 0)
			f->count--;
		if (f->kind == FAULT_LATENCY) {
			*latency += f->ms;
			continue;
		}
		*ret = *f;
		found = true;
	}
	forget_spent(s);
	return found;
}

static bool kind_from(const char *text, enum sim_fault_kind *ret)
{
	for (enum sim_fault_kind k = 0; text && k < FAULT_KINDS; k++) {
		if (strcmp(text, NAME[k]) == 0) {
			*ret = k;
			return true;
		}
	}
	return false;
}

static void copy(char *to, size_t size, const char *from)
{
	(void)snprintf(to, size, "%s", from ? from : "");
}

int sim_fault_parse(struct sim *s, const json_t *j, struct sim_fault *ret, struct err *e)
{
	const char *array = json_str(j, "array");
	struct sim_fault f = { .count = 1, .ms = 60000, .status = 503, .arrays = ~0u };
	int64_t status = f.status;

	if (!kind_from(json_str(j, "kind"), &f.kind))
		return err_set(e, -EINVAL, "no such kind of fault");
	if (array) {
		const struct sim_array *a = sim_array_find(s, array);

		if (!a)
			return err_set(e, -EINVAL, "no array %s", array);
		f.arrays = 1u << a->index;
	}
	(void)json_i64(j, "skip", &f.skip);
	(void)json_i64(j, "count", &f.count);
	(void)json_i64(j, "ms", &f.ms);
	(void)json_i64(j, "status", &status);
	f.status = (int)status;
	copy(f.method, sizeof(f.method), json_str(j, "method"));
	copy(f.path, sizeof(f.path), json_str(j, "path"));
	copy(f.text, sizeof(f.text), json_str(j, "text"));
	copy(f.retry_after, sizeof(f.retry_after), json_str(j, "retry_after"));
	*ret = f;
	return 0;
}
