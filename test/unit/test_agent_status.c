/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* What agent.json amounts to, and how it is shown. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "agent/show_status.h"
#include "util/cli.h"

enum { NOW = 1795269600 }; /* 2026-11-21T14:00:00Z */

/* A document whose parts a row may change. */
struct row {
	const char *time, *delivered, *token, *spool, *collection, *proxmox;
	int is;
};

static void document(const struct row *r, struct buf *out)
{
	buf_addf(out,
		 "{\"schema\": \"pvewarden.agent/1\", \"time\": \"%s\", \"node\": \"pve1\", "
		 "\"pid\": 7, \"started\": \"2026-11-21T13:00:00Z\", \"proxmox\": %s, "
		 "\"collection\": {\"last\": \"2026-11-21T13:59:50Z\", \"count\": 3, %s}, "
		 "\"spool\": {\"documents\": 2, \"bytes\": 10, \"max_bytes\": 100, %s}, "
		 "\"parked\": {\"objects\": 0, \"reasons\": []}, \"servers\": [{\"name\": \"hub\", "
		 "\"url\": \"https://hub\", \"interval\": 60, \"since\": \"2026-11-21T13:00:00Z\", "
		 "\"last_delivery\": \"%s\", \"delivered\": 5, \"problem\": \"\\u001b[31mno\", "
		 "\"token\": {%s}}]}",
		 r->time ? r->time : "2026-11-21T13:59:55Z", r->proxmox ? r->proxmox : "true",
		 r->collection ? r->collection : "\"pmxcfs_hangs\": false",
		 r->spool ? r->spool : "\"problem\": null",
		 r->delivered ? r->delivered : "2026-11-21T13:59:50Z",
		 r->token ? r->token : "\"there\": true");
}

static void grades(void **state)
{
	static const struct row rows[] = {
		{ .is = CLI_OK },
		{ .delivered = "2026-11-21T13:57:01Z", .is = CLI_OK },
		{ .delivered = "2026-11-21T13:57:00Z", .is = CLI_WARNING },
		{ .delivered = "2026-11-21T13:50:00Z", .is = CLI_CRITICAL },
		{ .delivered = "never", .is = CLI_CRITICAL }, /* since 13:00 */
		{ .delivered = "2038-01-01T00:00:00Z", .is = CLI_CRITICAL },
		{ .token = "\"there\": false", .is = CLI_CRITICAL },
		{ .token = "\"there\": true, \"given_up\": true", .is = CLI_CRITICAL },
		{ .token = "\"there\": true, \"revoked\": true", .is = CLI_CRITICAL },
		{ .spool = "\"problem\": \"full\"", .is = CLI_WARNING },
		{ .spool = "\"reasons\": [{\"at\": \"2026-11-21T10:00:00Z\", \"why\": \"x\"}]",
		  .is = CLI_WARNING },
		{ .spool = "\"reasons\": [{\"at\": \"2026-11-20T10:00:00Z\", \"why\": \"x\"}]",
		  .is = CLI_OK },
		{ .collection = "\"pmxcfs_hangs\": true", .is = CLI_WARNING },
		{ .collection = "\"problem\": \"no\"", .is = CLI_WARNING },
		{ .proxmox = "false", .delivered = "never", .is = CLI_UNKNOWN },
		{ .time = "2026-11-21T13:58:00Z", .is = CLI_UNKNOWN },
		{ .time = "2026-11-21T14:02:00Z", .is = CLI_UNKNOWN },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		CLEANUP(agent_state_done) struct agent_state s = {};
		CLEANUP(buf_done) struct buf text = {};

		document(&rows[i], &text);
		agent_state_parse(&s, buf_slice(&text), NOW);
		assert_int_equal(agent_state_exit(&s, NOW), rows[i].is);
	}
}

static void shown(void **state)
{
	struct agent_view view = { .width = 100, .now = NOW };
	CLEANUP(agent_state_done) struct agent_state s = {};
	CLEANUP(buf_done) struct buf text = {}, out = {};

	(void)state;
	document(&(struct row){}, &text);
	agent_state_parse(&s, buf_slice(&text), NOW);
	agent_show_status(&s, &view, &out);
	assert_non_null(strstr(buf_str(&out), "OK - pve1: collected 10s ago, 2 documents waiting"));
	assert_non_null(strstr(buf_str(&out), "\\x1b[31mno"));
	assert_null(strchr(buf_str(&out), '\x1b'));
	buf_reset(&out);
	agent_show_prometheus(&s, NOW, &out);
	assert_non_null(strstr(buf_str(&out), "pvewarden_agent_answer 0\n"));
	assert_non_null(strstr(buf_str(&out), "delivered_total{server=\"hub\"} 5\n"));
}

static void age_of_a_token(void **state)
{
	static const struct {
		const char *token, *shown;
	} rows[] = {
		{ "\"got_at\": \"2026-11-21T13:55:00Z\", \"expires_at\": \"2026-11-21T14:55:00Z\"",
		  "5m old, ends in 55m" },
		{ "\"got_at\": \"2026-11-21T12:00:00Z\", \"expires_at\": \"2026-11-21T13:00:00Z\"",
		  "2h old, ended 1h ago" },
		{ "\"got_at\": \"2026-11-19T14:00:00Z\", \"ready\": true", "2d old, ready-made" },
		{ "\"got_at\": \"2027-01-01T00:00:00Z\"", " no end known" },
	};
	struct agent_view view = { .width = 140, .now = NOW };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		CLEANUP(agent_state_done) struct agent_state s = {};
		CLEANUP(buf_done) struct buf text = {}, out = {}, token = {};

		buf_addf(&token, "\"there\": true, %s", rows[i].token);
		document(&(struct row){ .token = buf_str(&token) }, &text);
		agent_state_parse(&s, buf_slice(&text), NOW);
		agent_show_status(&s, &view, &out);
		if (!strstr(buf_str(&out), rows[i].shown))
			fail_msg("%s\nhas no '%s'", buf_str(&out), rows[i].shown);
	}
}

static void absent(void **state)
{
	static const char *const texts[] = { "", "{}", "[]",
					     "{\"schema\": \"pvewarden.agent/1\"}" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		CLEANUP(agent_state_done) struct agent_state s = {};

		agent_state_parse(&s, slice_of(texts[i]), NOW);
		assert_non_null(s.absent);
		assert_int_equal(agent_state_exit(&s, NOW), CLI_UNKNOWN);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(grades),
		cmocka_unit_test(shown),
		cmocka_unit_test(age_of_a_token),
		cmocka_unit_test(absent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
