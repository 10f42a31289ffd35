/* SPDX-License-Identifier: AGPL-3.0-or-later */

/* Which cluster it is, by its certificate or without one. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "agent/clusterid.h"
#include "authorities.h"

static void test_identity_of_a_cluster(void **state)
{
	char id[CLUSTERID_MAX], other[CLUSTERID_MAX];
	char broken[] = PVE_CA;

	(void)state;
	assert_true(clusterid_of(SLICE(PVE_CA), id));
	assert_string_equal(id, "0d8a1c2e-3b4f-4c5d-8e6f-7a8b9c0d1e2f");
	/* An own authority: a digest, another one for another text. */
	assert_true(clusterid_of(SLICE(OWN_CA), id));
	assert_int_equal(strlen(id), strlen("ca:") + 16);
	assert_int_equal(strncmp(id, "ca:", 3), 0);
	assert_true(clusterid_of(SLICE(OWN_CA "# mine\n"), other));
	assert_string_not_equal(id, other);
	/* What is no certificate is nobody's authority. */
	assert_false(clusterid_of(SLICE(CA_BEGIN "MIIB\n" CA_END), id));
	assert_false(clusterid_of(SLICE("x"), id));
	assert_false(clusterid_of(SLICE(" \n"), id));
	assert_string_equal(id, "");
	assert_true(clusterid_without_ca("", "prod", "0123", id));
	assert_string_equal(id, "name:prod");
	assert_true(clusterid_without_ca("", "", "0123", id));
	assert_string_equal(id, "node:0123");
	assert_false(clusterid_without_ca("", NULL, "0123", id));
	assert_string_equal(id, "");
	assert_true(clusterid_without_ca("name:prod", NULL, "0123", id));
	assert_string_equal(id, "name:prod");
	assert_true(clusterid_without_ca("node:0123", "prod", "0123", id));
	assert_string_equal(id, "name:prod");
	/* A file that is away for a moment makes no second cluster. */
	assert_true(clusterid_without_ca("ca:00112233", "prod", "0123", id));
	assert_string_equal(id, "ca:00112233");
	/* A file that is half there is another cluster at no length; whatever is flipped, nothing
	 * else is read. */
	for (size_t i = 0; i < sizeof(broken) - 1; i++) {
		char kept = broken[i];

		if (clusterid_of((struct slice){ broken, i + 1 }, id))
			assert_string_equal(id, "0d8a1c2e-3b4f-4c5d-8e6f-7a8b9c0d1e2f");
		broken[i] = (char)(kept ^ 0x11);
		(void)clusterid_of((struct slice){ broken, sizeof(broken) - 1 }, id);
		broken[i] = kept;
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_identity_of_a_cluster),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
