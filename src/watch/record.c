/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "watch/record.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "util/file.h"
#include "util/json.h"
#include "util/jsonw.h"
#include "util/str.h"

#define SCHEMA "pvewarden.watch.guest/1"

static void copy(char *to, size_t n, const char *from)
{
	(void)snprintf(to, n, "%s", from ? from : "");
}

static void take_known(struct watch_record *ret, const json_t *list)
{
	for (size_t i = 0; i < json_array_size(list) && ret->n_known < WATCH_STOPS_MAX; i++) {
		const char *text = json_string_value(json_array_get(list, i));

		if (text && str_hex_to_u64(slice_of(text), &ret->known[ret->n_known]))
			ret->n_known++;
	}
}

static int take_intent(struct watch_record *ret, const json_t *intent, struct err *e)
{
	const char *digest = json_str(intent, "digest");
	uint64_t op, reason, stops;

	if (!json_u64(intent, "op", &op) || op == WATCH_OP_NONE || op >= WATCH_OP_MAX ||
	    !json_u64(intent, "reason", &reason) || reason >= WATCH_REASON_MAX ||
	    !json_u64(intent, "stops", &stops) || stops > UINT32_MAX || !digest ||
	    !str_hex_to_u64(slice_of(digest), &ret->digest) ||
	    !json_i64(intent, "started", &ret->started) || !json_i64(intent, "since", &ret->since))
		return err_set(e, -EBADMSG, "its intent is not whole");
	ret->owed = true;
	ret->op = (enum watch_op)op;
	ret->reason = (enum watch_reason)reason;
	ret->stops = (uint32_t)stops;
	take_known(ret, json_arr(intent, "tasks"));
	ret->ha = json_is_true(json_object_get(intent, "ha"));
	copy(ret->boot_id, sizeof(ret->boot_id), json_str(intent, "boot_id"));
	copy(ret->node, sizeof(ret->node), json_str(intent, "node"));
	return 0;
}

static void take_stamps(struct watch_record *ret, const json_t *list)
{
	size_t n = json_array_size(list), first = n > WATCH_STAMPS_MAX ? n - WATCH_STAMPS_MAX : 0;

	for (size_t i = first; i < n; i++) {
		const json_t *v = json_array_get(list, i);

		if (json_is_integer(v))
			ret->stamps[ret->n_stamps++] = json_integer_value(v);
	}
}

int watch_record_parse(struct watch_record *ret, struct slice text, struct err *e)
{
	const char *schema;
	json_t *doc = NULL;
	int r = json_parse(text, "the record", &doc, e);

	*ret = (struct watch_record){};
	if (r < 0)
		return r;
	schema = json_str(doc, "schema");
	if (!schema || strcmp(schema, SCHEMA) != 0)
		r = err_set(e, -EBADMSG, "it has no schema " SCHEMA);
	if (r == 0)
		take_stamps(ret, json_arr(doc, "restarts"));
	if (r == 0 && json_obj(doc, "intent"))
		r = take_intent(ret, json_obj(doc, "intent"), e);
	json_decref(doc);
	return r;
}

static void write_intent(struct jsonw *w, const struct watch_record *r)
{
	jsonw_object(w, "intent");
	jsonw_u64(w, "op", r->op);
	jsonw_u64(w, "reason", r->reason);
	jsonw_bool(w, "ha", r->ha);
	jsonw_str(w, "boot_id", r->boot_id);
	jsonw_str(w, "node", r->node);
	jsonw_fmt(w, "digest", "%016llx", (unsigned long long)r->digest);
	jsonw_i64(w, "started", r->started);
	jsonw_i64(w, "since", r->since);
	jsonw_u64(w, "stops", r->stops);
	jsonw_array(w, "tasks");
	for (size_t i = 0; i < r->n_known; i++)
		jsonw_fmt(w, NULL, "%016llx", (unsigned long long)r->known[i]);
	jsonw_close(w);
	jsonw_close(w);
}

void watch_record_format(const struct watch_record *r, uint32_t vmid, struct buf *out)
{
	struct jsonw w;

	jsonw_begin(&w, out);
	jsonw_str(&w, "schema", SCHEMA);
	jsonw_u64(&w, "vmid", vmid);
	if (r->owed)
		write_intent(&w, r);
	jsonw_array(&w, "restarts");
	for (size_t i = 0; i < r->n_stamps; i++)
		jsonw_i64(&w, NULL, r->stamps[i]);
	jsonw_close(&w);
	jsonw_end(&w);
}

static void file_name(char *buf, size_t n, uint32_t vmid)
{
	(void)snprintf(buf, n, "%u.json", vmid);
}

int watch_record_read(struct watch_record *ret, int dirfd, uint32_t vmid, struct err *e)
{
	CLEANUP(buf_done) struct buf text = {};
	char name[24];
	int r;

	file_name(name, sizeof(name), vmid);
	r = file_read_at(dirfd, name, 64 * 1024, &text);
	*ret = (struct watch_record){};
	if (r == -ENOENT)
		return 0;
	if (r < 0)
		return err_set(e, r, "%s: %s", name, strerror(-r));
	r = watch_record_parse(ret, buf_slice(&text), e);
	return r < 0 ? err_wrap(e, r, "%s", name) : 0;
}

int watch_record_write(const struct watch_record *r, int dirfd, uint32_t vmid, struct err *e)
{
	CLEANUP(buf_done) struct buf text = {};
	char name[24];
	int code;

	file_name(name, sizeof(name), vmid);
	watch_record_format(r, vmid, &text);
	code = file_write_atomic(dirfd, name, buf_slice(&text), 0600);
	return code < 0 ? err_set(e, code, "%s could not be written: %s", name, strerror(-code))
			: 0;
}

int watch_record_list(int dirfd, struct record_ids *ret)
{
	int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	uint32_t vmid;

	if (!d)
		return -errno;
	for (struct dirent *entry; (entry = readdir(d));) {
		struct slice name = slice_of(entry->d_name);

		if (!slice_ends(name, ".json"))
			continue;
		name.n -= strlen(".json");
		if (str_to_u32(name, &vmid))
			*vec_push(ret) = vmid;
	}
	(void)closedir(d);
	return 0;
}

static bool is_known(const struct watch_record *r, uint64_t task)
{
	for (size_t i = 0; i < r->n_known; i++)
		if (r->known[i] == task)
			return true;
	return false;
}

bool watch_record_meet(struct watch_record *r, const uint64_t *tasks, size_t n, bool ended)
{
	uint64_t fresh[WATCH_STOPS_MAX];
	size_t n_fresh = 0;

	for (size_t i = 0; i < n && n_fresh < WATCH_STOPS_MAX; i++)
		if (!is_known(r, tasks[i]))
			fresh[n_fresh++] = tasks[i];
	if (n_fresh > r->stops)
		return true;
	for (size_t i = 0; ended && i < n_fresh && r->n_known < WATCH_STOPS_MAX; i++)
		r->known[r->n_known++] = fresh[i];
	/* One that failed early has made none, and will not. */
	if (ended)
		r->stops = 0;
	return false;
}

const char *watch_record_mismatch(const struct watch_record *r, const char *boot_id,
				  const char *node, uint64_t digest)
{
	if (strcmp(r->boot_id, boot_id) != 0)
		return "this node was started anew since";
	if (strcmp(r->node, node) != 0)
		return "it was begun by another node";
	/* 0: there are changes that our own stop brings into effect, so it says nothing. */
	if (r->digest && digest && r->digest != digest)
		return "the guest's config has changed since";
	return NULL;
}
