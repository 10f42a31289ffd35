/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "blk/users.h"

#include <dirent.h>
#include <errno.h>
#include <linux/capability.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "test_pve_tree.h"

/* What a service without the right to look into other processes has: root, and not this. */
static void give_up_ptrace(void)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct have[2] = {};

	assert_int_equal(syscall(SYS_capget, &head, have), 0);
	have[0].effective &= ~(1u << CAP_SYS_PTRACE);
	have[0].permitted &= ~(1u << CAP_SYS_PTRACE);
	assert_int_equal(syscall(SYS_capset, &head, have), 0);
}

/* The open files of @pid, as /proc tells them to this process. */
static bool can_see(pid_t pid)
{
	char path[64], target[64];

	(void)snprintf(path, sizeof(path), "/proc/%d/fd/0", (int)pid);
	return readlink(path, target, sizeof(target)) >= 0;
}

static bool look(bool live)
{
	static const struct devno nobodys = { 253, 1048575 };
	struct dm_users users;
	struct dm_set none = {};
	struct arena a = {};
	struct tree t = {};
	struct root root;
	bool blind;

	if (!live)
		tree_make(&t);
	else
		assert_int_equal(root_open(&root, "/", NULL), 0);
	users_read(&users, live ? &root : &t.root, &none, &nobodys, 1, &a);
	blind = users.blind;
	assert_int_equal(users.n, 0);
	users_done(&users);
	arena_done(&a);
	if (live)
		root_close(&root);
	else
		tree_done(&t);
	return blind;
}

/* A neighbour with all that we have now, and in the child that looks a little less of it. */
static void who_cannot_look_says_so(void **state)
{
	pid_t neighbour = fork(), looker;
	int status = 0;

	(void)state;
	if (neighbour == 0) {
		pause();
		_exit(0);
	}
	looker = fork();
	if (looker == 0) {
		give_up_ptrace();
		/* Without any rights to give up, as a plain user, it is init that is not seen. */
		_exit(can_see(neighbour) && can_see(1) ? 3 : look(true) ? 0 : 4);
	}
	assert_int_equal(waitpid(looker, &status, 0), looker);
	(void)kill(neighbour, SIGKILL);
	(void)waitpid(neighbour, NULL, 0);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

static bool somebody_is_hidden(void)
{
	DIR *proc = opendir("/proc");
	struct dirent *entry;
	bool hidden = false;

	while (proc && (entry = readdir(proc))) {
		pid_t pid = (pid_t)atol(entry->d_name);

		hidden |= pid > 0 && !can_see(pid) && errno == EACCES;
	}
	if (proc)
		(void)closedir(proc);
	return hidden;
}

static void who_can_look_is_not_blind(void **state)
{
	(void)state;
	if (somebody_is_hidden())
		skip();
	assert_false(look(true));
}

static void a_record_is_whole(void **state)
{
	(void)state;
	assert_false(look(false));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_cannot_look_says_so),
		cmocka_unit_test(who_can_look_is_not_blind),
		cmocka_unit_test(a_record_is_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
