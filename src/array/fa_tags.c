/* SPDX-License-Identifier: AGPL-3.0-or-later */

/* Tags of a volume in our namespace. */

#include <errno.h>

#include "array/fa_inside.h"
#include "util/jsonw.h"

#define NAMESPACE "pvewarden"

struct tag {
	const char *volume, *key;
	struct buf *value; /* NULL: only whether it is there */
	bool found;
};

static int take(void *arg, const json_t *item, struct err *e)
{
	struct tag *t = arg;
	const char *key = json_str(item, "key"), *space = json_str(item, "namespace");
	const char *value = json_str(item, "value");

	(void)e;
	if (!key || strcmp(key, t->key) != 0 || !space || strcmp(space, NAMESPACE) != 0 ||
	    strcmp(fa_read_name_of(item, "resource"), t->volume) != 0)
		return 0;
	buf_reset(t->value);
	buf_adds(t->value, value ? value : "");
	t->found = true;
	return 0;
}

static void address(const struct tag *t, const char *where, struct buf *path)
{
	buf_adds(path, where);
	fa_query_names(path, "resource_names", &t->volume, 1);
}

static int find(struct fa *f, const struct fa_call *c, struct tag *t, struct err *e)
{
	CLEANUP(buf_done) struct buf path = {};

	address(t, "volumes/tags", &path);
	fa_query_add(&path, "namespaces", NAMESPACE);
	return fa_list(f, c, "tags", buf_str(&path), take, t, e);
}

int fa_tag_get(struct fa *f, const struct fa_call *c, const char *volume, const char *key,
	       struct buf *ret, struct err *e)
{
	CLEANUP(buf_done) struct buf value = {};
	struct tag t = { .volume = volume, .key = key, .value = &value };
	int r = fa_names_check("volume", &volume, 1, e);

	if (r == 0)
		r = find(f, c, &t, e);
	if (r < 0)
		return r;
	if (!t.found)
		return err_set(e, -ENODATA, "%s: volume %s has no tag %s", fa_url(f), volume, key);
	buf_reset(ret);
	buf_add(ret, buf_str(&value), value.len);
	return 0;
}

/* --- setting --------------------------------------------------------------------------------- */

/* The same value again does no harm, so that nothing has to be read first. */
static int look_again(struct fa *f, const struct fa_call *c, void *arg, struct err *e)
{
	CLEANUP(buf_done) struct buf value = {};
	struct tag t = *(const struct tag *)arg;
	int r;

	t.value = &value;
	r = find(f, c, &t, e);
	return r < 0 ? r : FA_AGAIN;
}

static void write_tag(const struct tag *t, const char *value, struct buf *body)
{
	struct jsonw w;

	buf_addc(body, '[');
	jsonw_begin_row(&w, body);
	jsonw_str(&w, "namespace", NAMESPACE);
	jsonw_str(&w, "key", t->key);
	jsonw_str(&w, "value", value);
	jsonw_bool(&w, "copyable", false);
	jsonw_end(&w);
	buf_addc(body, ']');
}

static int send(struct fa *f, const struct fa_call *c, struct tag *t, const char *method,
		const char *path, struct slice body, struct err *e)
{
	CLEANUP(buf_done) struct buf what = {};
	struct fa_change change = { .look = look_again, .arg = t };
	int r;

	buf_addf(&what, "tag %s of volume %s", t->key, t->volume);
	change.request = (struct rest_request){ method, path, buf_str(&what), body };
	r = fa_change(f, c, &change, e);
	fa_change_done(&change);
	return r;
}

static int unset(struct fa *f, const struct fa_call *c, struct tag *t, struct err *e)
{
	CLEANUP(buf_done) struct buf path = {}, value = {};
	int r;

	/* The array refuses to remove what is not there, and a volume that is not, alike. */
	t->value = &value;
	r = find(f, c, t, e);
	if (r < 0 || !t->found)
		return r;
	address(t, "volumes/tags", &path);
	fa_query_add(&path, "namespaces", NAMESPACE);
	fa_query_add(&path, "keys", t->key);
	return send(f, c, t, "DELETE", buf_str(&path), (struct slice){}, e);
}

int fa_tag_set(struct fa *f, const struct fa_call *c, const char *volume, const char *key,
	       const char *value, struct err *e)
{
	CLEANUP(buf_done) struct buf path = {}, body = {};
	struct tag t = { .volume = volume, .key = key };
	int r = fa_names_check("volume", &volume, 1, e);

	if (r == 0)
		r = fa_names_check("tag", &key, 1, e);
	if (r < 0)
		return r;
	if (!value)
		return unset(f, c, &t, e);
	address(&t, "volumes/tags/batch", &path);
	write_tag(&t, value, &body);
	return send(f, c, &t, "PUT", buf_str(&path), buf_slice(&body), e);
}
