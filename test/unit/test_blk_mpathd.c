/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "blk/mpathd.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "util/clock.h"
#include "util/str.h"

static void what_replies_mean(void **state)
{
	static const struct {
		const char *text;
		enum mpathd_answer answer;
	} cases[] = {
		{ "ok\n", MPATHD_OK },
		{ "ok", MPATHD_OK },
		{ "fail\n", MPATHD_FAIL },
		{ "fail\nmap or partition in use\n", MPATHD_IN_USE },
		{ "fail\ndevice not found\n", MPATHD_NOT_FOUND },
		{ "blacklisted\n", MPATHD_BLACKLISTED },
		{ "timeout\n", MPATHD_TIMEOUT },
		{ "permission deny: need to be root\n", MPATHD_DENIED },
		{ "fail\nsomething new\n", MPATHD_FAIL },
		{ "okay\n", MPATHD_OTHER },
		{ "", MPATHD_OTHER },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		if (mpathd_answer(slice_of(cases[i].text)) != cases[i].answer)
			fail_msg("%s", cases[i].text);
	assert_int_equal(mpathd_answer((struct slice){ "ok\n\0", 4 }), MPATHD_OK);
}

static void whether_new_disks_must_be_listed(void **state)
{
	(void)state;
	assert_int_equal(mpathd_wants_wwids(SLICE("defaults {\n\tfind_multipaths \"strict\"\n}\n")),
			 TRI_YES);
	assert_int_equal(mpathd_wants_wwids(SLICE("\tfind_multipaths yes\n")), TRI_YES);
	assert_int_equal(mpathd_wants_wwids(SLICE("\tfind_multipaths \"no\"\n")), TRI_NO);
	assert_int_equal(mpathd_wants_wwids(SLICE("\tfind_multipaths \"off\"\n")), TRI_NO);
	assert_int_equal(mpathd_wants_wwids(SLICE("\tfind_multipaths_timeout 5\n")), TRI_UNKNOWN);
	assert_int_equal(mpathd_wants_wwids(SLICE("")), TRI_UNKNOWN);
}

static void the_list_of_wwids(void **state)
{
	const struct slice text = SLICE("# Multipath wwids\n/3624a9370aa/\n3624a9370bb\n/3624a93");

	(void)state;
	assert_true(mpathd_wwid_listed(text, "3624a9370aa"));
	assert_false(mpathd_wwid_listed(text, "3624a9370a"));
	assert_false(mpathd_wwid_listed(text, "3624a9370bb"));
	assert_false(mpathd_wwid_listed(text, "3624a93"));
	assert_false(mpathd_wwid_listed(text, ""));
}

/* A daemon for one question: answers @reply, @n bytes as they are; nothing when NULL. */
static pid_t play(const char *address, const void *reply, size_t n)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), peer;
	char command[128] = {};
	size_t length;
	pid_t pid;

	memcpy(at.sun_path + 1, address, strlen(address));
	assert_int_equal(
		bind(fd, (struct sockaddr *)&at,
		     (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(address))),
		0);
	assert_int_equal(listen(fd, 1), 0);
	pid = fork();
	if (pid == 0) {
		peer = accept(fd, NULL, NULL);
		if (recv(peer, &length, sizeof(length), MSG_WAITALL) != sizeof(length) ||
		    length != sizeof("show daemon") ||
		    recv(peer, command, length, MSG_WAITALL) != (ssize_t)length ||
		    strcmp(command, "show daemon") != 0)
			_exit(1);
		if (!reply)
			(void)recv(peer, command, 1, MSG_WAITALL);
		_exit(reply && write(peer, reply, n) != (ssize_t)n);
	}
	(void)close(fd);
	return pid;
}

static int ask(const void *reply, size_t n, struct buf *ret, int deadline_ms)
{
	char address[64];
	int r, status;
	struct err e;
	pid_t pid;

	(void)snprintf(address, sizeof(address), "/pvewarden/test/%ld", (long)getpid());
	pid = play(address, reply, n);
	r = mpathd_ask(address, "show daemon", deadline_ms, ret, &e);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	return r;
}

struct message {
	size_t n;
	char text[16];
};

static void the_protocol(void **state)
{
	struct message whole = { 8, "running" }, endless = { SIZE_MAX, "" }, cut = { 100, "x" },
		       open_ended = { 4, "abcdef" }, empty = { 0, "" };
	CLEANUP(buf_done) struct buf reply = {};
	int64_t begun = clock_boot_ms();

	(void)state;
	assert_int_equal(ask(&whole, sizeof(size_t) + 8, &reply, 5000), 0);
	assert_string_equal(buf_str(&reply), "running");
	assert_int_equal(reply.len, 7);
	assert_int_equal(ask(&endless, sizeof(endless), &reply, 5000), -EPROTO);
	assert_int_equal(ask(&empty, sizeof(empty), &reply, 5000), -EPROTO);
	assert_int_equal(ask(&cut, sizeof(cut), &reply, 5000), -EPROTO);
	assert_int_equal(ask(&open_ended, sizeof(open_ended), &reply, 5000), -EPROTO);
	assert_int_equal(ask(NULL, 0, &reply, 100), -ETIMEDOUT);
	assert_true(clock_boot_ms() - begun < 5000);
}

static void without_a_daemon(void **state)
{
	CLEANUP(buf_done) struct buf reply = {};
	struct err e;

	(void)state;
	assert_int_equal(mpathd_ask("/pvewarden/test/nobody", "show daemon", 1000, &reply, &e),
			 -ECONNREFUSED);
	assert_non_null(strstr(e.text, "systemctl start multipathd"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_replies_mean),
		cmocka_unit_test(whether_new_disks_must_be_listed),
		cmocka_unit_test(the_list_of_wwids),
		cmocka_unit_test(the_protocol),
		cmocka_unit_test(without_a_daemon),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
