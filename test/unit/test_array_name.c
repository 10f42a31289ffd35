/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Names both ways, and the storage's section. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include <errno.h>

#include "array/name.h"

#define TOKEN "11111111-2222-3333-4444-555555555555"

static struct array_conf conf_of(const char *text, const char *secrets, struct arena *a,
				 struct diags *diags, int *ret, struct err *e)
{
	struct array_conf c = {};
	json_t *config = NULL, *secret = NULL;

	assert_int_equal(json_parse(slice_of(text), "test", &config, NULL), 0);
	if (secrets)
		assert_int_equal(json_parse(slice_of(secrets), "test", &secret, NULL), 0);
	*ret = array_conf_read(&c, "pure", config, secret, "pve1", a, diags, e);
	json_decref(config);
	json_decref(secret);
	return c;
}

static void test_suffix(void **state)
{
	static const char *const pairs[][2] = {
		/* as the old plugin made them */
		{ "daily", "snap-daily" },
		{ "before-update", "snap-before-update" },
		{ "a--b", "snap-a--b" },
		{ "foo--e", "snap-foo--e" },
		{ "veeam_2026-01", "veeam-2026-01" },
		{ "veeam-2026-01", "snap-veeam-2026-01" },
		/* those that the array refused to it */
		{ "before_update", "snap--before-uupdate" },
		{ "a_b-c", "snap--a-ub-mc" },
		{ "ends-", "snap--ends-m" },
		{ "veeam_a_b", "snap--veeam-ua-ub" },
		{ "veeam_", "snap--veeam-u" },
	};
	CLEANUP(arena_done) struct arena a = {};
	char suffix[80];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(pairs); i++) {
		assert_int_equal(array_suffix_of(pairs[i][0], suffix, NULL), 0);
		assert_string_equal(suffix, pairs[i][1]);
		assert_string_equal(array_snap_of(suffix, &a), pairs[i][0]);
	}
}

static void test_suffix_none(void **state)
{
	static const char *const none[] = { "daily",	"snap-",  "snap--plain", "snap--a-x",
					    "snap-a_b", "veeam-", "veeam-a_b",	 "" };
	CLEANUP(arena_done) struct arena a = {};
	struct err e = {};
	char suffix[80];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(none); i++)
		assert_null(array_snap_of(none[i], &a));
	assert_int_equal(array_suffix_of("a.b", suffix, &e), -EINVAL);
	assert_int_equal(array_suffix_of("", suffix, &e), -EINVAL);
	assert_int_equal(array_suffix_of("________________________________________", suffix, &e),
			 -ENAMETOOLONG);
	assert_non_null(strstr(e.text, "86 characters"));
}

static void test_volname(void **state)
{
	static const char *const bad[] = { "vm-100",
					   "vm-100-",
					   "vm--disk-0",
					   "vm-0100-disk-0",
					   "vm-100-disk 0",
					   "vm-100-a/b",
					   "vm-100-a.b",
					   "vm-100-a::b",
					   "tmp-100-x",
					   "vm-99999999999-disk-0",
					   "",
					   "v" };
	struct array_volname v;

	(void)state;
	assert_true(array_volname_parse("vm-100-disk-0", &v));
	assert_false(v.base);
	assert_int_equal(v.vmid, 100);
	assert_string_equal(v.rest, "disk-0");
	assert_true(array_volname_parse("base-9000-disk-1", &v));
	assert_true(v.base);
	assert_int_equal(v.vmid, 9000);
	assert_true(array_volname_parse("vm-100-state-before_update", &v));
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_false(array_volname_parse(bad[i], &v));
}

static void test_full_names(void **state)
{
	struct array_conf c = { .storage = "pure", .prefix = "vg/pve-", .host = "pve1" };
	struct array_conf other = { .storage = "pure", .prefix = "vg/pve-", .host = "pve2" };
	char full[256], again[256];
	struct err e = {};

	(void)state;
	assert_int_equal(array_name_of(&c, "vm-100-disk-0", full, NULL), 0);
	assert_string_equal(full, "vg/pve-vm-100-disk-0");
	assert_string_equal(array_volname_of(&c, full), "vm-100-disk-0");
	assert_null(array_volname_of(&c, "vg/vm-100-disk-0"));
	assert_null(array_volname_of(&c, "vg/pve-tmp-100-0123456789abcdef"));
	assert_int_equal(
		array_name_of(&c, "vm-100-state-a23456789012345678901234567890123456789012345678",
			      full, &e),
		-ENAMETOOLONG);
	assert_non_null(strstr(e.text, "65 characters"));
	assert_int_equal(array_tmp_name_of(&c, "vm-100-disk-0", "s1", full, NULL), 0);
	assert_true(strncmp(full, "vg/pve-tmp-100-", 15) == 0);
	assert_int_equal(array_tmp_name_of(&c, "vm-100-disk-0", "s1", again, NULL), 0);
	assert_string_equal(full, again);
	assert_int_equal(array_tmp_name_of(&other, "vm-100-disk-0", "s1", again, NULL), 0);
	assert_string_not_equal(full, again);
	assert_int_equal(array_tmp_name_of(&c, "vm-100-disk-0", "s2", again, NULL), 0);
	assert_string_not_equal(full, again);
}

static void test_paths(void **state)
{
	struct array_conf c = { .multipath = true };
	char path[ARRAY_PATH_MAX];

	(void)state;
	array_path_of(&c, "96622A35A07E4A33000126D2", path);
	assert_string_equal(path,
			    "/dev/disk/by-id/dm-uuid-mpath-3624a937096622a35a07e4a33000126d2");
	c.multipath = false;
	array_path_of(&c, "96622A35A07E4A33000126D2", path);
	assert_string_equal(path, "/dev/disk/by-id/wwn-0x624a937096622a35a07e4a33000126d2");
	c.protocol = ARRAY_NVME_TCP;
	array_path_of(&c, "96622A35A07E4A33000126D2", path);
	assert_string_equal(path, "/dev/disk/by-id/nvme-eui.0096622a35a07e4a24a93733000126d2");
}

static void test_conf(void **state)
{
	CLEANUP(arena_done) struct arena a = {};
	CLEANUP(diags_done) struct diags diags = { .arena = &a };
	struct err e = {};
	struct array_conf c;
	int ret;

	(void)state;
	c = conf_of("{\"address\":\"https://fa1/, fa2\",\"token\":\"a,b\",\"podname\":\"pod\","
		    "\"vnprefix\":\"c1-\",\"hgsuffix\":\"pve\",\"protocol\":\"nvme\","
		    "\"check_ssl\":\"yes\",\"debug\":\"2\",\"purestorage-quota\":\"2T\","
		    "\"purestorage-multipath\":0,\"nodes\":{\"pve1\":1},\"_vnprefix\":\"x\"}",
		    NULL, &a, &diags, &ret, &e);
	assert_int_equal(ret, 0);
	assert_int_equal(c.n_addresses, 2);
	assert_string_equal(c.addresses[0].url, "https://fa1");
	assert_string_equal(c.addresses[1].url, "https://fa2");
	assert_string_equal(c.addresses[1].token, "b");
	assert_string_equal(c.prefix, "pod::c1-");
	assert_string_equal(c.host, "pve1-pve");
	assert_int_equal(c.protocol, ARRAY_NVME_TCP);
	assert_true(c.check_ssl && c.check_ssl_given && !c.multipath && !c.shared_secrets);
	assert_int_equal(c.debug, 2);
	assert_int_equal(c.token_ttl, 3600);
	assert_true(c.quota == UINT64_C(2) << 40);
	assert_int_equal(diags.n, 0);
}

/* The example of the old plugin's documentation for two arrays, and its empty hgsuffix. */
static void test_conf_old(void **state)
{
	CLEANUP(arena_done) struct arena a = {};
	CLEANUP(diags_done) struct diags diags = { .arena = &a };
	struct err e = {};
	struct array_conf c;
	int ret;

	(void)state;
	c = conf_of("{\"address\":\"https://array1.example.com,https://array2.example.com\","
		    "\"token\":\"token1,token2\",\"vgname\":\"pure_vg\",\"hgsuffix\":\"\\\"\\\"\","
		    "\"content\":{\"images\":1},\"pgroup_sync\":1}",
		    NULL, &a, &diags, &ret, &e);
	assert_int_equal(ret, 0);
	assert_string_equal(c.prefix, "pure_vg/");
	assert_string_equal(c.host, "pve1");
	assert_true(!c.check_ssl && !c.check_ssl_given && c.multipath);
	assert_int_equal(c.debug, -1);
	array_conf_name_unverified(&c, &diags);
	assert_int_equal(diags.n, 3);
	assert_non_null(strstr(diags.items[0].text, "without a pod"));
	assert_non_null(strstr(diags.items[1].text, "pgroup_sync is not acted on"));
	assert_non_null(strstr(diags.items[2].text, "check_ssl is not set"));
}

static void test_conf_secrets(void **state)
{
	CLEANUP(arena_done) struct arena a = {};
	CLEANUP(diags_done) struct diags diags = { .arena = &a };
	struct err e = {};
	struct array_conf c;
	int ret;

	(void)state;
	c = conf_of("{\"address\":\"fa1\",\"token\":\"old\"}", "{\"token\":\"" TOKEN "\"}", &a,
		    &diags, &ret, &e);
	assert_int_equal(ret, 0);
	assert_string_equal(c.addresses[0].token, TOKEN);
	assert_true(c.shared_secrets);
	c = conf_of("{\"address\":\"fa1\"}", NULL, &a, &diags, &ret, &e);
	assert_int_equal(ret, 0);
	assert_string_equal(c.addresses[0].token, "");
}

static void test_conf_refused(void **state)
{
	static const char *const bad[][2] = {
		{ "{}", "no address" },
		{ "{\"address\":\"fa1,fa2\",\"token\":\"one\"}", "2 addresses, but 1 tokens" },
		{ "{\"address\":\"fa1\",\"vgname\":\"a\",\"podname\":\"b\"}", "both set" },
		{ "{\"address\":\"fa1\",\"vgname\":\"a/b\"}", "vgname \"a/b\"" },
		{ "{\"address\":\"fa1\",\"vgname\":\"-a\"}", "vgname" },
		{ "{\"address\":\"fa1\",\"vgname\":\"a\",\"vnprefix\":\"-x\"}", "vnprefix" },
		{ "{\"address\":\"fa1\",\"vnprefix\":\"a b\"}", "vnprefix" },
		{ "{\"address\":\"fa1\",\"vnprefix\":\"a-\"}", "no '-' at an end" },
		{ "{\"address\":\"fa1\",\"protocol\":\"iser\"}", "iscsi, fc or nvme" },
		{ "{\"address\":\"ftp://fa1\"}", "https://NAME" },
		{ "{\"address\":\"fa1,,fa2\"}", "https://NAME" },
		{ "{\"address\":\"fa 1\"}", "https://NAME" },
		{ "{\"address\":\"a,b,c,d,e\"}", "more than 4" },
		{ "{\"address\":\"fa1\",\"debug\":9}", "0 to 3" },
		{ "{\"address\":\"fa1\",\"check_ssl\":\"maybe\"}", "1 or 0" },
		{ "{\"address\":\"fa1\",\"hgsuffix\":\"a/b\"}", "hgsuffix" },
		{ "{\"address\":\"fa1\",\"purestorage-quota\":\"much\"}", "purestorage-quota" },
		{ "{\"address\":\"fa1\",\"token\":\"a\\nb\"}", "token 1" },
		{ "{\"address\":[\"fa1\"]}", "address" },
	};
	CLEANUP(arena_done) struct arena a = {};
	CLEANUP(diags_done) struct diags diags = { .arena = &a };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct err e = {};
		int ret;

		(void)conf_of(bad[i][0], NULL, &a, &diags, &ret, &e);
		assert_int_equal(ret, -EINVAL);
		if (!strstr(e.text, bad[i][1]))
			fail_msg("%s: %s", bad[i][0], e.text);
		assert_non_null(strstr(e.text, "storage pure"));
	}
}

static void test_storage_ids(void **state)
{
	(void)state;
	assert_true(array_storage_ok("pure-1.a"));
	assert_false(array_storage_ok("p"));
	assert_false(array_storage_ok("../etc"));
	assert_false(array_storage_ok("1pure"));
	assert_false(array_storage_ok("pure/"));
	assert_false(array_storage_ok(""));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_suffix),	     cmocka_unit_test(test_suffix_none),
		cmocka_unit_test(test_volname),	     cmocka_unit_test(test_full_names),
		cmocka_unit_test(test_paths),	     cmocka_unit_test(test_conf),
		cmocka_unit_test(test_conf_old),     cmocka_unit_test(test_conf_secrets),
		cmocka_unit_test(test_conf_refused), cmocka_unit_test(test_storage_ids),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
