/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "util/sandbox.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#if defined(__x86_64__)
#define ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCH AUDIT_ARCH_AARCH64
#else
#error "the system call filter knows x86_64 and aarch64"
#endif

/* System calls of x86_64 with this bit are the x32 ABI's: other numbers for the same calls. */
#define X32_BIT 0x40000000U

/* The first number that nobody looked at for the list below; new ones are the same everywhere. */
enum { FIRST_UNKNOWN = 451 };

/*
 * What nobody needs who answers on one socket and connects to others. A list of what is refused
 * instead of what is allowed, because libc may choose another call tomorrow for the same thing;
 * numbers newer than the list are missing to the child, as in an older kernel.
 */
static const uint16_t denied[] = {
#ifdef SYS_open
	SYS_open,
	SYS_creat,
	SYS_fork,
	SYS_vfork,
	SYS_link,
	SYS_symlink,
	SYS_unlink,
	SYS_rename,
	SYS_mkdir,
	SYS_rmdir,
	SYS_mknod,
	SYS_chmod,
	SYS_chown,
	SYS_lchown,
	SYS_modify_ldt,
	SYS_iopl,
	SYS_ioperm,
	SYS_inotify_init,
#endif
	/* files */
	SYS_openat,
	SYS_openat2,
	SYS_open_by_handle_at,
	SYS_name_to_handle_at,
	SYS_linkat,
	SYS_symlinkat,
	SYS_unlinkat,
	SYS_renameat,
	SYS_renameat2,
	SYS_mkdirat,
	SYS_mknodat,
	SYS_fchmodat,
	SYS_fchownat,
	SYS_truncate,
	SYS_chdir,
	SYS_chroot,
	SYS_pivot_root,
	SYS_memfd_create,
	SYS_memfd_secret,
	SYS_inotify_init1,
	SYS_fanotify_init,
	SYS_quotactl,
	SYS_quotactl_fd,
	SYS_swapon,
	SYS_swapoff,
	SYS_acct,
	/* mounts and namespaces */
	SYS_mount,
	SYS_umount2,
	SYS_open_tree,
	SYS_move_mount,
	SYS_fsopen,
	SYS_fsconfig,
	SYS_fsmount,
	SYS_fspick,
	SYS_mount_setattr,
	SYS_unshare,
	SYS_setns,
	/* programs, and other processes */
	SYS_execve,
	SYS_execveat,
	SYS_clone,
	SYS_clone3,
	SYS_ptrace,
	SYS_process_vm_readv,
	SYS_process_vm_writev,
	SYS_process_madvise,
	SYS_process_mrelease,
	SYS_kcmp,
	SYS_pidfd_open,
	SYS_pidfd_getfd,
	SYS_pidfd_send_signal,
	SYS_kill,
	SYS_tkill,
	SYS_tgkill,
	SYS_rt_sigqueueinfo,
	SYS_rt_tgsigqueueinfo,
	SYS_prlimit64,
	SYS_setpriority,
	SYS_sched_setscheduler,
	SYS_sched_setparam,
	SYS_sched_setattr,
	SYS_sched_setaffinity,
	SYS_ioprio_set,
	SYS_move_pages,
	SYS_migrate_pages,
	SYS_get_robust_list,
	/* the kernel's large doors */
	SYS_bpf,
	SYS_perf_event_open,
	SYS_io_uring_setup,
	SYS_io_uring_enter,
	SYS_io_uring_register,
	SYS_io_setup,
	SYS_userfaultfd,
	SYS_add_key,
	SYS_request_key,
	SYS_keyctl,
	SYS_init_module,
	SYS_finit_module,
	SYS_delete_module,
	SYS_kexec_load,
	SYS_kexec_file_load,
	SYS_reboot,
	SYS_personality,
	SYS_syslog,
	SYS_vhangup,
	/* shared things of the whole system */
	SYS_shmget,
	SYS_shmat,
	SYS_semget,
	SYS_msgget,
	SYS_mq_open,
	/* a server's half of sockets; a listener needs no bind, so Landlock would not see it */
	SYS_socketpair,
	SYS_bind,
	SYS_listen,
	SYS_accept,
	SYS_accept4,
	SYS_sendmmsg,
};

enum { PROGRAM_MAX = 40 + ARRAY_SIZE(denied) };

struct program {
	struct sock_filter code[PROGRAM_MAX];
	unsigned short n;
};

static void add(struct program *p, unsigned int op, uint32_t k, size_t yes, size_t no)
{
	p->code[p->n++] = (struct sock_filter){ (uint16_t)op, (uint8_t)yes, (uint8_t)no, k };
}

static void load(struct program *p, size_t offset)
{
	add(p, BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset, 0, 0);
}

static void give(struct program *p, uint32_t action)
{
	add(p, BPF_RET | BPF_K, action, 0, 0);
}

static void deny(struct program *p)
{
	give(p, SECCOMP_RET_ERRNO | EPERM);
}

/* The low half of an argument: an int is all that the calls below take of it. */
static size_t argument(unsigned int n)
{
	return offsetof(struct seccomp_data, args) + n * sizeof(uint64_t);
}

static void check_architecture(struct program *p)
{
	load(p, offsetof(struct seccomp_data, arch));
	add(p, BPF_JMP | BPF_JEQ | BPF_K, ARCH, 1, 0);
	give(p, SECCOMP_RET_KILL_PROCESS);
	load(p, offsetof(struct seccomp_data, nr));
	add(p, BPF_JMP | BPF_JGE | BPF_K, X32_BIT, 0, 1);
	deny(p);
}

/* Fast open connects without the hook that Landlock has in connect(). */
static void check_send(struct program *p, uint32_t call, unsigned int flags)
{
	add(p, BPF_JMP | BPF_JEQ | BPF_K, call, 0, 4);
	load(p, argument(flags));
	add(p, BPF_JMP | BPF_JSET | BPF_K, MSG_FASTOPEN, 0, 1);
	deny(p);
	give(p, SECCOMP_RET_ALLOW);
}

/* Streams of IPv4 and IPv6, and TCP alone of these: Landlock knows no port of MPTCP or SCTP. */
static void check_socket(struct program *p)
{
	add(p, BPF_JMP | BPF_JEQ | BPF_K, SYS_socket, 0, 11);
	load(p, argument(0));
	add(p, BPF_JMP | BPF_JEQ | BPF_K, AF_INET, 1, 0);
	add(p, BPF_JMP | BPF_JEQ | BPF_K, AF_INET6, 0, 7);
	load(p, argument(1));
	add(p, BPF_ALU | BPF_AND | BPF_K, ~(uint32_t)(SOCK_CLOEXEC | SOCK_NONBLOCK), 0, 0);
	add(p, BPF_JMP | BPF_JEQ | BPF_K, SOCK_STREAM, 0, 4);
	load(p, argument(2));
	add(p, BPF_JMP | BPF_JEQ | BPF_K, 0, 1, 0);
	add(p, BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_TCP, 0, 1);
	give(p, SECCOMP_RET_ALLOW);
	deny(p);
}

/* Each compares and, where it matches, jumps to the refusal at the end. */
static void check_denied(struct program *p)
{
	add(p, BPF_JMP | BPF_JGE | BPF_K, FIRST_UNKNOWN, 0, 1);
	give(p, SECCOMP_RET_ERRNO | ENOSYS);
	for (size_t i = 0; i < ARRAY_SIZE(denied); i++)
		add(p, BPF_JMP | BPF_JEQ | BPF_K, denied[i], ARRAY_SIZE(denied) - i, 0);
	give(p, SECCOMP_RET_ALLOW);
	deny(p);
}

_Static_assert(ARRAY_SIZE(denied) < 255, "a jump of BPF has eight bits");

int sandbox_filter(struct err *e)
{
	struct program p = {};
	struct sock_fprog prog = { .filter = p.code };

	check_architecture(&p);
	check_socket(&p);
	check_send(&p, SYS_sendto, 3);
	check_send(&p, SYS_sendmsg, 2);
	check_denied(&p);
	prog.len = p.n;
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog, 0, 0) < 0)
		return err_set(e, -errno, "the sandbox could not be made: system call filter: %s",
			       strerror(errno));
	return 0;
}
