/* SPDX-License-Identifier: AGPL-3.0-or-later */

/* Whether a guest is in a backup job, of today's kind or of old. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "agent/backupjobs.h"

static void assert_backup(const char *jobs, const char *cron, const char *users, uint32_t vmid,
			  const char *node, bool expected)
{
	CLEANUP(arena_done) struct arena a = {};
	struct backupjobs b;

	backupjobs_parse(&b, slice_of(jobs), slice_of(cron), slice_of(users), &a);
	assert_int_equal(backupjobs_take(&b, vmid, node), expected);
}

static void test_backup_jobs(void **state)
{
	static const char all[] = "vzdump: a\n\tall 1\n\texclude 101,102\n";
	static const char ids[] = "vzdump: a\n\tenabled 1\n\tvmid 100;103\n\tnode pve1\n";
	static const char pool[] = "vzdump: a\n\tpool prod\n";
	static const char users[] = "user:root@pam:1:0:::::\npool:prod::100,105:local:\n"
				    "pool:test::106::\n";

	(void)state;
	assert_backup("", "", "", 100, "pve1", false);
	assert_backup(all, "", "", 100, "pve1", true);
	assert_backup(all, "", "", 101, "pve1", false);
	assert_backup("vzdump: a\n\tall 1\n\tenabled 0\n", "", "", 100, "pve1", false);
	assert_backup("realm-sync: a\n\tall 1\n", "", "", 100, "pve1", false);
	assert_backup(ids, "", "", 103, "pve1", true);
	assert_backup(ids, "", "", 103, "pve2", false);
	assert_backup(ids, "", "", 104, "pve1", false);
	assert_backup(pool, "", users, 105, "pve1", true);
	assert_backup(pool, "", users, 106, "pve1", false);
	assert_backup(pool, "", "", 105, "pve1", false);
	/* Two jobs: one of them is enough. */
	assert_backup("vzdump: a\n\tvmid 1000\n\nvzdump: b\n\tvmid 100\n", "", "", 100, "pve1",
		      true);
}

static void test_backup_jobs_of_old(void **state)
{
	static const char cron[] = "PATH=\"/usr/sbin\"\n\n"
				   "0 2 * * 6           root vzdump 100 101 --quiet 1 --mode stop\n"
				   "#0 2 * * 6          root vzdump --all 1\n"
				   "0 2 * * 6 root vzdump --pool prod --node pve2\n";

	(void)state;
	assert_backup("", cron, "pool:prod::107::\n", 101, "pve1", true);
	assert_backup("", cron, "pool:prod::107::\n", 102, "pve1", false);
	assert_backup("", cron, "pool:prod::107::\n", 107, "pve2", true);
	assert_backup("", cron, "pool:prod::107::\n", 107, "pve1", false);
	assert_backup("", "0 2 * * 6 root vzdump --all 1 --exclude 100\n", "", 101, "x", true);
	assert_backup("", "0 2 * * 6 root vzdump --all 1 --exclude 100\n", "", 100, "x", false);
	assert_backup("", "0 2 * * 6 root vzdump", "", 100, "x", false);
	assert_backup("", "0 2 * * 6 root rm 100", "", 100, "x", false);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_backup_jobs),
		cmocka_unit_test(test_backup_jobs_of_old),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
