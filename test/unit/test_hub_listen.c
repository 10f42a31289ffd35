/* SPDX-License-Identifier: AGPL-3.0-or-later */

/* Who is at the other end, with proxies in between. */

#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "hub/listen.h"

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_proxy_writes_at_the_end),
		cmocka_unit_test(strangers_forward_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
