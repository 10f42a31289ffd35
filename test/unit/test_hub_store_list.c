/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

#include <errno.h>

#include "store_docs.h"
#include "store_fixture.h"
#include "util/json.h"

static void fill(struct fixture *f, struct history *h)
{
	struct err e = {};

	history_make(h, 3, 3, 12);
	for (size_t i = 0; i < h->n; i++) {
		struct store_document d = document_row(&h->items[i]), *list[] = { &d };

		if (store_ingest(f->s, list, 1, &e) < 0)
			fail_msg("%s", e.text);
		buf_done(&d.unheard);
	}
}

static size_t page(struct fixture *f, struct store_query *q, struct buf *cursor)
{
	CLEANUP(buf_done) struct buf items = {};
	struct err e = {};
	json_t *got;
	size_t n;

	if (store_list(f->s, q, &items, cursor, &e) < 0)
		fail_msg("%s", e.text);
	if (json_parse(buf_slice(&items), "page", &got, &e) < 0)
		fail_msg("%s: %s", e.text, items.data);
	n = json_array_size(got);
	json_decref(got);
	return n;
}

/* Every list in every order, a page of two at a time: as many as in one. */
static void test_pages(void **state)
{
	struct fixture *f = *state;
	struct history h = {};

	fill(f, &h);
	for (int list = 0; list <= STORE_LIST_EVENTS; list++)
		for (const char *const *sort = store_list_sorts((enum store_list)list); *sort;
		     sort++) {
			CLEANUP(buf_done) struct buf cursor = {}, next = {};
			struct store_query q = { .org = "acme",
						 .list = (enum store_list)list,
						 .sort = *sort,
						 .limit = 500 };
			size_t all = page(f, &q, &cursor), n = 0;

			assert_int_equal(cursor.len, 0);
			assert_true(all > 0);
			q.limit = 2;
			do {
				n += page(f, &q, &next);
				buf_reset(&cursor);
				buf_adds(&cursor, buf_str(&next));
				q.cursor = buf_str(&cursor);
			} while (cursor.len);
			assert_int_equal(n, all);
			q.org = "other";
			q.cursor = NULL;
			assert_int_equal(page(f, &q, &next), 0);
		}
	history_done(&h);
}

static void assert_no_cursor(struct fixture *f, enum store_list list, const char *plain, size_t n)
{
	CLEANUP(buf_done) struct buf hex = {}, items = {}, next = {};
	struct store_query q = { .org = "acme", .list = list, .limit = 2 };
	struct err e = {};

	for (size_t i = 0; i < n; i++)
		buf_addf(&hex, "%02x", (uint8_t)plain[i]);
	q.cursor = buf_str(&hex);
	assert_int_equal(store_list(f->s, &q, &items, &next, &e), -EINVAL);
	assert_string_equal(e.text, "this cursor is none of ours");
}

/* Whoever writes his own is told so by us, not by the database. */
static void test_cursors(void **state)
{
	static const char not_utf8[] = "cluster\n2:c\xff", with_nul[] = "cluster\n3:a\0b",
			  far[] = "vmid\n20:184467440737095516151:c1:x";
	CLEANUP(buf_done) struct buf items = {}, next = {};
	struct store_query q = { .org = "acme",
				 .list = STORE_LIST_CLUSTERS,
				 .limit = 2,
				 .cursor = "636c75737465720a323ac3a4" };
	struct fixture *f = *state;
	struct err e = {};

	assert_no_cursor(f, STORE_LIST_CLUSTERS, not_utf8, sizeof(not_utf8) - 1);
	assert_no_cursor(f, STORE_LIST_CLUSTERS, with_nul, sizeof(with_nul) - 1);
	assert_no_cursor(f, STORE_LIST_GUESTS, far, sizeof(far) - 1);
	if (store_list(f->s, &q, &items, &next, &e) < 0)
		fail_msg("%s", e.text);
}

static void test_one_and_keeping(void **state)
{
	CLEANUP(buf_done) struct buf one = {}, counts = {};
	struct fixture *f = *state;
	struct history h = {};
	struct err e = {};
	bool more = true;

	fill(f, &h);
	assert_int_equal(store_one(f->s, "acme", STORE_LIST_GUESTS, "uuid-1", "100", &one, &e), 0);
	assert_non_null(strstr(buf_str(&one), "\"config\""));
	assert_int_equal(store_one(f->s, "acme", STORE_LIST_NODES, "uuid-1", "pve1", &one, &e), 0);
	assert_int_equal(store_one(f->s, "acme", STORE_LIST_CLUSTERS, "uuid-1", NULL, &one, &e), 0);
	assert_int_equal(store_one(f->s, "acme", STORE_LIST_NODES, "uuid-1", "x", &one, &e),
			 -ENOENT);
	for (int i = 0; i < 3; i++) {
		static const char *const subjects[] = { "node/pve0", "guest/100",
							"storage/pve0/local" };
		CLEANUP(buf_done) struct buf before = {}, after = {};

		buf_reset(&one);
		if (store_history(f->s, "acme", "uuid-1", subjects[i], 0, h.items[h.n - 1].at + 9,
				  &before, &e) < 0)
			fail_msg("%s", e.text);
		assert_true(before.len > 10);
		more = true;
		while (more)
			if (store_retain(f->s, h.items[0].at + 60 * 3600, &more, &e) < 0)
				fail_msg("%s", e.text);
		assert_int_equal(store_history(f->s, "acme", "uuid-1", subjects[i], 0,
					       h.items[h.n - 1].at + 9, &after, &e),
				 0);
		assert_true(after.len > 10);
	}
	if (store_counts(f->s, &counts, &e) < 0)
		fail_msg("%s", e.text);
	assert_non_null(strstr(buf_str(&counts), "\"documents\":0"));
	history_done(&h);
}

static void test_nanny(void **state)
{
	static const struct slice cluster = SLICE(
					  "{\"cluster\": {\"name\": \"prod\", \"quorate\": 1}}"),
				  node = SLICE("{\"node\": {\"name\": \"pve1\", \"ip\": \"::1\"}}"),
				  guest = SLICE("{\"guest\": {\"vmid\": 100, \"node\": \"pve1\"}}");
	struct fixture *f = *state;
	CLEANUP(buf_done) struct buf list = {};
	char id[STORE_ID_MAX], first[STORE_ID_MAX];
	struct err e = {};

	assert_int_equal(store_object(f->s, STORE_LXC, "o", "a1", guest, 5, id, &e), -ENOENT);
	assert_string_equal(e.text, "Node not found: pve1");
	assert_int_equal(store_object(f->s, STORE_NODE, "o", "a1", node, 5, first, &e), 0);
	assert_int_equal(store_object(f->s, STORE_CLUSTER, "o", "a1", cluster, 6, id, &e), 0);
	assert_int_equal(store_object(f->s, STORE_NODE, "o", "a1", node, 7, id, &e), 0);
	assert_string_equal(id, first);
	assert_int_equal(store_object(f->s, STORE_LXC, "o", "a1", guest, 7, id, &e), 0);
	for (int kind = STORE_CLUSTER; kind <= STORE_QEMU; kind++)
		if (store_nanny_list(f->s, "o", (enum store_object)kind, NULL, NULL, 1, 20, NULL,
				     &list, &e) < 0)
			fail_msg("%s", e.text);
	assert_non_null(strstr(buf_str(&list), "\"lxc_id\""));
	assert_int_equal(store_nanny_delete(f->s, "x", STORE_LXC, id, &e), -ENOENT);
	assert_int_equal(store_nanny_delete(f->s, "o", STORE_LXC, id, &e), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FIXTURE_TEST(test_pages),
		FIXTURE_TEST(test_cursors),
		FIXTURE_TEST(test_one_and_keeping),
		FIXTURE_TEST(test_nanny),
	};

	return fixture_main(tests, ARRAY_SIZE(tests));
}
