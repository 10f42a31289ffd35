/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "agent/guestconfig.h"

#include "pve/prop.h"
#include "util/clock.h"
#include "util/str.h"

/* What one walk over the lines has to remember. */
struct walk {
	struct guestconfig *config;
	struct guestconfig_options *options;   /* where options go; NULL: nowhere */
	struct guestconfig_snapshot *snapshot; /* the one that is open, NULL: none */
	bool describes;			       /* descriptions count here */
	size_t text;			       /* where this section's begins */
};

static void add_option(struct walk *w, const struct guest_line *line)
{
	struct guestconfig_option *o = vec_push(w->options);

	*o = (struct guestconfig_option){
		.key = line->key,
		.value = line->value,
		.order = (uint32_t)w->options->n,
		.raw = line->kind == GUEST_LINE_RAW_LXC,
	};
	if (w->config->type == GUEST_QEMU && slice_eq(line->key, "cdrom"))
		o->key = SLICE("ide2");
}

static void add_deletes(struct guestconfig *c, struct slice list)
{
	struct slice key;

	while (c->deletes.n < GUESTCONFIG_DELETES_MAX && list_next(&list, &key)) {
		/* "!" asks for force. */
		if (slice_starts(key, "!"))
			key = slice_from(key, 1);
		*vec_push(&c->deletes) = key;
	}
}

static void take_snapshot_option(struct guestconfig_snapshot *s, const struct guest_line *line)
{
	uint64_t n;

	if (slice_eq(line->key, "parent"))
		s->parent = line->value;
	else if (slice_eq(line->key, "vmstate"))
		s->vmstate = line->value;
	else if (slice_eq(line->key, "snaptime") && str_to_u64(line->value, &n) &&
		 n <= CLOCK_YEAR_9999)
		s->at = (int64_t)n;
}

static void describe(struct walk *w, const struct guest_line *line)
{
	if (!w->describes)
		return;
	percent_decode(line->value, &w->config->descriptions);
	/* Only lines that begin with '#' are lines of the description. */
	if (slice_eq(line->key, "#"))
		buf_addc(&w->config->descriptions, '\n');
}

static void end_section(struct walk *w)
{
	struct guestconfig *c = w->config;
	struct slice text = slice_rtrim(slice_from(buf_slice(&c->descriptions), w->text));

	if (w->snapshot) {
		w->snapshot->text = w->text;
		w->snapshot->text_len = text.n;
	} else if (w->options == &c->main) {
		c->text_len = text.n;
	}
	w->snapshot = NULL;
	w->text = c->descriptions.len;
}

/* Of two sections of one name the later one counts. */
static struct guestconfig_snapshot *snapshot_of(struct guestconfig *c, struct slice name)
{
	vec_each (s, &c->snapshots) {
		if (slice_eq2(s->name, name)) {
			*s = (struct guestconfig_snapshot){ .name = name };
			return s;
		}
	}
	if (c->snapshots.n == GUESTCONFIG_SNAPSHOTS_MAX)
		return NULL;
	vec_push(&c->snapshots)->name = name;
	return &c->snapshots.items[c->snapshots.n - 1];
}

static void begin_section(struct walk *w, const struct guest_line *line)
{
	struct guestconfig *c = w->config;

	end_section(w);
	w->options = NULL;
	w->describes = false;
	if (line->section == GUEST_SECTION_PENDING) {
		c->pending.n = 0;
		c->deletes.n = 0;
		w->options = &c->pending;
	} else if (line->section == GUEST_SECTION_SNAPSHOT) {
		w->snapshot = snapshot_of(c, line->key);
		w->describes = w->snapshot != NULL;
	}
}

static void take_line(struct walk *w, const struct guest_line *line)
{
	switch (line->kind) {
	case GUEST_LINE_SECTION:
		begin_section(w, line);
		break;
	case GUEST_LINE_DESCRIPTION:
		describe(w, line);
		break;
	case GUEST_LINE_OPTION:
	case GUEST_LINE_RAW_LXC:
		if (w->snapshot)
			take_snapshot_option(w->snapshot, line);
		else if (w->options == &w->config->pending && slice_eq(line->key, "delete"))
			add_deletes(w->config, line->value);
		else if (w->options)
			add_option(w, line);
		break;
	case GUEST_LINE_BAD:
	default:
		break;
	}
}

static int cmp_option(const void *a, const void *b)
{
	const struct guestconfig_option *x = a, *y = b;
	int r = slice_cmp(x->key, y->key);

	return r ? r : (x->order > y->order) - (x->order < y->order);
}

/* The last value of a key is the one that Proxmox takes. */
static void sort_once(struct guestconfig_options *o)
{
	size_t n = 0;

	if (o->n > 1)
		qsort(o->items, o->n, sizeof(*o->items), cmp_option);
	for (size_t i = 0; i < o->n; i++) {
		bool again =
			n && !o->items[i].raw && slice_eq2(o->items[n - 1].key, o->items[i].key);

		o->items[again ? n - 1 : n++] = o->items[i];
	}
	o->n = n;
}

void guestconfig_read(struct guestconfig *c, enum guest_type type, struct slice text)
{
	struct walk w = { .config = c, .options = &c->main, .describes = true };
	struct guest_reader reader;
	struct guest_line line;

	c->type = type;
	c->main.n = c->pending.n = c->deletes.n = c->snapshots.n = 0;
	c->text_len = 0;
	buf_reset(&c->descriptions);
	guest_reader_init(&reader, type, text);
	while (guest_reader_next(&reader, &line))
		take_line(&w, &line);
	end_section(&w);
	sort_once(&c->main);
	sort_once(&c->pending);
}

void guestconfig_done(struct guestconfig *c)
{
	vec_free(&c->main);
	vec_free(&c->pending);
	vec_free(&c->deletes);
	vec_free(&c->snapshots);
	buf_done(&c->descriptions);
}

bool guestconfig_get_slice(const struct guestconfig_options *o, struct slice key, struct slice *ret)
{
	size_t low = 0, high = o->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int r = slice_cmp(o->items[middle].key, key);

		if (r == 0) {
			*ret = o->items[middle].value;
			return true;
		}
		if (r < 0)
			low = middle + 1;
		else
			high = middle;
	}
	*ret = (struct slice){ "", 0 };
	return false;
}

bool guestconfig_get(const struct guestconfig_options *o, const char *key, struct slice *ret)
{
	return guestconfig_get_slice(o, slice_of(key), ret);
}

bool guestconfig_bool(const struct guestconfig *c, const char *key, bool otherwise)
{
	struct slice text;

	if (guestconfig_get(&c->main, key, &text))
		(void)prop_bool(text, &otherwise);
	return otherwise;
}

uint64_t guestconfig_number(const struct guestconfig *c, const char *key, uint64_t otherwise)
{
	struct slice text;

	if (guestconfig_get(&c->main, key, &text))
		(void)str_to_u64(text, &otherwise);
	return otherwise;
}

struct slice guestconfig_text(const struct guestconfig *c, const char *key)
{
	struct slice text;

	(void)guestconfig_get(&c->main, key, &text);
	return text;
}

struct slice guestconfig_description(const struct guestconfig *c)
{
	return (struct slice){ buf_str(&c->descriptions), c->text_len };
}

struct slice guestconfig_snapshot_text(const struct guestconfig *c,
				       const struct guestconfig_snapshot *s)
{
	return (struct slice){ buf_str(&c->descriptions) + s->text, s->text_len };
}

size_t guestconfig_pending(const struct guestconfig *c, guestconfig_pending_fn each, void *arg)
{
	struct slice now;
	size_t n = 0;

	vec_each (o, &c->pending) {
		bool there = guestconfig_get_slice(&c->main, o->key, &now);

		if (there && slice_eq2(now, o->value))
			continue;
		n++;
		if (each)
			each(arg, o->key, there ? &now : NULL, &o->value);
	}
	vec_each (key, &c->deletes) {
		if (!guestconfig_get_slice(&c->main, *key, &now))
			continue;
		n++;
		if (each)
			each(arg, *key, &now, NULL);
	}
	return n;
}
