/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

#include <errno.h>
#include <sys/wait.h>

#include "store_docs.h"
#include "store_fixture.h"
#include "util/clock.h"

enum { T = 1795269600 };

static int put_at(struct fixture *f, enum store_object kind, const char *agent, int64_t at,
		  const char *body, struct err *e)
{
	char id[STORE_ID_MAX];

	return store_object(f->s, kind, "o", agent, slice_of(body), at, id, e);
}

static void put(struct fixture *f, enum store_object kind, const char *agent, int64_t at,
		const char *body)
{
	struct err e = {};

	if (put_at(f, kind, agent, at, body, &e) < 0)
		fail_msg("%s", e.text);
}

#define GUESTS                                                                                   \
	"SELECT cluster, vmid, identity, node, status, seen_at - 1795269600, closed_at IS NULL " \
	"AS open FROM " FIXTURE_GUESTS " ORDER BY 1, 2, 3"
#define EVENTS "SELECT cluster, at - 1795269600, kind, node, vmid FROM events ORDER BY 2, 3"

#define NODE1                                                                        \
	"{\"node\":{\"name\":\"pve1\",\"node_id\":1,\"ip\":\"::1\",\"online\":true," \
	"\"pve_version\":\"8.2\",\"host\":{\"cpu\":0.5}}}"
#define NODE2	"{\"node\":{\"name\":\"pve2\",\"node_id\":2,\"ip\":\"::2\",\"online\":false}}"
#define CLUSTER "{\"cluster\":{\"name\":\"prod\",\"quorate\":true,\"version\":7}}"
#define GUEST(node, status)                                                                        \
	"{\"guest\":{\"type\":\"qemu\",\"vmid\":100,\"node\":\"" node "\",\"name\":\"web\","       \
	"\"status\":\"" status "\",\"uptime\":5,\"memory_mb\":2,\"cpu_cores\":4,\"tags\":\"a;b\"," \
	"\"config\":{\"lock\":\"backup\"}}}"

static const char *truth(bool t)
{
	return fixture_engine ? (t ? "t" : "f") : t ? "1" : "0";
}

static void test_lists(void **state)
{
	CLEANUP(buf_done) struct buf one = {};
	struct fixture *f = *state;
	struct err e = {};

	put(f, STORE_NODE, "a1", T, NODE1);
	put(f, STORE_CLUSTER, "a1", T, CLUSTER);
	put(f, STORE_QEMU, "a1", T, GUEST("pve1", "running"));
	assert_int_equal(store_one(f->s, "o", STORE_LIST_CLUSTERS, "name:prod", NULL, &one, &e), 0);
	assert_non_null(strstr(buf_str(&one), "prod"));
	assert_non_null(strstr(buf_str(&one), "pve1"));
	assert_non_null(strstr(buf_str(&one), "2026-11-21T14:00:00Z"));
	buf_reset(&one);
	assert_int_equal(store_one(f->s, "o", STORE_LIST_NODES, "name:prod", "pve1", &one, &e), 0);
	assert_non_null(strstr(buf_str(&one), "8.2"));
	buf_reset(&one);
	assert_int_equal(store_one(f->s, "o", STORE_LIST_GUESTS, "name:prod", "100", &one, &e), 0);
	assert_non_null(strstr(buf_str(&one), "2097152"));
	assert_non_null(strstr(buf_str(&one), "backup"));
	assert_non_null(strstr(buf_str(&one), "\"config\""));
	assert_rows(f, "SELECT cluster, node, cpu FROM node_minutes", "name:prod|pve1|0.5\n");
}

/* The guide's container, none of which stands in its config as well. */
#define CONTAINER                                                                                   \
	"{\"guest\":{\"type\":\"lxc\",\"vmid\":109,\"node\":\"pve1\",\"name\":\"ct\","              \
	"\"status\":\"running\",\"uptime\":5,\"cpu_cores\":4,\"memory_mb\":8192,\"swap_mb\":2048,"  \
	"\"rootfs\":\"local:109\",\"net0\":\"name=eth0\",\"ostype\":\"ubuntu\",\"arch\":\"amd64\"," \
	"\"hostname\":\"web\",\"searchdomain\":\"a.b\",\"nameserver\":\"8.8.8.8\","                 \
	"\"features\":\"nesting=1,keyctl=1\",\"unprivileged\":true,\"protection\":false,"           \
	"\"tags\":\"a;b;c\",\"timezone\":\"UTC\",\"config\":{\"tags\":\"a;b;c\"}}}"

static void assert_has(const struct buf *text, const char *const *members, size_t n)
{
	CLEANUP(buf_done) struct buf plain = {};

	/* PostgreSQL writes a blank behind each colon. */
	for (size_t i = 0; i < text->len; i++)
		if (text->data[i] != ' ')
			buf_addc(&plain, text->data[i]);
	for (size_t i = 0; i < n; i++)
		if (!strstr(buf_str(&plain), members[i]))
			fail_msg("%s: %s", members[i], buf_str(&plain));
}

static void test_container(void **state)
{
	static const char *const both[] = {
		"\"swap_mb\":2048",
		"\"rootfs\":\"local:109\"",
		"\"net0\":\"name=eth0\"",
		"\"ostype\":\"ubuntu\"",
		"\"arch\":\"amd64\"",
		"\"hostname\":\"web\"",
		"\"searchdomain\":\"a.b\"",
		"\"nameserver\":\"8.8.8.8\"",
		"\"features\":\"nesting=1,keyctl=1\"",
		"\"unprivileged\":true",
		"\"protection\":false",
		"\"timezone\":\"UTC\"",
		"\"config\":{\"tags\":\"a;b;c\"}",
	};
	static const char *const old[] = { "\"tags\":\"a,b,c\"", "\"lxc_id\":\"lxc/109\"" };
	CLEANUP(buf_done) struct buf one = {}, list = {};
	struct fixture *f = *state;
	struct err e = {};

	put(f, STORE_NODE, "a1", T, NODE1);
	put(f, STORE_CLUSTER, "a1", T, CLUSTER);
	put(f, STORE_LXC, "a1", T, CONTAINER);
	assert_int_equal(store_one(f->s, "o", STORE_LIST_GUESTS, "name:prod", "109", &one, &e), 0);
	assert_has(&one, both, ARRAY_SIZE(both));
	if (store_nanny_list(f->s, "o", STORE_LXC, NULL, NULL, 1, 20, NULL, &list, &e) < 0)
		fail_msg("%s", e.text);
	assert_has(&list, both, ARRAY_SIZE(both));
	assert_has(&list, old, ARRAY_SIZE(old));
}

/* What was heard before the cluster had a name is its own afterwards, and nothing stays behind. */
static void test_naming(void **state)
{
	struct fixture *f = *state;
	char expected[128];

	put(f, STORE_NODE, "a1", T, NODE1);
	put(f, STORE_QEMU, "a1", T, GUEST("pve1", "running"));
	(void)snprintf(expected, sizeof(expected), "agent:a1|100|/|pve1|running|0|%s\n",
		       truth(true));
	assert_rows(f, GUESTS, expected);
	put(f, STORE_CLUSTER, "a1", T + 1, CLUSTER);
	(void)snprintf(expected, sizeof(expected), "name:prod|100|/|pve1|running|0|%s\n",
		       truth(true));
	assert_rows(f, GUESTS, expected);
	assert_rows(f, "SELECT cluster, name, config_version FROM clusters", "name:prod|prod|7\n");
	assert_rows(f, "SELECT cluster, node FROM nodes", "name:prod|pve1\n");
	assert_rows(f, "SELECT cluster, node FROM node_minutes", "name:prod|pve1\n");
	assert_rows(f, "SELECT cluster, vmid FROM configs", "name:prod|100\n");
}

static void test_moves(void **state)
{
	struct fixture *f = *state;
	char expected[128];

	put(f, STORE_NODE, "a1", T, NODE1);
	put(f, STORE_CLUSTER, "a1", T, CLUSTER);
	put(f, STORE_NODE, "a2", T, NODE2);
	put(f, STORE_CLUSTER, "a2", T, CLUSTER);
	put(f, STORE_QEMU, "a1", T, GUEST("pve1", "running"));
	put(f, STORE_QEMU, "a1", T + 300, GUEST("pve1", "stopped"));
	put(f, STORE_QEMU, "a2", T + 600, GUEST("pve2", "running"));
	put(f, STORE_QEMU, "a2", T + 600, GUEST("pve2", "running"));
	/* From before it moved, by a slow way. */
	put(f, STORE_QEMU, "a1", T + 500, GUEST("pve1", "stopped"));
	(void)snprintf(expected, sizeof(expected), "name:prod|100|/|pve2|running|600|%s\n",
		       truth(true));
	assert_rows(f, GUESTS, expected);
	assert_rows(f, EVENTS,
		    "name:prod|300|guest.stopped|pve1|100\n"
		    "name:prod|600|guest.moved|pve2|100\n"
		    "name:prod|600|guest.started|pve2|100\n");
	assert_rows(f, "SELECT cluster, node FROM nodes ORDER BY 2",
		    "name:prod|pve1\nname:prod|pve2\n");
	assert_int_equal(put_at(f, STORE_QEMU, "a1", T, GUEST("pve2", "running"), NULL), -ENOENT);
}

#define OURS(object) "{\"cluster_uuid\":\"uuid-1\"," object
#define NODE_OURS    "{\"node\":" OURS("\"name\":\"pve1\",\"node_id\":1}}")
#define GUEST_OURS(status)                                                                        \
	"{\"guest\":" OURS("\"vmid\":100,\"node\":\"pve1\",\"name\":\"old\",\"status\":\"" status \
			   "\",\"config\":{\"meta\":\"creation-qemu=8.1,ctime=1700\","            \
			   "\"vmgenid\":\"ab-1\"}}}")

static void ingest(struct fixture *f, uint64_t sequence, int64_t at, bool with_guest)
{
	CLEANUP(buf_done) struct buf body = {};
	struct store_document d = { .org = "o",
				    .agent = "a1",
				    .cluster = "uuid-1",
				    .node = "pve1",
				    .instance = "i1",
				    .sequence = sequence,
				    .collected_at = at,
				    .received_at = at },
			      *list[] = { &d };
	struct err e = {};

	buf_addf(&body,
		 "{\"cluster\":{\"name\":\"new\"},\"quorate\":true,\"complete\":true,"
		 "\"reporter\":true,\"nodes\":[{\"name\":\"pve1\",\"id\":1,\"online\":true}],"
		 "\"vmids\":[[%d,\"qemu\",\"pve1\"]],\"host\":{\"pveversion\":\"9\"},\"guests\":[",
		 with_guest ? 100 : 999);
	if (with_guest)
		buf_adds(&body,
			 "{\"vmid\":100,\"type\":\"qemu\",\"node\":\"pve1\",\"name\":\"new\","
			 "\"status\":\"running\",\"identity\":\"1700/ab-1\",\"digest\":\"d\"}");
	buf_adds(&body, "]}");
	d.body = buf_slice(&body);
	if (store_ingest(f->s, list, 1, &e) < 0 || d.error)
		fail_msg("%s%s", e.text, d.why);
	buf_done(&d.unheard);
}

/* Our own agent says both: documents win, and what NannyAPI's objects say is the same guest. */
static void test_beside_documents(void **state)
{
	static const char *const who = "SELECT name, status, digest, seen_seq FROM " FIXTURE_GUESTS;
	struct fixture *f = *state;
	char expected[128];

	put(f, STORE_NODE, "a1", T, NODE_OURS);
	put(f, STORE_QEMU, "a1", T, GUEST_OURS("stopped"));
	(void)snprintf(expected, sizeof(expected), "uuid-1|100|1700/ab-1|pve1|stopped|0|%s\n",
		       truth(true));
	assert_rows(f, GUESTS, expected);
	ingest(f, 1, T + 60, true);
	assert_rows(f, who, "new|running|d|1\n");
	put(f, STORE_NODE, "a1", T + 90, NODE_OURS);
	put(f, STORE_QEMU, "a1", T + 90, GUEST_OURS("stopped"));
	assert_rows(f, who, "new|running|d|1\n");
	assert_rows(f, "SELECT version, seq FROM nodes", "9|1\n");
	/* Its documents have been silent for long. */
	put(f, STORE_NODE, "a1", T + 1000, NODE_OURS);
	put(f, STORE_QEMU, "a1", T + 1000, GUEST_OURS("stopped"));
	assert_rows(f, who, "old|stopped||-1\n");
	assert_rows(f, EVENTS, "uuid-1|1000|guest.stopped|pve1|100\n");
	ingest(f, 2, T + 1000, true);
	assert_rows(f, who, "new|running|d|2\n");
}

/* A complete list ends it; what was sent before that and came later does not open it again. */
static void test_closed(void **state)
{
	struct fixture *f = *state;
	char expected[128];

	put(f, STORE_NODE, "a1", T, NODE_OURS);
	put(f, STORE_QEMU, "a1", T, GUEST_OURS("running"));
	ingest(f, 1, T + 1000, false);
	(void)snprintf(expected, sizeof(expected), "uuid-1|100|1700/ab-1|pve1|running|0|%s\n",
		       truth(false));
	assert_rows(f, GUESTS, expected);
	put(f, STORE_QEMU, "a1", T + 50, GUEST_OURS("running"));
	assert_rows(f, GUESTS, expected);
	put(f, STORE_NODE, "a1", T + 3000, NODE_OURS);
	put(f, STORE_QEMU, "a1", T + 3000, GUEST_OURS("running"));
	(void)snprintf(expected, sizeof(expected), "uuid-1|100|1700/ab-1|pve1|running|3000|%s\n",
		       truth(true));
	assert_rows(f, GUESTS, expected);
	/* And the next document of the same list as before closes it once more. */
	ingest(f, 2, T + 3060, false);
	(void)snprintf(expected, sizeof(expected), "uuid-1|100|1700/ab-1|pve1|running|3000|%s\n",
		       truth(false));
	assert_rows(f, GUESTS, expected);
}

/* Two agents of one node, as when it registers once more: one member. */
static void test_registered_twice(void **state)
{
	CLEANUP(buf_done) struct buf items = {}, cursor = {};
	struct store_query q = { .org = "o", .list = STORE_LIST_NODES, .limit = 10 };
	struct fixture *f = *state;
	struct err e = {};

	for (int i = 0; i < 2; i++) {
		put(f, STORE_NODE, i ? "b" : "a", T + i, NODE1);
		put(f, STORE_CLUSTER, i ? "b" : "a", T + i, CLUSTER);
		put(f, STORE_NODE, i ? "b" : "a", T + i, NODE1);
	}
	if (store_list(f->s, &q, &items, &cursor, &e) < 0)
		fail_msg("%s", e.text);
	assert_int_equal(number(f, "SELECT count(*) FROM nodes"), 1);
	assert_rows(f, "SELECT agent FROM nodes", "b\n");
}

/* A record that somebody deletes is in no list any more; the same post brings it back. */
static void test_deleted(void **state)
{
	static const char *const rows =
		"SELECT (SELECT count(*) FROM nodes), (SELECT count(*) FROM "
		"guests), (SELECT count(*) FROM configs)";
	struct fixture *f = *state;
	char id[2][STORE_ID_MAX];
	struct err e = {};

	put(f, STORE_CLUSTER, "a1", T, CLUSTER);
	for (int again = 0; again < 2; again++) {
		assert_int_equal(
			store_object(f->s, STORE_NODE, "o", "a1", slice_of(NODE1), T, id[0], &e),
			0);
		assert_int_equal(store_object(f->s, STORE_QEMU, "o", "a1",
					      slice_of(GUEST("pve1", "running")), T, id[1], &e),
				 0);
		assert_rows(f, rows, "1|1|1\n");
		assert_int_equal(store_nanny_delete(f->s, "x", STORE_QEMU, id[1], &e), -ENOENT);
		assert_int_equal(store_nanny_delete(f->s, "o", STORE_NODE, id[1], &e), -ENOENT);
		assert_rows(f, rows, "1|1|1\n");
		assert_int_equal(store_nanny_delete(f->s, "o", STORE_QEMU, id[1], &e), 0);
		assert_rows(f, rows, "1|0|0\n");
		assert_int_equal(store_nanny_delete(f->s, "o", STORE_NODE, id[0], &e), 0);
		assert_rows(f, rows, "0|0|0\n");
		assert_int_equal(store_nanny_delete(f->s, "o", STORE_NODE, id[0], &e), -ENOENT);
	}
}

/* As long as a name may be, in characters of two bytes. */
static void test_long_name(void **state)
{
	CLEANUP(buf_done) struct buf body = {};
	struct fixture *f = *state;

	buf_adds(&body, "{\"cluster\":{\"name\":\"x");
	for (int i = 0; i < 127; i++)
		buf_adds(&body, "\xc3\xa9");
	buf_adds(&body, "\"}}");
	put(f, STORE_NODE, "a1", T, NODE1);
	put(f, STORE_CLUSTER, "a1", T, buf_str(&body));
	put(f, STORE_QEMU, "a1", T, GUEST("pve1", "running"));
	assert_rows(f, "SELECT length(name), length(cluster) FROM clusters", "128|37\n");
	assert_rows(f, "SELECT count(*) FROM guests JOIN nodes ON nodes.cluster = guests.cluster",
		    "1\n");
}

enum { AGENTS = 40 };

/* Posts for many agents: their clusters, or their nodes with a guest. */
static int post_all(const char *where, bool names, int gate)
{
	char agent[16], id[STORE_ID_MAX], c;
	struct store *s = NULL;
	struct err e = {};
	int r = store_open(&s, where, 0, &e);

	(void)!read(gate, &c, 1);
	for (int i = 0; r == 0 && i < AGENTS; i++) {
		(void)snprintf(agent, sizeof(agent), "a%d", i);
		r = store_object(s, names ? STORE_CLUSTER : STORE_NODE, "o", agent,
				 slice_of(names ? CLUSTER : NODE1), T, id, &e);
		if (r == 0 && !names)
			r = store_object(s, STORE_QEMU, "o", agent,
					 slice_of(GUEST("pve1", "running")), T, id, &e);
	}
	if (r < 0)
		print_error("%s\n", e.text);
	store_close(s);
	return r < 0;
}

/* Two hubs, one that hears the name and one that hears the node at that moment: nothing stays
 * behind without a name. */
static void test_named_meanwhile(void **state)
{
	struct fixture *f = *state;
	int gate[2], status;
	pid_t pids[2];

	assert_int_equal(pipe(gate), 0);
	for (int i = 0; i < 2; i++) {
		pids[i] = fork();
		assert_true(pids[i] >= 0);
		if (pids[i] == 0) {
			(void)close(gate[1]);
			_exit(post_all(f->where, i == 0, gate[0]));
		}
	}
	(void)close(gate[0]);
	(void)close(gate[1]);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
		assert_int_equal(status, 0);
	}
	assert_rows(f, "SELECT cluster FROM clusters", "name:prod\n");
	assert_rows(f, "SELECT cluster, node FROM nodes", "name:prod|pve1\n");
	assert_rows(f, "SELECT cluster, vmid FROM guests", "name:prod|100\n");
	assert_rows(f, "SELECT DISTINCT cluster FROM nanny_objects", "name:prod\n");
}

/* An object of a clock that was ahead does not freeze its node until that hour. */
static void a_wrong_clock(void **state)
{
	struct fixture *f = *state;

	put(f, STORE_NODE, "a1", T,
	    "{\"collected_at\":\"2099-01-01T00:00:00Z\",\"node\":{\"name\":\"pve1\",\"pve_version\":\"8\"}}");
	put(f, STORE_CLUSTER, "a1", T,
	    "{\"collected_at\":\"2099-01-01T00:00:00Z\",\"cluster\":{\"name\":\"first\"}}");
	assert_rows(f, "SELECT at - 1795269600, version FROM nodes", "0|8\n");
	put(f, STORE_NODE, "a1", T + 1, "{\"node\":{\"name\":\"pve1\",\"pve_version\":\"9\"}}");
	put(f, STORE_CLUSTER, "a1", T + 1, "{\"cluster\":{\"name\":\"second\"}}");
	assert_rows(f, "SELECT at - 1795269600, version FROM nodes", "1|9\n");
	assert_rows(f, "SELECT cluster FROM nanny_agents_of", "name:second\n");
	/* A clock as clocks are keeps its word. */
	put(f, STORE_NODE, "a1", T + 2,
	    "{\"collected_at\":\"2026-11-21T14:05:02Z\",\"node\":{\"name\":\"pve1\",\"pve_version\":\"9\"}}");
	assert_rows(f, "SELECT max(at) - 1795269600 FROM nodes", "302\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FIXTURE_TEST(test_lists),	    FIXTURE_TEST(test_naming),
		FIXTURE_TEST(test_moves),	    FIXTURE_TEST(test_beside_documents),
		FIXTURE_TEST(test_closed),	    FIXTURE_TEST(test_registered_twice),
		FIXTURE_TEST(test_deleted),	    FIXTURE_TEST(test_long_name),
		FIXTURE_TEST(test_named_meanwhile), FIXTURE_TEST(a_wrong_clock),
		FIXTURE_TEST(test_container),
	};

	return fixture_main(tests, ARRAY_SIZE(tests));
}
