/* SPDX-License-Identifier: AGPL-3.0-or-later */

/* Which arrays of a pod the kernel joins over NVMe. */

#include "array/subsystem.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define A "nqn.2010-06.com.purestorage:flasharray.a"
#define B "nqn.2010-06.com.purestorage:flasharray.b"
#define TCP(of)                                        \
	{                                              \
		.nqn = (of), .portal = "10.0.0.1:4420" \
	}
#define ISCSI                                                                                \
	{                                                                                    \
		.iqn = "iqn.2010-06.com.purestorage:flasharray.a", .portal = "10.0.0.1:3260" \
	}
#define FC(of)                                                \
	{                                                     \
		.nqn = (of), .wwn = "52:4A:93:70:00:00:00:01" \
	}

static void arrays_of_a_pod(void **state)
{
	static const struct {
		struct fa_port ports[2][2];
		size_t n[2];
		bool differ;
	} rows[] = {
		{ { { TCP(A) }, { TCP(B) } }, { 1, 1 }, true },
		{ { { TCP(A) }, { TCP(A) } }, { 1, 1 }, false },
		{ { { ISCSI, TCP(A) }, { ISCSI, TCP(B) } }, { 2, 2 }, true },
		{ { { TCP(A), TCP(B) }, { TCP(B) } }, { 2, 1 }, false },
		/* No port, none of NVMe, none of TCP: nothing is known. */
		{ { { TCP(A) } }, { 1, 0 }, false },
		{ { { TCP(A) }, { ISCSI } }, { 1, 1 }, false },
		{ { { TCP(A) }, { FC(B) } }, { 1, 1 }, false },
		{ { { TCP(A) }, { TCP("") } }, { 1, 1 }, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct fa_ports arrays[2];
		const char *nqn[2];
		struct err e = {};

		for (size_t k = 0; k < 2; k++)
			arrays[k] = (struct fa_ports){ (struct fa_port *)rows[i].ports[k],
						       rows[i].n[k] };
		assert_int_equal(subsystems_differ(arrays, 2, nqn), rows[i].differ);
		assert_int_equal(subsystems_check("pure", arrays, 2, &e),
				 rows[i].differ ? -ENOTSUP : 0);
		if (rows[i].differ) {
			assert_non_null(strstr(e.text, A));
			assert_non_null(strstr(e.text, B));
			assert_non_null(strstr(e.text, "protocol iscsi or fc"));
		}
		assert_false(subsystems_differ(arrays, 1, nqn));
		assert_false(subsystems_differ(arrays, 0, nqn));
	}
}

/* Names of the greatest length leave room for the remedy. */
static void long_names(void **state)
{
	char name[2][224];
	struct fa_port ports[2];
	struct fa_ports arrays[2];
	struct err e = {};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		memset(name[i], i ? 'b' : 'a', sizeof(name[i]) - 1);
		name[i][sizeof(name[i]) - 1] = '\0';
		ports[i] = (struct fa_port)TCP(name[i]);
		arrays[i] = (struct fa_ports){ &ports[i], 1 };
	}
	assert_int_equal(subsystems_check("a-storage-with-a-name", arrays, 2, &e), -ENOTSUP);
	assert_non_null(strstr(e.text, SUBSYSTEM_REMEDY));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(arrays_of_a_pod),
		cmocka_unit_test(long_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
