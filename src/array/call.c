/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "array/call.h"

#include <errno.h>
#include <stdio.h>

#include "array/call_log.h"
#include "util/clock.h"
#include "util/str.h"

#define SCHEMA "pvewarden.array.call/1"

enum {
	DEADLINE_MS = 30000,
	SIZE_DEADLINE_MAX_MS = 10000,
	NAMED_EVERY_MS = 3600000,
};

static const struct call_method *find_method(const struct call_method *const *tables, size_t n,
					     const char *name)
{
	for (size_t i = 0; i < n; i++)
		for (const struct call_method *m = tables[i]; m->name; m++)
			if (strcmp(m->name, name) == 0)
				return m;
	return NULL;
}

/* The file that holds what Proxmox calls sensitive, as the member "token"; NULL without one. */
static int read_token_file(const struct call *c, const char *storage, json_t **ret, struct err *e)
{
	CLEANUP(buf_wipe) struct buf text = {};
	int r = apitokens_read(c->ctx->tokens, c->ctx->pve, storage, &text, e);

	if (r <= 0)
		return r;
	*ret = json_pack("{s:s%, s:b}", "token", text.data, text.len, "kept", 1);
	return *ret ? 0 : err_set(e, -EINVAL, "storage %s: its token file holds no text", storage);
}

/* What is odd in the configuration is named once an hour, not on each of Proxmox' rounds. */
static void name_odd(struct call *c, const struct diags *diags)
{
	for (size_t i = 0; i < diags->n; i++)
		if (call_is_news(c, diags->items[i].text, NAMED_EVERY_MS))
			call_log(c, 0, "%s", diags->items[i].text);
}

static int read_conf(struct call *c, const json_t *request, const struct call_method *m,
		     const char *storage, struct err *e)
{
	CLEANUP(diags_done) struct diags diags = { .arena = &c->arena };
	const json_t *secrets = json_obj(request, "secrets");
	json_t *kept = NULL;
	int ret = 0;

	if (!json_str(secrets, "token"))
		ret = read_token_file(c, storage, &kept, e);
	if (ret == 0)
		ret = array_conf_read(&c->conf, storage, json_obj(request, "config"),
				      kept ? kept : secrets, c->node, &c->arena, &diags, e);
	json_decref(kept);
	if (ret)
		return ret;
	/* A new storage that says nothing is going to have its certificates verified. */
	if (strcmp(m->name, "on_add") != 0)
		array_conf_name_unverified(&c->conf, &diags);
	name_odd(c, &diags);
	return 0;
}

static int read_debug(struct call *c, const json_t *request, struct err *e)
{
	uint64_t debug = 0;

	if (json_object_get(request, "debug") && !json_u64(request, "debug", &debug))
		return err_set(e, -EINVAL, "the request's debug is no number");
	c->debug = debug > 3 ? 3 : (int)debug;
	return 0;
}

static int read_head(struct call *c, const json_t *request, const char **storage, struct err *e)
{
	const char *schema = json_str(request, "schema"), *node = json_str(request, "node");
	const json_t *args = json_object_get(request, "args");

	if (!schema || strcmp(schema, SCHEMA) != 0)
		return err_set(e, -EINVAL,
			       "the request's schema is not " SCHEMA
			       ": adapter and program are of different versions");
	*storage = json_str(request, "storage");
	if (!*storage || !array_storage_ok(*storage))
		return err_set(e, -EINVAL, "the request names no storage");
	if (args && !json_is_object(args))
		return err_set(e, -EINVAL, "the request's args are no object");
	c->request = request;
	c->args = args;
	c->node = arena_str(&c->arena, slice_of(node && *node ? node : c->ctx->node));
	return read_debug(c, request, e);
}

/* size is asked for with Proxmox' own time limit, in seconds. */
static int deadline_of(const struct call *c, const struct call_method *m)
{
	int ret = m->deadline_ms ? m->deadline_ms : DEADLINE_MS;
	uint64_t asked;

	if (strcmp(m->name, "size") != 0 || !json_u64(c->args, "timeout", &asked))
		return ret;
	if (asked > SIZE_DEADLINE_MAX_MS / 1000)
		return SIZE_DEADLINE_MAX_MS;
	return (int)asked * 1000 > ret ? (int)asked * 1000 : ret;
}

static int get_arrays(struct call *c, struct err *e)
{
	for (size_t i = 0; i < c->conf.n_addresses; i++)
		if (!*c->conf.addresses[i].token)
			return err_set(
				e, -EINVAL,
				"storage %s: no token for %s: set it with pvesm set %s --token",
				c->conf.storage, c->conf.addresses[i].url, c->conf.storage);
	c->n_arrays = c->conf.n_addresses;
	return fa_pool_get(c->ctx->pool, &c->conf, c->arrays, &c->n_arrays, e);
}

static int prepare(struct call *c, const json_t *request, const struct call_method *m,
		   const char *storage, struct err *e)
{
	int ret = read_conf(c, request, m, storage, e);

	if (c->conf.debug >= 0)
		c->debug = c->conf.debug;
	if (m->no_array && ret) {
		/* A storage whose section is broken can still be removed. */
		c->conf.storage = arena_str(&c->arena, slice_of(storage));
		return 0;
	}
	if (ret == 0 && !m->no_array)
		ret = get_arrays(c, e);
	return ret;
}

/* A volume that is not there is an answer: Proxmox asks for sizes to find out. */
static int run_method(struct call *c, const struct call_method *m, struct err *e)
{
	const char *what = call_log_what(c, m->name);
	int ret;

	call_log(c, 1, "%s", what);
	ret = m->run(c, e);
	if (ret < 0 && ret != -ENOENT)
		call_log(c, CALL_LOG_ERROR, "%s: %s", what,
			 e && *e->text ? e->text : strerror(-ret));
	else if (ret >= 0 && m->changes)
		call_log(c, CALL_LOG_INFO, "%s: done", what);
	return ret;
}

static int run(struct call *c, const json_t *request, const struct call_method *const *tables,
	       size_t n_tables, struct err *e)
{
	const char *name = json_str(request, "method"), *storage = NULL;
	const struct call_method *m;
	char shown[64];
	int ret = read_head(c, request, &storage, e);

	if (ret)
		return ret;
	m = name ? find_method(tables, n_tables, name) : NULL;
	if (!m) {
		str_printable(shown, sizeof(shown), slice_of(name ? name : ""));
		return err_set(e, -ENOSYS,
			       "no method \"%s\": adapter and program are of different "
			       "versions",
			       shown);
	}
	c->fa = (struct fa_call){ .deadline = clock_mono_ms() + deadline_of(c, m),
				  .log = call_log_line,
				  .log_arg = c };
	ret = prepare(c, request, m, storage, e);
	if (ret)
		return ret;
	return run_method(c, m, e);
}

static void write_failure(struct jsonw *w, struct buf *reply, int error, const struct err *e)
{
	const char *code = strerrorname_np(-error);

	buf_reset(reply);
	jsonw_begin_row(w, reply);
	jsonw_bool(w, "ok", false);
	jsonw_str(w, "error", *e->text ? e->text : strerror(-error));
	jsonw_str(w, "code", code ? code : "EIO");
}

static int answer(struct call *c, struct slice request, const struct call_method *const *tables,
		  size_t n_tables, struct buf *reply)
{
	json_t *doc = NULL;
	struct err e = {};
	size_t empty;
	int ret = json_parse(request, "the request", &doc, &e);

	jsonw_begin_row(c->out, reply);
	jsonw_bool(c->out, "ok", true);
	empty = reply->len;
	if (ret == 0)
		ret = run(c, doc, tables, n_tables, &e);
	if (ret < 0)
		write_failure(c->out, reply, ret, &e);
	else if (reply->len == empty)
		jsonw_null(c->out, "result");
	call_log_write(c->log, c->out);
	jsonw_end(c->out);
	json_decref(doc);
	return ret < 0 ? ret : 0;
}

int array_call_with(struct array_ctx *ctx, const struct call_method *const *tables, size_t n_tables,
		    struct slice request, struct buf *reply)
{
	struct jsonw out;
	struct call c = { .ctx = ctx, .out = &out, .log = call_log_new() };
	int ret;

	buf_reset(reply);
	ret = answer(&c, request, tables, n_tables, reply);
	call_log_free(c.log);
	arena_done(&c.arena);
	return ret;
}
