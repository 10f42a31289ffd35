/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* What a status means for what was sent; Retry-After; what the hub asks for; the list of posts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "agent/delivery.h"
#include "agent/posts.h"
#include "util/str.h"

enum { NOW = 784111777 }; /* Sun, 06 Nov 1994 08:49:37 GMT */

#define OURS "{\"success\": false, \"error\": \"invalid\", \"error_description\": \"no\"}"

static void verdicts(void **state)
{
	static const struct {
		long status;
		const char *body;
		enum delivery_verdict is;
	} rows[] = {
		{ 200, "{\"success\": true, \"id\": \"1\"}", DELIVERY_DONE },
		{ 201, "{\"message\": \"ok\"}", DELIVERY_DONE },
		{ 200, "<html>log in to this network</html>", DELIVERY_LATER },
		{ 200, OURS, DELIVERY_LATER },
		{ 302, "", DELIVERY_LATER },
		{ 400, OURS, DELIVERY_PARK },
		{ 400, "<html>", DELIVERY_LATER },
		{ 401, OURS, DELIVERY_REFRESH },
		{ 401, "<html>", DELIVERY_REFRESH },
		{ 403, OURS, DELIVERY_REVOKED },
		{ 403, "<html>blocked</html>", DELIVERY_LATER },
		{ 404, "404 page not found", DELIVERY_LATER },
		{ 404, OURS, DELIVERY_PARK },
		{ 408, OURS, DELIVERY_LATER },
		{ 413, "<html>too large</html>", DELIVERY_PARK },
		{ 422, OURS, DELIVERY_PARK },
		{ 429, OURS, DELIVERY_LATER },
		{ 500, OURS, DELIVERY_LATER },
		{ 502, "<html>", DELIVERY_LATER },
		{ 503, OURS, DELIVERY_LATER },
	};
	struct delivery d;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct delivery_seen seen = { .status = rows[i].status,
					      .body = slice_of(rows[i].body) };

		delivery_judge(&seen, 0, NOW, 7, &d);
		assert_int_equal(d.verdict, rows[i].is);
		assert_int_equal(d.why[0] == '\0', rows[i].is == DELIVERY_DONE);
		if (d.verdict != DELIVERY_REVOKED)
			assert_in_range(d.wait_ms, 1, 1000);
		/* A token that is refused in whatever way is not asked for each second. */
		delivery_judge(&seen, 9, NOW, 250000, &d);
		assert_true(d.wait_ms > 200000);
	}
}

static void waits(void **state)
{
	struct delivery_seen seen = { .error = -110, .why = "no answer" };
	struct delivery d;

	(void)state;
	delivery_judge(&seen, 30, NOW, UINT32_MAX, &d);
	assert_in_range(d.wait_ms, 1, 300 * 1000);
	assert_string_equal(d.why, "no answer");
	seen = (struct delivery_seen){ .status = 429, .retry_after = "120" };
	delivery_judge(&seen, 0, NOW, 5, &d);
	assert_in_range(d.wait_ms, 120000, 121000);
	seen.retry_after = "soon";
	delivery_judge(&seen, 0, NOW, 5, &d);
	assert_in_range(d.wait_ms, 1, 1000);
}

static void retry_after(void **state)
{
	static const struct {
		const char *text;
		int64_t seconds;
	} rows[] = {
		{ "0", 0 },
		{ "120", 120 },
		{ " 7 ", 7 },
		{ "99999999999", 3600 },
		{ "Sun, 06 Nov 1994 08:50:37 GMT", 60 },
		{ "Sun, 06 Nov 1994 08:49:00 GMT", 0 },
		{ "Mon, 07 Nov 1994 08:49:37 GMT", 3600 },
		{ "", -1 },
		{ "-5", -1 },
		{ "1.5", -1 },
		{ "Sun, 06 Xxx 1994 08:50:37 GMT", -1 },
		{ "Sun, 06 anF 1994 08:50:37 GMT", -1 },
		{ "Sun, 36 Nov 1994 08:50:37 GMT", -1 },
		{ "Sun, 06 Nov 1994 08:50:37 CET", -1 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_int_equal(delivery_retry_after(slice_of(rows[i].text), NOW),
				 rows[i].seconds);
}

static void what_the_hub_asks_for(void **state)
{
	struct collect_ask ask = { .reporter = "old", .unheard = { "x", "y" } };

	(void)state;
	assert_false(delivery_take_reply(SLICE("{\"success\": true}"), &ask));
	assert_true(delivery_take_reply(SLICE("{\"duplicate\": true}"), &ask));
	assert_string_equal(ask.reporter, "old");
	assert_string_equal(ask.unheard[1], "y");
	(void)delivery_take_reply(
		SLICE("{\"reporter\": \"pve1\", \"unheard\": [\"pve4\", 7, \"\"], "
		      "\"configs\": \"all\"}"),
		&ask);
	assert_string_equal(ask.reporter, "pve1");
	assert_string_equal(ask.unheard[0], "pve4");
	assert_string_equal(ask.unheard[1], "");
	assert_true(ask.all_configs);
	(void)delivery_take_reply(SLICE("{\"unheard\": []}"), &ask);
	assert_string_equal(ask.unheard[0], "");
}

static void posts(void **state)
{
	static const char text[] =
		"{\"posts\": [\n{\"path\": \"/api/proxmox/node\", \"body\": {\"name\": \"pve1\"}},"
		"{\"path\": \"/api/proxmox/lxc\",\"body\":{\"vmid\": 100, \"a\": [{\"}]\\\"\": 1}]}}\n]}";
	struct post p;
	char name[64];
	size_t at = 0;

	(void)state;
	assert_int_equal(posts_count(SLICE(text)), 2);
	assert_true(posts_next(SLICE(text), &at, &p));
	assert_true(slice_eq(p.path, "/api/proxmox/node"));
	assert_true(slice_eq(p.body, "{\"name\": \"pve1\"}"));
	posts_name(&p, name, sizeof(name));
	assert_string_equal(name, "node pve1");
	assert_true(posts_next(SLICE(text), &at, &p));
	assert_true(slice_ends(p.body, "}]}"));
	posts_name(&p, name, sizeof(name));
	assert_string_equal(name, "lxc 100");
	assert_false(posts_next(SLICE(text), &at, &p));
	assert_int_equal(posts_count(SLICE("{\"posts\": []}")), 0);
	assert_int_equal(posts_count(SLICE("")), 0);
	for (size_t n = 0; n < sizeof(text) - 3; n++)
		assert_in_range(posts_count((struct slice){ text, n }), 0, 2);
}

static void clocks(void **state)
{
	static const struct {
		const char *answer, *document;
		bool is;
	} rows[] = {
#define AHEAD "{\"path\": \"$.collected_at\"}"
		{ AHEAD, "{\"node\":\"a\",\"collected_at\":\"1994-11-06T08:49:37Z\"}", true },
		{ AHEAD, "{\n\t\"collected_at\": \"1994-11-07T08:49:37Z\",\n", true },
		{ AHEAD, "{\"collected_at\": \"1994-11-07T08:49:38Z\"}", false },
		{ AHEAD, "{\"collected_at\": \"yesterday\"}", false },
		{ AHEAD, "{\"collected_at\": ", false },
		{ AHEAD, "{}", false },
		{ "{\"path\": \"$.vmids\"}", "{\"collected_at\": \"1994-11-06T08:49:37Z\"}",
		  false },
		{ OURS, "{\"collected_at\": \"1994-11-06T08:49:37Z\"}", false },
		{ "<html>", "{\"collected_at\": \"1994-11-06T08:49:37Z\"}", false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_int_equal(delivery_is_of_a_clock(slice_of(rows[i].answer),
							slice_of(rows[i].document), NOW),
				 rows[i].is);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(verdicts),
		cmocka_unit_test(clocks),
		cmocka_unit_test(waits),
		cmocka_unit_test(retry_after),
		cmocka_unit_test(what_the_hub_asks_for),
		cmocka_unit_test(posts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
