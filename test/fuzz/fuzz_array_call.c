/* SPDX-License-Identifier: AGPL-3.0-or-later */

/*
 * Any bytes as a request: the reply is one line of JSON that says ok or not, with a sentence and a
 * code when not, and no secret of the request stands in it. The methods here ask for each kind of
 * argument and no array.
 */

#include <errno.h>

#include "array/call.h"
#include "util/json.h"

#include "fuzz_pve.h"

static int run_arguments(struct call *c, struct err *e)
{
	struct array_volname v;
	const char *volname, *text;
	uint64_t n;
	int ret = call_volname(c, &volname, &v, e);

	if (ret == 0)
		ret = call_str(c, "snap", &text, e);
	if (ret == 0)
		ret = call_u64(c, "size", &n, e);
	CHECK(call_left(c, 0) <= 30000);
	call_log(c, 0, "%s", call_opt(c, "snap") ? "with" : "without");
	jsonw_bool(c->out, "result", call_flag(c, "running"));
	return ret;
}

static int run_conf(struct call *c, struct err *e)
{
	(void)e;
	jsonw_row(c->out, "result");
	jsonw_str(c->out, "prefix", c->conf.prefix);
	jsonw_str(c->out, "host", c->conf.host);
	jsonw_u64(c->out, "addresses", c->conf.n_addresses);
	jsonw_close(c->out);
	return 0;
}

static const struct call_method methods[] = { { "arguments", run_arguments, 0, true },
					      { "conf", run_conf, 4000, true },
					      {} };

static void check_reply(const struct buf *reply, int ret)
{
	json_t *doc = NULL;

	CHECK(reply->len && reply->data[reply->len - 1] == '\n');
	CHECK(!memchr(reply->data, '\n', reply->len - 1));
	CHECK(json_parse(buf_slice(reply), "the reply", &doc, NULL) == 0);
	CHECK(json_arr(doc, "log"));
	CHECK(json_is_true(json_object_get(doc, "ok")) == (ret == 0));
	if (ret)
		CHECK(*json_str(doc, "error") && *json_str(doc, "code") == 'E');
	else
		CHECK(json_object_get(doc, "result"));
	json_decref(doc);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static struct root nowhere;
	static struct pvefs *pve;
	const struct call_method *tables[] = { methods };
	struct array_ctx ctx = { .root = &nowhere, .node = "n1" };
	CLEANUP_FREE char *copy = exact_copy(data, n);
	CLEANUP(buf_done) struct buf reply = {};

	if (!pve) {
		CHECK(root_open(&nowhere, "/var/empty", NULL) == 0 ||
		      root_open(&nowhere, "/proc/self/fdinfo", NULL) == 0);
		pve = pvefs_open(&nowhere);
	}
	ctx.pve = pve;
	ctx.tokens = apitokens_new();
	ctx.memo = array_memo_new();
	check_reply(&reply, array_call_with(&ctx, tables, 1, (struct slice){ copy, n }, &reply));
	array_memo_free(ctx.memo);
	apitokens_free(ctx.tokens);
	return 0;
}
