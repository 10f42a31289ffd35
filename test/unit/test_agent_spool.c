/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Documents on their way: order, limits, what a crash leaves, what a server refuses for good. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/spool.h"
#include "util/str.h"

struct folder {
	char path[32];
	int fd;
};

static int make(void **state)
{
	static struct folder f;

	(void)snprintf(f.path, sizeof(f.path), "/tmp/test-spool-XXXXXX");
	assert_non_null(mkdtemp(f.path));
	f.fd = open(f.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	*state = &f;
	return 0;
}

static int drop(void **state)
{
	struct folder *f = *state;
	char command[64];

	(void)close(f->fd);
	(void)snprintf(command, sizeof(command), "rm -rf %s", f->path);
	return system(command);
}

static struct spool opened(const struct folder *f, uint64_t max)
{
	struct spool s;

	assert_int_equal(spool_open(&s, f->fd, max, NULL), 0);
	return s;
}

static uint64_t add(struct spool *s, const char *text)
{
	uint64_t sequence = 0;

	assert_int_equal(spool_add(s, slice_of(text), &sequence, NULL), 0);
	return sequence;
}

static void assert_oldest(struct spool *s, const char *text)
{
	CLEANUP(buf_done) struct buf doc = {};
	uint64_t sequence;
	int r = spool_oldest(s, &doc, &sequence, NULL);

	if (!text) {
		assert_int_equal(r, -ENOENT);
		return;
	}
	assert_int_equal(r, 0);
	assert_string_equal(buf_str(&doc), text);
	spool_done(s, sequence);
}

static void first_in_first_out(void **state)
{
	struct spool s = opened(*state, 1000);

	assert_oldest(&s, NULL);
	assert_int_equal(add(&s, "one"), 1);
	assert_int_equal(add(&s, "two"), 2);
	spool_close(&s);
	s = opened(*state, 1000);
	assert_int_equal(s.n, 2);
	assert_int_equal(s.bytes, 6);
	assert_int_equal(add(&s, "three"), 3);
	assert_oldest(&s, "one");
	assert_oldest(&s, "two");
	assert_oldest(&s, "three");
	assert_oldest(&s, NULL);
	/* Also with nothing left no number comes twice. */
	vec_free(&s);
	s = opened(*state, 1000);
	assert_int_equal(add(&s, "four"), 4);
	spool_close(&s);
}

static void the_oldest_make_room(void **state)
{
	struct spool s = opened(*state, 10);
	struct err e;

	(void)add(&s, "aaaa");
	(void)add(&s, "bbbb");
	(void)add(&s, "cccc");
	assert_int_equal(s.dropped, 1);
	assert_int_equal(s.bytes, 8);
	assert_int_equal(spool_add(&s, SLICE("12345678901"), NULL, &e), -EFBIG);
	assert_oldest(&s, "bbbb");
	spool_close(&s);
	s = opened(*state, 10);
	assert_int_equal(s.dropped, 1);
	assert_oldest(&s, "cccc");
	spool_close(&s);
}

static void refused_for_good(void **state)
{
	struct folder *f = *state;
	struct spool s = opened(f, 1000);
	char path[64], why[64] = "";
	FILE *file;

	(void)add(&s, "bad");
	(void)add(&s, "good");
	spool_park(&s, 1, "422: no node\n");
	assert_int_equal(s.parked, 1);
	assert_oldest(&s, "good");
	(void)snprintf(path, sizeof(path), "%s/parked/0000000000000001.why", f->path);
	file = fopen(path, "r");
	assert_non_null(file);
	assert_non_null(fgets(why, sizeof(why), file));
	(void)fclose(file);
	assert_string_equal(why, "422: no node\n");
	for (int i = 0; i < 150; i++)
		spool_park(&s, add(&s, "x"), "no\n");
	assert_int_equal(s.parked, 151);
	(void)snprintf(path, sizeof(path), "%s/parked", f->path);
	{
		DIR *d = opendir(path);
		int n = 0;

		for (const struct dirent *entry; (entry = readdir(d));)
			n += slice_ends(slice_of(entry->d_name), ".json");
		(void)closedir(d);
		assert_int_equal(n, SPOOL_PARKED_MAX);
	}
	spool_close(&s);
}

/* Documents of a large node, all refused: no more of them than may wait, the newest. */
static void what_is_refused_is_bounded(void **state)
{
	struct folder *f = *state;
	struct spool s = opened(f, 1000);
	uint64_t last = 0;
	char path[4200], text[301] = "";
	struct stat st;

	memset(text, 'x', sizeof(text) - 1);
	for (int i = 0; i < 10; i++) {
		last = add(&s, text);
		spool_park(&s, last, "no\n");
	}
	spool_close(&s);
	for (uint64_t n = 1; n <= last; n++) {
		(void)snprintf(path, sizeof(path), "%s/parked/%016llu.json", f->path,
			       (unsigned long long)n);
		assert_int_equal(stat(path, &st) == 0, n + 3 > last);
	}
}

static void what_a_crash_leaves(void **state)
{
	struct folder *f = *state;
	struct spool s = opened(f, 1000);
	int fd;

	(void)add(&s, "first");
	(void)add(&s, "second");
	(void)add(&s, "third");
	spool_close(&s);
	fd = openat(f->fd, "0000000000000002-6.json", O_WRONLY);
	assert_int_equal(ftruncate(fd, 3), 0);
	(void)close(fd);
	fd = openat(f->fd, "0000000000000004-9.json.77.tmp", O_WRONLY | O_CREAT, 0600);
	(void)close(fd);
	s = opened(f, 1000);
	assert_int_equal(s.damaged, 1);
	assert_int_equal(faccessat(f->fd, "0000000000000004-9.json.77.tmp", F_OK, 0), -1);
	assert_int_equal(faccessat(f->fd, "parked/0000000000000002.json", F_OK, 0), 0);
	assert_oldest(&s, "first");
	/* Gone while we looked away. */
	assert_int_equal(unlinkat(f->fd, "0000000000000003-5.json", 0), 0);
	assert_oldest(&s, NULL);
	assert_int_equal(s.damaged, 2);
	spool_close(&s);
}

/* A file larger than the limit of this process is what a full disk is: nothing is lost, all goes
 * on. */
static void a_full_disk(void **state)
{
	struct spool s = opened(*state, 1 << 20);
	struct rlimit old, small;
	char large[5000];
	struct err e;

	(void)add(&s, "small");
	memset(large, 'x', sizeof(large));
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	small = (struct rlimit){ 1000, old.rlim_max };
	(void)signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	assert_true(spool_add(&s, (struct slice){ large, sizeof(large) }, NULL, &e) < 0);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	assert_int_equal(s.n, 1);
	assert_int_equal(add(&s, "again"), 2);
	assert_oldest(&s, "small");
	assert_oldest(&s, "again");
	spool_close(&s);
}

/* A child that adds and delivers says what it has done; it is killed at any moment. */
static NORETURN void live(int dirfd, int out, uint32_t seed)
{
	struct spool s;
	struct buf doc = {};
	char text[24], line[48];
	uint64_t sequence;

	if (spool_open(&s, dirfd, 400, NULL) < 0)
		_exit(1);
	for (;; seed = seed * 1103515245 + 12345) {
		int n;

		if (seed >> 16 & 1) {
			(void)snprintf(text, sizeof(text), "%016llx", (unsigned long long)s.next);
			if (spool_add(&s, slice_of(text), &sequence, NULL) < 0)
				_exit(1);
			n = snprintf(line, sizeof(line), "+%llu\n", (unsigned long long)sequence);
		} else if (spool_oldest(&s, &doc, &sequence, NULL) == 0) {
			n = snprintf(line, sizeof(line), "-%llu\n", (unsigned long long)sequence);
			if (write(out, line, (size_t)n) != n)
				_exit(1);
			spool_done(&s, sequence);
			continue;
		} else {
			continue;
		}
		if (write(out, line, (size_t)n) != n)
			_exit(1);
	}
}

/* Every document that was said to be kept waits, was taken, or was dropped for room. */
static void killed_at_any_moment(void **state)
{
	static bool kept[200000], taken[200000];
	struct folder *f = *state;
	uint64_t last = 0;

	memset(kept, 0, sizeof(kept));
	memset(taken, 0, sizeof(taken));
	for (uint32_t life = 0; life < 60; life++) {
		struct spool s;
		int out[2];
		pid_t pid;
		FILE *said;
		char line[48];

		assert_int_equal(pipe(out), 0);
		pid = fork();
		if (pid == 0)
			live(f->fd, out[1], life * 7919 + 1);
		(void)close(out[1]);
		(void)usleep(1000 + life * 300);
		(void)kill(pid, SIGKILL);
		(void)waitpid(pid, NULL, 0);
		said = fdopen(out[0], "r");
		while (fgets(line, sizeof(line), said)) {
			uint64_t n = strtoull(line + 1, NULL, 10);

			assert_true(n < 200000);
			if (line[0] == '+') {
				assert_true(n > last); /* no number twice */
				last = n;
				kept[n] = true;
			} else {
				taken[n] = true;
			}
		}
		(void)fclose(said);
		s = opened(f, 400);
		assert_int_equal(s.damaged, 0);
		for (uint64_t n = s.n ? s.items[0].sequence : last + 1; n <= last; n++) {
			bool waits = false;

			for (size_t i = 0; i < s.n; i++)
				waits = waits || s.items[i].sequence == n;
			if (kept[n] && !waits && !taken[n])
				fail_msg("%llu was lost", (unsigned long long)n);
		}
		/* One that was written when the kill came may be there without having been said. */
		if (s.next - 1 > last)
			last = s.next - 1;
		vec_free(&s);
	}
}

static void backs_off(void **state)
{
	int64_t most = 0;

	(void)state;
	for (uint32_t r = 0; r < 10000; r += 7) {
		assert_in_range(spool_backoff_ms(0, r), 1, 1000);
		assert_in_range(spool_backoff_ms(3, r), 1, 8000);
	}
	for (uint32_t r = 0; r < 4000000000U; r += 999983) {
		int64_t ms = spool_backoff_ms(30, r);

		assert_in_range(ms, 1, 300000);
		most = ms > most ? ms : most;
	}
	assert_true(most > 250000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(first_in_first_out, make, drop),
		cmocka_unit_test_setup_teardown(the_oldest_make_room, make, drop),
		cmocka_unit_test_setup_teardown(refused_for_good, make, drop),
		cmocka_unit_test_setup_teardown(what_is_refused_is_bounded, make, drop),
		cmocka_unit_test_setup_teardown(what_a_crash_leaves, make, drop),
		cmocka_unit_test_setup_teardown(a_full_disk, make, drop),
		cmocka_unit_test_setup_teardown(killed_at_any_moment, make, drop),
		cmocka_unit_test(backs_off),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
