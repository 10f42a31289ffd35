/* SPDX-License-Identifier: AGPL-3.0-or-later */

/* The hub's parts that need neither a server nor a database. */

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "hub/budget.h"
#include "hub/conf.h"
#include "hub/etag.h"
#include "hub/hold.h"
#include "hub/limit.h"
#include "hub/listen.h"
#include "hub/pool.h"
#include "hub/queue.h"
#include "hub/retain.h"
#include "hub/route.h"
#include "hub/store.h"

/* --- targets and routes -------------------------------------------------------------------- */

static void takes_targets_apart(void **state)
{
	struct target t;

	(void)state;
	assert_int_equal(target_parse(SLICE("/a/b%2Fc/%C3%A4?x=1+2&y&x=3&%3D=%26"), &t), 0);
	assert_string_equal(t.path, "/a/b/c/ä");
	assert_int_equal(t.n_segments, 3);
	assert_string_equal(t.segments[1], "b/c");
	assert_string_equal(t.segments[2], "ä");
	assert_string_equal(target_param(&t, "x"), "1 2");
	assert_string_equal(target_param(&t, "y"), "");
	assert_string_equal(target_param(&t, "="), "&");
	assert_null(target_param(&t, "z"));
	target_done(&t);
	assert_int_equal(target_parse(SLICE("http://host:80/p?q=1"), &t), 0);
	assert_string_equal(t.path, "/p");
	target_done(&t);
}

static void refuses_hostile_targets(void **state)
{
	static const char *const bad[] = {
		"",	      "*",     "a",	   "/%",    "/%0",	 "/%zz",    "/%00",
		"/a%0Ab",     "/\x01", "/%ff",	   "/\xff", "/%C3",	 "/?a=%00", "/?%ff=1",
		"/?a=%C0%AF", "http:", "http://x", "/%7f",  "/%ED%A0%80"
	};
	char deep[64] = "", many[256] = "/?";
	struct target t;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_int_equal(target_parse(slice_of(bad[i]), &t), -EINVAL);
		assert_string_equal(t.path, "");
		target_done(&t);
	}
	for (int i = 0; i <= TARGET_SEGMENTS; i++)
		strcat(deep, "/x");
	assert_int_equal(target_parse(slice_of(deep), &t), -EINVAL);
	target_done(&t);
	for (int i = 0; i <= TARGET_PARAMS; i++)
		strcat(many, "a=1&");
	assert_int_equal(target_parse(slice_of(many), &t), -EINVAL);
	target_done(&t);
}

static int route(const char *method, const char *target, struct route_match *m, struct target *t)
{
	int r = target_parse(slice_of(target), t);

	return r ? r : route_find(method, t, m);
}

static void finds_routes(void **state)
{
	struct route_match m;
	struct target t;

	(void)state;
	assert_int_equal(route("GET", "/api/v1/clusters/x%2Fy/guests/100/history", &m, &t), 0);
	assert_int_equal(m.route->id, ROUTE_HISTORY);
	assert_int_equal(m.route->detail, STORE_LIST_GUESTS);
	assert_string_equal(m.captures[0], "x/y");
	assert_string_equal(m.captures[1], "100");
	target_done(&t);
	assert_int_equal(route("HEAD", "/healthz", &m, &t), 0);
	target_done(&t);
	assert_int_equal(route("PUT", "/login", &m, &t), -EOPNOTSUPP);
	assert_string_equal(m.allow, "GET, HEAD, POST");
	target_done(&t);
	/* One path, told apart by the method. */
	assert_int_equal(route("POST", "/api/proxmox/lxc", &m, &t), 0);
	assert_int_equal(m.route->id, ROUTE_OBJECT);
	target_done(&t);
	assert_int_equal(route("GET", "/api/proxmox/lxc", &m, &t), 0);
	assert_int_equal(m.route->id, ROUTE_NANNY_LIST);
	target_done(&t);
}

static void knows_no_other_paths(void **state)
{
	static const char *const none[] = { "/",
					    "/healthz/",
					    "//healthz",
					    "/Healthz",
					    "/healthz2",
					    "/health",
					    "/api/v1/clusters/",
					    "/api/v1/clusters//nodes/x",
					    "/api/v1/clusters/a/b/c",
					    "/api/v1",
					    "/../healthz",
					    "/./healthz",
					    "/api%2Fv1/clusters" };
	struct route_match m;
	struct target t;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(none); i++) {
		assert_int_equal(route("GET", none[i], &m, &t), -ENOENT);
		target_done(&t);
	}
}

/* --- limits -------------------------------------------------------------------------------- */

static void limits_a_rate(void **state)
{
	const struct limit_rate rate = { 3, 2 };
	struct limit *l = limit_new(64);
	unsigned int wait = 0;

	(void)state;
	for (int i = 0; i < 3; i++)
		assert_true(limit_take(l, "a", rate, 1000, &wait));
	assert_false(limit_take(l, "a", rate, 1000, &wait));
	assert_int_equal(wait, 1);
	assert_true(limit_take(l, "b", rate, 1000, &wait));
	assert_false(limit_take(l, "a", rate, 1499, &wait));
	assert_true(limit_take(l, "a", rate, 1500, &wait));
	assert_false(limit_take(l, "a", rate, 1500, &wait));
	/* A clock that goes back gives nothing, one that leaps no more than a bucket. */
	assert_false(limit_take(l, "a", rate, 0, &wait));
	for (int i = 0; i < 3; i++)
		assert_true(limit_take(l, "a", rate, INT64_MAX / 4, &wait));
	assert_false(limit_take(l, "a", rate, INT64_MAX / 4, &wait));
	for (int i = 0; i < 100; i++)
		assert_true(limit_take(l, "a", (struct limit_rate){}, 1, &wait));
	limit_free(l);
}

static void strangers_cost_no_memory(void **state)
{
	const struct limit_rate rate = { 1, 1 };
	struct limit *l = limit_new(8);
	unsigned int wait;

	(void)state;
	for (int i = 0; i < 1000; i++) {
		char name[16];

		(void)snprintf(name, sizeof(name), "n%d", i);
		assert_true(limit_take(l, name, rate, 1000 + i, &wait));
	}
	/* The one asked for last is still there. */
	assert_false(limit_take(l, "n999", rate, 1999, &wait));
	limit_free(l);
}

static void an_org_leaves_room(void **state)
{
	struct budget *b = budget_new(100, 60);

	(void)state;
	assert_true(budget_take(b, "a", 60));
	assert_false(budget_take(b, "a", 1));
	assert_true(budget_take(b, "b", 40));
	assert_false(budget_take(b, "c", 1));
	budget_give(b, "a", 60);
	assert_true(budget_take(b, "c", 60));
	assert_int_equal(budget_used(b), 100);
	/* What nobody took cannot be given back. */
	budget_give(b, "a", 1);
	assert_int_equal(budget_used(b), 100);
	budget_give(b, "b", 40);
	budget_give(b, "c", 60);
	assert_int_equal(budget_used(b), 0);
	budget_free(b);
}

/* --- the queue ----------------------------------------------------------------------------- */

static void serves_orgs_in_turn(void **state)
{
	static const char *const orgs[] = { "a", "a", "a", "a", "b", "c", "b" };
	static const char expected[] = "abcabaa";
	struct queue_item items[ARRAY_SIZE(orgs)] = {}, *got[8];
	struct queue *q = queue_new();

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(orgs); i++) {
		items[i] = (struct queue_item){ .org = orgs[i], .bytes = 10 };
		assert_int_equal(queue_put(q, &items[i]), 0);
	}
	assert_int_equal(queue_length(q), 7);
	assert_int_equal(queue_take(q, got, 2, 1000), 2);
	assert_int_equal(queue_take(q, got + 2, 8 - 2, 1000), 5);
	for (size_t i = 0; i < 7; i++)
		assert_int_equal(got[i]->org[0], expected[i]);
	/* Within an org the order stays. */
	assert_ptr_equal(got[0], &items[0]);
	assert_ptr_equal(got[3], &items[1]);
	assert_ptr_equal(got[6], &items[3]);
	queue_free(q);
}

static void bounds_a_batch(void **state)
{
	struct queue_item items[3] = { { .org = "a", .bytes = 100 },
				       { .org = "a", .bytes = 50 },
				       { .org = "a", .bytes = 50 } },
			  *got[3];
	struct queue *q = queue_new();

	(void)state;
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(queue_put(q, &items[i]), 0);
	/* The first goes whatever its size. */
	assert_int_equal(queue_take(q, got, 3, 60), 1);
	assert_int_equal(queue_take(q, got, 3, 100), 2);
	queue_stop(q);
	assert_int_equal(queue_put(q, &items[0]), -ESHUTDOWN);
	assert_int_equal(queue_take(q, got, 3, 100), 0);
	queue_free(q);
}

enum { PRODUCERS = 4, EACH = 5000 };

struct producer {
	struct queue *q;
	char org[2];
	struct queue_item items[EACH];
};

static void *produce(void *arg)
{
	struct producer *p = arg;

	for (size_t i = 0; i < EACH; i++) {
		p->items[i] = (struct queue_item){ .org = p->org, .bytes = i };
		assert_int_equal(queue_put(p->q, &p->items[i]), 0);
	}
	return NULL;
}

static void threads_lose_nothing(void **state)
{
	static struct producer producers[PRODUCERS];
	struct queue *q = queue_new();
	pthread_t threads[PRODUCERS];
	size_t seen[PRODUCERS] = {}, sum = 0;

	(void)state;
	for (size_t i = 0; i < PRODUCERS; i++) {
		producers[i].q = q;
		producers[i].org[0] = (char)('a' + i);
		assert_int_equal(pthread_create(&threads[i], NULL, produce, &producers[i]), 0);
	}
	while (sum < (size_t)PRODUCERS * EACH) {
		struct queue_item *got[16];
		size_t n = queue_take(q, got, 16, SIZE_MAX / 2);

		for (size_t i = 0; i < n; i++)
			assert_int_equal(got[i]->bytes, seen[got[i]->org[0] - 'a']++);
		sum += n;
	}
	for (size_t i = 0; i < PRODUCERS; i++)
		(void)pthread_join(threads[i], NULL);
	queue_free(q);
}

/* --- the pool ------------------------------------------------------------------------------ */

struct job {
	struct pool_job job;
	pthread_mutex_t *lock;
	char **log;	     /* who ran, a letter each */
	int *running, *most; /* of this kind, at the same time */
	int *left;
};

static void run_one(struct pool_job *job, struct store *s)
{
	struct job *j = (struct job *)job;
	static const struct timespec pause = { .tv_nsec = 2000000 };
	bool has_store = s != NULL;

	(void)pthread_mutex_lock(j->lock);
	if (++*j->running > *j->most)
		*j->most = *j->running;
	*(*j->log)++ = has_store ? job->queue.org[0] : '-';
	(void)pthread_mutex_unlock(j->lock);
	(void)nanosleep(&pause, NULL);
	(void)pthread_mutex_lock(j->lock);
	--*j->running;
	--*j->left;
	(void)pthread_mutex_unlock(j->lock);
}

static void make_store(char where[64])
{
	struct store *s;
	struct err e = {};

	(void)snprintf(where, 64, "/tmp/test-hub-parts-XXXXXX");
	assert_non_null(mkdtemp(where));
	strcat(where, "/hub.db");
	assert_int_equal(store_open(&s, where, STORE_CREATE | STORE_ANY_VERSION, &e), 0);
	assert_int_equal(store_migrate(s, NULL, NULL, &e), 0);
	store_close(s);
}

static void remove_store(char where[64])
{
	static const char *const ends[] = { "", "-wal", "-shm" };
	char path[80];

	for (size_t i = 0; i < ARRAY_SIZE(ends); i++) {
		(void)snprintf(path, sizeof(path), "%s%s", where, ends[i]);
		(void)unlink(path);
	}
	*strrchr(where, '/') = '\0';
	(void)rmdir(where);
}

/* Runs @n jobs of @kind of orgs "a", and one of "b" at the end; returns how many ran at once. */
static int run_jobs(const char *where, enum pool_kind kind, size_t threads, int n, char log[64])
{
	pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	struct job jobs[64] = {};
	int running = 0, most = 0, left = n + 1;
	char *at = log;
	struct pool *p;
	struct err e = {};

	memset(log, 0, 64);
	assert_int_equal(pool_start(&p, where, threads, &e), 0);
	for (int i = 0; i <= n; i++) {
		jobs[i] = (struct job){
			.lock = &lock, .log = &at, .running = &running, .most = &most, .left = &left
		};
		jobs[i].job = (struct pool_job){ .kind = kind,
						 .run = run_one,
						 .queue.org = i < n ? "a" : "b" };
		assert_int_equal(pool_put(p, &jobs[i].job), 0);
	}
	pool_end(p);
	assert_int_equal(pool_put(p, &jobs[0].job), -ESHUTDOWN);
	pool_free(p);
	assert_int_equal(left, 0);
	return most;
}

static void the_pool_serves_in_turn(void **state)
{
	char where[64], log[64];

	(void)state;
	make_store(where);
	(void)run_jobs(where, POOL_WORK, 1, 30, log);
	assert_null(strchr(log, '-'));
	assert_true(strchr(log, 'b') - log < 4);
	assert_in_range(run_jobs(where, POOL_WORK, 4, 30, log), 1, 4);
	assert_int_equal(run_jobs(where, POOL_LOGIN, 4, 10, log), 1);
	assert_in_range(run_jobs(where, POOL_READ, 4, 30, log), 1, 3);
	remove_store(where);
}

static void without_a_database_all_are_answered(void **state)
{
	char log[64];

	(void)state;
	(void)run_jobs("/nowhere/hub.db", POOL_WORK, 2, 20, log);
	assert_int_equal(strspn(log, "-"), 21);
	(void)run_jobs("/nowhere/hub.db", POOL_ADMIT, 2, 20, log);
	assert_int_equal(strspn(log, "-"), 21);
}

static void a_store_opens_again_at_once(void **state)
{
	struct hold hold = {};
	struct err e = {};
	char where[64];

	(void)state;
	make_store(where);
	hold.where = where;
	assert_non_null(hold_get(&hold, &e));
	assert_false(store_is_lost(hold.store));
	hold.tried_ms -= 1001;
	hold_failed(&hold, "test");
	assert_non_null(hold_get(&hold, &e));
	hold_failed(&hold, "test");
	assert_null(hold_get(&hold, &e));
	hold_done(&hold);
	remove_store(where);
}

/* --- the configuration --------------------------------------------------------------------- */

static void reads_its_section(void **state)
{
	CLEANUP(arena_done) struct arena a = {};
	CLEANUP(diags_done) struct diags diags = { .arena = &a };
	struct hub_conf c;

	(void)state;
	hub_conf_default(&c);
	hub_conf_read(&c,
		      SLICE("[watch]\ntag = x\n[hub]\nlisten = [::]:443\ntoken_rate = 5 1/s\n"
			    "org_rate = off\nworkers = 0\nlisten = nowhere\ntoken_rate = 5\n"
			    "memory_mib = 128\nnope = 1\n"),
		      "f", &a, &diags);
	assert_string_equal(c.listen, "[::]:443");
	assert_int_equal(c.token_rate.burst, 5);
	assert_int_equal(c.token_rate.per_second, 1);
	assert_int_equal(c.org_rate.burst, 0);
	assert_int_equal(c.memory_mib, 128);
	assert_int_equal(c.workers, 4);
	assert_int_equal(diags.n, 4);
	assert_int_equal(diags.items[0].line, 7);
}

static void knows_addresses(void **state)
{
	static const char *const bad[] = { "",	     "127.0.0.1",  "127.0.0.1:",  "127.0.0.1:x",
					   "::1:80", "[::1]",	   "[::1]:70000", "host:80",
					   ":80",    "1.2.3.4:-1", "[1.2.3.4]:80" };
	char address[64];
	uint16_t port;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_false(hub_conf_split_listen(bad[i], address, &port));
	assert_true(hub_conf_split_listen("[fe80::1]:8480", address, &port));
	assert_string_equal(address, "fe80::1");
	assert_int_equal(port, 8480);
}

static void shows_no_password(void **state)
{
	char shown[256];

	(void)state;
	assert_string_equal(hub_conf_db_shown("postgresql://u:p@ss@host/db?password=x", shown),
			    "postgresql://host/db");
	assert_string_equal(hub_conf_db_shown("/var/lib/x/hub.db", shown), "/var/lib/x/hub.db");
}

/* --- what stands for an answer --------------------------------------------------------------- */

static bool same_tag(const char *a, const char *b, unsigned int ages)
{
	char one[ETAG_MAX], two[ETAG_MAX];

	etag_of(slice_of(a), ages, one);
	etag_of(slice_of(b), ages, two);
	assert_int_equal(ages > 0, one[0] == 'W');
	return strcmp(one, two) == 0;
}

static void ages_do_not_count(void **state)
{
	(void)state;
	assert_true(same_tag("{\"a\":1,\"age\":5,\"b\":2}", "{\"a\":1,\"age\":-66,\"b\":2}", 1));
	assert_false(same_tag("{\"a\":1,\"age\":5,\"b\":2}", "{\"a\":1,\"age\":5,\"b\":3}", 1));
	assert_false(same_tag("{\"age\":null}", "{\"age\":5}", 1));
	assert_false(same_tag("{\"age\":5}", "{\"age\":6}", 0));
	assert_true(same_tag("{\"age\":5}", "{\"age\":5}", 0));
	assert_true(same_tag("{\"items\": [{\"age\" : 5},{\"age\" : 7}]}",
			     "{\"items\": [{\"age\" : 6},{\"age\" : 80}]}", 3));
	/* Not the ages that a document tells of, nor what a text has. */
	assert_false(same_tag("{\"items\": [{\"d\":{\"age\":5}}]}",
			      "{\"items\": [{\"d\":{\"age\":6}}]}", 3));
	assert_false(same_tag("{\"n\":\"\\\"age\\\":5\"}", "{\"n\":\"\\\"age\\\":6\"}", 1));
	assert_false(same_tag("{\"n\":\"[{\",\"age\":5}", "{\"n\":\"[{\",\"age\":6}", 3));
	assert_true(same_tag("{\"n\":\"[{\\\\\",\"age\":5}", "{\"n\":\"[{\\\\\",\"age\":6}", 1));
	/* Cut off anywhere, nothing is read behind the end. */
	for (size_t n = 0; n < 24; n++) {
		char *text = test_malloc(n + 1), tag[ETAG_MAX];

		memcpy(text, "{\"a\\\":[\"x\",\"age\" :  -7}", n);
		etag_of((struct slice){ text, n }, 1, tag);
		assert_int_equal(strlen(tag), 36);
		test_free(text);
	}
}

static void tags_are_compared(void **state)
{
	(void)state;
	assert_true(etag_matches("\"a\"", "\"a\""));
	assert_true(etag_matches("W/\"a\"", "\"a\""));
	assert_true(etag_matches("\"a\"", "W/\"a\""));
	assert_true(etag_matches("\"x\", W/\"a\" ,\"b\"", "W/\"a\""));
	assert_true(etag_matches("*", "W/\"a\""));
	assert_false(etag_matches("\"b\"", "\"a\""));
	assert_false(etag_matches("a", "\"a\""));
	assert_false(etag_matches("", "\"a\""));
}

/* --- who is at the other end --------------------------------------------------------------- */

static struct request peer_of(const char *address, bool tls, const char *const lines[][2],
			      const char *trusted)
{
	struct sockaddr_in in = { .sin_family = AF_INET };
	struct listen_said said = {};
	struct request r = {};

	assert_int_equal(inet_pton(AF_INET, address, &in.sin_addr), 1);
	for (; (*lines)[0]; lines++)
		listen_header(&said, (*lines)[0], (*lines)[1]);
	listen_peer((const struct sockaddr *)&in, tls, &said, trusted, &r);
	return r;
}

#define LINES(...) ((const char *const[][2]){ __VA_ARGS__ __VA_OPT__(, ){ NULL, NULL } })

static void a_proxy_writes_at_the_end(void **state)
{
	struct request r = peer_of("127.0.0.1", false, LINES(), NULL);

	(void)state;
	assert_true(r.local && r.secure);
	r = peer_of("127.0.0.1", false,
		    LINES({ "x-forwarded-for", "127.0.0.1" },
			  { "X-Forwarded-For", "192.0.2.1, 198.51.100.7" },
			  { "X-Forwarded-Proto", "https" }, { "X-Forwarded-Proto", "http" }),
		    NULL);
	assert_string_equal(r.peer, "198.51.100.7");
	assert_false(r.local || r.secure);
	r = peer_of("127.0.0.1", false,
		    LINES({ "X-Forwarded-For", "::1" }, { "X-Forwarded-Proto", "http, HTTPS" }),
		    NULL);
	assert_string_equal(r.peer, "::1");
	assert_true(!r.local && r.secure);
	r = peer_of("127.0.0.1", false, LINES({ "X-Forwarded-For", "127.0.0.1, " }), NULL);
	assert_string_equal(r.peer, "unknown");
	assert_false(r.local || r.secure);
	r = peer_of("127.0.0.1", true, LINES({ "Forwarded", "for=127.0.0.1" }), NULL);
	assert_string_equal(r.peer, "unknown");
	assert_false(r.local || r.secure);
}

static void strangers_forward_nothing(void **state)
{
	const char *const(*lines)[2] =
		LINES({ "X-Forwarded-For", "127.0.0.1" }, { "X-Forwarded-Proto", "https" });
	struct request r = peer_of("192.0.2.9", false, lines, "192.0.2.8 ::1");

	(void)state;
	assert_string_equal(r.peer, "192.0.2.9");
	assert_false(r.local || r.secure);
	assert_true(peer_of("192.0.2.9", true, lines, NULL).secure);
	/* A proxy elsewhere speaks for others, but not over plain http. */
	r = peer_of("192.0.2.9", true, lines, "192.0.2.8 192.0.2.9");
	assert_string_equal(r.peer, "127.0.0.1");
	assert_true(!r.local && r.secure);
	assert_false(peer_of("192.0.2.9", false, lines, "192.0.2.9").secure);
	assert_true(listen_are_addresses("192.0.2.9  2001:db8::1 "));
	assert_false(listen_are_addresses("192.0.2.0/24"));
}

/* What is old goes by the clock: a hub that began with a wrong one, or whose clock leapt, must not
 * take away tokens and history before somebody has set it. */
static void a_clock_that_leaps(void **state)
{
	enum { DAY = 86400, START = 1795269600 };
	struct retain_clock c = {};

	(void)state;
	assert_false(retain_believes(&c, START, 5000));
	assert_false(retain_believes(&c, START + 60, 65000));
	assert_true(retain_believes(&c, START + RETAIN_BELIEVE_S, 5000 + RETAIN_BELIEVE_S * 1000));
	/* It is slewed, an hour in all. */
	for (int i = 1; i <= 60; i++)
		assert_true(retain_believes(&c, START + RETAIN_BELIEVE_S + i * 120,
					    5000 + (RETAIN_BELIEVE_S + i * 60) * 1000ll));
	assert_false(retain_believes(&c, START + 33 * DAY, 5000 + 2 * 3600 * 1000ll));
	assert_false(retain_believes(&c, START + 33 * DAY + 60, 65000 + 2 * 3600 * 1000ll));
	/* Back again: that is a leap as well. */
	assert_false(retain_believes(&c, START + 3 * 3600, 5000 + 3 * 3600 * 1000ll));
	assert_true(retain_believes(&c, START + 4 * 3600, 5000 + 4 * 3600 * 1000ll));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_clock_that_leaps),
		cmocka_unit_test(takes_targets_apart),
		cmocka_unit_test(refuses_hostile_targets),
		cmocka_unit_test(finds_routes),
		cmocka_unit_test(knows_no_other_paths),
		cmocka_unit_test(limits_a_rate),
		cmocka_unit_test(strangers_cost_no_memory),
		cmocka_unit_test(an_org_leaves_room),
		cmocka_unit_test(serves_orgs_in_turn),
		cmocka_unit_test(bounds_a_batch),
		cmocka_unit_test(threads_lose_nothing),
		cmocka_unit_test(reads_its_section),
		cmocka_unit_test(knows_addresses),
		cmocka_unit_test(shows_no_password),
		cmocka_unit_test(ages_do_not_count),
		cmocka_unit_test(tags_are_compared),
		cmocka_unit_test(a_proxy_writes_at_the_end),
		cmocka_unit_test(strangers_forward_nothing),
		cmocka_unit_test(the_pool_serves_in_turn),
		cmocka_unit_test(without_a_database_all_are_answered),
		cmocka_unit_test(a_store_opens_again_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
