/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* What this node has mapped: kept over processes, reboots, kills and damage; locks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "array/registry.h"
#include "util/clock.h"
#include "util/file.h"

#define SERIAL "96622A35A07E4A33000126D2"

struct place {
	char path[64], lib[80], run[80];
};

static int make(void **state)
{
	static struct place p;

	(void)snprintf(p.path, sizeof(p.path), "/tmp/test-registry-XXXXXX");
	assert_non_null(mkdtemp(p.path));
	(void)snprintf(p.lib, sizeof(p.lib), "%s/lib", p.path);
	(void)snprintf(p.run, sizeof(p.run), "%s/run", p.path);
	*state = &p;
	return 0;
}

static int drop(void **state)
{
	struct place *p = *state;
	char command[96];

	(void)snprintf(command, sizeof(command), "rm -rf %s", p->path);
	return system(command);
}

static struct registry *open_in(const struct place *p, const char *boot)
{
	struct registry *r = NULL;
	struct err e = {};

	assert_int_equal(registry_open(&r, &(struct registry_dir){ p->lib, p->run, boot }, &e), 0);
	return r;
}

static struct registry_entry entry_named(const char *volname)
{
	return (struct registry_entry){ .storage = "pure",
					.volname = volname,
					.snap = "",
					.array_volume = "vg/vm-100-disk-0",
					.volume_id = "id",
					.serial = SERIAL,
					.origin = "snapshot's id",
					.size = 1 << 20,
					.since = 1700000000,
					.verified = true };
}

static void put(struct registry *r, const char *volname, int expected)
{
	struct registry_entry entry = entry_named(volname);
	struct err e = {};

	assert_int_equal(registry_put(r, &entry, &e), expected);
}

static int find(struct registry *r, const char *volname, struct arena *a,
		struct registry_entry *ret)
{
	return registry_find(r, "pure", volname, "", a, ret);
}

static void write_registry(const struct place *p, const char *text)
{
	CLEANUP_FD int dir = open(p->lib, O_RDONLY | O_DIRECTORY);

	assert_int_equal(file_write_atomic(dir, "registry.json", slice_of(text), 0600), 0);
}

static void test_kept(void **state)
{
	CLEANUP(arena_done) struct arena a = {};
	struct registry *one = open_in(*state, "boot-1"), *two = open_in(*state, "boot-1");
	struct registry_entry found;

	assert_int_equal(find(one, "vm-100-disk-0", &a, &found), -ENOENT);
	put(one, "vm-100-disk-0", 0);
	assert_int_equal(find(two, "vm-100-disk-0", &a, &found), 0);
	assert_true(found.verified);
	assert_string_equal(found.serial, SERIAL);
	assert_string_equal(found.origin, "snapshot's id");
	put(two, "vm-100-disk-1", 0);
	assert_int_equal(find(one, "vm-100-disk-1", &a, &found), 0);
	assert_int_equal(registry_drop(one, "pure", "vm-100-disk-0", "", NULL), 0);
	assert_int_equal(registry_drop(one, "pure", "vm-100-disk-0", "", NULL), 0);
	assert_int_equal(find(two, "vm-100-disk-0", &a, &found), -ENOENT);
	assert_int_equal(registry_find_serial(two, SERIAL, &a, &found), 0);
	assert_string_equal(found.volname, "vm-100-disk-1");
	registry_close(one);
	registry_close(two);
}

static int64_t put_of(struct registry *r, const char *volname)
{
	CLEANUP(arena_done) struct arena a = {};
	struct registry_entry found;

	assert_int_equal(find(r, volname, &a, &found), 0);
	return found.put;
}

/* Whoever kept an entry can tell that it was put since, also by another process, also after a drop,
 * and whatever the clock does. */
static void test_put_again(void **state)
{
	struct registry *one = open_in(*state, "boot-1"), *two = open_in(*state, "boot-1");
	int64_t first, second, third;

	put(one, "vm-100-disk-0", 0);
	first = put_of(two, "vm-100-disk-0");
	assert_true(first > 0);
	put(two, "vm-100-disk-0", 0);
	second = put_of(one, "vm-100-disk-0");
	assert_true(second > first);
	assert_int_equal(registry_drop(one, "pure", "vm-100-disk-0", "", NULL), 0);
	put(one, "vm-100-disk-0", 0);
	third = put_of(one, "vm-100-disk-0");
	assert_true(third > second);
	put(one, "vm-100-disk-1", 0);
	assert_int_equal(put_of(one, "vm-100-disk-0"), third);
	registry_close(one);
	registry_close(two);
	write_registry(
		*state,
		"{\"schema\":\"pvewarden.array.registry/1\",\"entries\":[{\"storage\":\"pure\","
		"\"volname\":\"vm-100-disk-0\",\"snap\":\"\",\"array_volume\":\"v\","
		"\"volume_id\":\"id\",\"serial\":\"" SERIAL "\",\"protocol\":\"iscsi\","
		"\"size\":1,\"since\":1,\"put\":9000000000000000000}]}");
	one = open_in(*state, "boot-1");
	put(one, "vm-100-disk-0", 0);
	assert_true(put_of(one, "vm-100-disk-0") > 9000000000000000000);
	registry_close(one);
}

/* That it is in order again is noted of that very entry, which stays as it was. */
static void test_checked(void **state)
{
	CLEANUP(arena_done) struct arena a = {};
	struct registry *one = open_in(*state, "boot-1"), *two = open_in(*state, "boot-1");
	struct registry_entry seen, found;

	put(one, "vm-100-disk-0", 0);
	put(one, "vm-100-disk-1", 0);
	assert_int_equal(find(one, "vm-100-disk-0", &a, &seen), 0);
	assert_int_equal(seen.checked, 0);
	assert_int_equal(registry_checked(two, &seen, NULL), 0);
	assert_int_equal(find(one, "vm-100-disk-0", &a, &found), 0);
	assert_int_equal(found.put, seen.put);
	assert_true(found.verified);
	assert_true(found.checked > 0 && found.checked <= clock_boot_ms());
	assert_int_equal(find(one, "vm-100-disk-1", &a, &found), 0);
	assert_int_equal(found.checked, 0);
	put(one, "vm-100-disk-0", 0);
	assert_int_equal(registry_checked(two, &seen, NULL), 0);
	assert_int_equal(find(two, "vm-100-disk-0", &a, &found), 0);
	assert_int_equal(found.checked, 0);
	assert_int_equal(registry_drop(one, "pure", "vm-100-disk-0", "", NULL), 0);
	assert_int_equal(registry_checked(two, &seen, NULL), 0);
	assert_int_equal(find(two, "vm-100-disk-0", &a, &found), -ENOENT);
	registry_close(one);
	registry_close(two);
}

/* A volume, and what stands for one of its snapshots, are two. */
static void test_snap(void **state)
{
	CLEANUP(arena_done) struct arena a = {};
	struct registry *r = open_in(*state, "boot-1");
	struct registry_entry entry = entry_named("vm-100-disk-0"), *all;
	size_t n;

	put(r, "vm-100-disk-0", 0);
	entry.snap = "s1";
	entry.leaving = true;
	assert_int_equal(registry_put(r, &entry, NULL), 0);
	assert_int_equal(registry_list(r, &a, &all, &n, NULL), 0);
	assert_int_equal(n, 2);
	assert_int_equal(registry_find(r, "pure", "vm-100-disk-0", "s1", &a, &entry), 0);
	assert_true(entry.leaving);
	assert_int_equal(find(r, "vm-100-disk-0", &a, &entry), 0);
	assert_false(entry.leaving);
	registry_close(r);
}

/* What stands for a snapshot is known before the array has said its serial; a volume is not. */
static void test_no_serial(void **state)
{
	CLEANUP(arena_done) struct arena a = {};
	struct registry *r = open_in(*state, "boot-1");
	struct registry_entry entry = entry_named("vm-100-disk-0");

	entry.snap = "s1";
	entry.serial = "";
	assert_int_equal(registry_put(r, &entry, NULL), 0);
	registry_close(r);
	r = open_in(*state, "boot-1");
	assert_int_equal(registry_find(r, "pure", "vm-100-disk-0", "s1", &a, &entry), 0);
	assert_string_equal(entry.serial, "");
	entry.snap = "";
	assert_int_equal(registry_put(r, &entry, NULL), 0);
	assert_int_equal(registry_find(r, "pure", "vm-100-disk-0", "s1", &a, &entry), -EBADMSG);
	registry_close(r);
}

static void test_reboot(void **state)
{
	CLEANUP(arena_done) struct arena a = {};
	struct registry *r = open_in(*state, "boot-1");
	struct registry_entry found;

	put(r, "vm-100-disk-0", 0);
	registry_close(r);
	r = open_in(*state, "boot-2");
	assert_int_equal(find(r, "vm-100-disk-0", &a, &found), 0);
	assert_false(found.verified);
	/* Another volume's change does not make it verified again. */
	put(r, "vm-101-disk-0", 0);
	registry_close(r);
	r = open_in(*state, "boot-1");
	assert_int_equal(find(r, "vm-100-disk-0", &a, &found), 0);
	assert_false(found.verified);
	registry_close(r);
}

static void test_damaged(void **state)
{
	static const char half[] = "{\"schema\":\"pvewarden.array.registry/1\","
				   "\"entries\":[{\"storage\":\"pure\"}]}";
	static const char *const bad[] = { "", "{", "[]", "{\"entries\":[]}", half };
	CLEANUP(arena_done) struct arena a = {};
	struct registry *r = open_in(*state, "boot-1");
	struct registry_entry found, *all;
	struct place *p = *state;
	char aside[128];
	struct err e = {};
	size_t n;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		write_registry(p, bad[i]);
		assert_int_equal(find(r, "vm-100-disk-0", &a, &found), -EBADMSG);
		assert_int_equal(registry_list(r, &a, &all, &n, &e), -EBADMSG);
		assert_int_equal(registry_drop(r, "pure", "vm-100-disk-0", "", &e), -EBADMSG);
	}
	put(r, "vm-100-disk-0", 1);
	put(r, "vm-100-disk-1", 0);
	assert_int_equal(find(r, "vm-100-disk-0", &a, &found), 0);
	(void)snprintf(aside, sizeof(aside), "%s/registry.json.bad", p->lib);
	assert_int_equal(access(aside, F_OK), 0);
	registry_close(r);
}

/* Which disk is full or cannot be written is told by the path. */
static void test_refused(void **state)
{
	const struct place *p = *state;
	struct registry *r = open_in(p, "boot-1");
	struct registry_entry entry = entry_named("vm-100-disk-0");
	char path[128];
	struct err e = {};

	(void)snprintf(path, sizeof(path), "%s/registry.json", p->lib);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(registry_put(r, &entry, &e), -EISDIR);
	assert_non_null(strstr(e.text, path));
	(void)snprintf(path, sizeof(path), "%s/lock/pure:vm-100-disk-0", p->run);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(registry_lock_volume(r, "pure", "vm-100-disk-0", 0, &e), -EISDIR);
	assert_non_null(strstr(e.text, path));
	registry_close(r);
}

/* Many threads of many processes, one of which is killed again and again: what a call has returned
 * from is there, and the file is whole at each moment. */
static NORETURN void write_for_ever(const struct place *p, int number, int tell)
{
	struct registry *r = open_in(p, "boot-1");

	for (uint32_t i = 0;; i++) {
		char name[32];

		(void)snprintf(name, sizeof(name), "vm-%d-disk-%u", 100 + number, i % 50);
		put(r, name, 0);
		if (write(tell, &i, sizeof(i)) != sizeof(i))
			_exit(0);
	}
}

static void check_acknowledged(const struct place *p, int number, uint32_t last)
{
	CLEANUP(arena_done) struct arena a = {};
	struct registry *r = open_in(p, "boot-1");
	struct registry_entry found;
	char name[32];

	for (uint32_t i = 0; i <= last && i < 50; i++) {
		(void)snprintf(name, sizeof(name), "vm-%d-disk-%u", 100 + number, i);
		assert_int_equal(find(r, name, &a, &found), 0);
	}
	registry_close(r);
}

static void test_killed(void **state)
{
	for (int round = 0; round < 8; round++) {
		uint32_t last = 0, got;
		int pipes[2];
		pid_t child;

		assert_int_equal(pipe(pipes), 0);
		child = fork();
		if (child == 0)
			write_for_ever(*state, round, pipes[1]);
		(void)close(pipes[1]);
		for (int i = 0; i < 10 + round; i++)
			assert_int_equal(read(pipes[0], &last, sizeof(last)), sizeof(last));
		(void)kill(child, SIGKILL);
		assert_int_equal(waitpid(child, NULL, 0), child);
		while (read(pipes[0], &got, sizeof(got)) == sizeof(got))
			last = got;
		(void)close(pipes[0]);
		check_acknowledged(*state, round, last);
	}
}

struct writer {
	struct registry *r;
	int number;
};

static void *write_some(void *arg)
{
	const struct writer *w = arg;
	char name[32];

	for (int i = 0; i < 10; i++) {
		(void)snprintf(name, sizeof(name), "vm-%d-disk-%d", 200 + w->number, i);
		put(w->r, name, 0);
	}
	return NULL;
}

static void test_threads(void **state)
{
	CLEANUP(arena_done) struct arena a = {};
	struct registry *r = open_in(*state, "boot-1");
	struct writer writers[4];
	struct registry_entry *all;
	pthread_t threads[4];
	size_t n;

	for (int i = 0; i < 4; i++) {
		writers[i] = (struct writer){ r, i };
		assert_int_equal(pthread_create(&threads[i], NULL, write_some, &writers[i]), 0);
	}
	for (int i = 0; i < 4; i++)
		(void)pthread_join(threads[i], NULL);
	assert_int_equal(registry_list(r, &a, &all, &n, NULL), 0);
	assert_int_equal(n, 40);
	registry_close(r);
}

static void test_lock(void **state)
{
	struct registry *one = open_in(*state, "b"), *two = open_in(*state, "b");
	struct err e = {};
	char who[32];
	int fd = registry_lock_volume(one, "pure", "vm-100-disk-0", clock_mono_ms(), &e), other;

	assert_true(fd >= 0);
	other = registry_lock_volume(two, "pure", "vm-100-disk-1", clock_mono_ms(), &e);
	assert_true(other >= 0);
	(void)close(other);
	assert_int_equal(
		registry_lock_volume(two, "pure", "vm-100-disk-0", clock_mono_ms() + 50, &e),
		-ETIMEDOUT);
	(void)snprintf(who, sizeof(who), "process %d", (int)getpid());
	assert_non_null(strstr(e.text, who));
	(void)close(fd);
	fd = registry_lock_volume(two, "pure", "vm-100-disk-0", clock_mono_ms(), &e);
	assert_true(fd >= 0);
	(void)close(fd);
	assert_int_equal(registry_lock_volume(two, "pure", "../x", clock_mono_ms(), &e), -EINVAL);
	registry_close(one);
	registry_close(two);
}

struct waiter {
	struct registry *r;
	int fd;
};

static void *wait_for_lock(void *arg)
{
	struct waiter *w = arg;
	struct err e = {};

	w->fd = registry_lock_volume(w->r, "pure", "vm-100-disk-0", clock_mono_ms() + 5000, &e);
	return NULL;
}

/* systemd-tmpfiles deletes what was not used for long, whoever has just opened it. */
static void test_lock_whose_file_is_deleted(void **state)
{
	const struct place *p = *state;
	struct registry *one = open_in(*state, "b");
	struct waiter w = { .r = open_in(*state, "b"), .fd = -1 };
	struct stat st, named;
	struct err e = {};
	pthread_t thread;
	char path[128];
	int fd = registry_lock_volume(one, "pure", "vm-100-disk-0", clock_mono_ms(), &e);

	assert_true(fd >= 0);
	assert_int_equal(pthread_create(&thread, NULL, wait_for_lock, &w), 0);
	(void)usleep(50000);
	(void)snprintf(path, sizeof(path), "%s/lock/pure:vm-100-disk-0", p->run);
	assert_int_equal(unlink(path), 0);
	(void)close(fd);
	(void)pthread_join(thread, NULL);
	assert_true(w.fd >= 0);
	assert_int_equal(fstat(w.fd, &st), 0);
	assert_int_equal(stat(path, &named), 0);
	assert_int_equal(st.st_ino, named.st_ino);
	(void)close(w.fd);
	registry_close(one);
	registry_close(w.r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_kept, make, drop),
		cmocka_unit_test_setup_teardown(test_snap, make, drop),
		cmocka_unit_test_setup_teardown(test_put_again, make, drop),
		cmocka_unit_test_setup_teardown(test_checked, make, drop),
		cmocka_unit_test_setup_teardown(test_no_serial, make, drop),
		cmocka_unit_test_setup_teardown(test_reboot, make, drop),
		cmocka_unit_test_setup_teardown(test_damaged, make, drop),
		cmocka_unit_test_setup_teardown(test_refused, make, drop),
		cmocka_unit_test_setup_teardown(test_killed, make, drop),
		cmocka_unit_test_setup_teardown(test_threads, make, drop),
		cmocka_unit_test_setup_teardown(test_lock, make, drop),
		cmocka_unit_test_setup_teardown(test_lock_whose_file_is_deleted, make, drop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
