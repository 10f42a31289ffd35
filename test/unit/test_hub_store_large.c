/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "store_fixture.h"
#include "util/clock.h"

/* As large as docs/wire.md lets a document be. A transaction this long is one nobody else gets; the
 * times are far above what is needed, and far below what a loop inside a loop takes. */
enum { T = 1795269600, HOUR = 3600, GUESTS = 5000, VMIDS = 50000, LISTS = 20, LONG_MS = 30000 };

struct large {
	const char *node;
	uint64_t sequence;
	int64_t at;
	unsigned int first_guest, guests, first_vmid, vmids;
};

static void make_body(const struct large *l, struct buf *ret)
{
	buf_adds(ret, "{\"quorate\":true,\"complete\":true,\"vmids\":[");
	for (unsigned int i = 0; i < l->vmids; i++)
		buf_addf(ret, "%s[%u,\"qemu\",\"pve1\"]", i ? "," : "", l->first_vmid + i);
	buf_adds(ret, "],\"guests\":[");
	for (unsigned int i = 0; i < l->guests; i++)
		buf_addf(ret,
			 "%s{\"vmid\":%u,\"type\":\"qemu\",\"node\":\"%s\",\"status\":\"running\","
			 "\"identity\":\"x\",\"digest\":\"d\"}",
			 i ? "," : "", l->first_guest + i, l->node);
	buf_adds(ret, "]}");
}

static struct store_document document_of(const struct large *l, struct buf *body)
{
	make_body(l, body);
	return (struct store_document){
		.org = "o",
		.agent = "a",
		.cluster = "c",
		.node = l->node,
		.instance = "i",
		.sequence = l->sequence,
		.collected_at = l->at,
		.received_at = T + 2 * HOUR,
		.body = buf_slice(body),
	};
}

/* Returns the milliseconds that it took. */
static int64_t put(struct fixture *f, struct large l)
{
	CLEANUP(buf_done) struct buf body = {};
	struct store_document d = document_of(&l, &body), *list[] = { &d };
	int64_t began = clock_boot_ms();
	struct err e = {};

	if (store_ingest(f->s, list, 1, &e) < 0 || d.error)
		fail_msg("%s%s", e.text, d.why);
	buf_done(&d.unheard);
	return clock_boot_ms() - began;
}

static int take_int(void *ctx, const struct store_row *row)
{
	*(int64_t *)ctx = row_int(row, 0);
	return 0;
}

static int64_t number(struct fixture *f, const char *sql)
{
	int64_t n = -1;

	if (f->s->ops->query(f->s, sql, NULL, 0, take_int, &n, NULL) < 0)
		fail_msg("%s", sql);
	return n;
}

static void assert_quick(const char *what, int64_t ms)
{
	print_message("%s: %lld ms\n", what, (long long)ms);
	assert_in_range(ms, 0, LONG_MS);
}

/* All guests go, as many others come; nobody of them is in the other's list. */
static void test_all_others(void **state)
{
	struct fixture *f = *state;

	assert_quick("the first", put(f, (struct large){ "pve1", 1, T, 100, GUESTS, 100, VMIDS }));
	assert_quick("all others",
		     put(f, (struct large){ "pve1", 2, T + 60, 500000, GUESTS, 500000, VMIDS }));
	assert_int_equal(number(f, "SELECT count(*) FROM events WHERE kind = 'guest.created'"),
			 GUESTS);
	assert_int_equal(number(f, "SELECT count(*) FROM events WHERE kind = 'guest.destroyed'"),
			 GUESTS);
	assert_int_equal(number(f, "SELECT count(*) FROM guests WHERE closed_at IS NULL"), GUESTS);
	/* Those of the first list come between the two: moved from elsewhere, and away again. */
	assert_quick("between",
		     put(f, (struct large){ "pve1", 3, T + 30, 5200, GUESTS, 100, VMIDS }));
	assert_int_equal(number(f, "SELECT count(*) FROM guests WHERE closed_at = 1795269660"),
			 2 * GUESTS);
}

/* Many later lists, each another one and without 250 more of the guests. */
static void test_late_guests(void **state)
{
	struct fixture *f = *state;
	int64_t ms = 0;

	for (unsigned int i = 0; i < LISTS; i++)
		ms += put(f, (struct large){ "pve1", i + 1, T + HOUR + i * 60, 0, 0, 100 + 250 * i,
					     VMIDS });
	assert_quick("lists", ms / LISTS);
	assert_quick("late", put(f, (struct large){ "pve1", 100, T, 100, GUESTS, 100, VMIDS }));
	assert_int_equal(number(f, "SELECT count(*) FROM guests WHERE closed_at IS NULL"), 250);
	assert_int_equal(number(f, "SELECT count(*) FROM guests WHERE closed_at = 1795273260"),
			 250);
	assert_int_equal(number(f, "SELECT max(closed_at) FROM guests"), T + HOUR + 19 * 60);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FIXTURE_TEST(test_all_others),
		FIXTURE_TEST(test_late_guests),
	};

	return fixture_main(tests, ARRAY_SIZE(tests));
}
