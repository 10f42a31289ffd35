/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "array/initiator.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "test_pve_tree.h"

static void node_make(struct tree *t)
{
	tree_make(t);
	tree_write(
		t, "etc/iscsi/initiatorname.iscsi",
		"## DO NOT EDIT\n#InitiatorName=iqn.old\nInitiatorName=iqn.1993-08.org.debian:01:abc\n");
	tree_write(t, "etc/nvme/hostnqn", "nqn.2014-08.org.nvmexpress:uuid:1\n");
	tree_write(t, "sys/class/fc_host/host7/port_name", "0x21000024ff000001\n");
}

static void each_transport_has_its_names(void **state)
{
	struct initiators own;
	struct tree t;

	(void)state;
	node_make(&t);
	initiators_read(&t.root, ARRAY_ISCSI, &own);
	assert_int_equal(own.n, 1);
	assert_string_equal(own.names[0], "iqn.1993-08.org.debian:01:abc");
	initiators_read(&t.root, ARRAY_NVME_TCP, &own);
	assert_int_equal(own.n, 1);
	assert_string_equal(own.names[0], "nqn.2014-08.org.nvmexpress:uuid:1");
	initiators_read(&t.root, ARRAY_FC, &own);
	assert_int_equal(own.n, 1);
	assert_string_equal(own.names[0], "21000024ff000001");
	tree_done(&t);
	tree_make(&t);
	initiators_read(&t.root, ARRAY_FC, &own);
	assert_int_equal(own.n, 0);
	tree_done(&t);
}

static void one_name_is_written_in_several_ways(void **state)
{
	(void)state;
	assert_true(initiator_same("21:00:00:24:FF:00:00:01", "21000024ff000001"));
	assert_true(initiator_same("0x21000024ff000001", "21:00:00:24:FF:00:00:01"));
	assert_true(
		initiator_same("IQN.1993-08.org.debian:01:ABC", "iqn.1993-08.org.debian:01:abc"));
	assert_false(
		initiator_same("iqn.1993-08.org.debian:01:abc", "iqn.1993-08.org.debian01:abc"));
	assert_false(initiator_same("21000024ff000001", "21000024ff000002"));
	assert_false(initiator_same("21000024ff000001", "21000024ff00000"));
	assert_false(initiator_same("", "a"));
}

static void check(const struct fa_host *host, const char *group, const char *expected)
{
	CLEANUP(buf_done) struct buf text = {};
	struct initiators own;
	struct tree t;

	node_make(&t);
	initiators_read(&t.root, ARRAY_ISCSI, &own);
	initiators_judge(&own, "pve1", group, host, &text);
	if (expected)
		assert_non_null(strstr(buf_str(&text), expected));
	else
		assert_int_equal(text.len, 0);
	tree_done(&t);
}

static void remedies_can_be_typed_as_they_are(void **state)
{
	const char *good[] = { "iqn.x", "IQN.1993-08.org.debian:01:abc" }, *bad[] = { "iqn.x" };
	struct fa_host host = { .name = "pve1", .iqns = good, .n_iqns = 2 };

	(void)state;
	check(&host, NULL, NULL);
	check(NULL, NULL, "purehost create --iqnlist iqn.1993-08.org.debian:01:abc pve1");
	host.iqns = bad;
	host.n_iqns = 1;
	check(&host, NULL, "purehost setattr --addiqnlist iqn.1993-08.org.debian:01:abc pve1");
	host.iqns = good;
	host.n_iqns = 2;
	check(&host, "cluster", "purehgroup setattr --addhostlist pve1 cluster");
	host.host_group = "cluster";
	check(&host, "cluster", NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_transport_has_its_names),
		cmocka_unit_test(one_name_is_written_in_several_ways),
		cmocka_unit_test(remedies_can_be_typed_as_they_are),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
