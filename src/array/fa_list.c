/* SPDX-License-Identifier: AGPL-3.0-or-later */

/* Lists, page by page. Never `sort`: with it the array gives no token for the next page. */

#include <errno.h>

#include "array/fa_inside.h"

enum { PAGES_MAX = 10000 };

static int each_item(const json_t *doc, fa_item_fn fn, void *arg, struct err *e)
{
	const json_t *items;
	int r = fa_read_items(doc, &items, e);

	for (size_t i = 0; r == 0 && i < json_array_size(items); i++)
		r = fn(arg, json_array_get(items, i), e);
	return r;
}

/* The token of the next page into @next, empty on the last. */
static int next_page(const struct rest_reply *reply, struct buf *next, struct err *e)
{
	const char *token = json_str(reply->doc, "continuation_token");
	bool more = json_is_true(json_object_get(reply->doc, "more_items_remaining"));
	CLEANUP(buf_done) struct buf before = *next;

	*next = (struct buf){};
	if (token && *token)
		buf_adds(next, token);
	else
		buf_adds(next, buf_str(&reply->next));
	if (more && next->len == 0)
		return err_set(e, -EPROTO, "there is more, but no token for it");
	if (next->len && strcmp(buf_str(next), buf_str(&before)) == 0)
		return err_set(e, -EPROTO, "the same page again");
	return 0;
}

static int one_page(struct fa *f, const struct fa_call *c, const struct rest_request *q,
		    fa_item_fn fn, void *arg, struct buf *next, struct err *e)
{
	CLEANUP(rest_reply_done) struct rest_reply reply = {};
	int r = rest_call(f->rest, c, q, &reply, e);

	if (r < 0)
		return r;
	r = each_item(reply.doc, fn, arg, e);
	if (r == 0)
		r = next_page(&reply, next, e);
	return r < 0 ? err_wrap(e, r, "%s: %s", fa_url(f), q->what) : 0;
}

int fa_list(struct fa *f, const struct fa_call *c, const char *what, const char *path,
	    fa_item_fn fn, void *arg, struct err *e)
{
	CLEANUP(buf_done) struct buf next = {};

	for (int page = 0; page < PAGES_MAX; page++) {
		CLEANUP(buf_done) struct buf full = {};
		struct rest_request q = { .method = "GET", .what = what };
		int r;

		buf_adds(&full, path);
		fa_query_add(&full, "limit", "1000");
		if (next.len)
			fa_query_add(&full, "continuation_token", buf_str(&next));
		q.path = buf_str(&full);
		r = one_page(f, c, &q, fn, arg, &next, e);
		if (r < 0 || next.len == 0)
			return r;
	}
	return err_set(e, -EPROTO, "%s: %s: a list without end", fa_url(f), what);
}
