/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include <errno.h>

#include "array/container.h"
#include "array/newstorage.h"
#include "array/keep.h"
#include "array/space.h"

enum { STATUS_MS = 4000, IDENTITY_KEEP_MS = 600000 };

/* What arrays take as limits of a volume. */
#define FA_IOPS_MIN	 100U
#define FA_IOPS_MAX	 100000000U
#define FA_BANDWIDTH_MIN (UINT64_C(1) << 20)
#define FA_BANDWIDTH_MAX (UINT64_C(512) << 30)

/* ---- on_add, on_update, on_delete ---- */

static bool has_secret(const struct call *c)
{
	return json_str(json_obj(c->request, "secrets"), "token") != NULL;
}

/*
 * The object that has the new token. A Proxmox that knows no sensitive properties has it among the
 * values and writes it into the section, behind the one that is kept.
 */
static const json_t *new_token(const struct call *c)
{
	const json_t *update = json_obj(c->args, "update");

	if (has_secret(c))
		return json_obj(c->request, "secrets");
	return json_str(update, "token") ? update : NULL;
}

/* Arrays as c->conf has them now. */
static int get_arrays(struct call *c, struct err *e)
{
	for (size_t i = 0; i < c->conf.n_addresses; i++)
		if (!*c->conf.addresses[i].token)
			return err_set(e, -EINVAL,
				       "storage %s: %s has no token: give as many "
				       "tokens as addresses, in their order",
				       c->conf.storage, c->conf.addresses[i].url);
	c->n_arrays = c->conf.n_addresses;
	return fa_pool_get(c->ctx->pool, &c->conf, c->arrays, &c->n_arrays, e);
}

/* A new token is to log in itself: a session that is kept is another token's. */
static int check(struct call *c, struct err *e)
{
	int r = 0;

	if (new_token(c))
		r = keep_remove_sessions(c, e);
	if (r == 0)
		r = get_arrays(c, e);
	return r < 0 ? r : newstorage_check(c, e);
}

/*
 * A new storage verifies certificates unless it says that it does not want to, so that is how its
 * arrays are asked here.
 */
static int check_new(struct call *c, struct err *e)
{
	int r;

	if (c->conf.check_ssl_given)
		return check(c, e);
	c->conf.check_ssl = true;
	r = check(c, e);
	return r < 0 ? err_wrap(e, r,
				"with the certificate verified, as it is unless --check_ssl 0 is "
				"given")
		     : 0;
}

/* Said when it is set, and not by the first volume that cannot be made. */
static int check_limits(const struct array_conf *conf, struct err *e)
{
	if (conf->qos_iops && (conf->qos_iops < FA_IOPS_MIN || conf->qos_iops > FA_IOPS_MAX))
		return err_set(e, -EINVAL,
			       "storage %s: purestorage-iops %llu: arrays take %u to %u",
			       conf->storage, (unsigned long long)conf->qos_iops, FA_IOPS_MIN,
			       FA_IOPS_MAX);
	if (conf->qos_bandwidth &&
	    (conf->qos_bandwidth < FA_BANDWIDTH_MIN || conf->qos_bandwidth > FA_BANDWIDTH_MAX))
		return err_set(e, -EINVAL,
			       "storage %s: purestorage-bandwidth %llu: arrays take 1M to 512G "
			       "bytes a second",
			       conf->storage, (unsigned long long)conf->qos_bandwidth);
	return 0;
}

static int run_on_add(struct call *c, struct err *e)
{
	int r = check_limits(&c->conf, e);

	if (r == 0)
		r = check_new(c, e);
	if (r == 0 && has_secret(c))
		r = keep_write(c, e);
	if (r < 0)
		return r;
	jsonw_object(c->out, "result");
	if (!c->conf.check_ssl_given) {
		jsonw_object(c->out, "config");
		jsonw_u64(c->out, "check_ssl", 1);
		jsonw_close(c->out);
	}
	jsonw_close(c->out);
	return 0;
}

/* The section as it is going to be. The caller owns it. */
static json_t *changed_config(const struct call *c)
{
	const json_t *update = json_obj(c->args, "update"), *gone = json_arr(c->args, "delete");
	json_t *ret = json_copy((json_t *)(uintptr_t)json_obj(c->request, "config"));

	if (ret && update)
		(void)json_object_update(ret, (json_t *)(uintptr_t)update);
	for (size_t i = 0; ret && i < json_array_size(gone); i++) {
		const char *key = json_string_value(json_array_get(gone, i));

		if (key && !json_object_get(update, key))
			(void)json_object_del(ret, key);
	}
	return ret;
}

static bool touches(const struct call *c, const char *key)
{
	const json_t *gone = json_arr(c->args, "delete");

	if (json_object_get(json_obj(c->args, "update"), key))
		return true;
	for (size_t i = 0; i < json_array_size(gone); i++) {
		const char *name = json_string_value(json_array_get(gone, i));

		if (name && strcmp(name, key) == 0)
			return true;
	}
	return false;
}

/* Arrays are asked only about what they know: a storage whose array is down can be disabled. */
static bool concerns_arrays(const struct call *c)
{
	static const char *const keys[] = { "address",	"token",     "vgname",
					    "podname",	"vnprefix",  "hgsuffix",
					    "protocol", "check_ssl", "purestorage-hostgroup" };

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		if (touches(c, keys[i]))
			return true;
	return has_secret(c);
}

/* Proxmox says that a secret is to go by naming it with no value, or among what is deleted. */
static bool drops_secret(const struct call *c)
{
	const json_t *secrets = json_obj(c->request, "secrets");

	return !has_secret(c) &&
	       (json_is_null(json_object_get(secrets, "token")) ||
		(touches(c, "token") && !json_object_get(json_obj(c->args, "update"), "token")));
}

static int read_kept(struct call *c, json_t **ret, struct err *e)
{
	CLEANUP(buf_wipe) struct buf text = {};
	int r = keep_read(c, &text, e);

	if (r <= 0)
		return r;
	*ret = json_pack("{s:s%, s:b}", "token", buf_str(&text), text.len, "kept", 1);
	return *ret ? 0
		    : err_set(e, -EINVAL, "storage %s: its token file holds no text",
			      c->conf.storage);
}

static int read_changed(struct call *c, bool *ret_kept, struct err *e)
{
	CLEANUP(diags_done) struct diags diags = { .arena = &c->arena };
	const json_t *given = new_token(c);
	const char *storage = c->conf.storage;
	json_t *config = changed_config(c), *kept = NULL;
	int r = 0;

	if (!drops_secret(c))
		r = read_kept(c, &kept, e);
	*ret_kept = kept != NULL;
	c->conf = (struct array_conf){ .storage = storage };
	if (r == 0)
		r = array_conf_read(&c->conf, storage, config, given ? given : kept, c->node,
				    &c->arena, &diags, e);
	json_decref(config);
	json_decref(kept);
	if (r == 0)
		array_conf_name_unverified(&c->conf, &diags);
	for (size_t i = 0; r == 0 && i < diags.n; i++)
		call_log(c, 0, "%s", diags.items[i].text);
	return r;
}

static int run_on_update(struct call *c, struct err *e)
{
	bool kept = false;
	int r = read_changed(c, &kept, e);

	if (r == 0 && (touches(c, "purestorage-iops") || touches(c, "purestorage-bandwidth")))
		r = check_limits(&c->conf, e);
	if (r == 0 && concerns_arrays(c))
		r = check(c, e);
	else if (r == 0 && drops_secret(c))
		r = get_arrays(c, e);
	if (r == 0 && (has_secret(c) || (kept && new_token(c))))
		r = keep_write(c, e);
	else if (r == 0 && drops_secret(c))
		r = keep_remove(c, e);
	if (r < 0)
		return r;
	jsonw_object(c->out, "result");
	jsonw_close(c->out);
	return 0;
}

/* The section goes whatever is mapped: the administrator has said so. */
static void name_mapped(struct call *c)
{
	struct registry_entry *entries = NULL;
	size_t n = 0;

	if (registry_list(c->ctx->registry, &c->arena, &entries, &n, NULL) < 0)
		return;
	for (size_t i = 0; i < n; i++)
		if (strcmp(entries[i].storage, c->conf.storage) == 0)
			call_log(
				c, 0,
				"volume %s of the storage is still mapped on this node, and stays "
				"so without it: add it again, stop the guest, then pvewarden array "
				"reap",
				entries[i].volname);
}

static int run_on_delete(struct call *c, struct err *e)
{
	int r, sessions;

	name_mapped(c);
	r = keep_remove(c, e);
	sessions = keep_remove_sessions(c, r < 0 ? NULL : e);
	return r < 0 ? r : sessions;
}

/* ---- status, check_connection, identity ---- */

static int run_status(struct call *c, struct err *e)
{
	struct fa_space space = {};
	int r = space_get(c, &space, e);

	if (r < 0)
		return r;
	jsonw_object(c->out, "result");
	jsonw_u64(c->out, "total", space.total);
	jsonw_u64(c->out, "used", space.used);
	jsonw_u64(c->out, "avail", space.total - space.used);
	jsonw_u64(c->out, "active", 1);
	jsonw_close(c->out);
	return 0;
}

/* False says that the array is out of reach, with the sentence as a warning. What it refuses is a
 * failure of its own. */
static int run_check_connection(struct call *c, struct err *e)
{
	struct fa_space space = {};
	int r = space_get(c, &space, e);

	if (r == -EHOSTUNREACH || r == -EAGAIN || r == -EINPROGRESS || r == -ETIMEDOUT) {
		call_log(c, 0, "%s", e->text);
		jsonw_bool(c->out, "result", false);
		return 0;
	}
	if (r == 0)
		jsonw_bool(c->out, "result", true);
	return r;
}

struct identifying {
	struct call *c;
	struct buf ids[ARRAY_ADDRESSES_MAX];
};

static int ask_id(struct fa *f, void *arg, struct err *e)
{
	struct identifying *w = arg;
	struct arena arena = {};
	struct fa_about about = {};
	struct fa_call fa = fa_call_beside(f, &w->c->fa, w->c->n_arrays);
	int r = fa_about_get(f, &fa, &arena, &about, e);
	size_t i = 0;

	while (w->c->arrays[i] != f)
		i++;
	if (r == 0 && (!about.id || !*about.id))
		r = err_set(e, -EPROTO, "%s does not say its id", fa_url(f));
	if (r == 0)
		buf_adds(&w->ids[i], about.id);
	arena_done(&arena);
	return r;
}

/* All or none: an identity that changes with the weather is none. */
static int fetch_identity(void *arg, struct buf *ret, struct err *e)
{
	struct identifying w = { .c = arg };
	int results[ARRAY_ADDRESSES_MAX], r = 0;
	struct err why[ARRAY_ADDRESSES_MAX];

	fa_each(w.c->arrays, w.c->n_arrays, ask_id, &w, results, why);
	for (size_t i = 0; i < w.c->n_arrays; i++) {
		if (r == 0 && results[i] < 0)
			r = err_set(e, results[i], "%s", why[i].text);
		buf_addf(ret, "%s%s", i ? "," : "", buf_str(&w.ids[i]));
		buf_done(&w.ids[i]);
	}
	return r;
}

static int run_identity(struct call *c, struct err *e)
{
	CLEANUP(buf_done) struct buf text = {};
	struct buf key = {};
	int r;

	for (size_t i = 0; i < c->n_arrays; i++)
		buf_addf(&key, "%s%s", i ? "," : "identity ", fa_url(c->arrays[i]));
	r = array_memo_get(c->ctx->memo, key.data, IDENTITY_KEEP_MS, c->fa.deadline, fetch_identity,
			   c, &text, e);
	buf_done(&key);
	if (r == 0)
		jsonw_str(c->out, "result", text.data);
	return r;
}

const struct call_method call_storage_methods[] = {
	{ "on_add", run_on_add, 0, false },
	{ "on_update", run_on_update, 0, true },
	{ "on_delete", run_on_delete, 0, true },
	{ "check_connection", run_check_connection, STATUS_MS, false },
	{ "status", run_status, STATUS_MS, false },
	{ "identity", run_identity, 0, false },
	{},
};
