/* SPDX-License-Identifier: AGPL-3.0-or-later */

/* What the watch published, for people and for monitoring: which exit status it amounts to, and
 * that nothing of it reaches a terminal or Prometheus as it stands. */

#include "watch/show_status.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "test_pve_tree.h"
#include "util/cli.h"
#include "util/clock.h"

#define TIME "2026-11-21T04:04:04Z"

/* @guests and @maintenance as JSON, the rest as it always is. */
static void document(struct buf *out, const char *mvmm, const char *maintenance, const char *guests)
{
	buf_addf(out,
		 "{\"schema\":\"pvewarden.watch/1\",\"time\":\"" TIME "\",\"node\":\"pve1\","
		 "\"pid\":4711,\"started\":\"2026-11-20T04:04:04Z\",\"mode\":\"run\","
		 "\"mvmm\":%s,\"maintenance\":[%s],\"guests\":[%s],\"totals\":{}}",
		 mvmm, maintenance, guests);
}

static int64_t now_plus(int64_t seconds)
{
	int64_t t = 0;

	assert_true(clock_parse(SLICE(TIME), &t));
	return t + seconds;
}

#define GUEST(vmid, state)                                                                      \
	"{\"vmid\":" vmid ",\"type\":\"qemu\",\"name\":\"web\",\"state\":\"" state              \
	"\",\"since\":\"2026-11-21T03:04:04Z\",\"uptime\":7200,\"held\":null,"                  \
	"\"last_probe\":\"2026-11-21T04:04:00Z\",\"next_check\":\"2026-11-21T04:05:00Z\","      \
	"\"probes\":[{\"kind\":\"tcp\",\"port\":80,\"result\":\"good\",\"why\":null,"           \
	"\"ms\":1.5},{\"kind\":\"http\",\"port\":80,\"result\":\"bad\",\"why\":\"status 500\"," \
	"\"ms\":3}],\"qmp\":null,\"budget\":{\"left\":2,\"of\":3,\"window\":21600},\"stats\":"  \
	"{\"since\":\"2026-11-01T00:00:00Z\",\"checks\":1000,\"failed\":7,\"restarts\":2,"      \
	"\"scheduled_restarts\":1,\"alerts\":0,\"up_seconds\":9990,\"down_seconds\":10,"        \
	"\"longest_outage\":75}}"

static void exits(void **state)
{
	static const struct {
		const char *mvmm, *maintenance, *guests;
		int status;
	} rows[] = {
		{ "false", "", "", CLI_OK },
		{ "false", "", GUEST("100", "serving"), CLI_OK },
		{ "false", "", GUEST("100", "serving") "," GUEST("101", "absent"), CLI_OK },
		{ "false", "", GUEST("100", "disabled"), CLI_OK },
		{ "true", "", GUEST("100", "serving"), CLI_WARNING },
		{ "false", "{\"vmid\":0,\"scope\":\"node\"}", GUEST("100", "serving"),
		  CLI_WARNING },
		{ "false", "", GUEST("100", "booting"), CLI_WARNING },
		{ "false", "", GUEST("100", "failing"), CLI_WARNING },
		{ "false", "", GUEST("100", "held"), CLI_WARNING },
		{ "false", "", GUEST("100", "misconfigured"), CLI_WARNING },
		{ "false", "", GUEST("100", "stopping"), CLI_WARNING },
		{ "false", "", GUEST("100", "starting"), CLI_WARNING },
		{ "false", "", GUEST("100", "exhausted"), CLI_CRITICAL },
		{ "false", "", GUEST("100", "stuck"), CLI_CRITICAL },
		{ "false", "", GUEST("100", "off") "," GUEST("101", "failing"), CLI_CRITICAL },
		{ "false", "", GUEST("100", "dancing"), CLI_UNKNOWN },
		{ "false", "", GUEST("100", "dancing") "," GUEST("101", "failing"), CLI_UNKNOWN },
		{ "false", "", GUEST("100", "dancing") "," GUEST("101", "stuck"), CLI_CRITICAL },
		{ "false", "", GUEST("100", "stuck") "," GUEST("100", "serving"), CLI_UNKNOWN },
		{ "false", "", "{\"vmid\":100}", CLI_UNKNOWN },
		{ "false", "", "{\"state\":\"serving\"}", CLI_UNKNOWN },
		{ "false", "", "7", CLI_UNKNOWN },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		CLEANUP(watch_state_done) struct watch_document s = {};
		CLEANUP(buf_done) struct buf doc = {};

		document(&doc, rows[i].mvmm, rows[i].maintenance, rows[i].guests);
		watch_state_parse(&s, buf_slice(&doc), now_plus(5));
		if (watch_state_exit(&s) != rows[i].status)
			fail_msg("%s: %d", rows[i].guests, watch_state_exit(&s));
	}
}

static const char *absent_at(struct tree *t, int64_t now)
{
	CLEANUP(watch_state_done) struct watch_document s = {};

	watch_state_read(&s, &t->root, now);
	assert_true(!s.absent || watch_state_exit(&s) == CLI_UNKNOWN);
	return s.absent;
}

static void what_is_no_answer(void **state)
{
	CLEANUP(buf_done) struct buf doc = {};
	struct tree t;

	(void)state;
	tree_make(&t);
	assert_non_null(strstr(absent_at(&t, now_plus(0)), "systemctl start pvewarden-watch"));
	document(&doc, "false", "", GUEST("100", "serving"));
	tree_write(&t, WATCH_STATE_FILE, buf_str(&doc));
	assert_null(absent_at(&t, now_plus(0)));
	assert_null(absent_at(&t, now_plus(30)));
	assert_null(absent_at(&t, now_plus(-30)));
	assert_non_null(strstr(absent_at(&t, now_plus(31)), "older than 30 s"));
	assert_non_null(absent_at(&t, now_plus(-31)));
	tree_write(&t, WATCH_STATE_FILE, "{\"schema\":\"pvewarden.watch/2\"}");
	assert_non_null(strstr(absent_at(&t, now_plus(0)), "is no pvewarden.watch/1"));
	tree_write(&t, WATCH_STATE_FILE, "{");
	assert_non_null(strstr(absent_at(&t, now_plus(0)), "not valid JSON"));
	tree_remove(&t, WATCH_STATE_FILE);
	tree_write(&t, "run/other", buf_str(&doc));
	tree_link(&t, WATCH_STATE_FILE, "../../other");
	assert_non_null(strstr(absent_at(&t, now_plus(0)), "not a regular file"));
	tree_done(&t);
}

static void show(const char *mvmm, const char *maintenance, const char *guests,
		 void (*fn)(const struct watch_document *, const struct watch_view *, struct buf *),
		 struct buf *out)
{
	const struct watch_view view = { .width = 140, .now = now_plus(6) };
	CLEANUP(watch_state_done) struct watch_document s = {};
	CLEANUP(buf_done) struct buf doc = {};

	document(&doc, mvmm, maintenance, guests);
	watch_state_parse(&s, buf_slice(&doc), view.now);
	assert_null(s.absent);
	fn(&s, &view, out);
}

static void has(const struct buf *out, const char *text)
{
	if (!strstr(buf_str(out), text))
		fail_msg("'%s' is not in:\n%s", text, buf_str(out));
}

static void text(void **state)
{
	CLEANUP(buf_done) struct buf out = {}, none = {}, stats = {};

	(void)state;
	show("true",
	     "{\"vmid\":0,\"scope\":\"cluster\",\"since\":\"" TIME "\",\"until\":null,"
	     "\"by\":\"a\\u001b[31m\"},{\"vmid\":100,\"scope\":\"node\",\"since\":null,"
	     "\"until\":\"" TIME "\",\"by\":\"root\"}",
	     GUEST("100", "serving") "," GUEST(
		     "101", "failing") ","
				       "{\"vmid\":102,\"state\":\"held\",\"held\":\"no quorum\\n"
				       "\\u202e\",\"qmp\":\"internal-error\",\"name\":\"\\u0007\"}",
	     watch_show_status, &out);
	has(&out, "WARNING - pve1: 1 of 3 guests serving, 1 failing, 1 held | guests=3 serving=1 "
		  "failing=1 held=1 given_up=0\n");
	has(&out, "At work since 2026-11-20T04:04:04Z, pid 4711, seen 6s ago\n");
	has(&out, "acts on nothing");
	has(&out, "Maintenance: all guests of the cluster, since " TIME ", by a\\x1b[31m: ");
	has(&out, "Maintenance: guest 100, until " TIME ", by root: ");
	has(&out, "100 web");
	has(&out, "tcp 80 2ms, http 80 status 500");
	has(&out, "2 of 3 in 6h");
	has(&out, "in 50s");
	has(&out, "102: no quorum\\x0a\\u{202e}; QEMU says internal-error");
	assert_null(memchr(buf_str(&out), '\x1b', out.len));
	assert_null(memchr(buf_str(&out), '\a', out.len));
	show("false", "", "", watch_show_status, &none);
	has(&none, "OK - pve1: 0 of 0 guests serving");
	has(&none, "No guest is watched.");
	show("false", "", GUEST("100", "serving"), watch_show_stats, &stats);
	has(&stats, "2026-11-01T00:00:00Z");
	has(&stats, "99.90%");
	has(&stats, "1m15s");
}

static void prometheus_of(const char *guests, int64_t late, struct buf *out)
{
	CLEANUP(watch_state_done) struct watch_document s = {};
	CLEANUP(buf_done) struct buf doc = {};

	document(&doc, "false", "{\"vmid\":0,\"scope\":\"node\"}", guests);
	watch_state_parse(&s, buf_slice(&doc), now_plus(late));
	watch_show_prometheus(&s, out);
}

static void metrics(void **state)
{
	CLEANUP(buf_done) struct buf out = {}, stale = {};

	(void)state;
	prometheus_of(GUEST("100", "serving") ",{\"vmid\":101,\"state\":\"absent\",\"name\":\"a"
					      "\\\"b\\\\c\\nd\",\"probes\":[{\"kind\":\"tcp\","
					      "\"port\":1,\"result\":\"good\",\"ms\":2},"
					      "{\"kind\":\"tcp\",\"port\":1,\"result\":\"good\"}]}",
		      7, &out);
	has(&out, "pvewarden_watch_document_age_seconds 7\n");
	has(&out, "pvewarden_watch_answer 1\n");
	has(&out, "pvewarden_watch_acts 1\n");
	has(&out, "pvewarden_watch_maintenance{scope=\"node\"} 1\n");
	has(&out, "pvewarden_watch_maintenance{scope=\"cluster\"} 0\n");
	has(&out, "pvewarden_watch_guest_state{vmid=\"100\",name=\"web\",state=\"serving\"} 1\n");
	has(&out, "pvewarden_watch_guest_state{vmid=\"100\",name=\"web\",state=\"stuck\"} 0\n");
	has(&out, "name=\"a\\\"b\\\\c\\\\x0ad\",state=\"absent\"} 1\n");
	has(&out, "pvewarden_watch_up{vmid=\"100\",name=\"web\"} 1\n");
	assert_null(strstr(buf_str(&out), "pvewarden_watch_up{vmid=\"101\""));
	has(&out, "# TYPE pvewarden_watch_restarts_total counter\n");
	has(&out, "pvewarden_watch_restarts_total{vmid=\"100\",name=\"web\"} 2\n");
	has(&out, "pvewarden_watch_budget_left{vmid=\"100\",name=\"web\"} 2\n");
	has(&out, "pvewarden_watch_checks_total{vmid=\"100\",name=\"web\"} 1000\n");
	has(&out, "pvewarden_watch_failed_checks_total{vmid=\"100\",name=\"web\"} 7\n");
	has(&out, "pvewarden_watch_alerts_total{vmid=\"100\",name=\"web\"} 0\n");
	has(&out, "pvewarden_watch_probe_seconds{vmid=\"100\",name=\"web\",probe=\"tcp:80\"} "
		  "0.001500\n");
	has(&out, "probe=\"tcp:1\"} 0.002000\n");
	has(&out, "probe=\"tcp:1/2\"} 0.000000\n");
	prometheus_of(GUEST("100", "serving"), 31, &stale);
	has(&stale, "pvewarden_watch_answer 3\n");
	has(&stale, "pvewarden_watch_document_age_seconds 31\n");
	assert_null(strstr(buf_str(&stale), "vmid"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(exits),
		cmocka_unit_test(what_is_no_answer),
		cmocka_unit_test(text),
		cmocka_unit_test(metrics),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
