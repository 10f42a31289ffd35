/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* The supervisor's smaller parts: records on disk, times as mvmm wrote them, routes, literals, the
 * order of answers, HA's files. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pve/ha.h"
#include "watch/gateway.h"
#include "watch/note.h"
#include "watch/record.h"
#include "watch/resolver.h"

static struct watch_record example(void)
{
	return (struct watch_record){ .owed = true,
				      .op = WATCH_OP_STOP,
				      .reason = WATCH_FOR_HANG,
				      .ha = true,
				      .boot_id = "b0",
				      .node = "pve1",
				      .digest = 0xfedcba9876543210ULL,
				      .started = 123456,
				      .since = 1763700000,
				      .stops = 2,
				      .known = { 7, 0xffffffffffffffffULL },
				      .n_known = 2,
				      .stamps = { 1763690000, 1763700000 },
				      .n_stamps = 2 };
}

static void record_survives(void **state)
{
	char folder[] = "/tmp/test-record-XXXXXX";
	struct watch_record r = example(), back;
	struct record_ids ids = {};
	struct buf texts[2] = {};
	int fd;

	(void)state;
	assert_non_null(mkdtemp(folder));
	fd = open(folder, O_RDONLY | O_DIRECTORY);
	assert_int_equal(watch_record_write(&r, fd, 100, NULL), 0);
	assert_int_equal(watch_record_read(&back, fd, 100, NULL), 0);
	watch_record_format(&r, 100, &texts[0]);
	watch_record_format(&back, 100, &texts[1]);
	assert_string_equal(buf_str(&texts[0]), buf_str(&texts[1]));
	buf_done(&texts[0]);
	buf_done(&texts[1]);
	assert_int_equal(watch_record_read(&back, fd, 101, NULL), 0);
	assert_false(back.owed);
	assert_int_equal(watch_record_list(fd, &ids), 0);
	assert_int_equal(ids.n, 1);
	assert_int_equal(ids.items[0], 100);
	vec_free(&ids);
	assert_null(watch_record_mismatch(&r, "b0", "pve1", r.digest));
	assert_non_null(watch_record_mismatch(&r, "b1", "pve1", r.digest));
	assert_non_null(watch_record_mismatch(&r, "b0", "pve2", r.digest));
	assert_non_null(watch_record_mismatch(&r, "b0", "pve1", 1));
	(void)unlinkat(fd, "100.json", 0);
	(void)close(fd);
	(void)rmdir(folder);
}

static void whose_stops(void **state)
{
	const uint64_t tasks[] = { 11, 12, 13 };
	struct watch_record r = { .owed = true, .stops = 1 };

	(void)state;
	/* Our shutdown, its task not yet there, then there. */
	assert_false(watch_record_meet(&r, tasks, 0, false));
	assert_false(watch_record_meet(&r, tasks, 1, false));
	assert_false(watch_record_meet(&r, tasks, 1, true));
	assert_int_equal(r.n_known, 1);
	/* Our stop: one more is ours, two are not. */
	r.stops++;
	assert_true(watch_record_meet(&r, tasks, 3, false));
	assert_false(watch_record_meet(&r, tasks, 2, true));
	/* A person, later; also when ours have left the list. */
	assert_true(watch_record_meet(&r, tasks, 3, false));
	assert_true(watch_record_meet(&r, tasks + 2, 1, false));
	/* A command that failed early makes no place for a person's. */
	r = (struct watch_record){ .owed = true, .stops = 1 };
	assert_false(watch_record_meet(&r, tasks, 0, true));
	assert_true(watch_record_meet(&r, tasks, 1, false));
}

static void broken_records_are_refused(void **state)
{
	static const char *const texts[] = {
		"",
		"{}",
		"[]",
		"{\"schema\": \"x\"}",
		"{\"schema\": \"pvewarden.watch.guest/1\", \"intent\": {}}",
		"{\"schema\": \"pvewarden.watch.guest/1\", \"intent\": {\"op\": 9}}",
	};
	struct watch_record r;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		assert_true(watch_record_parse(&r, slice_of(texts[i]), NULL) < 0);
}

static void times_as_mvmm(void **state)
{
	static const struct {
		int64_t seconds;
		const char *text;
	} times[] = {
		{ -5, "0s" },	     { 0, "0s" },	  { 59, "59s" },	{ 60, "1m" },
		{ 61, "1m1s" },	     { 3599, "59m59s" },  { 3600, "1h0m" },	{ 3601, "1h1m" },
		{ 86399, "1d0h0m" }, { 86400, "1d0h0m" }, { 183661, "2d3h2m" },
	};
	char buf[32];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(times); i++)
		assert_string_equal(watch_note_duration(times[i].seconds * 1000, buf),
				    times[i].text);
}

static void routes(void **state)
{
	static const char head[] = "Iface\tDestination\tGateway \tFlags\n";
	char text[300];

	(void)state;
	(void)snprintf(text, sizeof(text),
		       "%svmbr1\t0000A8C0\t00000000\t0001\n"
		       "vmbr0\t00000000\t0101A8C0\t0003\n",
		       head);
	assert_int_equal(gateway_of_routes(slice_of(text)), 0x0101a8c0);
	assert_int_equal(gateway_of_routes(slice_of(head)), 0);
	assert_int_equal(gateway_of_routes(slice_of("")), 0);
}

static void gateway_speaks_only_after_an_answer(void **state)
{
	struct gateway g = { .fd = 0, .asked_at = 1 };

	(void)state;
	assert_int_equal(gateway_answers(&g, 100000), TRI_UNKNOWN);
	g.answered_at = 90000;
	assert_int_equal(gateway_answers(&g, 100000), TRI_YES);
	assert_int_equal(gateway_answers(&g, 200000), TRI_NO);
	g.fd = -1;
	assert_int_equal(gateway_answers(&g, 200000), TRI_UNKNOWN);
}

static void literals(void **state)
{
	struct probe_address a;

	(void)state;
	assert_true(resolver_literal("192.0.2.7", &a));
	assert_int_equal(a.family, AF_INET);
	assert_true(resolver_literal("2001:db8::1", &a));
	assert_int_equal(a.family, AF_INET6);
	assert_true(resolver_literal("fe80::1%lo", &a));
	assert_int_equal(a.scope, 1);
	assert_false(resolver_literal("fe80::1%no-such-interface", &a));
	assert_false(resolver_literal("web.example.org", &a));
	assert_false(resolver_literal("", &a));
}

#define RESOURCES                                                                        \
	"vm: 100\n\tstate started\n\nct: 101\n\tstate ignored\n\nvm: 102\n\tgroup a\n\n" \
	"vm: 103\n\tstate enabled\n"

static struct ha_service ha(enum guest_type type, uint32_t vmid, const char *status)
{
	struct ha_service s;

	assert_int_equal(
		ha_service_parse(&s, slice_of(RESOURCES), slice_of(status), type, vmid, 1000, NULL),
		0);
	return s;
}

static void ha_services(void **state)
{
	struct ha_service s;
	static const char status[] =
		"{\"timestamp\": 990, \"service_status\": {\"vm:100\": {\"state\": \"migrate\", "
		"\"node\": \"pve2\"}}}";

	(void)state;
	s = ha(GUEST_QEMU, 100, status);
	assert_true(s.managed && s.awake);
	assert_string_equal(s.state, "migrate");
	assert_string_equal(s.node, "pve2");
	assert_false(ha(GUEST_LXC, 100, status).managed);
	assert_false(ha(GUEST_LXC, 101, status).managed);
	assert_string_equal(ha(GUEST_QEMU, 102, "").state, "started");
	assert_string_equal(ha(GUEST_QEMU, 103, "{}").state, "started");
	assert_false(ha(GUEST_QEMU, 100, "{\"timestamp\": 900}").awake);
	assert_false(ha(GUEST_QEMU, 100, "{\"disarm\": {\"mode\": \"ignore\"}}").managed);
	assert_true(ha_service_parse(&s, slice_of(RESOURCES), slice_of("{"), GUEST_QEMU, 100, 1000,
				     NULL) < 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(record_survives),
		cmocka_unit_test(whose_stops),
		cmocka_unit_test(broken_records_are_refused),
		cmocka_unit_test(times_as_mvmm),
		cmocka_unit_test(routes),
		cmocka_unit_test(gateway_speaks_only_after_an_answer),
		cmocka_unit_test(literals),
		cmocka_unit_test(ha_services),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
