/* SPDX-License-Identifier: AGPL-3.0-or-later */

/* What works no more inside the sandbox, tried from inside, and what the kernel says of it. */

#include "util/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { NOBODY = 65534, FDS = 16 };

/* What the child found, seen by both. */
static struct found {
	int entered, results[64];
	struct err e;
} * found;

static struct sockaddr_in at(uint16_t port)
{
	return (struct sockaddr_in){ .sin_family = AF_INET,
				     .sin_port = htons(port),
				     .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
}

static int listen_on(uint16_t *port)
{
	struct sockaddr_in a = at(0);
	socklen_t size = sizeof(a);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&a, size), 0);
	assert_int_equal(listen(fd, 8), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &size), 0);
	*port = ntohs(a.sin_port);
	return fd;
}

/* Runs @fn in a child that has entered the sandbox; its wait status. */
static int inside(void (*fn)(const struct sandbox *s), struct sandbox s)
{
	int status = -1;
	pid_t pid;

	memset(found, 0, sizeof(*found));
	s.parent = s.parent ? s.parent : getpid();
	pid = fork();
	if (pid == 0) {
		found->entered = sandbox_enter(&s, &found->e);
		if (found->entered == 0 && fn)
			fn(&s);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static struct sandbox usual(void)
{
	return (struct sandbox){ .uid = NOBODY, .gid = NOBODY, .n_fds = FDS };
}

static int code(long r)
{
	return r < 0 ? errno : 0;
}

static const struct {
	const char *name;
	int domain, type, protocol, want;
} sockets[] = {
	{ "TCP", AF_INET, SOCK_STREAM, 0, 0 },
	{ "TCP6", AF_INET6, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_TCP, 0 },
	{ "UDP", AF_INET, SOCK_DGRAM, 0, EPERM },
	{ "raw", AF_INET, SOCK_RAW, IPPROTO_ICMP, EPERM },
	{ "unix", AF_UNIX, SOCK_STREAM, 0, EPERM },
	{ "netlink", AF_NETLINK, SOCK_RAW, 0, EPERM },
	{ "packet", AF_PACKET, SOCK_RAW, 0, EPERM },
	{ "vsock", AF_VSOCK, SOCK_STREAM, 0, EPERM },
	{ "MPTCP", AF_INET, SOCK_STREAM, 262, EPERM },
	{ "SCTP", AF_INET, SOCK_STREAM, IPPROTO_SCTP, EPERM },
};

static void open_sockets(const struct sandbox *s)
{
	(void)s;
	for (size_t i = 0; i < ARRAY_SIZE(sockets); i++)
		found->results[i] =
			code(socket(sockets[i].domain, sockets[i].type, sockets[i].protocol));
}

static void only_tcp(void **state)
{
	(void)state;
	assert_int_equal(inside(open_sockets, usual()), 0);
	assert_int_equal(found->entered, 0);
	for (size_t i = 0; i < ARRAY_SIZE(sockets); i++)
		if (found->results[i] != sockets[i].want)
			fail_msg("%s: %s", sockets[i].name, strerror(found->results[i]));
}

static void try_doors(const struct sandbox *s)
{
	char *args[] = { (char *)"true", NULL };
	struct sockaddr_in a = at(0);
	int *r = found->results, fd = socket(AF_INET, SOCK_STREAM, 0);

	(void)s;
	*r++ = code(open("/etc/passwd", O_RDONLY));
	*r++ = code(open("/dev/null", O_RDWR));
	*r++ = code(open("/", O_PATH));
	*r++ = code(execv("/bin/true", args));
	*r++ = code(syscall(SYS_execveat, -1, "/bin/true", args, NULL, 0));
	*r++ = code(fork());
	*r++ = code(syscall(SYS_clone3, NULL, 0));
	*r++ = code(kill(getppid(), 0));
	*r++ = code(syscall(SYS_ptrace, 0, 0, 0, 0));
	*r++ = code(syscall(SYS_io_uring_setup, 1, NULL));
	*r++ = code(syscall(SYS_bpf, 0, NULL, 0));
	*r++ = code(syscall(SYS_mount, NULL, NULL, NULL, 0, NULL));
	*r++ = code(unshare(CLONE_NEWUSER));
	*r++ = code(memfd_create("x", 0));
	*r++ = code(bind(fd, (struct sockaddr *)&a, sizeof(a)));
	*r++ = code(listen(fd, 1));
	*r++ = code(sendto(fd, "x", 1, MSG_FASTOPEN, (struct sockaddr *)&a, sizeof(a)));
	*r++ = code(sendmsg(fd, &(struct msghdr){}, MSG_FASTOPEN | MSG_NOSIGNAL));
	*r++ = code(setresuid(0, 0, 0));
}

static void doors_are_shut(void **state)
{
	(void)state;
	assert_int_equal(inside(try_doors, usual()), 0);
	for (int i = 0; i < 19; i++)
		if (found->results[i] != EPERM)
			fail_msg("door %d: %s", i, strerror(found->results[i]));
}

static uint16_t ports[2];

static void connect_both(const struct sandbox *s)
{
	(void)s;
	for (int i = 0; i < 2; i++) {
		struct sockaddr_in a = at(ports[i]);
		int fd = socket(AF_INET, SOCK_STREAM, 0);

		found->results[i] = code(connect(fd, (struct sockaddr *)&a, sizeof(a)));
	}
}

static void only_its_ports(void **state)
{
	CLEANUP_FD int a = listen_on(&ports[0]), b = listen_on(&ports[1]);
	struct sandbox s = usual();

	(void)state;
	s.ports = ports;
	s.n_ports = 1;
	assert_int_equal(inside(connect_both, s), 0);
	assert_int_equal(found->results[0], 0);
	if (sandbox_landlock_abi() >= 4)
		assert_int_equal(found->results[1], EACCES);
	s.n_ports = 0;
	assert_int_equal(inside(connect_both, s), 0);
	if (sandbox_landlock_abi() >= 4)
		assert_int_equal(found->results[0], EACCES);
	assert_true(a >= 0 && b >= 0);
}

static void use_up(const struct sandbox *s)
{
	(void)s;
	while (socket(AF_INET, SOCK_STREAM, 0) >= 0)
		found->results[0]++;
	found->results[1] = errno;
	found->results[2] = prctl(PR_GET_DUMPABLE, 0, 0, 0, 0);
	(void)prctl(PR_GET_PDEATHSIG, &found->results[3], 0, 0, 0);
	found->results[4] = prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0);
}

static void limits(void **state)
{
	(void)state;
	assert_int_equal(inside(use_up, usual()), 0);
	assert_in_range(found->results[0], 1, FDS);
	assert_int_equal(found->results[1], EMFILE);
	assert_int_equal(found->results[2], 0);
	assert_int_equal(found->results[3], SIGKILL);
	assert_int_equal(found->results[4], 1);
}

#ifdef __x86_64__
static void other_abi(const struct sandbox *s)
{
	long r;

	(void)s;
	found->results[0] = code(syscall(0x40000000 + SYS_getpid));
	/* getpid of the 32-bit kind: another architecture, whatever the number means there. */
	__asm__ volatile("int $0x80" : "=a"(r) : "a"(20) : "memory");
	found->results[1] = 1;
}

static void other_abis(void **state)
{
	int status = inside(other_abi, usual());

	(void)state;
	assert_int_equal(found->results[0], EPERM);
	assert_int_equal(found->results[1], 0);
	/* A kernel without 32-bit calls faults instead. */
	assert_true(WIFSIGNALED(status) &&
		    (WTERMSIG(status) == SIGSYS || WTERMSIG(status) == SIGSEGV));
}
#endif

static void fails_closed(void **state)
{
	struct sandbox s = usual();

	(void)state;
	s.parent = 1; /* not who forked it: that one has ended meanwhile */
	(void)inside(NULL, s);
	assert_int_equal(found->entered, -ESRCH);
	assert_non_null(strstr(found->e.text, "parent has ended"));
	if (geteuid() != 0)
		return;
	s = usual();
	s.uid = 0;
	(void)inside(NULL, s);
	assert_int_equal(found->entered, -EINVAL);
	s = usual();
	s.gid = 0;
	(void)inside(NULL, s);
	assert_int_equal(found->entered, -EINVAL);
}

/* Inside another sandbox the limits are there already, but a second filter and so on still work;
 * what the first one forbids makes the second fail. */
static void twice(const struct sandbox *s)
{
	found->results[0] = sandbox_enter(s, &found->e);
}

static void within_another(void **state)
{
	(void)state;
	(void)inside(twice, usual());
	assert_int_equal(found->entered, 0);
	/* setrlimit() is prlimit64() in libc, which the filter refuses. */
	assert_int_equal(found->results[0], -EPERM);
	assert_non_null(strstr(found->e.text, "sandbox"));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_tcp),	  cmocka_unit_test(doors_are_shut),
		cmocka_unit_test(only_its_ports), cmocka_unit_test(limits),
#ifdef __x86_64__
		cmocka_unit_test(other_abis),
#endif
		cmocka_unit_test(fails_closed),	  cmocka_unit_test(within_another),
	};

	found = mmap(NULL, sizeof(*found), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		     0);
	if (found == MAP_FAILED)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
