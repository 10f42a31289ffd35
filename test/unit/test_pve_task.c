/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "pve/task.h"

#include <errno.h>
#include <sys/file.h>
#include <sys/sysmacros.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "pve/flock.h"
#include "test_pve_tree.h"
#include "util/str.h"

#define UPID(type, id) "UPID:pve1:00001267:00003039:65530000:" type ":" id ":root@pam:"
#define STAT(pid, s, start) \
	pid " (task UPID:x) " s " 1 1 1 0 -1 1 1 2 3 4 5 6 7 8 20 0 5 0 " start " 9\n"

static void parses_upids(void **state)
{
	struct upid u;

	(void)state;
	assert_true(upid_parse(SLICE(UPID("imgdel", "100@local-lvm")), &u));
	assert_true(slice_eq(u.node, "pve1"));
	assert_int_equal(u.pid, 0x1267);
	assert_int_equal(u.pstart, 0x3039);
	assert_int_equal(u.start, 0x65530000);
	assert_true(slice_eq(u.type, "imgdel"));
	assert_true(slice_eq(u.id, "100@local-lvm"));
	assert_true(slice_eq(u.user, "root@pam"));
	assert_true(upid_parse(SLICE("UPID:a-b:00001267:123456789:65530000:x::u@pve!tok:"), &u));
	assert_int_equal(u.pstart, 0x123456789);
	assert_true(slice_empty(u.id));
}

static void refuses_what_is_no_upid(void **state)
{
	static const char *const bad[] = {
		"",
		"UPID:",
		"upid:pve1:00001267:00003039:65530000:x:1:u:",
		"UPID::00001267:00003039:65530000:x:1:u:",
		"UPID:pve1-:00001267:00003039:65530000:x:1:u:",
		"UPID:pv_1:00001267:00003039:65530000:x:1:u:",
		"UPID:pve1:1267:00003039:65530000:x:1:u:",
		"UPID:pve1:000012670:00003039:65530000:x:1:u:",
		"UPID:pve1:0000126g:00003039:65530000:x:1:u:",
		"UPID:pve1:00001267:0003039:65530000:x:1:u:",
		"UPID:pve1:00001267:0000000000:65530000:x:1:u:",
		"UPID:pve1:00001267:00003039:65530000::1:u:",
		"UPID:pve1:00001267:00003039:65530000:x:1::",
		"UPID:pve1:00001267:00003039:65530000:x:1:u",
		"UPID:pve1:00001267:00003039:65530000:x:1:u:more",
		"UPID:pve1:00001267:00003039:65530000:x/y:1:u:",
		"UPID:pve1:00001267:00003039:65530000:x:1 2:u:",
	};
	struct upid u;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		if (upid_parse(slice_of(bad[i]), &u))
			fail_msg("%s", bad[i]);
}

static void read_tasks(const char *active, struct tasks *ret, struct arena *a)
{
	struct tree t;

	tree_make(&t);
	/* 0x1267 = 4711, 0x3039 = 12345 */
	tree_write(&t, "proc/4711/stat", STAT("4711", "S", "12345"));
	tree_write(&t, "proc/4712/stat", STAT("4712", "Z", "12345"));
	tree_write(&t, "proc/4713/stat", STAT("4713", "S", "99"));
	tree_write(&t, "var/log/pve/tasks/active", active);
	assert_int_equal(tasks_read(ret, &t.root, a, NULL), 0);
	tree_done(&t);
}

static void lists_tasks_that_live(void **state)
{
	struct arena a = {};
	struct tasks l;

	(void)state;
	read_tasks(
		UPID("vzdump", "100") " 0\n" UPID("vzdump", "100") " 0\n" UPID(
			"imgdel",
			"101@local-lvm") " 1\n" UPID("vzdump",
						     "") " 0\n" UPID("srvreload",
								     "networking") " 0\n" UPID("qmstart",
											       "99") " 0\n",
		&l, &a);
	assert_int_equal(l.n, 5);
	assert_string_equal(tasks_find(&l, 100)->type, "vzdump");
	assert_string_equal(tasks_find(&l, 100)->upid, UPID("vzdump", "100"));
	assert_int_equal(tasks_find(&l, 100)->pid, 4711);
	assert_string_equal(tasks_find(&l, 101)->type, "imgdel");
	assert_int_equal(l.items[2].vmid, 0);
	assert_int_equal(l.items[3].vmid, 0);
	assert_int_equal(l.items[4].vmid, 0);
	assert_null(tasks_find(&l, 0));
	assert_null(tasks_find(&l, 102));
	tasks_done(&l);
	arena_done(&a);
}

static void leaves_out_what_does_not_work_on_a_guest(void **state)
{
	static const char *const lines[] = {
		UPID("vncproxy", "100") " 0\n",
		UPID("vncshell", "") " 0\n",
		UPID("spiceproxy", "100") " 0\n",
		UPID("termproxy", "100") " 0\n",
		UPID("spiceshell", "") " 0\n",
		/* ended: a zombie, another process by now, no process */
		"UPID:pve1:00001268:00003039:65530000:qmstart:100:root@pam: 0\n",
		"UPID:pve1:00001269:00003039:65530000:qmstart:100:root@pam: 1 65540000 OK\n",
		"UPID:pve1:0000126A:00003039:65530000:qmstart:100:root@pam: 0\n",
		"UPID:pve1:00000000:00003039:65530000:qmstart:100:root@pam: 0\n",
		"rubbish\n",
		"\n \n",
		"",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		struct arena a = {};
		struct tasks l;

		read_tasks(lines[i], &l, &a);
		if (l.n)
			fail_msg("%s", lines[i]);
		tasks_done(&l);
		arena_done(&a);
	}
}

static void a_missing_list_is_empty(void **state)
{
	struct arena a = {};
	struct tasks l;
	struct tree t;

	(void)state;
	tree_make(&t);
	assert_int_equal(tasks_read(&l, &t.root, &a, NULL), 0);
	assert_int_equal(l.n, 0);
	tasks_done(&l);
	tree_done(&t);
	arena_done(&a);
}

static void parses_lines_of_proc_locks(void **state)
{
	static const char *const bad[] = {
		"",
		"1: POSIX  ADVISORY  WRITE 4711 00:1a:5678 0 EOF",
		"1: -> FLOCK  ADVISORY  WRITE 4711 00:1a:5678 0 EOF",
		"1: FLOCK  ADVISORY  WRITE 4711",
		"1: FLOCK  ADVISORY  WRITE 4711 00:1a 0 EOF",
		"1: FLOCK  ADVISORY  WRITE 4711 00:1a: 0 EOF",
		"1: FLOCK  ADVISORY  WRITE 4711 00:1a:56x 0 EOF",
		"1: FLOCK  ADVISORY  WRITE 4711 <none>:0 0 EOF",
	};
	struct flock_entry f = {};

	(void)state;
	assert_true(flock_parse(SLICE("12: FLOCK  ADVISORY  WRITE 4711 fd:1a:5678 0 EOF"), &f));
	assert_int_equal(f.pid, 4711);
	assert_int_equal(f.dev, makedev(0xfd, 0x1a));
	assert_int_equal(f.ino, 5678);
	assert_true(flock_parse(SLICE("1: FLOCK ADVISORY READ -1 00:01:2 0 EOF"), &f));
	assert_int_equal(f.pid, -1);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		if (flock_parse(slice_of(bad[i]), &f))
			fail_msg("%s", bad[i]);
}

/* One line as the kernel would write it of @path. */
static void add_flock(const struct tree *t, struct buf *locks, const char *path, int pid)
{
	struct stat st;

	assert_int_equal(root_lstat(&t->root, path, &st), 0);
	buf_addf(locks, "%zu: FLOCK  ADVISORY  WRITE %d %02x:%02x:%llu 0 EOF\n", locks->len, pid,
		 major(st.st_dev), minor(st.st_dev), (unsigned long long)st.st_ino);
}

static void sees_locks_by_their_inode(void **state)
{
	CLEANUP(buf_done) struct buf locks = {};
	struct guest_locks l;
	struct stat st;
	struct tree t;

	(void)state;
	tree_make(&t);
	tree_write(&t, "run/lock/qemu-server/lock-100.conf", "");
	tree_write(&t, "run/lock/qemu-server/lock-101.conf", "");
	tree_write(&t, "run/lock/qemu-server/lock-x.conf", "");
	tree_write(&t, "run/lock/lxc/pve-config-200.lock", "");
	tree_write(&t, "run/lock/lxc/pve-config-201.lock", "");
	buf_adds(&locks, "1: POSIX  ADVISORY  WRITE 1 00:1a:5 0 EOF\n");
	add_flock(&t, &locks, "run/lock/lxc/pve-config-201.lock", 8);
	add_flock(&t, &locks, "run/lock/qemu-server/lock-x.conf", 9);
	add_flock(&t, &locks, "run/lock/qemu-server/lock-101.conf", 7);
	tree_write(&t, "proc/locks", buf_str(&locks));
	/* The way that a live node is read, on a tree whose inodes are its own. */
	t.root.live = true;
	assert_int_equal(guest_locks_read(&l, &t.root, NULL), 0);
	assert_int_equal(l.n, 2);
	assert_int_equal(guest_locks_find(&l, 101)->pid, 7);
	assert_int_equal(guest_locks_find(&l, 101)->type, GUEST_QEMU);
	assert_int_equal(guest_locks_find(&l, 201)->pid, 8);
	assert_int_equal(guest_locks_find(&l, 201)->type, GUEST_LXC);
	assert_null(guest_locks_find(&l, 100));
	guest_locks_done(&l);

	/* The same inode on another device is another file. */
	assert_int_equal(root_lstat(&t.root, "run/lock/lxc/pve-config-201.lock", &st), 0);
	buf_reset(&locks);
	buf_addf(&locks, "1: FLOCK  ADVISORY  WRITE 7 ff:ff:%llu 0 EOF\n",
		 (unsigned long long)st.st_ino);
	tree_write(&t, "proc/locks", buf_str(&locks));
	assert_int_equal(guest_locks_read(&l, &t.root, NULL), 0);
	assert_int_equal(l.n, 0);
	guest_locks_done(&l);
	tree_remove(&t, "proc/locks");
	assert_int_equal(guest_locks_read(&l, &t.root, NULL), -ENOENT);
	tree_done(&t);
}

static void the_kernel_agrees(void **state)
{
	char path[] = "/tmp/pvewarden-lock-XXXXXX";
	CLEANUP(buf_done) struct buf text = {};
	int fd = mkstemp(path);
	struct slice rest, line;
	struct flock_entry f;
	struct root live;
	struct stat st;
	bool seen = false;

	(void)state;
	assert_int_equal(root_open(&live, NULL, NULL), 0);
	assert_int_equal(flock(fd, LOCK_EX), 0);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(root_read(&live, "proc/locks", 1 << 20, &text), 0);
	rest = buf_slice(&text);
	while (slice_split(&rest, '\n', &line))
		seen = seen || (flock_parse(line, &f) && f.ino == st.st_ino && f.dev == st.st_dev);
	(void)close(fd);
	(void)unlink(path);
	root_close(&live);
	assert_true(seen);
}

static void a_recording_says_who_held_locks(void **state)
{
	struct guest_locks l;
	struct err e = {};
	struct tree t;

	(void)state;
	tree_make(&t);
	assert_int_equal(guest_locks_read(&l, &t.root, NULL), 0);
	assert_int_equal(l.n, 0);
	tree_write(&t, "capture.json",
		   "{\"schema\":\"pvewarden.capture/1\",\"flocks\":["
		   "{\"vmid\":101,\"type\":\"lxc\",\"pid\":null},"
		   "{\"vmid\":100,\"type\":\"qemu\",\"pid\":4711}]}");
	assert_int_equal(guest_locks_read(&l, &t.root, NULL), 0);
	assert_int_equal(l.n, 2);
	assert_int_equal(guest_locks_find(&l, 100)->pid, 4711);
	assert_int_equal(guest_locks_find(&l, 101)->type, GUEST_LXC);
	guest_locks_done(&l);
	tree_write(&t, "capture.json",
		   "{\"schema\":\"pvewarden.capture/1\",\"flocks\":[{\"vmid\":5}]}");
	assert_int_equal(guest_locks_read(&l, &t.root, &e), -EBADMSG);
	assert_non_null(strstr(e.text, "flocks[0]"));
	tree_done(&t);
}

/* 0x65530000 is when they began. */
static void tells_who_stopped_a_guest(void **state)
{
	uint64_t stops[8], again[8];
	struct tree t;

	(void)state;
	tree_make(&t);
	assert_int_equal(tasks_stops(&t.root, 100, 1, stops, 8, NULL), 0);
	tree_write(
		&t, "var/log/pve/tasks/active",
		UPID("qmstop", "100") " 0\n" UPID("qmstop", "100") " 1 6553000A OK\n" UPID(
			"qmshutdown",
			"100") " 1 6553000A OK\n" UPID("qmstart",
						       "100") " 0\n" UPID("qmstop",
									  "101") " 0\nnonsense\n" UPID("vzshutdown",
												       "100") " 0\n");
	assert_int_equal(tasks_stops(&t.root, 100, 0x65530000, stops, 8, NULL), 3);
	assert_true(stops[0] != stops[1] && stops[1] != stops[2]);
	assert_int_equal(tasks_stops(&t.root, 100, 0x65530000, again, 8, NULL), 3);
	assert_memory_equal(stops, again, 3 * sizeof(stops[0]));
	assert_int_equal(tasks_stops(&t.root, 100, 0x65530000, again, 2, NULL), 2);
	assert_int_equal(tasks_stops(&t.root, 100, 0x65530001, stops, 8, NULL), 0);
	assert_int_equal(tasks_stops(&t.root, 102, 1, stops, 8, NULL), 0);
	tree_done(&t);
}

static void tells_tasks_of_the_whole_node(void **state)
{
	(void)state;
	assert_true(task_is_of_node(&(struct task){ .type = "stopall" }));
	assert_true(task_is_of_node(&(struct task){ .type = "migrateall" }));
	assert_false(task_is_of_node(&(struct task){ .type = "qmstop" }));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parses_upids),
		cmocka_unit_test(refuses_what_is_no_upid),
		cmocka_unit_test(lists_tasks_that_live),
		cmocka_unit_test(leaves_out_what_does_not_work_on_a_guest),
		cmocka_unit_test(a_missing_list_is_empty),
		cmocka_unit_test(tells_who_stopped_a_guest),
		cmocka_unit_test(tells_tasks_of_the_whole_node),
		cmocka_unit_test(parses_lines_of_proc_locks),
		cmocka_unit_test(sees_locks_by_their_inode),
		cmocka_unit_test(the_kernel_agrees),
		cmocka_unit_test(a_recording_says_who_held_locks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
