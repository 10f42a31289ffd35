/* SPDX-License-Identifier: AGPL-3.0-or-later */

/* A prober's talk with guest agents and QEMUs: made by the test, and once a real QEMU. */

#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "probe_standin.h"
#include "util/clock.h"

static struct probe_answer talk(enum probe_kind kind, int fd, uint32_t ms)
{
	struct probe_ask ask = ask_new(ms);
	struct probe_answer a;

	ask_add(&ask, kind, 0);
	a = ask_once(&ask, &fd, 1);
	(void)close(fd);
	return a;
}

/* On a busy machine a stand-in may not come to its answer in the time that QMP is held. */
enum { TRIES = 50 };

static struct probe_answer talk_qmp(standin_script script, bool silence_is_fine)
{
	struct probe_answer a = {};

	for (int i = 0; i < TRIES; i++) {
		a = talk(PROBE_QMP, standin_pair(script), LONG_MS);
		standin_end_all();
		if (a.qmp != QMP_SILENT || silence_is_fine)
			break;
	}
	return a;
}

/* Reads guest-sync-delimited and answers it after @before. */
static bool sync_with(int fd, const char *before, void (*say)(int fd, const char *text))
{
	char line[256] = "", answer[64];
	size_t n = 0;

	while (n < sizeof(line) - 1 && read(fd, line + n, 1) == 1 && line[n++] != '\n')
		continue;
	if (line[0] != '\xff' || !strstr(line, "guest-sync-delimited"))
		return false;
	(void)snprintf(answer, sizeof(answer), "\xff{\"return\": %s}\n",
		       strtok(strstr(line, "\"id\":") + 5, "}"));
	say(fd, before);
	say(fd, answer);
	return standin_expect(fd, "guest-ping");
}

static void agent_well(int fd)
{
	if (sync_with(fd, "", standin_say))
		standin_say(fd, "{\"return\": {}}\n");
}

static void agent_slow(int fd)
{
	if (sync_with(fd, "", standin_say_slowly))
		standin_say_slowly(fd, "{\"return\": {}}\n");
}

/* What two clients before us asked for and did not wait for. */
static void agent_stale(int fd)
{
	if (sync_with(fd,
		      "me\": \"x\"}}\n{\"return\": {}}\n\xff{\"return\": 5}\n{\"return\": {}}\n",
		      standin_say))
		standin_say(fd, "{\"return\": {}}\n");
}

static void agent_forbidden(int fd)
{
	if (sync_with(fd, "", standin_say))
		standin_say(fd, "{\"error\": {\"class\": \"CommandNotFound\", \"desc\": \"\"}}\n");
}

static void agent_hangs(int fd)
{
	if (sync_with(fd, "", standin_say))
		(void)standin_expect(fd, "never");
}

static void agent_of_another(int fd)
{
	standin_say(fd, "\xff{\"return\": 1}\n{\"return\": {}}\n");
	(void)standin_expect(fd, "never");
}

static void agent_floods(int fd)
{
	while (send(fd, "login: login: login: login: ", 28, MSG_NOSIGNAL) > 0)
		continue;
}

static void agent_goes(int fd)
{
	(void)standin_expect(fd, "\n");
}

static void silent(int fd)
{
	(void)standin_expect(fd, "never");
}

static void agents(void **state)
{
	static const struct {
		standin_script script;
		enum probe_result result;
		enum probe_why why;
	} rows[] = {
		{ agent_well, PROBE_GOOD, PROBE_WHY_NONE },
		{ agent_slow, PROBE_GOOD, PROBE_WHY_NONE },
		{ agent_stale, PROBE_GOOD, PROBE_WHY_NONE },
		{ agent_forbidden, PROBE_GOOD, PROBE_WHY_NONE },
		{ agent_hangs, PROBE_BAD, PROBE_WHY_TIMEOUT },
		{ agent_of_another, PROBE_BAD, PROBE_WHY_TIMEOUT },
		{ agent_floods, PROBE_BAD, PROBE_WHY_NONSENSE },
		{ agent_goes, PROBE_BAD, PROBE_WHY_CLOSED },
		{ silent, PROBE_BAD, PROBE_WHY_TIMEOUT },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		bool waits = rows[i].why == PROBE_WHY_TIMEOUT;
		struct probe_answer a =
			talk(PROBE_AGENT, standin_pair(rows[i].script), waits ? 300 : LONG_MS);

		assert_target(&a, 0, rows[i].result, rows[i].why);
	}
}

#define GREETING                                                                          \
	"{\"QMP\": {\"version\": {\"qemu\": {\"micro\": 2, \"minor\": 0, \"major\": 9}, " \
	"\"package\": \"pve-qemu-kvm_9.0.2-1\"}, \"capabilities\": [\"oob\"]}}\r\n"
#define EVENT "{\"timestamp\": {\"seconds\": 1, \"microseconds\": 2}, \"event\": \"RESUME\"}\r\n"

static void qemu_with(int fd, void (*say)(int fd, const char *text), const char *answer)
{
	say(fd, GREETING EVENT);
	if (!standin_expect(fd, "{\"execute\":\"qmp_capabilities\",\"id\":\"pvewarden-1\"}\n"))
		return;
	say(fd, EVENT "{\"return\": {}, \"id\": \"pvewarden-1\"}\r\n" EVENT);
	if (standin_expect(fd, "{\"execute\":\"query-status\",\"id\":\"pvewarden-2\"}\n"))
		say(fd, answer);
}

#define STATUS(s)                                                                                 \
	EVENT "{\"return\": {\"status\": \"" s "\", \"singlestep\": false, \"running\": false}, " \
	      "\"id\": \"pvewarden-2\"}\r\n"

static void qemu_running(int fd)
{
	qemu_with(fd, standin_say, STATUS("running"));
}

static void qemu_slow(int fd)
{
	qemu_with(fd, standin_say_slowly, STATUS("internal-error"));
}

static void qemu_io_error(int fd)
{
	qemu_with(fd, standin_say, STATUS("io-error"));
}

static void qemu_refuses(int fd)
{
	qemu_with(fd, standin_say,
		  "{\"error\": {\"class\": \"CommandNotFound\"}, \"id\": \"pvewarden-2\"}\r\n");
}

static void qemu_hangs(int fd)
{
	qemu_with(fd, standin_say, EVENT);
	(void)standin_expect(fd, "never");
}

static void qemu_goes(int fd)
{
	standin_say(fd, GREETING);
}

static void no_qemu(int fd)
{
	standin_say(fd, "{\"hello\": 1}");
	(void)standin_expect(fd, "never");
}

static void qemus(void **state)
{
	static const struct {
		standin_script script;
		enum probe_result result;
		enum probe_why why;
		enum probe_qmp qmp;
	} rows[] = {
		{ qemu_running, PROBE_GOOD, PROBE_WHY_NONE, QMP_RUNNING },
		{ qemu_slow, PROBE_BAD, PROBE_WHY_STATUS, QMP_INTERNAL_ERROR },
		{ qemu_io_error, PROBE_BAD, PROBE_WHY_STATUS, QMP_IO_ERROR },
		{ qemu_refuses, PROBE_BAD, PROBE_WHY_NONSENSE, QMP_NONSENSE },
		{ qemu_hangs, PROBE_BAD, PROBE_WHY_TIMEOUT, QMP_SILENT },
		{ qemu_goes, PROBE_BAD, PROBE_WHY_CLOSED, QMP_CLOSED },
		{ no_qemu, PROBE_BAD, PROBE_WHY_NONSENSE, QMP_NONSENSE },
		{ silent, PROBE_BAD, PROBE_WHY_TIMEOUT, QMP_SILENT },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct probe_answer a = talk_qmp(rows[i].script, rows[i].qmp == QMP_SILENT);

		assert_target(&a, 0, rows[i].result, rows[i].why);
		assert_int_equal(a.qmp, rows[i].qmp);
		/* Held no longer than is promised, whatever the ask's own time. */
		if (rows[i].why == PROBE_WHY_TIMEOUT)
			assert_in_range(a.targets[0].us, PROBE_QMP_HOLD_MS * 1000,
					(LONG_MS - 1) * 1000);
	}
}

/* Each descriptor finds its target, and one that is missing is only that one's loss. */
static void places(void **state)
{
	struct probe_ask ask = ask_new(LONG_MS);
	struct probe_answer a = { .qmp = QMP_SILENT };
	int fds[2];

	(void)state;
	ask_add(&ask, PROBE_QMP, 0);
	ask_add(&ask, PROBE_TCP, 1);
	ask_add(&ask, PROBE_AGENT, 0);
	for (int i = 0; i < TRIES && a.qmp == QMP_SILENT; i++) {
		fds[0] = standin_pair(qemu_running);
		fds[1] = standin_pair(agent_well);
		a = ask_once(&ask, fds, 2);
		(void)close(fds[0]);
		(void)close(fds[1]);
		standin_end_all();
	}
	assert_target(&a, 0, PROBE_GOOD, PROBE_WHY_NONE);
	assert_target(&a, 1, PROBE_BAD, PROBE_WHY_REFUSED);
	assert_target(&a, 2, PROBE_GOOD, PROBE_WHY_NONE);
	fds[0] = -1;
	fds[1] = standin_pair(agent_well);
	a = ask_once(&ask, fds, 2);
	assert_target(&a, 0, PROBE_UNKNOWN, PROBE_WHY_NO_SOCKET);
	assert_int_equal(a.qmp, QMP_NOT_ASKED);
	assert_target(&a, 2, PROBE_GOOD, PROBE_WHY_NONE);
	(void)close(fds[1]);
	a = ask_once(&ask, NULL, 0);
	assert_target(&a, 2, PROBE_UNKNOWN, PROBE_WHY_NO_SOCKET);
}

/* A QEMU without a machine is enough for its monitor. */
struct qemu {
	pid_t pid;
	char folder[32], path[64];
};

static int monitor(const struct qemu *q)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int64_t until = clock_boot_ms() + LONG_MS;

	(void)snprintf(to.sun_path, sizeof(to.sun_path), "%s", q->path);
	while (connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0 && clock_boot_ms() < until)
		(void)usleep(10000);
	return fd;
}

static struct qemu start_qemu(void)
{
	struct qemu q = { .folder = "/tmp/test_prober.XXXXXX" };
	char option[96];

	if (access("/usr/bin/qemu-system-x86_64", X_OK) < 0)
		skip();
	assert_non_null(mkdtemp(q.folder));
	(void)snprintf(q.path, sizeof(q.path), "%s/qmp", q.folder);
	(void)snprintf(option, sizeof(option), "unix:%s,server=on,wait=off", q.path);
	q.pid = fork();
	if (q.pid == 0) {
		(void)execl("/usr/bin/qemu-system-x86_64", "qemu-system-x86_64", "-machine", "none",
			    "-accel", "tcg", "-nodefaults", "-display", "none", "-qmp", option,
			    NULL);
		_exit(127);
	}
	return q;
}

static void end_qemu(const struct qemu *q)
{
	(void)kill(q->pid, SIGKILL);
	(void)waitpid(q->pid, NULL, 0);
	(void)unlink(q->path);
	(void)rmdir(q->folder);
}

static void command(const struct qemu *q, const char *text)
{
	CLEANUP_FD int fd = monitor(q);

	assert_true(standin_expect(fd, "{\"QMP\""));
	standin_say(fd, "{\"execute\":\"qmp_capabilities\"}\n");
	assert_true(standin_expect(fd, "\"return\""));
	standin_say(fd, text);
	assert_true(standin_expect(fd, "\"return\""));
}

static struct probe_answer ask_qemu(const struct qemu *q)
{
	struct probe_answer a = { .qmp = QMP_SILENT };

	for (int i = 0; i < TRIES && a.qmp == QMP_SILENT; i++)
		a = talk(PROBE_QMP, monitor(q), LONG_MS);
	return a;
}

static void real_qemu(void **state)
{
	struct qemu q = start_qemu();
	struct probe_answer a;
	int first = monitor(&q);

	(void)state;
	/* The only connection that it serves is somebody else's: it is silent to us. */
	assert_true(standin_expect(first, "{\"QMP\""));
	a = talk(PROBE_QMP, monitor(&q), LONG_MS);
	assert_int_equal(a.qmp, QMP_SILENT);
	assert_target(&a, 0, PROBE_BAD, PROBE_WHY_TIMEOUT);
	(void)close(first);
	a = ask_qemu(&q);
	assert_int_equal(a.qmp, QMP_RUNNING);
	assert_target(&a, 0, PROBE_GOOD, PROBE_WHY_NONE);
	command(&q, "{\"execute\":\"stop\"}\n");
	a = ask_qemu(&q);
	assert_int_equal(a.qmp, QMP_PAUSED);
	assert_target(&a, 0, PROBE_BAD, PROBE_WHY_STATUS);
	/* A whole process that does not run keeps its socket and says nothing. */
	(void)kill(q.pid, SIGSTOP);
	a = talk(PROBE_QMP, monitor(&q), LONG_MS);
	assert_int_equal(a.qmp, QMP_SILENT);
	end_qemu(&q);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(agents, standin_teardown),
		cmocka_unit_test_teardown(qemus, standin_teardown),
		cmocka_unit_test_teardown(places, standin_teardown),
		cmocka_unit_test(real_qemu),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
