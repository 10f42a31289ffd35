/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include <errno.h>

#include "array/call.h"
#include "util/clock.h"
#include "util/str.h"

/* Text without a NUL inside; Perl also writes what looks like a number as one. */
static const char *text_of(struct call *c, const char *key)
{
	const json_t *v = json_object_get(c->args, key);

	if (json_is_integer(v))
		return arena_fmt(&c->arena, "%lld", (long long)json_integer_value(v));
	if (!json_is_string(v) || strlen(json_string_value(v)) != json_string_length(v))
		return NULL;
	return arena_str(&c->arena, slice_of(json_string_value(v)));
}

static int missing(const struct call *c, const char *key, const char *expected, struct err *e)
{
	bool there = json_object_get(c->args, key) != NULL;

	return err_set(e, -EINVAL, "the request's argument %s is %s: expected %s", key,
		       there ? "not understood" : "missing", expected);
}

int call_str(struct call *c, const char *key, const char **ret, struct err *e)
{
	const char *v = text_of(c, key);

	if (!v || !*v)
		return missing(c, key, "a text", e);
	*ret = v;
	return 0;
}

int call_u64(struct call *c, const char *key, uint64_t *ret, struct err *e)
{
	return json_u64(c->args, key, ret) ? 0 : missing(c, key, "a number", e);
}

bool call_flag(struct call *c, const char *key)
{
	const json_t *v = json_object_get(c->args, key);
	uint64_t n;

	return json_is_true(v) || (json_u64(c->args, key, &n) && n);
}

const char *call_opt(struct call *c, const char *key)
{
	const char *v = text_of(c, key);

	return v && *v ? v : NULL;
}

int call_volname(struct call *c, const char **ret, struct array_volname *parsed, struct err *e)
{
	char full[256];
	int error = call_str(c, "volname", ret, e);

	if (error == 0)
		error = array_name_of(&c->conf, *ret, full, e);
	if (error == 0 && !array_volname_parse(*ret, parsed))
		error = missing(c, "volname", "vm-ID-NAME or base-ID-NAME", e);
	return error;
}

static int note_new(void *arg, struct buf *ret, struct err *e)
{
	(void)ret, (void)e;
	*(bool *)arg = true;
	return 0;
}

bool call_is_news(struct call *c, const char *what, int every_ms)
{
	CLEANUP(buf_done) struct buf none = {};
	bool ret = false;

	(void)array_memo_get(c->ctx->memo, arena_fmt(&c->arena, "said %s", what), every_ms,
			     clock_mono_ms(), note_new, &ret, &none, NULL);
	return ret;
}

void call_forget(struct call *c, const char *what)
{
	for (size_t i = 0; i < c->conf.n_addresses; i++)
		array_memo_forget(c->ctx->memo,
				  arena_fmt(&c->arena, "%s %s ", what, c->conf.addresses[i].url));
}

int call_left(const struct call *c, int reserve_ms)
{
	int64_t left = c->fa.deadline - clock_mono_ms() - reserve_ms;

	if (left <= 0)
		return 0;
	return left > INT32_MAX ? INT32_MAX : (int)left;
}
