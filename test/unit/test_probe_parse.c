/* SPDX-License-Identifier: AGPL-3.0-or-later */

/* What a guest and its QEMU may answer, in one piece and a byte at a time. */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "watch/probe_agent.h"
#include "watch/probe_http.h"
#include "watch/probe_qmp.h"
#include "watch/probe_verdict.h"

static int http(const char *text, uint16_t *status)
{
	struct probe_http whole = {}, bytes = {};

	(void)probe_http_feed(&whole, text, strlen(text));
	for (size_t i = 0; text[i]; i++)
		(void)probe_http_feed(&bytes, text + i, 1);
	assert_int_equal(whole.state, bytes.state);
	assert_int_equal(whole.status, bytes.status);
	*status = whole.status;
	return whole.state;
}

static void http_answers(void **state)
{
	static const struct {
		const char *text;
		int state;
		uint16_t status;
	} rows[] = {
		{ "HTTP/1.1 200 OK\r\n", PROBE_HTTP_DONE, 200 },
		{ "HTTP/1.0 503 Service Unavailable\r\nX: y\r\n\r\n", PROBE_HTTP_DONE, 503 },
		{ "HTTP/1.1 204\r\n", PROBE_HTTP_DONE, 204 },
		{ "HTTP/1.1 301 \n", PROBE_HTTP_DONE, 301 },
		{ "HTTP/1.1 101 Switching\r\n", PROBE_HTTP_DONE, 101 },
		{ "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n", PROBE_HTTP_DONE, 200 },
		{ "HTTP/1.1 103 Early\r\nLink: a\r\nLink: b\r\n\r\nHTTP/1.1 500 No\r\n",
		  PROBE_HTTP_DONE, 500 },
		{ "HTTP/1.1 103 Early\r\nLink: a\r\nHTTP/1.1 200 OK\r\n", PROBE_HTTP_MORE, 0 },
		{ "HTTP/1.1 100 Continue\r\n\r\nnonsense", PROBE_HTTP_BAD, 0 },
		{ "HTTP/1.1 200 OK", PROBE_HTTP_MORE, 200 },
		{ "HTTP/1.1 20", PROBE_HTTP_MORE, 20 },
		{ "HTTP/1.1 2000 OK\r\n", PROBE_HTTP_BAD, 200 },
		{ "HTTP/1.1 099 OK\r\n", PROBE_HTTP_BAD, 99 },
		{ "HTTP/1.1  200 OK\r\n", PROBE_HTTP_BAD, 0 },
		{ "HTTP/2 200\r\n", PROBE_HTTP_BAD, 0 },
		{ "http/1.1 200 OK\r\n", PROBE_HTTP_BAD, 0 },
		{ "SSH-2.0-OpenSSH_9.2\r\n", PROBE_HTTP_BAD, 0 },
		{ "\r\nHTTP/1.1 200 OK\r\n", PROBE_HTTP_BAD, 0 },
		{ "", PROBE_HTTP_MORE, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		uint16_t status;

		if (http(rows[i].text, &status) != rows[i].state || status != rows[i].status)
			fail_msg("%s: %d, %u", rows[i].text, http(rows[i].text, &status), status);
	}
}

static void http_request(void **state)
{
	struct probe_target t = { .host = "[2001:db8::1]:8080", .path = "/health?x=1" };
	struct probe_text text = {};

	(void)state;
	probe_http_request(&t, &text);
	assert_int_equal(text.n, strlen("GET /health?x=1 HTTP/1.1\r\nHost: [2001:db8::1]:8080\r\n"
					"User-Agent: pvewarden\r\nAccept: */*\r\n"
					"Connection: close\r\n\r\n"));
	assert_memory_equal(text.data, "GET /health?x=1 HTTP/1.1\r\nHost: [2001", 37);
	text.n = 0;
	memset(t.host, 'h', sizeof(t.host) - 1);
	memset(t.path, 'p', sizeof(t.path) - 1);
	probe_http_request(&t, &text);
	assert_memory_equal(text.data + text.n - 4, "\r\n\r\n", 4);
}

static int agent(const char *text, size_t n)
{
	struct probe_agent whole = { .id = 77 }, bytes = { .id = 77 };

	(void)probe_agent_feed(&whole, text, n);
	for (size_t i = 0; i < n; i++)
		(void)probe_agent_feed(&bytes, text + i, 1);
	assert_int_equal(whole.state, bytes.state);
	return whole.state;
}

#define SYNC "\xff{\"return\": 77}\n"

static void agent_answers(void **state)
{
	static const struct {
		const char *text;
		int state;
	} rows[] = {
		{ SYNC, PROBE_AGENT_PING },
		{ SYNC "{\"return\": {}}\n", PROBE_AGENT_DONE },
		{ SYNC "{\"return\":{}}", PROBE_AGENT_DONE },
		{ SYNC "\r\n \t{ \"return\" : { } }", PROBE_AGENT_DONE },
		{ SYNC "{\"error\": {\"class\": \"GenericError\", \"desc\": \"forbidden\"}}",
		  PROBE_AGENT_DONE },
		/* Half a reply and a whole one to clients that went away; their sync; then ours. */
		{ "age\": 5}}\n{\"return\": {}}\n\xff{\"return\": 12}\n{\"return\": {}}\n" SYNC,
		  PROBE_AGENT_PING },
		{ "{\"return\": 77}\n", PROBE_AGENT_SEEK }, /* not delimited: not ours */
		{ "\xff{\"return\": 770}\n", PROBE_AGENT_SEEK },
		{ "\xff{\"return\": 7.7e1}\n", PROBE_AGENT_SEEK },
		{ "\xff{\"return\": \"77\"}\n", PROBE_AGENT_SEEK },
		{ "\xff{\"id\": 77}\n", PROBE_AGENT_SEEK },
		{ "\xff{\"return\": {\"return\": 77}}\n", PROBE_AGENT_SEEK },
		{ "\xff{\"return\": 7\xff{\"return\": 77}", PROBE_AGENT_PING },
		{ "\xff\xff\xff", PROBE_AGENT_SYNC },
		{ "\xffgarbage" SYNC, PROBE_AGENT_PING },
		{ SYNC "garbage", PROBE_AGENT_BAD },
		{ SYNC "\xff", PROBE_AGENT_BAD },
		{ SYNC "{\"return\": 5}", PROBE_AGENT_BAD },
		{ SYNC "{\"return\": {", PROBE_AGENT_PING },
		{ "login: ", PROBE_AGENT_SEEK },
		{ "", PROBE_AGENT_SEEK },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (agent(rows[i].text, strlen(rows[i].text)) != rows[i].state)
			fail_msg("row %zu: %d", i, agent(rows[i].text, strlen(rows[i].text)));
}

static void agent_commands(void **state)
{
	struct probe_agent a = { .id = 4294967295U };
	struct probe_text text = {};

	(void)state;
	probe_agent_command(&a, &text);
	assert_int_equal(text.data[0], '\xff');
	assert_non_null(memmem(text.data, text.n, "{\"id\":4294967295}}\n", 19));
	text.n = 0;
	a.state = PROBE_AGENT_PING;
	probe_agent_command(&a, &text);
	assert_int_equal(text.n, strlen("{\"execute\":\"guest-ping\"}\n"));
}

static struct probe_qmp_talk qmp(const char *text, bool bytes)
{
	struct probe_qmp_talk q = {};
	size_t n = strlen(text);

	for (size_t i = 0; i < n && q.step != PROBE_QMP_END;)
		i += probe_qmp_feed(&q, text + i, bytes ? 1 : n - i);
	return q;
}

#define GREETING                                                                          \
	"{\"QMP\": {\"version\": {\"qemu\": {\"micro\": 2, \"minor\": 0, \"major\": 9}, " \
	"\"package\": \"pve-qemu-kvm_9.0.2-1\"}, \"capabilities\": []}}\r\n"
#define EVENT                                                                          \
	"{\"timestamp\": {\"seconds\": 1, \"microseconds\": 2}, \"event\": \"STOP\", " \
	"\"data\": {\"return\": {\"status\": \"running\"}, \"id\": \"pvewarden-2\"}}\r\n"
#define OK "{\"return\": {}, \"id\": \"pvewarden-1\"}\r\n"
#define STATUS(s)                                                                          \
	"{\"return\": {\"status\": \"" s "\", \"singlestep\": false, \"running\": true}, " \
	"\"id\": \"pvewarden-2\"}\r\n"

static void qmp_answers(void **state)
{
	static const struct {
		const char *text;
		int step, found;
	} rows[] = {
		{ GREETING OK STATUS("running"), PROBE_QMP_END, QMP_RUNNING },
		{ GREETING EVENT OK EVENT EVENT STATUS("paused"), PROBE_QMP_END, QMP_PAUSED },
		{ GREETING OK STATUS("new-state"), PROBE_QMP_END, QMP_OTHER },
		{ GREETING OK STATUS("running-and-more-than-any-word-has"), PROBE_QMP_END,
		  QMP_OTHER },
		{ GREETING OK STATUS(""), PROBE_QMP_END, QMP_NONSENSE },
		{ GREETING OK EVENT, PROBE_QMP_QUERY, QMP_NOT_ASKED },
		{ GREETING EVENT, PROBE_QMP_NEGOTIATE, QMP_NOT_ASKED },
		{ "{\"QMP\": {", PROBE_QMP_GREETING, QMP_NOT_ASKED },
		{ "", PROBE_QMP_GREETING, QMP_NOT_ASKED },
		{ EVENT, PROBE_QMP_END, QMP_NONSENSE },
		{ OK, PROBE_QMP_END, QMP_NONSENSE },
		{ "[]", PROBE_QMP_END, QMP_NONSENSE },
		{ "\xff", PROBE_QMP_END, QMP_NONSENSE },
		{ GREETING STATUS("running"), PROBE_QMP_END, QMP_NONSENSE },
		{ GREETING "{\"return\": {}}", PROBE_QMP_END, QMP_NONSENSE },
		{ GREETING "{\"error\": {\"class\": \"x\"}, \"id\": \"pvewarden-1\"}",
		  PROBE_QMP_END, QMP_NONSENSE },
		{ GREETING OK "{\"return\": {\"x\": {\"status\": \"running\"}}, "
			      "\"id\": \"pvewarden-2\"}",
		  PROBE_QMP_END, QMP_NONSENSE },
		{ GREETING OK "{\"return\": [{\"status\": \"running\"}], \"id\": \"pvewarden-2\"}",
		  PROBE_QMP_END, QMP_NONSENSE },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		for (int bytes = 0; bytes < 2; bytes++) {
			struct probe_qmp_talk q = qmp(rows[i].text, bytes);

			if (q.step != rows[i].step || q.found != rows[i].found)
				fail_msg("row %zu: %d, %d", i, q.step, q.found);
		}
}

/* All RunStates of qapi/run-state.json. */
static void qmp_states(void **state)
{
	static const struct {
		const char *name;
		enum probe_qmp want;
	} rows[] = {
		{ "debug", QMP_PAUSED },
		{ "inmigrate", QMP_MIGRATING },
		{ "internal-error", QMP_INTERNAL_ERROR },
		{ "io-error", QMP_IO_ERROR },
		{ "paused", QMP_PAUSED },
		{ "postmigrate", QMP_MIGRATING },
		{ "prelaunch", QMP_PRELAUNCH },
		{ "finish-migrate", QMP_MIGRATING },
		{ "restore-vm", QMP_PAUSED },
		{ "running", QMP_RUNNING },
		{ "save-vm", QMP_PAUSED },
		{ "shutdown", QMP_SHUTDOWN },
		{ "suspended", QMP_PAUSED },
		{ "watchdog", QMP_WATCHDOG },
		{ "guest-panicked", QMP_PANICKED },
		{ "colo", QMP_PAUSED },
		{ "run", QMP_OTHER },
		{ "runningx", QMP_OTHER },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct probe_word w = { .n = (uint8_t)strlen(rows[i].name) };

		memcpy(w.text, rows[i].name, w.n);
		assert_int_equal(probe_qmp_state(&w), rows[i].want);
	}
}

static int json(const char *text)
{
	struct probe_reply r = {};

	for (size_t i = 0; text[i] && r.state == PROBE_REPLY_MORE; i++)
		(void)probe_reply_byte(&r, text[i]);
	return r.state;
}

static void json_is_strict(void **state)
{
	static const char *const good[] = {
		"{}",
		" \t\r\n{ }",
		"{\"a\":1}",
		"{\"a\":-0.5e+10,\"b\":[1,2,[],{}],\"c\":null,\"d\":true,\"e\":false}",
		"{\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00aF\":\"\xc3\xa4\"}",
		"{\"a\":[[[[{}]]]] , \"b\" : 0 }",
		"{\"a\":0e0}",
	};
	static const char *const bad[] = {
		"[]",
		"1",
		"\"a\"",
		"}",
		"{,",
		"{\"a\"}",
		"{\"a\":}",
		"{\"a\":1,}",
		"{a:1}",
		"{\"a\":1 2}",
		"{\"a\":01}",
		"{\"a\":-}",
		"{\"a\":1.}",
		"{\"a\":.5}",
		"{\"a\":1e}",
		"{\"a\":+1}",
		"{\"a\":tru}",
		"{\"a\":nul}",
		"{\"a\":True}",
		"{\"a\":[1,]}",
		"{\"a\":[}",
		"{\"a\":{]",
		"{\"a\\x",
		"{\"a\":\"\n",
		"{\"\\u12g4\":1}",
		"{\"a\":1-2}",
		"{\"a\" 1}",
		"{\"a\":1;}",
		"{'a':1}",
		"{\"a\":--1}",
	};
	char deep[200] = "{\"a\":";

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++)
		if (json(good[i]) != PROBE_REPLY_DONE)
			fail_msg("%s", good[i]);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		if (json(bad[i]) != PROBE_REPLY_BAD)
			fail_msg("%s", bad[i]);
	memset(deep + 5, '[', PROBE_DEPTH_MAX - 1);
	assert_int_equal(json(deep), PROBE_REPLY_MORE);
	strcat(deep, "[");
	assert_int_equal(json(deep), PROBE_REPLY_BAD);
}

static void verdicts(void **state)
{
	(void)state;
	assert_int_equal(probe_verdict_errno(ECONNREFUSED), PROBE_WHY_REFUSED);
	assert_int_equal(probe_verdict_errno(ENETUNREACH), PROBE_WHY_UNREACHABLE);
	assert_int_equal(probe_verdict_errno(EHOSTUNREACH), PROBE_WHY_UNREACHABLE);
	assert_int_equal(probe_verdict_errno(EMFILE), PROBE_WHY_OURS);
	assert_int_equal(probe_verdict_errno(EADDRNOTAVAIL), PROBE_WHY_OURS);
	assert_int_equal(probe_verdict_errno(EACCES), PROBE_WHY_OURS);
	assert_true(probe_verdict_weight(PROBE_GOOD, PROBE_WHY_NONE) >
		    probe_verdict_weight(PROBE_UNKNOWN, PROBE_WHY_OURS));
	assert_true(probe_verdict_weight(PROBE_UNKNOWN, PROBE_WHY_OURS) >
		    probe_verdict_weight(PROBE_BAD, PROBE_WHY_STATUS));
	for (int why = PROBE_WHY_REFUSED; why <= PROBE_WHY_CLOSED; why++)
		assert_true(probe_verdict_weight(PROBE_BAD, why) >
			    probe_verdict_weight(PROBE_UNKNOWN, PROBE_WHY_NO_SOCKET));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(http_answers),	  cmocka_unit_test(http_request),
		cmocka_unit_test(agent_answers),  cmocka_unit_test(agent_commands),
		cmocka_unit_test(qmp_answers),	  cmocka_unit_test(qmp_states),
		cmocka_unit_test(json_is_strict), cmocka_unit_test(verdicts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
