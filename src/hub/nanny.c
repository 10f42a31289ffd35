/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "hub/nanny.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>

#include "hub/shape.h"
#include "util/json.h"
#include "util/jsonw.h"
#include "util/str.h"

/* --- what is taken --- */

enum form {
	TAKE_TEXT,
	TAKE_NAME, /* a text that must be there, of at most WIRE_NAME_MAX bytes, for an URL */
	TAKE_KEY,  /* the same, but for that it may be missing */
	TAKE_WHOLE,
	TAKE_NUMBER,
	TAKE_FLAG,
	TAKE_TAGS,   /* "a,b" or "a;b" */
	TAKE_MEMORY, /* 4096, or "current=4096" */
	TAKE_NUMBERS,
	TAKE_SIZES, /* an object of whole numbers */
	TAKE_OBJECT,
	TAKE_TIME,
};

enum { SPELLINGS = 3 };

/* A field of ours and where it comes from: the first spelling that has a value, then the raw
 * config's own key, then the default (a JSON value as text; NULL: left out). */
struct field {
	const char *name;
	enum form form;
	const char *spelled[SPELLINGS];
	const char *config;
	const char *otherwise;
	int64_t min, max; /* of a whole number; both 0: not negative */
};

static const struct field cluster_fields[] = {
	{ "name", TAKE_NAME, { "cluster_name", "name" } },
	{ "id", TAKE_TEXT, { "cluster_id", "px_cluster_id" }, NULL, "\"cluster\"" },
	{ "uuid", TAKE_KEY, { "cluster_uuid" } },
	{ "nodes", TAKE_WHOLE, { "nodes" } },
	{ "quorate", TAKE_FLAG, { "quorate" } },
	{ "version", TAKE_WHOLE, { "version" } },
};

static const struct field node_fields[] = {
	{ "name", TAKE_NAME, { "name" } },
	{ "node_id", TAKE_WHOLE, { "node_id", "nodeid" }, NULL, "0" },
	{ "ip", TAKE_TEXT, { "ip" }, NULL, "\"\"" },
	{ "online", TAKE_FLAG, { "online" }, NULL, "true" },
	{ "local", TAKE_FLAG, { "local" }, NULL, "true" },
	{ "level", TAKE_TEXT, { "level" }, NULL, "\"\"" },
	{ "pve_version", TAKE_TEXT, { "pve_version", "pveversion" }, NULL, "\"\"" },
	{ "cluster_uuid", TAKE_KEY, { "cluster_uuid" } },
	{ "cluster_name", TAKE_TEXT, { "cluster_name" } },
};

/* What our own agent says of the machine beside it; becomes "host". */
static const struct field host_fields[] = {
	{ "uptime", TAKE_WHOLE, { "uptime" } },	   { "loadavg", TAKE_NUMBERS, { "loadavg" } },
	{ "cpu", TAKE_NUMBER, { "cpu" } },	   { "iowait", TAKE_NUMBER, { "iowait", "wait" } },
	{ "cpuinfo", TAKE_OBJECT, { "cpuinfo" } }, { "kversion", TAKE_TEXT, { "kversion" } },
	{ "memory", TAKE_SIZES, { "memory" } },	   { "swap", TAKE_SIZES, { "swap" } },
	{ "rootfs", TAKE_SIZES, { "rootfs" } },
};

#define GUEST_FIELDS                                                                  \
	{ "node", TAKE_NAME, { "node" } },                                            \
		{ "status", TAKE_TEXT, { "status" }, NULL, "\"unknown\"" },           \
		{ "uptime", TAKE_WHOLE, { "uptime" }, NULL, "0" },                    \
		{ "memory_mb", TAKE_MEMORY, { "memory_mb" }, "memory", "512" },       \
		{ "protection", TAKE_FLAG, { "protection" }, "protection", "false" }, \
		{ "tags", TAKE_TAGS, { "tags" }, "tags", "\"\"" },                    \
		{ "cluster_uuid", TAKE_KEY, { "cluster_uuid" } },                     \
	{                                                                             \
		"config", TAKE_OBJECT, { "config" }, NULL, "{}"                       \
	}

static const struct field lxc_fields[] = {
	GUEST_FIELDS,
	{ "name", TAKE_TEXT, { "name", "hostname" }, "hostname" },
	{ "cpu_cores", TAKE_WHOLE, { "cpu_cores" }, "cores" },
	{ "swap_mb", TAKE_WHOLE, { "swap_mb" }, "swap", "512" },
	{ "rootfs", TAKE_TEXT, { "rootfs" }, "rootfs", "\"\"" },
	{ "net0", TAKE_TEXT, { "net0" }, "net0", "\"\"" },
	{ "ostype", TAKE_TEXT, { "ostype" }, "ostype", "\"unmanaged\"" },
	{ "arch", TAKE_TEXT, { "arch" }, "arch", "\"amd64\"" },
	{ "hostname", TAKE_TEXT, { "hostname" }, "hostname", "\"\"" },
	{ "searchdomain", TAKE_TEXT, { "searchdomain" }, "searchdomain", "\"\"" },
	{ "nameserver", TAKE_TEXT, { "nameserver" }, "nameserver", "\"\"" },
	{ "features", TAKE_TEXT, { "features" }, "features", "\"\"" },
	{ "unprivileged", TAKE_FLAG, { "unprivileged" }, "unprivileged", "false" },
	{ "timezone", TAKE_TEXT, { "timezone" }, "timezone", "\"\"" },
};

static const struct field qemu_fields[] = {
	GUEST_FIELDS,
	{ "name", TAKE_TEXT, { "name" }, "name" },
	{ "cpu_cores", TAKE_WHOLE, { "cpu_cores" }, "cores", "1" },
	{ "net0", TAKE_TEXT, { "net0" }, "net0", "\"\"" },
	{ "ostype", TAKE_TEXT, { "ostype" }, "ostype", "\"other\"" },
	{ "vmgenid", TAKE_TEXT, { "vmgenid" }, "vmgenid", "\"\"" },
	{ "kvm", TAKE_FLAG, { "kvm" }, "kvm", "true" },
	{ "boot", TAKE_TEXT, { "boot" }, "boot", "\"cdn\"" },
	{ "cpu", TAKE_TEXT, { "cpu", "host_cpu" }, "cpu", "\"kvm64\"" },
};

/* --- taking --- */

struct taking {
	struct check_fault *fault;
	const json_t *in;
	json_t *out;
};

static int PRINTF_LIKE(3, 4) refuse(struct taking *t, const char *path, const char *fmt, ...)
{
	va_list ap;

	t->fault->status = 422;
	(void)snprintf(t->fault->path, sizeof(t->fault->path), "%s", path);
	va_start(ap, fmt);
	(void)vsnprintf(t->fault->why, sizeof(t->fault->why), fmt, ap);
	va_end(ap);
	return -EBADMSG;
}

/* Proxmox' own JSON has numbers where a name is all digits. */
static json_t *take_text(const json_t *v, size_t max)
{
	char digits[24];

	if (json_is_string(v))
		return json_string_length(v) <= max ? json_copy((json_t *)v) : NULL;
	if (!json_is_integer(v))
		return NULL;
	(void)snprintf(digits, sizeof(digits), "%lld", (long long)json_integer_value(v));
	return json_string(digits);
}

static json_t *take_name(const json_t *v)
{
	return str_has_control(slice_of(json_string_value(v) ?: "")) ? NULL
								     : take_text(v, WIRE_NAME_MAX);
}

static bool whole_of(const json_t *v, int64_t *ret)
{
	double d = json_real_value(v);
	uint64_t n;

	if (json_is_integer(v)) {
		*ret = json_integer_value(v);
		return true;
	}
	if (json_is_real(v) && d == floor(d) && fabs(d) < 9e15) {
		*ret = (int64_t)d;
		return true;
	}
	if (json_is_string(v) && str_to_u64(slice_of(json_string_value(v)), &n) && n < INT64_MAX) {
		*ret = (int64_t)n;
		return true;
	}
	if (json_is_boolean(v))
		*ret = json_is_true(v);
	return json_is_boolean(v);
}

static json_t *take_whole(const struct field *f, const json_t *v)
{
	int64_t n, max = f->max ? f->max : INT64_MAX;

	return whole_of(v, &n) && n >= f->min && n <= max ? json_integer(n) : NULL;
}

static json_t *take_number(const json_t *v)
{
	double d = json_number_value(v);
	char *end = NULL;

	if (json_is_string(v)) {
		d = strtod(json_string_value(v), &end);
		if (end == json_string_value(v) || *end)
			return NULL;
	} else if (!json_is_number(v)) {
		return NULL;
	}
	return fabs(d) <= (double)WIRE_NUMBER_MAX ? json_real(d) : NULL;
}

static json_t *take_flag(const json_t *v)
{
	int64_t n;

	return whole_of(v, &n) && (n == 0 || n == 1) ? json_boolean(n) : NULL;
}

static json_t *take_memory(const struct field *f, const json_t *v)
{
	struct slice text = slice_of(json_is_string(v) ? json_string_value(v) : "");
	uint64_t n;

	if (slice_starts(text, "current="))
		text = slice_from(text, strlen("current="));
	text.n = slice_find(text, ',');
	if (str_to_u64(text, &n) && n < INT64_MAX)
		return json_integer((json_int_t)n);
	return take_whole(f, v);
}

/* All that Proxmox takes for a separator becomes ';'. */
static json_t *take_tags(const json_t *v)
{
	struct slice rest = slice_of(json_is_string(v) ? json_string_value(v) : "");
	CLEANUP(buf_done) struct buf out = {};

	if (!json_is_string(v))
		return NULL;
	while (rest.n) {
		size_t n = strcspn(rest.p, ",; ");

		if (n && out.len)
			buf_addc(&out, ';');
		buf_add(&out, rest.p, n);
		rest = slice_from(rest, n + 1);
	}
	return json_string(buf_str(&out));
}

static json_t *take_numbers(const json_t *v)
{
	json_t *out = json_is_array(v) ? json_array() : NULL, *one;
	size_t i;
	const json_t *item;

	json_array_foreach(v, i, item)
	{
		one = take_number(item);
		if (!one) {
			json_decref(out);
			return NULL;
		}
		(void)json_array_append_new(out, one);
	}
	return out;
}

static json_t *take_sizes(const struct field *f, const json_t *v)
{
	json_t *out = json_is_object(v) ? json_object() : NULL, *one;
	const char *key;
	const json_t *item;

	json_object_foreach((json_t *)v, key, item)
	{
		if (json_is_null(item))
			continue;
		one = take_whole(f, item);
		if (!one) {
			json_decref(out);
			return NULL;
		}
		(void)json_object_set_new(out, key, one);
	}
	return out;
}

static json_t *take_time(const json_t *v)
{
	int64_t at;

	return json_is_string(v) && shape_time(slice_of(json_string_value(v)), &at)
		       ? json_copy((json_t *)v)
		       : NULL;
}

static json_t *take(const struct field *f, const json_t *v)
{
	switch (f->form) {
	case TAKE_TEXT:
		return take_text(v, WIRE_STRING_MAX);
	case TAKE_NAME:
	case TAKE_KEY:
		return take_name(v);
	case TAKE_WHOLE:
		return take_whole(f, v);
	case TAKE_NUMBER:
		return take_number(v);
	case TAKE_FLAG:
		return take_flag(v);
	case TAKE_TAGS:
		return take_tags(v);
	case TAKE_MEMORY:
		return take_memory(f, v);
	case TAKE_NUMBERS:
		return take_numbers(v);
	case TAKE_SIZES:
		return take_sizes(f, v);
	case TAKE_OBJECT:
		return json_is_object(v) ? json_incref((json_t *)v) : NULL;
	case TAKE_TIME:
		return take_time(v);
	}
	return NULL;
}

static const char *wanted(enum form form)
{
	static const char *const words[] = {
		[TAKE_TEXT] = "a string",
		[TAKE_NAME] = "a name of at most 255 bytes, none of them a control character",
		[TAKE_KEY] = "a name of at most 255 bytes, none of them a control character",
		[TAKE_WHOLE] = "a whole number in its range",
		[TAKE_NUMBER] = "a number up to 1e18",
		[TAKE_FLAG] = "0 or 1",
		[TAKE_TAGS] = "a string",
		[TAKE_MEMORY] = "a number of MiB",
		[TAKE_NUMBERS] = "an array of numbers up to 1e18",
		[TAKE_SIZES] = "an object of numbers",
		[TAKE_OBJECT] = "an object",
		[TAKE_TIME] = "a time as \"2026-11-21T14:00:00Z\"",
	};

	return words[form];
}

/* Nothing was said: absent, null, or Go's and PocketBase's empty string. */
static bool is_said(const json_t *v)
{
	return v && !json_is_null(v) && !(json_is_string(v) && json_string_length(v) == 0);
}

static const json_t *find_said(const struct taking *t, const struct field *f, const char **ret_key)
{
	for (size_t i = 0; i < SPELLINGS && f->spelled[i]; i++) {
		const json_t *v = json_object_get(t->in, f->spelled[i]);

		*ret_key = f->spelled[i];
		if (is_said(v))
			return v;
	}
	return NULL;
}

static json_t *from_config(const struct taking *t, const struct field *f)
{
	const json_t *v = f->config ? json_object_get(json_obj(t->in, "config"), f->config) : NULL;

	return is_said(v) ? take(f, v) : NULL;
}

/* What the config says in a form that is not understood is Proxmox' business, not the sender's
 * mistake: the default stands, and the config is kept whole. */
static int take_field(struct taking *t, const struct field *f)
{
	const char *key = f->spelled[0];
	const json_t *v = find_said(t, f, &key);
	json_t *taken = v ? take(f, v) : from_config(t, f);
	char path[64];

	(void)snprintf(path, sizeof(path), "$.%s", key);
	if (v && !taken)
		return refuse(t, path, "must be %s", wanted(f->form));
	if (!taken && f->form == TAKE_NAME)
		return refuse(t, "$", "has no \"%s\"", f->spelled[0]);
	if (!taken && f->otherwise)
		taken = json_loads(f->otherwise, JSON_DECODE_ANY, NULL);
	if (taken)
		(void)json_object_set_new(t->out, f->name, taken);
	return 0;
}

static int take_fields(struct taking *t, const struct field *fields, size_t n)
{
	int r = 0;

	for (size_t i = 0; i < n && r == 0; i++)
		r = take_field(t, &fields[i]);
	return r;
}

/* --- the four objects --- */

static int take_node(struct taking *t)
{
	int r = take_fields(t, node_fields, ARRAY_SIZE(node_fields));
	struct taking host = { t->fault, t->in, json_object() };

	if (r == 0)
		r = take_fields(&host, host_fields, ARRAY_SIZE(host_fields));
	if (r == 0 && json_object_size(host.out))
		(void)json_object_set(t->out, "host", host.out);
	json_decref(host.out);
	return r;
}

/* "vmid", or the number of "lxc/100". */
static int take_vmid(struct taking *t, const char *type, const char *id_key)
{
	static const struct field vmid = { .form = TAKE_WHOLE, .min = 100, .max = 999999999 };
	const json_t *v = json_object_get(t->in, "vmid");
	struct slice id = slice_of(json_str(t->in, id_key) ?: "");
	char path[32];
	json_t *taken;
	uint64_t n;

	(void)json_object_set_new(t->out, "type", json_string(type));
	if (is_said(v)) {
		taken = take_whole(&vmid, v);
		if (!taken)
			return refuse(t, "$.vmid", "must be from 100 to 999999999");
		(void)json_object_set_new(t->out, "vmid", taken);
		return 0;
	}
	if (slice_empty(id))
		return refuse(t, "$", "has no \"vmid\"");
	id = slice_from(id, slice_find(id, '/') + 1);
	if (str_to_u64(id, &n) && n >= 100 && n <= 999999999) {
		(void)json_object_set_new(t->out, "vmid", json_integer((json_int_t)n));
		return 0;
	}
	(void)snprintf(path, sizeof(path), "$.%s", id_key);
	return refuse(t, path, "must be \"%s/VMID\"", type);
}

/* Proxmox shows a guest without a name by its number. */
static void name_guest(struct taking *t, const char *prefix)
{
	char name[32];

	if (json_str(t->out, "name"))
		return;
	(void)snprintf(name, sizeof(name), "%s%lld", prefix,
		       (long long)json_integer_value(json_object_get(t->out, "vmid")));
	(void)json_object_set_new(t->out, "name", json_string(name));
}

static int take_lxc(struct taking *t)
{
	int r = take_vmid(t, "lxc", "lxc_id");

	if (r == 0)
		r = take_fields(t, lxc_fields, ARRAY_SIZE(lxc_fields));
	if (r == 0)
		name_guest(t, "CT");
	return r;
}

static int take_qemu(struct taking *t)
{
	int r = take_vmid(t, "qemu", "qemu_id");

	if (r == 0)
		r = take_fields(t, qemu_fields, ARRAY_SIZE(qemu_fields));
	if (r == 0)
		name_guest(t, "VM ");
	return r;
}

static int take_cluster(struct taking *t)
{
	return take_fields(t, cluster_fields, ARRAY_SIZE(cluster_fields));
}

/* --- the door --- */

static const struct {
	const char *word, *said;
	int (*take)(struct taking *t);
} kinds[] = {
	[STORE_CLUSTER] = { "cluster", "Cluster", take_cluster },
	[STORE_NODE] = { "node", "Node", take_node },
	[STORE_LXC] = { "guest", "LXC", take_lxc },
	[STORE_QEMU] = { "guest", "QEMU VM", take_qemu },
};

static int add_text(const char *text, size_t n, void *to)
{
	buf_add(to, text, n);
	return 0;
}

/* "collected_at", if it was sent. */
static int take_stamp(struct taking *t, int64_t now)
{
	static const struct field collected = { "collected_at", TAKE_TIME, { "collected_at" } };
	int64_t at = 0;
	int r = take_field(t, &collected);

	if (r == 0 && shape_time(slice_of(json_str(t->out, "collected_at") ?: ""), &at) &&
	    at > now + CHECK_AHEAD_MAX_S)
		return refuse(t, "$.collected_at", CHECK_AHEAD);
	return r;
}

static int read_object(enum store_object kind, const json_t *in, int64_t now, struct buf *ret,
		       struct check_fault *fault)
{
	struct taking t = { fault, in, json_object() };
	struct taking outer = { fault, in, json_object() };
	int r = kinds[kind].take(&t);

	(void)json_object_set_new(outer.out, kinds[kind].word, t.out);
	if (r == 0)
		r = take_stamp(&outer, now);
	if (r == 0)
		(void)json_dump_callback(outer.out, add_text, ret, JSON_COMPACT);
	json_decref(outer.out);
	return r;
}

int nanny_read(enum store_object kind, struct slice body, int64_t now, struct buf *ret,
	       struct check_fault *fault)
{
	json_t *in = NULL;
	int r = check_object(body, fault);

	if (r < 0)
		return r;
	if (json_parse_bulk(body, "object", &in, NULL) < 0) {
		fault->status = 400;
		(void)snprintf(fault->path, sizeof(fault->path), "$");
		(void)snprintf(fault->why, sizeof(fault->why), "not readable");
		return -EBADMSG;
	}
	r = read_object(kind, in, now, ret, fault);
	json_decref(in);
	return r;
}

void nanny_answer(enum store_object kind, const char *id, struct buf *ret)
{
	struct jsonw w;

	jsonw_begin_row(&w, ret);
	jsonw_bool(&w, "success", true);
	jsonw_fmt(&w, "message", "%s ingested successfully", kinds[kind].said);
	jsonw_str(&w, "id", id);
	jsonw_end(&w);
}
