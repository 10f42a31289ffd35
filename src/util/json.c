/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "util/json.h"

#include <errno.h>

#include "util/clock.h"
#include "util/str.h"

static int load(struct slice text, size_t flags, const char *what, json_t **ret, struct err *e)
{
	json_error_t why;
	json_t *doc = json_loadb(text.p, text.n, flags, &why);

	if (!doc)
		return err_set(e, -EBADMSG, "%s, line %d, column %d: %s", what, why.line,
			       why.column, why.text);
	*ret = doc;
	return 0;
}

int json_parse(struct slice text, const char *what, json_t **ret, struct err *e)
{
	return load(text, JSON_ALLOW_NUL | JSON_REJECT_DUPLICATES, what, ret, e);
}

int json_parse_bulk(struct slice text, const char *what, json_t **ret, struct err *e)
{
	return load(text, JSON_ALLOW_NUL, what, ret, e);
}

const char *json_str(const json_t *obj, const char *key)
{
	return json_string_value(json_object_get(obj, key));
}

json_t *json_arr(const json_t *obj, const char *key)
{
	json_t *v = json_object_get(obj, key);

	return json_is_array(v) ? v : NULL;
}

json_t *json_obj(const json_t *obj, const char *key)
{
	json_t *v = json_object_get(obj, key);

	return json_is_object(v) ? v : NULL;
}

bool json_u64(const json_t *obj, const char *key, uint64_t *ret)
{
	const json_t *v = json_object_get(obj, key);

	if (json_is_string(v))
		return str_to_u64((struct slice){ json_string_value(v), json_string_length(v) },
				  ret);
	if (!json_is_integer(v) || json_integer_value(v) < 0)
		return false;
	*ret = (uint64_t)json_integer_value(v);
	return true;
}

static bool text_to_i64(struct slice s, int64_t *ret)
{
	bool negative = slice_starts(s, "-");
	uint64_t n;

	if (!str_to_u64(slice_from(s, negative), &n) || n > (uint64_t)INT64_MAX + negative)
		return false;
	*ret = negative ? (int64_t)(0 - n) : (int64_t)n;
	return true;
}

bool json_i64(const json_t *obj, const char *key, int64_t *ret)
{
	const json_t *v = json_object_get(obj, key);

	if (json_is_string(v))
		return text_to_i64((struct slice){ json_string_value(v), json_string_length(v) },
				   ret);
	if (!json_is_integer(v))
		return false;
	*ret = json_integer_value(v);
	return true;
}

uint64_t json_number(const json_t *obj, const char *key)
{
	uint64_t n = 0;

	(void)json_u64(obj, key, &n);
	return n;
}

int64_t json_time(const json_t *obj, const char *key)
{
	const char *v = json_str(obj, key);
	int64_t t = 0;

	return v && clock_parse(slice_of(v), &t) && t > 0 ? t : 0;
}

const char *json_text(const json_t *obj, const char *key, struct arena *a)
{
	const char *v = json_str(obj, key);

	return v ? arena_str(a, slice_of(v)) : NULL;
}
