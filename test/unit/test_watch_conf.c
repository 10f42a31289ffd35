/* SPDX-License-Identifier: AGPL-3.0-or-later */

/* What mvmm's users wrote means what it meant, and every wrong value is named with file and line
 * and changes nothing. */

#include "watch/conf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "util/buf.h"

struct reading {
	struct watch_settings s;
	struct arena a;
	struct diags d;
};

static void begin(struct reading *r)
{
	*r = (struct reading){};
	watch_settings_default(&r->s);
}

static void more(struct reading *r, const char *file, const char *text)
{
	r->d.arena = &r->a;
	watch_settings_read(&r->s, slice_of(text), file, &r->d);
}

static void end(struct reading *r)
{
	diags_done(&r->d);
	arena_done(&r->a);
}

static void defaults(void **state)
{
	struct watch_settings s;

	(void)state;
	watch_settings_default(&s);
	assert_int_equal(s.enabled, TRI_UNKNOWN);
	assert_int_equal(s.check_interval, 60000);
	assert_int_equal(s.fail_interval, 15000);
	assert_int_equal(s.fail_threshold, 30000);
	assert_int_equal(s.wait_interval, 15000);
	assert_int_equal(s.boot_time, 60000);
	assert_int_equal(s.log_interval, 900000);
	assert_int_equal(s.disabled_log_interval, 25200000);
	assert_int_equal(s.restart_at, -1);
	assert_int_equal(s.restart_after, 0);
	assert_int_equal(s.probe_timeout, 1000);
	assert_int_equal(s.budget, 3);
	assert_int_equal(s.budget_window, 6 * 3600000);
	assert_int_equal(s.ha, WATCH_HA_COMMANDS);
	assert_non_null(watch_settings_problem(&s));
}

/* The README's two files, and the packaged one: not a word is complained of. */
static void as_the_readme_has_it(void **state)
{
	struct probe_target targets[PROBE_TARGETS_MAX];
	struct reading r;

	(void)state;
	begin(&r);
	more(&r, "mvmm.conf",
	     "check_interval=2\nfail_interval=15\nfail_threshold=30\nwait_interval=15\n"
	     "log_interval=900\n");
	more(&r, "100.conf", "name=nginx\nip=192.168.1.25\nportsall=80\n");
	assert_int_equal(r.d.n, 0);
	assert_int_equal(r.s.check_interval, 2000);
	assert_int_equal(r.s.enabled, TRI_UNKNOWN);
	assert_string_equal(r.s.name, "nginx");
	assert_string_equal(r.s.ip, "192.168.1.25");
	assert_null(watch_settings_problem(&r.s));
	assert_int_equal(watch_settings_targets(&r.s, targets), 1);
	assert_int_equal(targets[0].kind, PROBE_TCP);
	assert_int_equal(targets[0].port, 80);
	end(&r);
}

/* AppConfig::File::parse() of 1.71 gives the same for each of these. */
static void syntax(void **state)
{
	static const struct {
		const char *text, *name;
	} rows[] = {
		{ "name=a", "a" },
		{ "name a", "a" },
		{ "  name  =  a b  ", "a b" },
		{ "name\ta\r\n", "a" },
		{ "name = = a", "= a" },
		{ "# name=b\nname=a # b", "a" },
		{ "name=a#b", "a#b" },
		{ "name=a \\# b", "a # b" },
		{ "name=\"a b\"", "a b" },
		{ "name='a b'", "a b" },
		{ "name=\"a'", "\"a'" },
		{ "name=\"\"a\"\"", "\"a\"" },
		{ "name=a\\\nb", "ab" },
		{ "name=a \\\n  b # c \\\n", "a   b" },
		{ "name=a # b \\\nip=1.2.3.4", "a" },
		{ "name=a\\", "a" },
		{ "name=<<END\na\nEND\n", "a" },
		{ "name=<<'END'\na # b\nEND\n", "a # b" },
		{ "name=k = <<END\nv\nEND\n", "k =v" },
		{ "name=<<END\na\nEND", "a" },
		{ "name=<< END", "<< END" },
		{ "name=a\nname=b", "b" },
		{ "name=a\n-name", "" },
		{ "name=a\n-name=b", "" },
		{ "+name", "1" },
		{ "+name=a", "a" },
		{ "[fail]\nthreshold=3\n[x] # y\nname=b", "old" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct reading r;

		begin(&r);
		more(&r, "mvmm.conf", "name=old");
		more(&r, "100.conf", rows[i].text);
		if (strcmp(r.s.name, rows[i].name) != 0)
			fail_msg("%s: '%s', expected '%s'", rows[i].text, r.s.name, rows[i].name);
		assert_int_equal(r.d.n, strcmp(rows[i].name, "old") == 0);
		end(&r);
	}
}

/* One wrong line between two right ones: named with its number, and nothing is changed by it. */
static void complaints(void **state)
{
	static const struct {
		const char *line, *text;
	} rows[] = {
		{ "name=", "name: expected a value" },
		{ "name=''", "name: expected a value" },
		{ "name", "name: expected a value" },
		{ "= 3", "expected key=value" },
		{ "Name=x", "unknown key 'Name', did you mean 'name'?" },
		{ "check-interval=3",
		  "unknown key 'check-interval', did you mean 'check_interval'?" },
		{ "ports=80", "unknown key 'ports', did you mean 'portsall'?" },
		{ "nonsense=80", "unknown key 'nonsense'" },
		{ "a\x1b[31m=1", "unknown key 'a\\x1b[31m'" },
		{ "-nonsense", "unknown key 'nonsense'" },
		{ "check_interval=0.5",
		  "check_interval '0.5': expected seconds from 1 to 315360000, "
		  "or a time such as 90s, 10m, 6h, 7d" },
		{ "check_interval=0", NULL },
		{ "check_interval=-1", NULL },
		{ "check_interval=1h30m", NULL },
		{ "check_interval=4294967295", NULL },
		{ "check_interval=99999999999999999999", NULL },
		{ "boot_time=s", NULL },
		{ "recovery_time=0", NULL },
		{ "portsall=0", NULL },
		{ "portsall=80 65536", "portsall '80 65536': expected ports from 1 to 65535, "
				       "separated by blanks or commas" },
		{ "portsall=ssh", NULL },
		{ "portsall=,", NULL },
		{ "portsany=1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17",
		  "portsany '1 2 3 4 5 6 7 8 9 "
		  "10 11 12 13 14 15 16 17': expected at most 16 ports" },
		{ "restart_at=24:00",
		  "restart_at '24:00': expected a time of day, HH:MM from 00:00 "
		  "to 23:59" },
		{ "restart_at=3:0", NULL },
		{ "restart_at=3", NULL },
		{ "restart_at=003:00", NULL },
		{ "restart_at=03:60", NULL },
		{ "restart_at=:30", NULL },
		{ "restart_after=-1", NULL },
		{ "enabled=maybe", "enabled 'maybe': expected true or false" },
		{ "agent=2", "agent '2': expected yes or no" },
		{ "ip=192.168.1.300", NULL },
		{ "ip=192.168.1", NULL },
		{ "ip=0.0.0.0", "ip '0.0.0.0': expected the address of one host" },
		{ "ip=224.0.0.1", NULL },
		{ "ip=::", NULL },
		{ "ip=[::1]", NULL },
		{ "ip=2001:db8::1%eth0", NULL },
		{ "ip=a..b", NULL },
		{ "ip=-a", NULL },
		{ "ip=a b", NULL },
		{ "ip=fe80::1%", NULL },
		{ "http=https://a/", NULL },
		{ "http=80", NULL },
		{ "http=0/", NULL },
		{ "http=80/a b", NULL },
		{ "http=/ok,/wrong path", NULL },
		{ "http=http:///x", NULL },
		{ "http=http://a:0/", NULL },
		{ "http=http://a:/", NULL },
		{ "http=http://::1/", NULL },
		{ "http=http://[::1/", NULL },
		{ "http=ftp://a/", NULL },
		{ "http=http://a.23456789012345678901234567890.2345678901234567890123456789/",
		  NULL },
		{ "http=/1,/2,/3,/4,/5", NULL },
		{ "http_status=99", NULL },
		{ "http_status=600", NULL },
		{ "http_status=399-200", NULL },
		{ "http_status=2xx", NULL },
		{ "need=0", NULL },
		{ "need=3 of 2", NULL },
		{ "need=2 from 3", NULL },
		{ "need=2 of 3 4", NULL },
		{ "probe_timeout=0", NULL },
		{ "probe_timeout=99ms", NULL },
		{ "probe_timeout=61", NULL },
		{ "budget=3", NULL },
		{ "budget=0/6h", NULL },
		{ "budget=3/0", NULL },
		{ "ha=yes", "ha 'yes': expected commands or leave" },
		{ "name=0123456789012345678901234567890123456789012345678901234567890123", NULL },
		{ "name=<<END\na\nb\nEND", NULL },
		{ "name=<<END\na", "expected the end of the here-document" },
		{ "name=a\xff", NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		CLEANUP(buf_done) struct buf text = {};
		struct watch_settings before;
		struct reading r;

		begin(&r);
		more(&r, "mvmm.conf", "name=old\nip=10.0.0.1\nportsall=22\nrestart_at=3:30");
		assert_int_equal(r.d.n, 0);
		before = r.s;
		buf_addf(&text, "# first\n%s\n", rows[i].line);
		more(&r, "100.conf", buf_str(&text));
		if (r.d.n != 1)
			fail_msg("%s: %zu complaints", rows[i].line, r.d.n);
		assert_string_equal(r.d.items[0].file, "100.conf");
		assert_int_equal(r.d.items[0].line, 2);
		if (rows[i].text)
			assert_string_equal(r.d.items[0].text, rows[i].text);
		if (memcmp(&before, &r.s, sizeof(before)) != 0)
			fail_msg("%s changed something", rows[i].line);
		end(&r);
	}
}

static void values(void **state)
{
	struct reading r;

	(void)state;
	begin(&r);
	more(&r, "100.conf",
	     "enabled = TRUE\nip = host-1.example.org.\nportsall = 80,443  22 80\n"
	     "portsany = 25\ncheck_interval=90s\nfail_interval=10m\nfail_threshold=6h\n"
	     "wait_interval=1d\nrestart_at = 3:05\nrestart_after=0\nagent=yes\nneed=2 of 6\n"
	     "probe_timeout=500ms\nbudget = 5 / 12h\nha=leave\n"
	     "http = 8080/health?x=1, /\nhttp = http://web.example.org/a\n"
	     "http = http://[2001:db8::1]:81\nhttp_status=204\n");
	assert_int_equal(r.d.n, 0);
	assert_int_equal(r.s.enabled, TRI_YES);
	assert_string_equal(r.s.ip, "host-1.example.org.");
	assert_int_equal(r.s.n_ports_all, 3);
	assert_int_equal(r.s.ports_all[1], 443);
	assert_int_equal(r.s.n_ports_any, 1);
	assert_int_equal(r.s.check_interval, 90000);
	assert_int_equal(r.s.fail_interval, 600000);
	assert_int_equal(r.s.fail_threshold, 6 * 3600000);
	assert_int_equal(r.s.wait_interval, 86400000);
	assert_int_equal(r.s.restart_at, 185);
	assert_int_equal(r.s.probe_timeout, 500);
	assert_int_equal(r.s.budget, 5);
	assert_int_equal(r.s.budget_window, 12 * 3600000);
	assert_int_equal(r.s.ha, WATCH_HA_LEAVE);
	assert_int_equal(r.s.need, 2);
	assert_int_equal(r.s.need_of, 6);
	assert_int_equal(r.s.n_http, 4);
	assert_int_equal(r.s.http[0].port, 8080);
	assert_string_equal(r.s.http[0].path, "/health?x=1");
	assert_int_equal(r.s.http[1].port, 80);
	assert_string_equal(r.s.http[1].host, "");
	assert_string_equal(r.s.http[2].host, "web.example.org");
	assert_string_equal(r.s.http[3].host, "[2001:db8::1]");
	assert_int_equal(r.s.http[3].port, 81);
	assert_string_equal(r.s.http[3].path, "/");
	assert_int_equal(r.s.http[3].status_low, 204);
	assert_int_equal(r.s.http[0].status_high, 204);
	more(&r, "101.conf", "http=/only\n-http_status\nneed=all\n-portsall\n-check_interval");
	assert_int_equal(r.s.n_http, 1);
	assert_string_equal(r.s.http[0].path, "/only");
	assert_int_equal(r.s.http[0].status_low, 200);
	assert_int_equal(r.s.need, 0);
	assert_int_equal(r.s.n_ports_all, 0);
	assert_int_equal(r.s.check_interval, 60000);
	end(&r);
}

static void addresses(void **state)
{
	static const char *const good[] = { "10.0.0.1",	   "2001:db8::1",
					    "::1",	   "fe80::1%vmbr0",
					    "web",	   "a_b.example.org",
					    "127.0.0.1",   "xn--bcher-kva.example",
					    "3com.example" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		CLEANUP(buf_done) struct buf text = {};
		struct reading r;

		begin(&r);
		buf_addf(&text, "ip=%s", good[i]);
		more(&r, "100.conf", buf_str(&text));
		if (r.d.n)
			fail_msg("%s", r.d.items[0].text);
		assert_string_equal(r.s.ip, good[i]);
		end(&r);
	}
}

/* boot_time wins over its old name, in whichever file and order they stand. */
static void boot_time(void **state)
{
	static const struct {
		const char *global, *guest;
		int64_t seconds;
	} rows[] = {
		{ "", "recovery_time=90", 90 },
		{ "recovery_time=90", "", 90 },
		{ "recovery_time=90", "recovery_time=100", 100 },
		{ "boot_time=70", "recovery_time=90", 70 },
		{ "recovery_time=90", "boot_time=70", 70 },
		{ "", "boot_time=70\nrecovery_time=90", 70 },
		{ "", "recovery_time=90\nboot_time=70", 70 },
		{ "boot_time=70", "boot_time=80\nrecovery_time=90", 80 },
		{ "boot_time=70\nrecovery_time=90", "-boot_time", 90 },
		{ "boot_time=70\nrecovery_time=90", "-boot_time\n-recovery_time", 60 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct reading r;

		begin(&r);
		more(&r, "mvmm.conf", rows[i].global);
		more(&r, "100.conf", rows[i].guest);
		assert_int_equal(r.d.n, 0);
		assert_int_equal(r.s.boot_time, rows[i].seconds * 1000);
		end(&r);
	}
}

static void problems(void **state)
{
	static const struct {
		const char *text, *problem;
	} rows[] = {
		{ "ip=10.0.0.1", "no probe" },
		{ "portsall=80", "no ip" },
		{ "http=/", "no ip" },
		{ "agent=yes", NULL },
		{ "agent=yes\nportsany=1", "no ip" },
		{ "agent=yes\nneed=2", "need: more" },
		{ "agent=yes\nip=10.0.0.1\nportsall=1\nneed=1 of 3", "need: the number" },
		{ "agent=yes\nip=10.0.0.1\nportsall=1\nneed=1 of 2", NULL },
		{ "ip=10.0.0.1\nportsall=1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16\n"
		  "portsany=1 2 3 4 5 6 7 8",
		  "more than 23" },
		{ "ip=a.123456789012345678901234567890.123456789012345678901234567890.b\nhttp=/",
		  "http: the name" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct reading r;
		const char *why;

		begin(&r);
		more(&r, "100.conf", rows[i].text);
		assert_int_equal(r.d.n, 0);
		why = watch_settings_problem(&r.s);
		if (!why != !rows[i].problem ||
		    (why && strncmp(why, rows[i].problem, strlen(rows[i].problem)) != 0))
			fail_msg("%s: %s", rows[i].text, why ? why : "no problem");
		end(&r);
	}
}

static void targets(void **state)
{
	static const struct {
		const char *ip, *host;
	} hosts[] = { { "10.0.0.1", "10.0.0.1:8080" },
		      { "fe80::1%vmbr0", "[fe80::1]:8080" },
		      { "web.example.org", "web.example.org:8080" } };
	struct probe_target t[PROBE_TARGETS_MAX];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(hosts); i++) {
		CLEANUP(buf_done) struct buf text = {};
		struct reading r;

		begin(&r);
		buf_addf(&text,
			 "ip=%s\nportsall=1 2\nportsany=3\nhttp=8080/x,http://y/\nagent=on\n",
			 hosts[i].ip);
		more(&r, "100.conf", buf_str(&text));
		assert_int_equal(r.d.n, 0);
		assert_int_equal(watch_settings_targets(&r.s, t), 6);
		assert_int_equal(t[1].port, 2);
		assert_int_equal(t[2].port, 3);
		assert_int_equal(t[3].kind, PROBE_HTTP);
		assert_int_equal(t[3].port, 8080);
		assert_int_equal(t[3].status_low, 200);
		assert_int_equal(t[3].status_high, 399);
		assert_string_equal(t[3].host, hosts[i].host);
		assert_string_equal(t[3].path, "/x");
		assert_string_equal(t[4].host, "y");
		assert_int_equal(t[5].kind, PROBE_AGENT);
		end(&r);
	}
}

static struct probe_answer answer_of(const char *text)
{
	struct probe_answer a = { .n_targets = (uint8_t)strlen(text) };

	for (size_t i = 0; text[i]; i++)
		a.targets[i].result = text[i] == '+'   ? PROBE_GOOD
				      : text[i] == '-' ? PROBE_BAD
						       : PROBE_UNKNOWN;
	return a;
}

static void verdicts(void **state)
{
	static const struct {
		const char *conf, *answer;
		enum probe_result expected;
	} rows[] = {
		{ "", "", PROBE_UNKNOWN },
		{ "portsall=1", "+", PROBE_GOOD },
		{ "portsall=1", "-", PROBE_BAD },
		{ "portsall=1", "?", PROBE_UNKNOWN },
		{ "portsall=1", "", PROBE_UNKNOWN },
		{ "portsall=1", "+-", PROBE_GOOD }, /* what stands behind is QMP's */
		{ "portsall=1 2", "+-", PROBE_BAD },
		{ "portsall=1 2", "?-", PROBE_BAD },
		{ "portsall=1 2", "?+", PROBE_UNKNOWN },
		{ "portsany=1 2", "+-", PROBE_GOOD },
		{ "portsany=1 2", "+?", PROBE_GOOD },
		{ "portsany=1 2", "-?", PROBE_UNKNOWN },
		{ "portsany=1 2", "--", PROBE_BAD },
		{ "portsall=1\nportsany=2 3", "+-+", PROBE_GOOD },
		{ "portsall=1\nportsany=2 3", "+--", PROBE_BAD },
		{ "portsall=1\nportsany=2 3", "-++", PROBE_BAD },
		{ "portsall=1\nportsany=2 3", "?--", PROBE_BAD },
		{ "portsany=1 2\nagent=yes", "+-+", PROBE_GOOD },
		{ "portsany=1 2\nagent=yes", "+--", PROBE_BAD },
		{ "portsany=1 2\nagent=yes", "+-?", PROBE_UNKNOWN },
		{ "portsall=1 2\nagent=yes\nneed=2", "+-+", PROBE_GOOD },
		{ "portsall=1 2\nagent=yes\nneed=2", "--+", PROBE_BAD },
		{ "portsall=1 2\nagent=yes\nneed=2", "-?+", PROBE_UNKNOWN },
		{ "portsall=1 2\nagent=yes\nneed=2", "++?", PROBE_GOOD },
		{ "portsall=1 2\nagent=yes\nneed=1", "---", PROBE_BAD },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct probe_answer a = answer_of(rows[i].answer);
		struct reading r;

		begin(&r);
		more(&r, "100.conf", rows[i].conf);
		if (watch_settings_verdict(&r.s, &a) != rows[i].expected)
			fail_msg("%s: %s", rows[i].conf, rows[i].answer);
		end(&r);
	}
}

/* The rule itself, for every answer to three kinds of settings: good only if it is good whatever
 * the unknown ones are, bad only if it is bad whatever they are. */
static void verdicts_are_certain(void **state)
{
	static const char *const confs[] = { "portsall=1 2\nportsany=3 4\nagent=yes",
					     "portsall=1 2\nportsany=3 4\nagent=yes\nneed=3",
					     "portsany=1 2 3 4 5" };

	(void)state;
	for (size_t c = 0; c < ARRAY_SIZE(confs); c++) {
		struct reading r;

		begin(&r);
		more(&r, "100.conf", confs[c]);
		for (unsigned int code = 0; code < 243; code++) {
			bool seen[PROBE_RESULT_MAX] = {};
			enum probe_result expected;
			struct probe_answer a;
			char text[6] = "";

			for (unsigned int i = 0, rest = code; i < 5; i++, rest /= 3)
				text[i] = "?+-"[rest % 3];
			for (unsigned int bits = 0; bits < 32; bits++) {
				char known[6] = "";

				for (unsigned int i = 0; i < 5; i++)
					known[i] = text[i] != '?' ? text[i] : "-+"[bits >> i & 1];
				a = answer_of(known);
				seen[watch_settings_verdict(&r.s, &a)] = true;
			}
			assert_false(seen[PROBE_UNKNOWN]);
			expected = seen[PROBE_GOOD] && seen[PROBE_BAD] ? PROBE_UNKNOWN
				   : seen[PROBE_GOOD]		       ? PROBE_GOOD
								       : PROBE_BAD;
			a = answer_of(text);
			assert_int_equal(watch_settings_verdict(&r.s, &a), expected);
		}
		end(&r);
	}
}

static void node(void **state)
{
	CLEANUP(arena_done) struct arena a = {};
	struct diags d = { .arena = &a };
	struct watch_node n;

	(void)state;
	watch_node_default(&n);
	assert_string_equal(n.tag, "mon-restart");
	assert_string_equal(n.gateway, "auto");
	assert_true(n.notify);
	watch_node_read(&n,
			SLICE("[mail]\nto = a@b\n[watch]\ntag = none\ncorrelate = 5\n"
			      "correlate_percent = 50%\nactions=2\ngateway=fe80::1\n"
			      "mvmm_names = yes\nnotify = no\n"),
			"pvewarden.conf", &a, &d);
	assert_int_equal(d.n, 0);
	assert_string_equal(n.tag, "");
	assert_int_equal(n.correlate, 5);
	assert_int_equal(n.correlate_percent, 50);
	assert_int_equal(n.actions, 2);
	assert_string_equal(n.gateway, "fe80::1");
	assert_true(n.mvmm_names);
	assert_false(n.notify);
	watch_node_read(&n,
			SLICE("[watch]\ntag = a b\ncorrelate = 1\ncorrelate_percent = 0\n"
			      "actions=0\ngateway=host\nmvmm_names = 2\nnotify = x\nwhat=1\n"),
			"pvewarden.conf", &a, &d);
	assert_int_equal(d.n, 8);
	for (size_t i = 0; i < d.n; i++)
		assert_int_equal(d.items[i].line, i + 2);
	assert_int_equal(n.correlate, 5);
	assert_string_equal(n.gateway, "fe80::1");
	diags_done(&d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(defaults),
		cmocka_unit_test(as_the_readme_has_it),
		cmocka_unit_test(syntax),
		cmocka_unit_test(complaints),
		cmocka_unit_test(values),
		cmocka_unit_test(addresses),
		cmocka_unit_test(boot_time),
		cmocka_unit_test(problems),
		cmocka_unit_test(targets),
		cmocka_unit_test(verdicts),
		cmocka_unit_test(verdicts_are_certain),
		cmocka_unit_test(node),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
