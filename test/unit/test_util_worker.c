/* SPDX-License-Identifier: AGPL-3.0-or-later */

/* A call in a child of its own: its answer, its sentence, its death, and a deadline that holds. */

#include "util/worker.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "util/clock.h"

enum { LONG_MS = 5000 };

/* Seen by both processes, whatever becomes of the answer. */
static struct shared {
	pid_t pid;
} * shared;

static int no_child(void)
{
	/* On a busy machine one that has answered, or was killed, may still be on its way out. */
	for (int i = 0; i < 2000; i++) {
		pid_t pid = waitpid(-1, NULL, WNOHANG);

		if (pid < 0)
			return errno == ECHILD;
		if (pid == 0)
			(void)poll(NULL, 0, 10);
	}
	return 0;
}

static int add_one(void *arg, void *answer, struct err *e)
{
	uint32_t *n = answer;

	(void)e;
	shared->pid = getpid();
	*n += *(const uint32_t *)arg;
	return 7;
}

static void answers(void **state)
{
	uint32_t one = 1, n = 41;
	struct worker_left left = { 1, 1 };
	struct err e = { "old" };

	(void)state;
	assert_int_equal(worker_run(add_one, &one, &n, sizeof(n), LONG_MS, &left, &e), 7);
	assert_int_equal(n, 42);
	assert_int_equal(left.pid, 0);
	assert_int_equal(left.start_ticks, 0);
	assert_string_equal(e.text, "");
	assert_true(shared->pid != getpid());
	assert_true(no_child());
}

/* What it changes beside its answer stays with it. */
static int only_in_the_child(void *arg, void *answer, struct err *e)
{
	(void)answer;
	(void)e;
	*(int *)arg = 2;
	return 0;
}

static void nothing_else_changes(void **state)
{
	int here = 1;

	(void)state;
	assert_int_equal(worker_run(only_in_the_child, &here, NULL, 0, LONG_MS, NULL, NULL), 0);
	assert_int_equal(here, 1);
}

static int complain(void *arg, void *answer, struct err *e)
{
	*(char *)answer = 'x';
	return err_set(e, -ENOSPC, "%s is full", (const char *)arg);
}

static void sentence(void **state)
{
	struct err e = {};
	char answer = '-';

	(void)state;
	assert_int_equal(worker_run(complain, (void *)"it", &answer, 1, LONG_MS, NULL, &e),
			 -ENOSPC);
	assert_string_equal(e.text, "it is full");
	assert_int_equal(answer, 'x');
	assert_int_equal(worker_run(complain, (void *)"it", &answer, 1, LONG_MS, NULL, NULL),
			 -ENOSPC);
}

static int large(void *arg, void *answer, struct err *e)
{
	(void)arg;
	(void)e;
	memset(answer, 'y', 1 << 20);
	return 0;
}

/* More than a pipe or a page holds. */
static void large_answer(void **state)
{
	CLEANUP_FREE char *answer = xcalloc(1, 1 << 20);

	(void)state;
	assert_int_equal(worker_run(large, NULL, answer, 1 << 20, LONG_MS, NULL, NULL), 0);
	assert_int_equal(answer[0], 'y');
	assert_int_equal(answer[(1 << 20) - 1], 'y');
}

static int sleep_on(void *arg, void *answer, struct err *e)
{
	(void)arg;
	(void)e;
	*(int *)answer = 1;
	shared->pid = getpid();
	(void)poll(NULL, 0, 20000);
	return 0;
}

static void deadline(void **state)
{
	struct worker_left left = { 1, 1 };
	int64_t before = clock_boot_ms(), took;
	struct err e = {};
	int answer = 0;

	(void)state;
	assert_int_equal(worker_run(sleep_on, NULL, &answer, sizeof(answer), 100, &left, &e),
			 -ETIMEDOUT);
	took = clock_boot_ms() - before;
	assert_in_range(took, 100, 10000);
	assert_non_null(strstr(e.text, "100 ms"));
	assert_int_equal(answer, 1); /* what was written so far */
	/* It was killed. On a busy machine it may take longer to be gone than is waited for: then
	 * it is said who it is. */
	if (left.pid)
		assert_int_equal(left.pid, shared->pid);
	assert_true(no_child());
	assert_int_equal(kill(shared->pid, 0), -1);
}

static void deadline_past(void **state)
{
	int answer = 0;

	(void)state;
	assert_int_equal(worker_run(sleep_on, NULL, &answer, sizeof(answer), 0, NULL, NULL),
			 -ETIMEDOUT);
	assert_int_equal(worker_run(sleep_on, NULL, &answer, sizeof(answer), -50, NULL, NULL),
			 -ETIMEDOUT);
	assert_true(no_child());
}

static int ignore_and_sleep(void *arg, void *answer, struct err *e)
{
	(void)signal(SIGTERM, SIG_IGN);
	(void)signal(SIGINT, SIG_IGN);
	return sleep_on(arg, answer, e);
}

static void deadline_of_the_deaf(void **state)
{
	struct worker_left left;
	int answer = 0;

	(void)state;
	assert_int_equal(
		worker_run(ignore_and_sleep, NULL, &answer, sizeof(answer), 50, &left, NULL),
		-ETIMEDOUT);
	assert_int_equal(left.pid, 0);
	assert_true(no_child());
}

static int die(void *arg, void *answer, struct err *e)
{
	(void)e;
	*(int *)answer = 1;
	(void)raise(*(int *)arg);
	return 0;
}

static int leave(void *arg, void *answer, struct err *e)
{
	(void)arg;
	(void)answer;
	(void)e;
	_exit(0);
}

static void dies(void **state)
{
	int signal_sent = SIGKILL, answer = 0;
	struct worker_left left;
	struct err e = {};

	(void)state;
	assert_int_equal(worker_run(die, &signal_sent, &answer, sizeof(answer), LONG_MS, &left, &e),
			 -EPIPE);
	assert_non_null(strstr(e.text, "worker process failed"));
	assert_int_equal(left.pid, 0);
	assert_int_equal(worker_run(leave, NULL, NULL, 0, LONG_MS, NULL, NULL), -EPIPE);
	assert_true(no_child());
}

/* A signal to the caller is no reason to give up, nor to wait longer. */
static volatile sig_atomic_t alarms;

static void count_alarm(int signal_sent)
{
	(void)signal_sent;
	alarms++;
}

static int sleep_a_little(void *arg, void *answer, struct err *e)
{
	(void)arg;
	(void)answer;
	(void)e;
	(void)poll(NULL, 0, 150);
	return 3;
}

static void every_20_ms(bool on)
{
	struct sigaction act = { .sa_handler = count_alarm };
	struct timespec pace = { 0, on ? 20000000 : 0 };
	static timer_t timer;

	if (on) {
		(void)sigaction(SIGALRM, &act, NULL);
		assert_int_equal(timer_create(CLOCK_MONOTONIC, NULL, &timer), 0);
	}
	assert_int_equal(timer_settime(timer, 0, &(struct itimerspec){ pace, pace }, NULL), 0);
	if (!on)
		(void)timer_delete(timer);
}

static void signals_in_between(void **state)
{
	int64_t before;
	int answer = 0;

	(void)state;
	every_20_ms(true);
	assert_int_equal(worker_run(sleep_a_little, NULL, NULL, 0, LONG_MS, NULL, NULL), 3);
	before = clock_boot_ms();
	assert_int_equal(worker_run(sleep_on, NULL, &answer, sizeof(answer), 100, NULL, NULL),
			 -ETIMEDOUT);
	every_20_ms(false);
	assert_in_range(clock_boot_ms() - before, 100, 10000);
	assert_true(alarms > 2);
}

static int count_files(void)
{
	int n = 0;

	for (int fd = 0; fd < 256; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

static void nothing_is_left_open(void **state)
{
	int before = count_files(), answer = 0, signal_sent = SIGKILL;

	(void)state;
	(void)worker_run(leave, NULL, NULL, 0, LONG_MS, NULL, NULL);
	(void)worker_run(die, &signal_sent, &answer, sizeof(answer), LONG_MS, NULL, NULL);
	(void)worker_run(sleep_on, NULL, &answer, sizeof(answer), 10, NULL, NULL);
	assert_int_equal(count_files(), before);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(answers),
		cmocka_unit_test(nothing_else_changes),
		cmocka_unit_test(sentence),
		cmocka_unit_test(large_answer),
		cmocka_unit_test(deadline),
		cmocka_unit_test(deadline_past),
		cmocka_unit_test(deadline_of_the_deaf),
		cmocka_unit_test(dies),
		cmocka_unit_test(signals_in_between),
		cmocka_unit_test(nothing_is_left_open),
	};

	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		      0);
	if (shared == MAP_FAILED)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
