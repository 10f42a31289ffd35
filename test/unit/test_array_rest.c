/* SPDX-License-Identifier: AGPL-3.0-or-later */

/* What a FlashArray's answers mean, the rule of session tokens, and what requests are made of. */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "array/fa_query.h"
#include "array/fa_read.h"
#include "array/rest_rules.h"
#include "array/resttoken.h"

static json_t *parse(const char *text)
{
	json_t *doc = NULL;
	struct err e = {};

	if (json_parse(slice_of(text), "test", &doc, &e) < 0)
		fail_msg("%s: %s", text, e.text);
	return doc;
}

static int judge(long status, const char *message, struct err *e)
{
	json_t *doc = message ? json_pack("{s:[{s:s,s:s}]}", "errors", "context", "vg/v", "message",
					  message)
			      : NULL;
	int r = rest_judge(status, doc, e);

	json_decref(doc);
	return r;
}

static void classes(void **state)
{
	static const struct {
		long status;
		const char *message;
		int expected;
	} trials[] = {
		{ 200, NULL, 0 },
		{ 400, "Volume does not exist.", -ENOENT },
		{ 400, "No such volume or snapshot.", -ENOENT },
		{ 400, "Connection does not exist.", -ENOENT },
		{ 400, "Connection already exists.", -EEXIST },
		{ 400, "Volume already exists.", -EEXIST },
		{ 400, "Volume has been destroyed.", -ESTALE },
		{ 400, "Volume has been deleted.", -ESTALE },
		{ 400,
		  "Volume snapshot has been destroyed. It can be recovered by purevol recover and "
		  "eradicated by purevol eradicate.",
		  -ESTALE },
		{ 400, "Eradication is disabled.", -EROFS },
		{ 400, "Pod quota limit exceeded.", -EDQUOT },
		{ 400, "No attribute specified.", -EINVAL },
		{ 200, "Volume does not exist.", -ENOENT },
		{ 401, "Invalid session.", -EKEYREJECTED },
		{ 403, "Operation not permitted.", -EPERM },
		{ 404, "The requested API version does not exist.", -EPROTO },
		{ 404, NULL, -EPROTO },
		{ 429, NULL, -EAGAIN },
		{ 503, NULL, -EAGAIN },
		{ 500, "Internal error.", -EINPROGRESS },
		{ 302, NULL, -EPROTO },
		{ 400, NULL, -EPROTO },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(trials); i++) {
		struct err e = {};

		if (judge(trials[i].status, trials[i].message, &e) != trials[i].expected)
			fail_msg("%ld %s: %s", trials[i].status, trials[i].message, e.text);
	}
}

static void words(void **state)
{
	struct err e = {};

	(void)state;
	assert_int_equal(judge(400, "Volume does not exist.", &e), -ENOENT);
	assert_string_equal(e.text, "vg/v: Volume does not exist. (status 400)");
	(void)judge(400, "\033[31mred", &e);
	assert_null(strchr(e.text, '\033'));
}

static void versions(void **state)
{
	static const struct {
		const char *list;
		int code;
		unsigned int minor;
	} trials[] = {
		{ "{\"version\":[\"1.0\",\"1.19\",\"2.0\",\"2.4\",\"2.26\"]}", 0, 26 },
		{ "{\"version\":[\"2.42\",\"2.43\",\"2.4\",\"2.X\"]}", 0, 42 },
		{ "{\"version\":[\"2.4\"]}", 0, 4 },
		{ "{\"version\":[\"1.19\",\"2.3\"]}", -ENOTSUP, 0 },
		{ "{\"version\":[]}", -ENOTSUP, 0 },
		{ "{\"versions\":[\"2.26\"]}", -EPROTO, 0 },
		{ "[\"2.26\"]", -EPROTO, 0 },
		{ "{\"version\":[2.26, null, \"2.-4\", \"2.26 \", \"12.26\"]}", -ENOTSUP, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(trials); i++) {
		json_t *doc = parse(trials[i].list);
		unsigned int minor = 0;

		assert_int_equal(rest_choose_version(doc, &minor, NULL), trials[i].code);
		assert_int_equal(minor, trials[i].minor);
		json_decref(doc);
	}
}

static void pauses(void **state)
{
	(void)state;
	assert_int_equal(rest_busy_ms("2", 0, 0), 2000);
	assert_int_equal(rest_busy_ms("999999", 0, 0), 60000);
	for (uint32_t random = 0; random < 20000; random += 7)
		for (unsigned int tries = 0; tries < 40; tries++) {
			int64_t ms = rest_busy_ms("soon", tries, random);

			assert_true(ms >= 750 && ms <= 10000);
		}
	assert_int_equal(rest_date_ms("Sat, 21 Nov 2026 17:02:12 GMT"), 1795280532000);
	assert_int_equal(rest_date_ms("21 Nov 2026"), -1);
	assert_int_equal(rest_date_ms(""), -1);
	assert_int_equal(rest_date_ms(NULL), -1);
}

/* --- tokens ---------------------------------------------------------------------------------- */

static void token_form(void **state)
{
	static const char text[] = "{\"auth_token\":\"a-b\",\"request_id\":null,\"created_at\":"
				   "\"1000\",\"ttl\":3600,\"expires_at\":4600}";
	static const char *const bad[] = {
		"",
		"[]",
		"{\"auth_token\":\"\",\"created_at\":1,\"ttl\":1}",
		"{\"auth_token\":\"a\\r\\nX: y\",\"created_at\":1,\"ttl\":1}",
		"{\"auth_token\":\"a\",\"created_at\":0,\"ttl\":1}",
		"{\"auth_token\":\"a\",\"created_at\":1,\"ttl\":-1}",
		"{\"auth_token\":\"a\",\"created_at\":1}",
	};
	CLEANUP(buf_done) struct buf out = {};
	struct resttoken t = {}, again = {};

	(void)state;
	assert_int_equal(resttoken_parse(SLICE(text), &t, NULL), 0);
	assert_string_equal(t.auth, "a-b");
	assert_int_equal(t.created, 1000);
	resttoken_write(&t, &out);
	assert_non_null(strstr(buf_str(&out), "\"expires_at\": 4600"));
	assert_int_equal(resttoken_parse(buf_slice(&out), &again, NULL), 0);
	assert_memory_equal(&t, &again, sizeof(t));
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(resttoken_parse(slice_of(bad[i]), &again, NULL), -EBADMSG);
	assert_string_equal(again.auth, "a-b");
}

static void token_rule(void **state)
{
	struct resttoken t = { .auth = "a", .created = 10000, .ttl = 3600 };

	(void)state;
	for (uint32_t random = 0; random < 1000; random++)
		assert_in_range(resttoken_share(random), 775, 825);
	assert_true(resttoken_usable(&t, 10000, 3600, 800));
	assert_true(resttoken_usable(&t, 10000 + 2879, 3600, 800));
	assert_false(resttoken_usable(&t, 10000 + 2880, 3600, 800));
	/* What this storage says, when that is less. */
	assert_false(resttoken_usable(&t, 10000 + 480, 600, 800));
	/* Another node's clock is a little ahead, or quite wrong. */
	assert_true(resttoken_usable(&t, 9900, 3600, 800));
	assert_false(resttoken_usable(&t, 9000, 3600, 800));
	t.ttl = INT64_MAX;
	t.created = 1;
	assert_false(resttoken_usable(&t, 10000000, INT64_MAX, 825));
	t.auth[0] = '\0';
	assert_false(resttoken_usable(&t, 1, 3600, 800));
}

/* --- requests -------------------------------------------------------------------------------- */

static void queries(void **state)
{
	static const char *const names[] = { "vg/a", "p::b" }, *const odd[] = { "a'b\\c" };
	CLEANUP(buf_done) struct buf path = {}, filter = {};

	(void)state;
	buf_adds(&path, "volumes");
	fa_query_names(&path, "names", names, 2);
	fa_query_add(&path, "filter", "name='x*' & y");
	assert_string_equal(buf_str(&path),
			    "volumes?names=vg%2Fa,p%3A%3Ab&filter=name%3D%27x%2A%27%20%26%20y");
	fa_filter_any(&filter, "name", names, 2);
	fa_filter_and(&filter, "destroyed='false'");
	assert_string_equal(buf_str(&filter), "(name='vg/a' or name='p::b') and destroyed='false'");
	buf_reset(&filter);
	fa_filter_prefixes(&filter, "name", odd, 1);
	assert_string_equal(buf_str(&filter), "name='a\\'b\\\\c*'");
	buf_reset(&filter);
	fa_filter_prefixes(&filter, "name", names, 2);
	assert_string_equal(buf_str(&filter), "(name='vg/a*' or name='p::b*')");
}

static void names(void **state)
{
	static const char *const good[] = { "vm-1-disk-0", "pod::vg/vm_1", "v.snap-a" };
	static const char *const bad[] = {
		"", "a,b", "a*", "a b", "a'b", "a&b", "a?b", "\xc3\xa4"
	};
	struct err e = {};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++)
		assert_true(fa_name_ok(good[i]));
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(fa_names_check("volume", &bad[i], 1, &e), -EINVAL);
}

/* --- answers --------------------------------------------------------------------------------- */

static void volumes(void **state)
{
	json_t *doc = parse(
		"{\"id\":\"5f\",\"name\":\"vg/vm-100-disk-0\",\"serial\":"
		"\"96622A35A07E4A33000126D2\",\"provisioned\":34359738368,\"created\":1736950000999,"
		"\"destroyed\":false,\"connection_count\":null,\"source\":{\"id\":null,\"name\":null},"
		"\"space\":{\"total_used\":null,\"total_physical\":5}}");
	struct arena a = {};
	struct fa_volume v = {};

	(void)state;
	assert_int_equal(fa_read_volume(doc, &a, &v, NULL), 0);
	assert_string_equal(v.serial, "96622A35A07E4A33000126D2");
	assert_int_equal(v.size, 34359738368);
	assert_int_equal(v.used, 5);
	assert_int_equal(v.created, 1736950000);
	assert_null(v.source);
	assert_true(v.connections == UINT64_MAX);
	for (size_t i = 0; i < 4; i++) {
		static const char *const needed[] = { "id", "name", "serial", "provisioned" };
		json_t *less = json_copy(doc);

		(void)json_object_del(less, needed[i]);
		assert_int_equal(fa_read_volume(less, &a, &v, NULL), -EPROTO);
		json_decref(less);
	}
	json_decref(doc);
	arena_done(&a);
}

static void spaces(void **state)
{
	json_t *array = parse("{\"capacity\":100,\"space\":{\"total_used\":130}}");
	json_t *none = parse("{\"capacity\":null,\"space\":{}}");
	json_t *pod = parse("{\"quota_limit\":50,\"space\":{\"used_provisioned\":20}}");
	json_t *old = parse("{\"quota_limit\":50,\"space\":{}}");
	struct fa_space s = {};

	(void)state;
	assert_int_equal(fa_read_array_space(array, &s, NULL), 0);
	assert_int_equal(s.used, 100);
	assert_int_equal(fa_read_array_space(none, &s, NULL), -EPERM);
	fa_read_pod_space(pod, &s);
	assert_int_equal(s.total, 50);
	assert_int_equal(s.used, 20);
	fa_read_pod_space(old, &s);
	assert_int_equal(s.total, 0);
	json_decref(array);
	json_decref(none);
	json_decref(pod);
	json_decref(old);
}

static void no_list(void **state)
{
	json_t *doc = parse("{\"items\":{}}");
	const json_t *items = NULL;

	(void)state;
	assert_int_equal(fa_read_items(doc, &items, NULL), -EPROTO);
	assert_int_equal(fa_read_items(NULL, &items, NULL), -EPROTO);
	assert_null(items);
	json_decref(doc);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(classes),    cmocka_unit_test(words),
		cmocka_unit_test(versions),   cmocka_unit_test(pauses),
		cmocka_unit_test(token_form), cmocka_unit_test(token_rule),
		cmocka_unit_test(queries),    cmocka_unit_test(names),
		cmocka_unit_test(volumes),    cmocka_unit_test(spaces),
		cmocka_unit_test(no_list),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
