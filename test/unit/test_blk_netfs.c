/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "blk/netfs.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static const char mounts[] =
	"22 1 253:1 / / rw,relatime - ext4 /dev/mapper/pve-root rw\n"
	"23 22 0:5 / /mnt/pve rw master:3 - tmpfs tmpfs rw\n"
	"24 23 0:50 / /mnt/pve/nas rw shared:9 - nfs4 10.0.0.9:/export rw,vers=4.2\n"
	"25 24 253:9 / /mnt/pve/nas/local rw - xfs /dev/sdb1 rw\n"
	"26 22 0:51 / /mnt/over rw - nfs old:/x rw\n"
	"27 26 253:8 / /mnt/over rw - ext4 /dev/sdc1 rw\n"
	"28 22 0:52 / /mnt/cloud rw - fuse.s3fs s3fs rw\n"
	"broken line\n"
	"29 22 0:53 / /mnt/cut";

static void which_paths_are_remote(void **state)
{
	static const struct {
		const char *path;
		bool remote;
	} cases[] = {
		{ "/var/lib/vz/images/1.raw", false },
		{ "/mnt/pve/nas", true },
		{ "/mnt/pve/nas/images/100/vm-100-disk-0.raw", true },
		{ "/mnt/pve/nas2/images/x.raw", false },
		{ "/mnt/pve/nas/local/x.raw", false },
		{ "/mnt/over/x.raw", false }, /* the later mount covers the earlier one */
		{ "/mnt/cloud/x.raw", true },
		{ "/mnt/cut/x.raw", false },
		{ "", false },
	};
	struct netfs n = {};

	(void)state;
	buf_adds(&n.mountinfo, mounts);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		if (netfs_holds(&n, cases[i].path) != cases[i].remote)
			fail_msg("%s", cases[i].path);
	netfs_done(&n);
	assert_false(netfs_holds(&n, "/mnt/pve/nas/x"));
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(which_paths_are_remote) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
