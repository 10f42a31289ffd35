/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "array/worker_wire.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "util/clock.h"
#include "util/file.h"

#define GOOD   "0123456789ABCDEF00011000"
#define SLOW   "0123456789ABCDEF00011001"
#define DIES   "0123456789ABCDEF00011002"
#define STICKS "0123456789ABCDEF00011003"
#define HALF   "0123456789ABCDEF00011004"
#define LEAVES "0123456789ABCDEF00011005"
#define TOLD   "0123456789ABCDEF00011006"

enum { STUCK_MS = 1500, LIST_STUCK_MS = 6000, LISTS = 4, THREADS = 16, CALLS = 20 };

static struct workers *workers;
static pid_t *told; /* which process has begun the call; shared with it */

/*
 * What the kernel does to a process that it never gives back is played by one that is dead and not
 * reaped: its group stays until its parent, which has left the group, goes.
 */
static void stick(int ms)
{
	if (fork() == 0) {
		if (fork() == 0)
			_exit(0);
		(void)setsid();
		(void)poll(NULL, 0, ms);
		_exit(0);
	}
	(void)poll(NULL, 0, 100);
}

/* stdio is /dev/null, 3 the reply, and nothing else is open. */
static bool is_clean(void)
{
	struct stat null, st;

	if (stat("/dev/null", &null) < 0)
		return false;
	for (int fd = 0; fd < 3; fd++)
		if (fstat(fd, &st) < 0 || st.st_rdev != null.st_rdev)
			return false;
	for (int fd = 4; fd < 256; fd++)
		if (fcntl(fd, F_GETFD) >= 0)
			return false;
	return true;
}

/* In place of the one that works on devices. */
void worker_perform(const struct worker_request *q, int reply)
{
	struct worker_reply head = { .size = sizeof(struct map_state) };
	struct map_state s = { .present = is_clean(), .size = q->size };

	if (strcmp(q->serial, TOLD) == 0)
		__atomic_store_n(told, getpid(), __ATOMIC_RELEASE);
	if (strcmp(q->serial, SLOW) == 0 || strcmp(q->serial, TOLD) == 0)
		(void)poll(NULL, 0, 60000);
	if (strcmp(q->serial, DIES) == 0)
		_exit(1);
	if (strcmp(q->serial, STICKS) == 0 && q->op == WORKER_RESIZE) {
		stick(STUCK_MS);
		(void)poll(NULL, 0, 60000);
	}
	/* It answers, and leaves somebody behind. */
	if (q->op == WORKER_LIST)
		stick(LIST_STUCK_MS);
	if (strcmp(q->serial, LEAVES) == 0 && fork() == 0)
		(void)poll(NULL, 0, 60000);
	(void)snprintf(s.device, sizeof(s.device), "%ld", (long)getpid());
	if (q->op == WORKER_FORGET)
		head.code = err_set(&head.e, -EBUSY, "a sentence");
	if (head.code < 0)
		head.size = 0;
	(void)file_write_all(reply, (struct slice){ (const char *)&head, sizeof(head) });
	if (strcmp(q->serial, HALF) != 0)
		(void)file_write_all(reply, (struct slice){ (const char *)&s, head.size });
}

static int begin(void **state)
{
	(void)state;
	return workers_start(&workers, NULL);
}

static int end(void **state)
{
	(void)state;
	workers_stop(workers);
	workers = NULL;
	return 0;
}

static void an_answer_and_nothing_inherited(void **state)
{
	struct map_state s = {};
	struct err e;
	int keep[2];

	(void)state;
	assert_int_equal(pipe(keep), 0);
	assert_int_equal(workers_resize(workers, GOOD, ARRAY_ISCSI, 42, 5000, &s, &e), 0);
	assert_true(s.present);
	assert_int_equal(s.size, 42);
	(void)close(keep[0]);
	(void)close(keep[1]);
}

static void errors_come_with_their_sentence(void **state)
{
	struct map_left left = { .serial = GOOD };
	struct map_state s;
	struct err e = {};

	(void)state;
	assert_int_equal(workers_forget(workers, &left, 5000, &e), -EBUSY);
	assert_string_equal(e.text, "a sentence");
	assert_int_equal(workers_look(workers, "../../etc", ARRAY_ISCSI, &s, &e), -EINVAL);
	assert_int_equal(workers_look(workers, DIES, ARRAY_ISCSI, &s, &e), -EPIPE);
	assert_int_equal(workers_look(workers, HALF, ARRAY_ISCSI, &s, &e), -EPIPE);
}

static void a_deadline_is_kept(void **state)
{
	int64_t begun = clock_boot_ms();
	struct worker_stuck stuck[4];
	struct map_state s;
	struct err e;

	(void)state;
	assert_int_equal(workers_resize(workers, SLOW, ARRAY_ISCSI, 1, 200, &s, &e), -ETIMEDOUT);
	assert_true(clock_boot_ms() - begun < 3000);
	/* It could be killed: nothing is stuck, and the serial is free again. */
	(void)poll(NULL, 0, 300);
	assert_int_equal(workers_stuck(workers, stuck, 4), 0);
	assert_int_equal(workers_resize(workers, SLOW, ARRAY_ISCSI, 1, 100, &s, &e), -ETIMEDOUT);
}

static void who_is_stuck_is_not_touched_again(void **state)
{
	struct worker_stuck stuck[4] = {};
	int64_t begun = clock_boot_ms();
	struct map_state s;
	struct err e;
	int r;

	(void)state;
	assert_int_equal(workers_resize(workers, STICKS, ARRAY_ISCSI, 1, 300, &s, &e), -ETIMEDOUT);
	assert_int_equal(workers_look(workers, STICKS, ARRAY_ISCSI, &s, &e), -EALREADY);
	assert_non_null(strstr(e.text, "hangs in the kernel"));
	assert_int_equal(workers_stuck(workers, stuck, 4), 1);
	assert_string_equal(stuck[0].serial, STICKS);
	assert_true(stuck[0].pid > 0 && stuck[0].since > 0);
	assert_int_equal(workers_look(workers, GOOD, ARRAY_ISCSI, &s, &e), 0);
	/* Until the kernel has given it back. */
	do {
		(void)poll(NULL, 0, 50);
		r = workers_look(workers, STICKS, ARRAY_ISCSI, &s, &e);
	} while (r == -EALREADY && clock_boot_ms() - begun < 20000);
	assert_int_equal(r, 0);
	assert_int_equal(workers_stuck(workers, stuck, 4), 0);
}

/* Looks at all disks are asked for every few seconds: one disk that hangs must not take all places,
 * which the calls on other volumes need. */
static void lists_do_not_pile_up(void **state)
{
	CLEANUP(arena_done) struct arena a = {};
	int64_t begun = clock_boot_ms();
	struct worker_stuck stuck[16];
	struct map_list found;
	struct map_state s;
	struct err e = {};
	int r;

	(void)state;
	for (int i = 0; i < LISTS; i++)
		assert_int_equal(workers_list(workers, &found, &a, &e), 0);
	/* They have answered, and do not end. */
	while (workers_stuck(workers, stuck, 16) < LISTS && clock_boot_ms() - begun < LIST_STUCK_MS)
		(void)poll(NULL, 0, 20);
	assert_int_equal(workers_list(workers, &found, &a, &e), -EALREADY);
	assert_non_null(strstr(e.text, "hang in the kernel"));
	assert_int_equal(workers_look(workers, GOOD, ARRAY_ISCSI, &s, &e), 0);
	assert_true(workers_stuck(workers, stuck, 16) <= LISTS);
	do {
		(void)poll(NULL, 0, 100);
		r = workers_list(workers, &found, &a, &e);
	} while (r == -EALREADY && clock_boot_ms() - begun < 30000);
	assert_int_equal(r, 0);
}

/* What a call has started itself ends with it. */
static void nothing_is_left_behind(void **state)
{
	struct worker_stuck stuck[4];
	struct map_state s;
	pid_t group;

	(void)state;
	assert_int_equal(workers_look(workers, LEAVES, ARRAY_ISCSI, &s, NULL), 0);
	group = (pid_t)atol(s.device);
	for (int i = 0; i < 200 && kill(-group, 0) == 0; i++)
		(void)poll(NULL, 0, 10);
	assert_int_equal(kill(-group, 0), -1);
	assert_int_equal(workers_look(workers, LEAVES, ARRAY_ISCSI, &s, NULL), 0);
	assert_int_equal(workers_stuck(workers, stuck, 4), 0);
}

static void *many_calls(void *arg)
{
	static char wrong[] = "wrong";

	for (uint64_t i = 1; i <= CALLS; i++) {
		uint64_t size = (uintptr_t)arg * 1000 + i;
		struct map_state s = {};

		if (workers_resize(workers, GOOD, ARRAY_ISCSI, size, 20000, &s, NULL) != 0 ||
		    s.size != size)
			return wrong;
	}
	return NULL;
}

static void from_many_threads(void **state)
{
	pthread_t threads[THREADS];

	(void)state;
	for (uintptr_t i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, many_calls, (void *)(i + 1)), 0);
	for (size_t i = 0; i < THREADS; i++) {
		void *wrong;

		assert_int_equal(pthread_join(threads[i], &wrong), 0);
		assert_null(wrong);
	}
}

static void *slow_call(void *arg)
{
	struct map_state s;

	*(int *)arg = workers_resize(workers, SLOW, ARRAY_ISCSI, 1, 5000, &s, NULL);
	return NULL;
}

/* Its process is the only child of this one. */
static pid_t server(void)
{
	CLEANUP(buf_done) struct buf text = {};
	char path[64];

	(void)snprintf(path, sizeof(path), "/proc/self/task/%ld/children", (long)getpid());
	(void)file_read_at(AT_FDCWD, path, 4096, &text);
	return (pid_t)atol(buf_str(&text));
}

static void its_end_is_noticed(void **state)
{
	struct pollfd p = { .fd = workers_fd(workers), .events = POLLIN };
	struct map_state s;
	pthread_t thread;
	struct err e;
	int r = 0;

	(void)state;
	assert_int_equal(poll(&p, 1, 0), 0);
	assert_int_equal(pthread_create(&thread, NULL, slow_call, &r), 0);
	(void)poll(NULL, 0, 100);
	assert_true(server() > 0);
	assert_int_equal(kill(server(), SIGKILL), 0);
	assert_int_equal(poll(&p, 1, 5000), 1);
	assert_true(workers_look(workers, GOOD, ARRAY_ISCSI, &s, &e) < 0);
	assert_non_null(strstr(e.text, "has ended"));
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_true(r < 0);
}

static void *told_call(void *arg)
{
	struct map_state s;

	*(int *)arg = workers_resize(workers, TOLD, ARRAY_ISCSI, 1, 5000, &s, NULL);
	return NULL;
}

static pid_t begun_by(void)
{
	return __atomic_load_n(told, __ATOMIC_ACQUIRE);
}

/* Nobody keeps its deadline any more, and nobody knows that it still works on the volume. */
static void a_call_ends_with_its_server(void **state)
{
	pthread_t thread;
	int r = 0;

	(void)state;
	*told = 0;
	assert_int_equal(pthread_create(&thread, NULL, told_call, &r), 0);
	for (int i = 0; i < 500 && !begun_by(); i++)
		(void)poll(NULL, 0, 10);
	assert_true(begun_by() > 0);
	assert_int_equal(kill(server(), SIGKILL), 0);
	for (int i = 0; i < 500 && kill(begun_by(), 0) == 0; i++)
		(void)poll(NULL, 0, 10);
	assert_int_equal(kill(begun_by(), 0), -1);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_true(r < 0);
}

static void *go_on_later(void *arg)
{
	(void)poll(NULL, 0, 200);
	(void)kill(*(pid_t *)arg, SIGCONT);
	return NULL;
}

/* Who asked has ended, and with it the lock under which the call was to be. */
static void what_nobody_waits_for_is_not_begun(void **state)
{
	pid_t stopped = server();
	struct map_state s;
	pthread_t thread;
	struct err e;

	(void)state;
	*told = 0;
	assert_int_equal(kill(stopped, SIGSTOP), 0);
	/* As many as give the first one time to run, before the last is taken. */
	for (int i = 0; i < 24; i++)
		assert_int_equal(workers_resize(workers, TOLD, ARRAY_ISCSI, 1, 10, &s, &e),
				 -ETIMEDOUT);
	assert_int_equal(pthread_create(&thread, NULL, go_on_later, &stopped), 0);
	workers_stop(workers);
	workers = NULL;
	assert_int_equal(pthread_join(thread, NULL), 0);
	(void)poll(NULL, 0, 200);
	assert_int_equal(begun_by(), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(an_answer_and_nothing_inherited, begin, end),
		cmocka_unit_test_setup_teardown(errors_come_with_their_sentence, begin, end),
		cmocka_unit_test_setup_teardown(a_deadline_is_kept, begin, end),
		cmocka_unit_test_setup_teardown(who_is_stuck_is_not_touched_again, begin, end),
		cmocka_unit_test_setup_teardown(lists_do_not_pile_up, begin, end),
		cmocka_unit_test_setup_teardown(nothing_is_left_behind, begin, end),
		cmocka_unit_test_setup_teardown(from_many_threads, begin, end),
		cmocka_unit_test_setup_teardown(a_call_ends_with_its_server, begin, end),
		cmocka_unit_test_setup_teardown(what_nobody_waits_for_is_not_begun, begin, end),
		cmocka_unit_test_setup_teardown(its_end_is_noticed, begin, end),
	};

	told = mmap(NULL, sizeof(*told), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (told == MAP_FAILED)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
