/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "pve/running.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "test_pve_tree.h"
#include "util/str.h"

#define PIDFILE	  "-pidfile\0/var/run/qemu-server/100.pid\0"
#define CMDLINE	  "/usr/bin/kvm\0-id\000100\0" PIDFILE "-daemonize\0"
#define STAT	  "4711 (kvm) x) S 1 4711 4711 0 -1 138412416 1 2 3 4 5 6 7 8 20 0 5 0 12345 9 8 7 6 5\n"
#define UNIX_HEAD "Num       RefCount Protocol Flags    Type St Inode Path\n"
#define UNIX_CT(id) \
	"0000000000000000: 00000002 00000000 00010000 0001 01 4242 @/var/lib/lxc/" id "/command\n"

static void tells_qemu_by_its_command_line(void **state)
{
	static const struct {
		struct slice cmdline;
		bool is, incoming;
	} cases[] = {
		{ SLICE("/usr/bin/kvm\0" PIDFILE), true, false },
		{ SLICE("kvm\0-" PIDFILE), true, false },
		{ SLICE("/usr/bin/qemu-system-x86_64\0" PIDFILE), true, false },
		{ SLICE("/usr/bin/kvm\0-pidfile\0/var/run/qemu-server/100.pid"), true, false },
		{ SLICE("/usr/bin/kvm\0" PIDFILE "-incoming\0tcp:x\0"), true, true },
		{ SLICE("/usr/bin/kvm\0" PIDFILE "-S\0--incoming\0unix:y\0"), true, true },
		{ SLICE("/usr/bin/kvm\0-name\0-incoming-x\0" PIDFILE), true, false },
		{ SLICE(""), false, false },
		{ SLICE("/usr/bin/kvm\0"), false, false },
		{ SLICE("/usr/bin/kvmx\0" PIDFILE), false, false },
		{ SLICE("/usr/bin/qemu-\0" PIDFILE), false, false },
		{ SLICE("/usr/bin/qemu-x/y\0" PIDFILE), false, false },
		{ SLICE("/bin/bash\0/usr/bin/kvm\0" PIDFILE), false, false },
		{ SLICE("/usr/bin/kvm\0-pidfile\0/run/qemu-server/100.pid\0"), false, false },
		{ SLICE("/usr/bin/kvm\0-pidfile\0/var/run/qemu-server/1001.pid\0"), false, false },
		{ SLICE("/usr/bin/kvm\0-pidfile\0x\0/var/run/qemu-server/100.pid\0"), false,
		  false },
		{ SLICE("/usr/bin/kvm\0" PIDFILE "-pidfile\0/other\0"), false, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		bool incoming = false;

		if (running_is_qemu_of(cases[i].cmdline, 100, &incoming) != cases[i].is)
			fail_msg("case %zu", i);
		assert_int_equal(incoming, cases[i].incoming);
	}
}

static void make_node(struct tree *t)
{
	tree_make(t);
	tree_write(t, "proc/net/unix", UNIX_HEAD);
	tree_write(t, "proc/stat", "cpu 1 2 3\nbtime 1700000000\nprocesses 5\n");
	tree_write(t, "run/qemu-server/100.pid", "4711\n");
	tree_write_n(t, "proc/4711/cmdline", CMDLINE, sizeof(CMDLINE) - 1);
	tree_write(t, "proc/4711/stat", STAT);
}

static void finds_a_running_vm(void **state)
{
	struct running r;
	struct tree t;

	(void)state;
	make_node(&t);
	assert_int_equal(running_read(&r, &t.root, NULL), 0);
	assert_int_equal(r.n, 1);
	assert_int_equal(running_find(&r, 100)->pid, 4711);
	assert_int_equal(running_find(&r, 100)->type, GUEST_QEMU);
	assert_false(running_find(&r, 100)->incoming);
	assert_int_equal(running_find(&r, 100)->started, 1700000000 + 123);
	assert_null(running_find(&r, 101));
	running_done(&r);
	tree_done(&t);
}

static void a_stale_pid_file_is_no_vm(void **state)
{
	static const struct {
		const char *path, *text;
	} changes[] = {
		{ "run/qemu-server/100.pid", "x\n" },
		{ "run/qemu-server/100.pid", "" },
		{ "run/qemu-server/100.pid", "-4711\n" },
		{ "run/qemu-server/100.pid", "4712\n" },
		{ "run/qemu-server/100.pid", "99999999999\n" },
		{ "proc/4711/cmdline", "/bin/sh" },
		{ "proc/4711/cmdline", "" },
		{ "proc/4711/stat",
		  "4711 (kvm) Z 1 4711 4711 0 -1 1 1 2 3 4 5 6 7 8 20 0 5 0 12345\n" },
		{ "proc/4711/stat", "" },
		{ "proc/4711/stat", NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(changes); i++) {
		struct running r;
		struct tree t;

		make_node(&t);
		if (changes[i].text)
			tree_write(&t, changes[i].path, changes[i].text);
		else
			tree_remove(&t, changes[i].path);
		assert_int_equal(running_read(&r, &t.root, NULL), 0);
		assert_int_equal(r.n, 0);
		assert_null(running_find(&r, 100));
		running_done(&r);
		tree_done(&t);
	}
}

static void other_files_are_no_vms(void **state)
{
	static const char *const names[] = { "99.pid", "100.qmp", "x.pid", "100.pid.bak", ".pid" };
	struct running r;
	struct tree t;
	char path[64];

	(void)state;
	make_node(&t);
	tree_remove(&t, "run/qemu-server/100.pid");
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		(void)snprintf(path, sizeof(path), "run/qemu-server/%s", names[i]);
		tree_write(&t, path, "4711\n");
	}
	assert_int_equal(running_read(&r, &t.root, NULL), 0);
	assert_int_equal(r.n, 0);
	running_done(&r);
	tree_done(&t);
}

static void finds_running_containers(void **state)
{
	struct running r;
	struct tree t;

	(void)state;
	make_node(&t);
	tree_write(
		&t, "proc/net/unix",
		UNIX_HEAD UNIX_CT("205") UNIX_CT("101") UNIX_CT("101") UNIX_CT("99") UNIX_CT("x")
			UNIX_CT("") "0: 2 0 0 1 1 1 /var/lib/lxc/102/command\n"
				    "0: 2 0 0 1 1 1 @/var/lib/lxc/103/commands\n"
				    "0: 2 0 0 1 1 1 @/var/lib/lxc/104/x/command\n"
				    "0: 2 0 0 1 1 1\n@/var/lib/lxc//command\n@/var/lib/lxc/command\n");
	assert_int_equal(running_read(&r, &t.root, NULL), 0);
	assert_int_equal(r.n, 3);
	assert_int_equal(r.items[0].vmid, 100);
	assert_int_equal(r.items[1].vmid, 101);
	assert_int_equal(r.items[1].type, GUEST_LXC);
	assert_int_equal(r.items[1].pid, 0);
	assert_int_equal(r.items[2].vmid, 205);
	running_done(&r);
	tree_done(&t);
}

static void without_the_socket_list_nothing_is_known(void **state)
{
	struct running r;
	struct err e = {};
	struct tree t;

	(void)state;
	make_node(&t);
	tree_remove(&t, "proc/net/unix");
	assert_int_equal(running_read(&r, &t.root, &e), -ENOENT);
	assert_non_null(strstr(e.text, "proc/net/unix"));
	tree_done(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tells_qemu_by_its_command_line),
		cmocka_unit_test(finds_a_running_vm),
		cmocka_unit_test(a_stale_pid_file_is_no_vm),
		cmocka_unit_test(other_files_are_no_vms),
		cmocka_unit_test(finds_running_containers),
		cmocka_unit_test(without_the_socket_list_nothing_is_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
