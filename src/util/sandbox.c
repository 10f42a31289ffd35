/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "util/sandbox.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

static int refused(struct err *e, const char *what)
{
	int code = errno;

	return err_set(e, -code, "the sandbox could not be made: %s: %s", what, strerror(code));
}

static int set_limits(unsigned int n_fds, struct err *e)
{
	const struct {
		__rlimit_resource_t resource;
		rlim_t value;
		const char *name;
	} limits[] = {
		{ RLIMIT_NPROC, 0, "no new processes" },
		{ RLIMIT_CORE, 0, "no core file" },
		{ RLIMIT_FSIZE, 0, "no files written" },
		{ RLIMIT_NOFILE, n_fds, "few descriptors" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(limits); i++) {
		struct rlimit l = { limits[i].value, limits[i].value };

		if (setrlimit(limits[i].resource, &l) < 0)
			return refused(e, limits[i].name);
	}
	return 0;
}

/*
 * The bounding set takes CAP_SETPCAP, so it goes while we are root. Without root there is nothing
 * that an exec could win from it, and no_new_privs forbids that as well.
 */
static int drop_bounding_set(struct err *e)
{
	for (unsigned long cap = 0; cap < 64; cap++) {
		int r = prctl(PR_CAPBSET_READ, cap, 0, 0, 0);

		if (r < 0)
			break; /* past the last one that this kernel knows */
		if (r > 0 && prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0)
			return refused(e, "capability bounding set");
	}
	return 0;
}

static int drop_identity(const struct sandbox *s, struct err *e)
{
	int r;

	if (geteuid() != 0)
		return 0;
	if (s->uid == 0 || s->gid == 0)
		return err_set(e, -EINVAL, "the sandbox could not be made: it may not be root's");
	r = drop_bounding_set(e);
	if (r < 0)
		return r;
	if (setgroups(0, NULL) < 0)
		return refused(e, "no groups");
	if (setresgid(s->gid, s->gid, s->gid) < 0)
		return refused(e, "another group");
	if (setresuid(s->uid, s->uid, s->uid) < 0)
		return refused(e, "another user");
	return 0;
}

static int drop_capabilities(struct err *e)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {};

	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0)
		return refused(e, "ambient capabilities");
	return syscall(SYS_capset, &head, none) < 0 ? refused(e, "no capabilities") : 0;
}

/* After the change of identity, which takes these back. */
static int set_process(pid_t parent, struct err *e)
{
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return refused(e, "no new privileges");
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		return refused(e, "not to be traced");
	if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
		return refused(e, "to end with the parent");
	/* Whoever died before that call sends no signal any more. */
	if (getppid() != parent)
		return err_set(e, -ESRCH, "the sandbox could not be made: the parent has ended");
	return 0;
}

int sandbox_enter(const struct sandbox *s, struct err *e)
{
	int r = set_limits(s->n_fds, e);

	if (r >= 0)
		r = drop_identity(s, e);
	if (r >= 0)
		r = drop_capabilities(e);
	if (r >= 0)
		r = set_process(s->parent, e);
	if (r >= 0)
		r = sandbox_landlock(s->ports, s->n_ports, e);
	if (r >= 0)
		r = sandbox_filter(e);
	return r;
}
