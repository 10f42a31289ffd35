/* SPDX-License-Identifier: AGPL-3.0-or-later */

/* Targets of requests: taken apart, and whom they lead to. */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "hub/route.h"
#include "hub/store.h"

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(takes_targets_apart),
		cmocka_unit_test(refuses_hostile_targets),
		cmocka_unit_test(finds_routes),
		cmocka_unit_test(knows_no_other_paths),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
