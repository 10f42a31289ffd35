/* SPDX-License-Identifier: AGPL-3.0-or-later */

/* Proxmox' own lock of a guest: the same files, both or none, for moments only. */

#include "pve/guestlock.h"

#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/file.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "pve/task.h"
#include "test_pve_tree.h"
#include "util/clock.h"

#define QEMU_100 "run/lock/qemu-server/lock-100.conf"
#define LXC_100	 "run/lock/lxc/pve-config-100.lock"

static void live_make(struct tree *t)
{
	tree_make(t);
	t->root.live = true;
}

static bool is_free(const struct tree *t, const char *path)
{
	CLEANUP_FD int fd = root_openat(&t->root, path, O_RDONLY);

	return fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0;
}

/* Somebody else who has the file open and locked. */
static int hold(const struct tree *t, const char *path)
{
	int fd;

	tree_write(t, path, "");
	fd = root_openat(&t->root, path, O_RDONLY);
	assert_true(fd >= 0);
	assert_int_equal(flock(fd, LOCK_EX | LOCK_NB), 0);
	return fd;
}

static void both_files(void **state)
{
	static const char *const paths[] = { QEMU_100, LXC_100 };
	struct held_locks l = {};
	struct tree t;

	(void)state;
	(void)umask(022);
	live_make(&t);
	assert_int_equal(guest_lock_take(&l, &t.root, 100, 0, NULL), 0);
	assert_int_equal(l.n, 2);
	assert_true(l.since > 0 && l.since <= clock_boot_ms());
	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		struct stat st;

		assert_int_equal(root_lstat(&t.root, paths[i], &st), 0);
		assert_true(S_ISREG(st.st_mode));
		assert_int_equal(st.st_mode & 07777, 0644);
		assert_int_equal(st.st_size, 0);
		assert_false(is_free(&t, paths[i]));
	}
	guest_lock_release(&l);
	assert_int_equal(l.n, 0);
	assert_int_equal(l.since, 0);
	for (size_t i = 0; i < ARRAY_SIZE(paths); i++)
		assert_true(is_free(&t, paths[i])); /* and still there */
	tree_done(&t);
}

static void descriptors(void **state)
{
	struct held_locks l = {};
	struct tree t;
	int fds[2];

	(void)state;
	live_make(&t);
	assert_int_equal(guest_lock_take(&l, &t.root, 100, 0, NULL), 0);
	for (size_t i = 0; i < l.n; i++) {
		assert_true(fcntl(l.items[i].fd, F_GETFD) & FD_CLOEXEC);
		assert_true(fcntl(l.items[i].fd, F_GETFL) & O_APPEND);
	}
	fds[0] = l.items[0].fd;
	fds[1] = l.items[1].fd;
	guest_lock_release(&l);
	for (size_t i = 0; i < 2; i++)
		assert_int_equal(fcntl(fds[i], F_GETFD), -1);
	tree_done(&t);
}

/* Nobody else may have it at all, not even shared. */
static void exclusive(void **state)
{
	struct held_locks l = {};
	struct tree t;
	int fd;

	(void)state;
	live_make(&t);
	fd = hold(&t, QEMU_100);
	assert_int_equal(flock(fd, LOCK_SH | LOCK_NB), 0);
	assert_int_equal(guest_lock_take(&l, &t.root, 100, 0, NULL), -EBUSY);
	(void)close(fd);
	tree_done(&t);
}

/* What is in the file stays in it. */
static void file_is_kept(void **state)
{
	CLEANUP(buf_done) struct buf text = {};
	struct held_locks l = {};
	struct tree t;

	(void)state;
	live_make(&t);
	tree_write(&t, QEMU_100, "somebody's");
	tree_chmod(&t, QEMU_100, 0600);
	assert_int_equal(guest_lock_take(&l, &t.root, 100, 0, NULL), 0);
	guest_lock_release(&l);
	assert_int_equal(root_read(&t.root, QEMU_100, 100, &text), 0);
	assert_string_equal(buf_str(&text), "somebody's");
	tree_done(&t);
}

static void somebody_has(const char *path, const char *other, const char *who)
{
	struct held_locks l = {};
	struct err e = {};
	struct tree t;
	int fd;

	live_make(&t);
	fd = hold(&t, path);
	assert_int_equal(guest_lock_take(&l, &t.root, 100, 0, &e), -EBUSY);
	assert_non_null(strstr(e.text, who));
	assert_int_equal(l.n, 0);
	assert_int_equal(l.since, 0);
	tree_write(&t, other, "");
	assert_true(is_free(&t, other));
	(void)close(fd);
	assert_int_equal(guest_lock_take(&l, &t.root, 100, 0, NULL), 0);
	guest_lock_release(&l);
	tree_done(&t);
}

static void both_or_none(void **state)
{
	(void)state;
	somebody_has(QEMU_100, LXC_100, "somebody works on VM 100");
	somebody_has(LXC_100, QEMU_100, "somebody works on CT 100");
}

/* Whoever waits for the second must not keep the first from others. */
static void holds_none_while_waiting(void **state)
{
	struct held_locks l = {};
	struct tree t;
	pid_t pid;
	int fd;

	(void)state;
	live_make(&t);
	fd = hold(&t, LXC_100);
	tree_write(&t, QEMU_100, "");
	pid = fork();
	if (pid == 0)
		_exit(guest_lock_take(&l, &t.root, 100, 400, NULL) == -EBUSY ? 0 : 1);
	for (int i = 0, got = 0; i < 100 && !got; i++) {
		got = is_free(&t, QEMU_100);
		if (i == 99)
			assert_true(got);
		(void)poll(NULL, 0, 2);
	}
	assert_int_equal(waitpid(pid, &fd, 0), pid);
	assert_int_equal(fd, 0);
	tree_done(&t);
}

static void waits(void **state)
{
	struct held_locks l = {};
	int64_t before;
	struct tree t;
	pid_t pid;
	int fd;

	(void)state;
	live_make(&t);
	fd = hold(&t, QEMU_100);
	before = clock_boot_ms();
	assert_int_equal(guest_lock_take(&l, &t.root, 100, 150, NULL), -EBUSY);
	assert_in_range(clock_boot_ms() - before, 150, 1500);

	pid = fork(); /* has the lock as well, until it ends */
	if (pid == 0) {
		(void)poll(NULL, 0, 150);
		_exit(0);
	}
	(void)close(fd);
	before = clock_boot_ms();
	assert_int_equal(guest_lock_take(&l, &t.root, 100, 5000, NULL), 0);
	assert_in_range(clock_boot_ms() - before, 50, 3000);
	/* The time that the locks are held counts from when they are. */
	assert_in_range(clock_boot_ms() - l.since, 0, 100);
	(void)waitpid(pid, NULL, 0);
	guest_lock_release(&l);
	tree_done(&t);
}

static void several_guests(void **state)
{
	struct held_locks l = {};
	struct err e = {};
	struct tree t;
	int64_t since;
	int fd;

	(void)state;
	live_make(&t);
	assert_int_equal(guest_lock_take(&l, &t.root, 100, 0, NULL), 0);
	since = --l.since;
	assert_int_equal(guest_lock_take(&l, &t.root, 100, 0, NULL), 0); /* has it */
	assert_int_equal(l.n, 2);
	assert_int_equal(guest_lock_take(&l, &t.root, 101, 0, NULL), 0);
	assert_int_equal(l.n, 4);
	assert_int_equal(l.since, since); /* of the first one */
	fd = hold(&t, "run/lock/lxc/pve-config-102.lock");
	assert_int_equal(guest_lock_take(&l, &t.root, 102, 0, NULL), -EBUSY);
	assert_int_equal(l.n, 4);
	assert_false(is_free(&t, QEMU_100));
	assert_true(is_free(&t, "run/lock/qemu-server/lock-102.conf"));
	(void)close(fd);
	assert_int_equal(guest_lock_take(&l, &t.root, 102, 0, NULL), 0);
	assert_int_equal(guest_lock_take(&l, &t.root, 103, 0, NULL), 0);
	assert_int_equal(l.n, GUEST_LOCKS_MAX);
	assert_int_equal(guest_lock_take(&l, &t.root, 104, 0, &e), -EBUSY);
	assert_non_null(strstr(e.text, "too many"));
	guest_lock_release(&l);
	assert_true(is_free(&t, QEMU_100));
	assert_true(is_free(&t, "run/lock/lxc/pve-config-103.lock"));
	tree_done(&t);
}

/* flock() belongs to the open file: closing alone would leave it with the child. */
static void inherited(void **state)
{
	struct held_locks l = {};
	struct tree t;
	pid_t pid;

	(void)state;
	live_make(&t);
	assert_int_equal(guest_lock_take(&l, &t.root, 100, 0, NULL), 0);
	pid = fork();
	if (pid == 0) {
		(void)poll(NULL, 0, 10000);
		_exit(0);
	}
	assert_false(is_free(&t, QEMU_100));
	guest_lock_release(&l);
	assert_true(is_free(&t, QEMU_100));
	assert_true(is_free(&t, LXC_100));
	(void)kill(pid, SIGKILL);
	(void)waitpid(pid, NULL, 0);
	tree_done(&t);
}

/* A link in its place is not followed: /run/lock is a place where others may write. */
static void links(void **state)
{
	struct held_locks l = {};
	struct err e = {};
	struct tree t;

	(void)state;
	live_make(&t);
	tree_write(&t, "target", "");
	tree_link(&t, QEMU_100, "../../../target");
	assert_int_equal(guest_lock_take(&l, &t.root, 100, 0, &e), -ELOOP);
	assert_non_null(strstr(e.text, "the lock file of VM 100"));
	assert_int_equal(l.n, 0);
	tree_done(&t);
}

static void recorded_node(void **state)
{
	struct held_locks l = {};
	struct stat st;
	struct tree t;

	(void)state;
	tree_make(&t);
	assert_int_equal(guest_lock_take(&l, &t.root, 100, 0, NULL), -EINVAL);
	assert_int_equal(root_lstat(&t.root, "run", &st), -ENOENT);
	tree_done(&t);
}

/* --- seen in /proc/locks ------------------------------------------------------------------- */

static void proc_locks(const struct tree *t, const char *path, pid_t pid)
{
	char text[200];
	struct stat st;

	assert_int_equal(root_stat(&t->root, path, &st), 0);
	(void)snprintf(text, sizeof(text), "1: FLOCK  ADVISORY  WRITE %d %02x:%02x:%llu 0 EOF\n",
		       (int)pid, major(st.st_dev), minor(st.st_dev), (unsigned long long)st.st_ino);
	tree_write(t, "proc/locks", text);
}

static bool seen_held(const struct tree *t, uint32_t vmid)
{
	struct guest_locks found;
	bool held;

	assert_int_equal(guest_locks_read(&found, &t->root, NULL), 0);
	held = guest_locks_find(&found, vmid) != NULL;
	guest_locks_done(&found);
	return held;
}

/* What this process holds says nothing of others; the look under the locks goes by that. */
static void own_locks(void **state)
{
	struct held_locks l = {};
	struct tree t;

	(void)state;
	live_make(&t);
	assert_int_equal(guest_lock_take(&l, &t.root, 100, 0, NULL), 0);
	proc_locks(&t, QEMU_100, getpid());
	assert_false(seen_held(&t, 100));
	proc_locks(&t, QEMU_100, getppid());
	assert_true(seen_held(&t, 100));
	assert_false(seen_held(&t, 101));
	proc_locks(&t, LXC_100, -1); /* in another pid namespace */
	assert_true(seen_held(&t, 100));
	proc_locks(&t, LXC_100, getpid());
	assert_false(seen_held(&t, 100));
	guest_lock_release(&l);
	tree_done(&t);
}

/* The kernel's own words about it, where this kernel shows them for this file system. */
static void own_locks_as_the_kernel_has_them(void **state)
{
	CLEANUP(buf_done) struct buf text = {};
	struct held_locks l = {};
	struct tree t;

	(void)state;
	live_make(&t);
	assert_int_equal(guest_lock_take(&l, &t.root, 100, 0, NULL), 0);
	assert_int_equal(file_read_at(AT_FDCWD, "/proc/locks", 1 << 20, &text), 0);
	tree_write_n(&t, "proc/locks", buf_str(&text), text.len);
	assert_false(seen_held(&t, 100));
	guest_lock_release(&l);
	tree_done(&t);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_files),
		cmocka_unit_test(descriptors),
		cmocka_unit_test(exclusive),
		cmocka_unit_test(file_is_kept),
		cmocka_unit_test(both_or_none),
		cmocka_unit_test(holds_none_while_waiting),
		cmocka_unit_test(waits),
		cmocka_unit_test(several_guests),
		cmocka_unit_test(inherited),
		cmocka_unit_test(links),
		cmocka_unit_test(recorded_node),
		cmocka_unit_test(own_locks),
		cmocka_unit_test(own_locks_as_the_kernel_has_them),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
