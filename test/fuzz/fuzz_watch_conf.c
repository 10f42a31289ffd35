/* SPDX-License-Identifier: AGPL-3.0-or-later */

/* Any bytes as a guest's file: what comes out is in its range, texts end, a diagnostic names a line
 * that is there, and a verdict is never better or worse than its evidence. */

#include "fuzz_diags.h"
#include "fuzz_pve.h"
#include "watch/conf.h"

static void check_times(const struct watch_settings *s)
{
	const int64_t times[] = { s->check_interval, s->fail_interval, s->fail_threshold,
				  s->wait_interval,  s->boot_time,     s->log_interval,
				  s->budget_window };

	for (size_t i = 0; i < ARRAY_SIZE(times); i++)
		CHECK(times[i] >= 1000 && times[i] <= INT64_C(315360000000));
	CHECK(s->probe_timeout >= 100 && s->probe_timeout <= 60000);
	CHECK(s->restart_at >= -1 && s->restart_at < 1440 && s->restart_after >= 0);
}

static void check_targets(const struct watch_settings *s)
{
	struct probe_target t[PROBE_TARGETS_MAX];
	struct probe_answer answer = {};
	size_t n = watch_settings_targets(s, t);

	CHECK(n < PROBE_TARGETS_MAX);
	for (size_t i = 0; i < n; i++) {
		CHECK(t[i].kind == PROBE_AGENT || t[i].port);
		CHECK(memchr(t[i].host, 0, sizeof(t[i].host)) &&
		      memchr(t[i].path, 0, sizeof(t[i].path)));
		CHECK(t[i].kind != PROBE_HTTP ||
		      (t[i].path[0] == '/' && t[i].status_low <= t[i].status_high));
	}
	if (watch_settings_problem(s))
		return;
	answer.n_targets = (uint8_t)n;
	CHECK(watch_settings_verdict(s, &answer) == PROBE_UNKNOWN);
	for (size_t i = 0; i < n; i++)
		answer.targets[i].result = PROBE_GOOD;
	CHECK(watch_settings_verdict(s, &answer) == PROBE_GOOD);
	for (size_t i = 0; i < n; i++)
		answer.targets[i].result = PROBE_BAD;
	CHECK(watch_settings_verdict(s, &answer) == PROBE_BAD);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	CLEANUP_FREE char *copy = exact_copy(data, n);
	CLEANUP(arena_done) struct arena a = {};
	struct diags diags = { .arena = &a };
	struct watch_settings s;
	struct watch_node node;

	watch_settings_default(&s);
	watch_settings_read(&s, (struct slice){ copy, n }, "100.conf", &diags);
	watch_node_default(&node);
	watch_node_read(&node, (struct slice){ copy, n }, "pvewarden.conf", &a, &diags);
	check_lines(&diags, (struct slice){ copy, n });
	CHECK(memchr(s.name, 0, sizeof(s.name)) && memchr(s.ip, 0, sizeof(s.ip)));
	CHECK(s.n_ports_all <= WATCH_PORTS_MAX && s.n_ports_any <= WATCH_PORTS_MAX);
	CHECK(s.n_http <= WATCH_HTTP_MAX && s.budget >= 1 && s.budget <= 100);
	CHECK(node.correlate >= 2 && node.correlate_percent <= 100 && node.actions >= 1);
	check_times(&s);
	check_targets(&s);
	diags_done(&diags);
	return 0;
}
