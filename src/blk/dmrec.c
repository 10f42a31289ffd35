/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "blk/dmrec.h"

#include <errno.h>

#include "util/str.h"

#define HEAD "# pvewarden.dm-record/1"

static int by_devno(const void *a, const void *b)
{
	const struct dm_dev *x = a, *y = b;

	return devno_cmp(x->dev, y->dev);
}

void dm_set_sort(struct dm_set *set)
{
	if (set->n)
		qsort(set->items, set->n, sizeof(*set->items), by_devno);
}

const struct dm_dev *dm_set_find(const struct dm_set *set, struct devno dev)
{
	struct dm_dev key = { .dev = dev };

	return set->n ? bsearch(&key, set->items, set->n, sizeof(*set->items), by_devno) : NULL;
}

static void write_device(const struct dm_dev *d, struct buf *out)
{
	buf_addf(out, "device " DEVNO_FMT " open %u event %u flags ", DEVNO_ARG(d->dev),
		 d->open_count, d->event_nr);
	if (!d->suspended && !d->read_only && !d->inactive_table)
		buf_addc(out, '-');
	if (d->suspended)
		buf_adds(out, "suspended,");
	if (d->read_only)
		buf_adds(out, "readonly,");
	if (d->inactive_table)
		buf_adds(out, "inactive,");
	buf_addf(out, "\nname %s\n", d->name);
	if (*d->uuid)
		buf_addf(out, "uuid %s\n", d->uuid);
	if (d->n_deps) {
		buf_adds(out, "deps");
		for (size_t i = 0; i < d->n_deps; i++)
			buf_addf(out, " " DEVNO_FMT, DEVNO_ARG(d->deps[i]));
		buf_addc(out, '\n');
	}
	for (size_t i = 0; i < d->n_targets; i++)
		buf_addf(out, "target %llu %llu %s %s\n", (unsigned long long)d->targets[i].start,
			 (unsigned long long)d->targets[i].length, d->targets[i].type,
			 d->targets[i].params);
	if (d->active_paths)
		buf_addf(out, "paths %u\n", d->active_paths);
}

void dmrec_write(const struct dm_set *set, struct buf *out)
{
	buf_adds(out, HEAD "\n");
	for (size_t i = 0; i < set->n; i++)
		write_device(&set->items[i], out);
}

struct reader {
	struct arena *arena;
	struct {
		struct dm_dev *items;
		size_t n, cap;
	} devices;
	struct {
		struct dm_target *items;
		size_t n, cap;
	} targets; /* of the device being read */
};

static bool word(struct slice *rest, struct slice *ret)
{
	return slice_split(rest, ' ', ret);
}

static bool number(struct slice *rest, uint64_t *ret)
{
	struct slice w;

	return word(rest, &w) && str_to_u64(w, ret);
}

static bool expect(struct slice *rest, const char *what)
{
	struct slice w;

	return word(rest, &w) && slice_eq(w, what);
}

/* Hands the collected targets over to the device that they belong to. */
static void finish_device(struct reader *r)
{
	struct dm_dev *d;

	if (!r->devices.n)
		return;
	d = &r->devices.items[r->devices.n - 1];
	d->n_targets = r->targets.n;
	d->targets = arena_alloc(r->arena, r->targets.n * sizeof(*d->targets));
	if (r->targets.n)
		memcpy(d->targets, r->targets.items, r->targets.n * sizeof(*d->targets));
	r->targets.n = 0;
}

static bool read_device(struct reader *r, struct slice rest)
{
	struct slice dev, flag, flags;
	uint64_t open, event;
	struct dm_dev *d;

	finish_device(r);
	d = vec_push(&r->devices);
	d->name = d->uuid = "";
	if (!word(&rest, &dev) || !devno_parse(dev, &d->dev) || !expect(&rest, "open") ||
	    !number(&rest, &open) || !expect(&rest, "event") || !number(&rest, &event) ||
	    !expect(&rest, "flags") || !word(&rest, &flags))
		return false;
	d->open_count = (uint32_t)open;
	d->event_nr = (uint32_t)event;
	while (slice_split(&flags, ',', &flag)) {
		d->suspended |= slice_eq(flag, "suspended");
		d->read_only |= slice_eq(flag, "readonly");
		d->inactive_table |= slice_eq(flag, "inactive");
	}
	return true;
}

static bool read_deps(struct reader *r, struct dm_dev *d, struct slice rest)
{
	struct slice count = rest, w;

	d->n_deps = 0;
	while (word(&count, &w))
		d->n_deps++;
	d->deps = arena_alloc(r->arena, d->n_deps * sizeof(*d->deps));
	for (size_t i = 0; word(&rest, &w); i++)
		if (!devno_parse(w, &d->deps[i]))
			return false;
	return true;
}

static bool read_target(struct reader *r, struct slice rest)
{
	struct dm_target *t = vec_push(&r->targets);
	struct slice type;

	if (!number(&rest, &t->start) || !number(&rest, &t->length) || !word(&rest, &type))
		return false;
	t->type = arena_str(r->arena, type);
	t->params = arena_str(r->arena, rest);
	return true;
}

static bool read_line(struct reader *r, struct slice line)
{
	struct dm_dev *d = r->devices.n ? &r->devices.items[r->devices.n - 1] : NULL;
	struct slice rest = line, key;
	uint64_t n;

	if (!word(&rest, &key))
		return true;
	if (slice_eq(key, "device"))
		return read_device(r, rest);
	if (!d)
		return false;
	if (slice_eq(key, "name"))
		d->name = arena_str(r->arena, rest);
	else if (slice_eq(key, "uuid"))
		d->uuid = arena_str(r->arena, rest);
	else if (slice_eq(key, "deps"))
		return read_deps(r, d, rest);
	else if (slice_eq(key, "target"))
		return read_target(r, rest);
	else if (slice_eq(key, "paths") && number(&rest, &n))
		d->active_paths = (unsigned int)n;
	else
		return false;
	return true;
}

int dmrec_parse(struct dm_set *ret, struct slice text, const char *file, struct arena *a,
		struct err *e)
{
	struct reader r = { .arena = a };
	unsigned int line_number = 0;
	struct slice line;
	int code = 0;

	while (code == 0 && slice_split(&text, '\n', &line)) {
		line_number++;
		if (line_number == 1 && !slice_eq(line, HEAD))
			code = err_set(e, -EBADMSG, "%s, line 1: expected '" HEAD "'", file);
		else if (line_number > 1 && !read_line(&r, line))
			code = err_set(e, -EBADMSG, "%s, line %u: not understood", file,
				       line_number);
	}
	if (code == 0 && line_number == 0)
		code = err_set(e, -EBADMSG, "%s: empty", file);
	if (code == 0) {
		finish_device(&r);
		ret->n = r.devices.n;
		ret->items = arena_alloc(a, r.devices.n * sizeof(*ret->items));
		if (ret->n)
			memcpy(ret->items, r.devices.items, ret->n * sizeof(*ret->items));
		dm_set_sort(ret);
	}
	vec_free(&r.devices);
	vec_free(&r.targets);
	return code;
}

bool dm_same_table(const struct dm_dev *a, const struct dm_dev *b)
{
	if (a->n_targets != b->n_targets || a->read_only != b->read_only)
		return false;
	for (size_t i = 0; i < a->n_targets; i++)
		if (a->targets[i].start != b->targets[i].start ||
		    a->targets[i].length != b->targets[i].length ||
		    strcmp(a->targets[i].type, b->targets[i].type) != 0 ||
		    strcmp(a->targets[i].params, b->targets[i].params) != 0)
			return false;
	return true;
}
