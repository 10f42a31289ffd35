/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "dm/undo_record.h"

#include <errno.h>
#include <unistd.h>

#include "util/clock.h"
#include "util/json.h"
#include "util/jsonw.h"
#include "util/str.h"

#define SCHEMA "pvewarden.dm-undo/1"

static const char *const states[] = {
	[DM_UNDO_INTENDED] = "intent",	   [DM_UNDO_DONE] = "done",
	[DM_UNDO_SKIPPED] = "skipped",	   [DM_UNDO_FAILED] = "failed",
	[DM_UNDO_RESTORING] = "restoring", [DM_UNDO_RESTORED] = "restored",
};

static const char *const steps[] = {
	[DM_STEP_NONE] = "none",
	[DM_STEP_REMOVE] = "remove",
	[DM_STEP_DEACTIVATE] = "deactivate",
};

const char *dm_undo_state_name(enum dm_undo_state s)
{
	return states[s];
}

void dm_undo_write_header(struct buf *out, const char *node, const char *boot_id, int64_t now)
{
	struct jsonw w;

	jsonw_begin_row(&w, out);
	jsonw_str(&w, "schema", SCHEMA);
	jsonw_str(&w, "node", node);
	jsonw_str(&w, "boot_id", boot_id);
	jsonw_time(&w, "time", now);
	jsonw_i64(&w, "pid", getpid());
	jsonw_end(&w);
}

static void write_table(struct jsonw *w, const struct dm_dev *d)
{
	jsonw_array(w, "table");
	for (size_t i = 0; i < d->n_targets; i++) {
		jsonw_row(w, NULL);
		jsonw_u64(w, "start", d->targets[i].start);
		jsonw_u64(w, "length", d->targets[i].length);
		jsonw_str(w, "type", d->targets[i].type);
		jsonw_str(w, "params", d->targets[i].params);
		jsonw_close(w);
	}
	jsonw_close(w);
}

static void write_parents(struct jsonw *w, const struct dm_undo_entry *entry)
{
	jsonw_array(w, "parents");
	for (size_t i = 0; i < entry->n_parents; i++) {
		const struct blk_identity *p = &entry->parents[i];

		jsonw_row(w, NULL);
		jsonw_fmt(w, "device", DEVNO_FMT, DEVNO_ARG(p->dev));
		jsonw_str(w, "dm_uuid", p->dm_uuid);
		jsonw_str(w, "wwid", p->wwid);
		jsonw_str(w, "pv_uuid", p->pv_uuid);
		jsonw_close(w);
	}
	jsonw_close(w);
}

void dm_undo_write_intent(struct buf *out, const struct dm_undo_entry *entry)
{
	const struct dm_dev *d = &entry->dev;
	struct jsonw w;

	jsonw_begin_row(&w, out);
	jsonw_str(&w, "record", states[DM_UNDO_INTENDED]);
	jsonw_u64(&w, "n", entry->n);
	jsonw_u64(&w, "of", entry->of);
	jsonw_time(&w, "time", entry->time);
	jsonw_str(&w, "step", steps[entry->step]);
	jsonw_str(&w, "class", entry->class);
	jsonw_u64(&w, "vmid", entry->vmid);
	jsonw_str(&w, "name", d->name);
	jsonw_str(&w, "uuid", d->uuid);
	jsonw_fmt(&w, "device", DEVNO_FMT, DEVNO_ARG(d->dev));
	jsonw_bool(&w, "read_only", d->read_only);
	jsonw_str(&w, "vg_name", entry->vg_name);
	jsonw_str(&w, "vg_uuid", entry->vg_uuid);
	jsonw_u64(&w, "vg_seqno", entry->vg_seqno);
	jsonw_str(&w, "lv_name", entry->lv_name);
	jsonw_str(&w, "lv_uuid", entry->lv_uuid);
	write_table(&w, d);
	write_parents(&w, entry);
	jsonw_end(&w);
}

void dm_undo_write_mark(struct buf *out, unsigned int n, enum dm_undo_state state, const char *text,
			int64_t now)
{
	struct jsonw w;

	jsonw_begin_row(&w, out);
	jsonw_str(&w, "record", states[state]);
	jsonw_u64(&w, "n", n);
	jsonw_time(&w, "time", now);
	if (text)
		jsonw_str(&w, "text", text);
	jsonw_end(&w);
}

/* One journal while it is read. */
struct reader {
	struct dm_undo_run *run;
	const char *id;
	unsigned int line;
	struct err *e;
};

static int broken(const struct reader *r, const char *expected)
{
	return err_set(r->e, -EBADMSG, "/" DM_UNDO_DIR "/%s.jsonl, line %u: expected %s", r->id,
		       r->line, expected);
}

static const char *keep(struct reader *r, const json_t *obj, const char *key)
{
	const char *text = json_str(obj, key);

	return text ? arena_str(&r->run->arena, slice_of(text)) : NULL;
}

static int64_t time_of(const json_t *obj)
{
	const char *text = json_str(obj, "time");
	int64_t t = 0;

	if (text)
		(void)clock_parse(slice_of(text), &t);
	return t;
}

static int read_header(struct reader *r, const json_t *obj)
{
	const char *schema = json_str(obj, "schema");

	if (!schema || strcmp(schema, SCHEMA) != 0)
		return broken(r, "schema " SCHEMA);
	r->run->node = keep(r, obj, "node");
	r->run->boot_id = keep(r, obj, "boot_id");
	r->run->time = time_of(obj);
	return r->run->node && r->run->boot_id ? 0 : broken(r, "node and boot_id");
}

static bool read_devno(const json_t *obj, struct devno *ret)
{
	const char *text = json_str(obj, "device");

	return text && devno_parse(slice_of(text), ret);
}

static int read_table(struct reader *r, const json_t *obj, struct dm_dev *d)
{
	const json_t *list = json_arr(obj, "table"), *item;
	size_t i;

	if (!list)
		return broken(r, "a table");
	d->targets = arena_alloc(&r->run->arena, json_array_size(list) * sizeof(*d->targets));
	json_array_foreach(list, i, item)
	{
		struct dm_target *t = &d->targets[d->n_targets++];

		t->type = keep(r, item, "type");
		t->params = keep(r, item, "params");
		if (!json_u64(item, "start", &t->start) || !json_u64(item, "length", &t->length) ||
		    !t->type || !t->params)
			return broken(r, "start, length, type and params in its table");
	}
	return 0;
}

static int read_parents(struct reader *r, const json_t *obj, struct dm_undo_entry *entry)
{
	const json_t *list = json_arr(obj, "parents"), *item;
	size_t i;

	entry->parents =
		arena_alloc(&r->run->arena, json_array_size(list) * sizeof(*entry->parents));
	json_array_foreach(list, i, item)
	{
		struct blk_identity *p = &entry->parents[entry->n_parents++];

		p->dm_uuid = keep(r, item, "dm_uuid");
		p->wwid = keep(r, item, "wwid");
		p->pv_uuid = keep(r, item, "pv_uuid");
		if (!read_devno(item, &p->dev))
			return broken(r, "the device of a parent");
	}
	return 0;
}

static bool read_step(const json_t *obj, enum dm_step *ret)
{
	const char *text = json_str(obj, "step");

	for (size_t i = 0; text && i < ARRAY_SIZE(steps); i++)
		if (strcmp(text, steps[i]) == 0) {
			*ret = (enum dm_step)i;
			return *ret != DM_STEP_NONE;
		}
	return false;
}

static uint64_t last_number(const struct dm_undo_run *run)
{
	return run->n ? run->items[run->n - 1].n : 0;
}

static struct dm_undo_entry *entry_numbered(struct dm_undo_run *run, uint64_t n)
{
	vec_each (entry, run)
		if (entry->n == n)
			return entry;
	return NULL;
}

static int read_intent(struct reader *r, const json_t *obj)
{
	struct dm_undo_entry entry = { .time = time_of(obj) };
	uint64_t n, of = 0, vmid = 0;

	if (!json_u64(obj, "n", &n) || n > UINT32_MAX || n <= last_number(r->run))
		return broken(r, "a number higher than those before it");
	(void)json_u64(obj, "of", &of);
	(void)json_u64(obj, "vmid", &vmid);
	(void)json_u64(obj, "vg_seqno", &entry.vg_seqno);
	if (of > n + DM_PLAN_CHILDREN_MAX || vmid > UINT32_MAX)
		return broken(r, "numbers that fit");
	entry.n = (unsigned int)n;
	entry.of = (unsigned int)of;
	entry.vmid = (uint32_t)vmid;
	entry.class = keep(r, obj, "class");
	entry.dev.name = keep(r, obj, "name");
	entry.dev.uuid = keep(r, obj, "uuid");
	entry.dev.read_only = json_is_true(json_object_get(obj, "read_only"));
	entry.vg_name = keep(r, obj, "vg_name");
	entry.vg_uuid = keep(r, obj, "vg_uuid");
	entry.lv_name = keep(r, obj, "lv_name");
	entry.lv_uuid = keep(r, obj, "lv_uuid");
	if (!read_step(obj, &entry.step) || !entry.class || !entry.dev.name || !entry.dev.uuid ||
	    !read_devno(obj, &entry.dev.dev))
		return broken(r, "step, class, name, uuid and device");
	if (read_table(r, obj, &entry.dev) < 0 || read_parents(r, obj, &entry) < 0)
		return -EBADMSG;
	*vec_push(r->run) = entry;
	return 0;
}

static int read_mark(struct reader *r, const json_t *obj, enum dm_undo_state state)
{
	struct dm_undo_entry *entry;
	uint64_t n;

	if (!json_u64(obj, "n", &n))
		return broken(r, "the number of an intent before it");
	entry = entry_numbered(r->run, n);
	if (!entry) {
		r->run->torn++; /* its intent was lost; so is what became of it */
		return 0;
	}
	entry->state = state;
	entry->text = keep(r, obj, "text");
	entry->time = time_of(obj);
	return 0;
}

static int read_record(struct reader *r, const json_t *obj)
{
	const char *record = json_str(obj, "record");

	if (r->line == 1)
		return read_header(r, obj);
	for (size_t i = 0; record && i < ARRAY_SIZE(states); i++)
		if (strcmp(record, states[i]) == 0)
			return i == DM_UNDO_INTENDED ? read_intent(r, obj)
						     : read_mark(r, obj, (enum dm_undo_state)i);
	return broken(r, "a record of a known kind");
}

int dm_undo_parse(struct dm_undo_run *ret, struct slice text, const char *id, struct err *e)
{
	struct reader r = { .run = ret, .id = id, .e = e };
	struct slice rest = text, line;
	int code = 0;

	*ret = (struct dm_undo_run){};
	ret->id = arena_str(&ret->arena, slice_of(id));
	while (code == 0 && slice_split(&rest, '\n', &line)) {
		json_t *obj = NULL;

		r.line++;
		if (json_parse(line, id, &obj, NULL) == 0)
			code = read_record(&r, obj);
		else
			ret->torn++;
		json_decref(obj);
	}
	if (code == 0 && !ret->node)
		code = broken(&r, "schema " SCHEMA);
	if (code < 0) {
		dm_undo_done(ret);
		*ret = (struct dm_undo_run){};
	}
	return code;
}
