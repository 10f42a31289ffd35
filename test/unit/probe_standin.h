/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/* Guests and QEMUs that a test makes itself: a forked process behind each socket. */

#include <netinet/in.h>

#include "util/base.h"
#include "watch/prober.h"

enum { STANDINS_MAX = 16, NOBODY = 65534, LONG_MS = 20000 };

/* What stands behind a socket; it is ended after its script. */
typedef void (*standin_script)(int fd);

/* A listener on loopback that nobody accepts from yet; its port. */
int standin_listen(int family, int backlog, uint16_t *ret_port);

/* Forks a process that accepts connections on loopback and follows @script with each; its port. */
uint16_t standin_tcp(standin_script script);

/* The caller's end of a pair, of which a forked process has the other. */
int standin_pair(standin_script script);

/* Ends all that were forked. The second for cmocka. */
void standin_end_all(void);
int standin_teardown(void **state);

/* For scripts: reads until @needle has come (a last one is waited for in vain), writes text. */
bool standin_expect(int fd, const char *needle);
void standin_say(int fd, const char *text);
void standin_say_slowly(int fd, const char *text);

/* What the kernel says of a process: the text of "Name:" in /proc/PID/FILE, a number there. */
void standin_proc(pid_t pid, const char *file, const char *name, char ret[256]);
uint64_t standin_proc_number(pid_t pid, const char *file, const char *name);

/* A prober for guest 100, or the test fails. */
struct prober prober_for(const uint16_t *ports, size_t n_ports);

/* An ask of @ms with the two loopback addresses, of which the first counts. */
struct probe_ask ask_new(uint32_t ms);
struct probe_target *ask_add(struct probe_ask *ask, enum probe_kind kind, uint16_t port);

bool wait_for(int fd);

/* Asks and waits; the second with a prober of its own that may connect where the ask wants to. */
struct probe_answer ask_prober(const struct prober *p, const struct probe_ask *ask, const int *fds,
			       size_t n_fds);
struct probe_answer ask_once(const struct probe_ask *ask, const int *fds, size_t n_fds);

void assert_target(const struct probe_answer *a, size_t i, enum probe_result result,
		   enum probe_why why);
