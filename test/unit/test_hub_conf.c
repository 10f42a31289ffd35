/* SPDX-License-Identifier: AGPL-3.0-or-later */

/* The hub's section of the configuration. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "hub/conf.h"

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_its_section),
		cmocka_unit_test(knows_addresses),
		cmocka_unit_test(shows_no_password),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
