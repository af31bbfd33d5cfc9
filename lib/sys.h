/*
 * System calls without a wrapper in the C libraries, under the names of their manual
 * pages. Like those of the libraries they return -1 and set errno on failure.
 */
#ifndef VOLT_SYS_H
#define VOLT_SYS_H

#include <linux/mount.h>
#include <linux/openat2.h>
#include <linux/sched.h>
#include <sys/syscall.h>
#include <sys/types.h>

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include "must.h"

/* <fcntl.h> has these only if the C library knows the call. */
#ifndef AT_RECURSIVE
#define AT_RECURSIVE 0x8000
#endif
#ifndef AT_EMPTY_PATH
#define AT_EMPTY_PATH 0x1000
#endif
#ifndef O_PATH
#define O_PATH 010000000
#endif

#define SYS_PROPAGATION_PRIVATE ((uint64_t)1 << 18) /* MS_PRIVATE */
#define SYS_PROPAGATION_SLAVE ((uint64_t)1 << 19) /* MS_SLAVE */
#define SYS_PROPAGATION_SHARED ((uint64_t)1 << 20) /* MS_SHARED */

/* The type of its request differs between C libraries. Some requests write to *arg. */
static inline int
sys_ioctl(int fd, unsigned long request, const void *arg)
{
	return (int)syscall(SYS_ioctl, fd, request, arg);
}

static inline MUST_CHECK pid_t
sys_clone3(const struct clone_args *args)
{
	return (pid_t)syscall(SYS_clone3, args, sizeof(*args));
}

static inline MUST_CHECK int
sys_openat2(int dir, const char *path, const struct open_how *how)
{
	return (int)syscall(SYS_openat2, dir, path, how, sizeof(*how));
}

static inline MUST_CHECK int
sys_open_tree(int dir, const char *path, unsigned int flags)
{
	return (int)syscall(SYS_open_tree, dir, path, flags);
}

static inline MUST_CHECK int
sys_move_mount(int from, const char *frompath, int to, const char *topath,
    unsigned int flags)
{
	return (int)syscall(SYS_move_mount, from, frompath, to, topath, flags);
}

static inline MUST_CHECK int
sys_fsopen(const char *fstype, unsigned int flags)
{
	return (int)syscall(SYS_fsopen, fstype, flags);
}

static inline MUST_CHECK int
sys_fsconfig(int fs, unsigned int cmd, const char *key, const void *value,
    int aux)
{
	return (int)syscall(SYS_fsconfig, fs, cmd, key, value, aux);
}

static inline MUST_CHECK int
sys_fsmount(int fs, unsigned int flags, unsigned int attrs)
{
	return (int)syscall(SYS_fsmount, fs, flags, attrs);
}

static inline MUST_CHECK int
sys_mount_setattr(int dir, const char *path, unsigned int flags,
    const struct mount_attr *attr)
{
	return (int)syscall(SYS_mount_setattr, dir, path, flags, attr,
	    sizeof(*attr));
}

static inline MUST_CHECK int
sys_pivot_root(const char *new_root, const char *put_old)
{
	return (int)syscall(SYS_pivot_root, new_root, put_old);
}

static inline MUST_CHECK int
sys_pidfd_open(pid_t pid, unsigned int flags)
{
	return (int)syscall(SYS_pidfd_open, pid, flags);
}

static inline MUST_CHECK int
sys_pidfd_send_signal(int pidfd, int signo)
{
	return (int)syscall(SYS_pidfd_send_signal, pidfd, signo, NULL, 0);
}

/*
 * As fork(2), but the child's end sends no SIGCHLD, which would stay pending in a
 * command that blocks it. waitpid(2) needs __WALL for the child. If a filter refuses
 * clone3(2) this is fork(2).
 */
static inline MUST_CHECK pid_t
sys_fork_silent(void)
{
	const struct clone_args args = { .exit_signal = 0 };
	pid_t pid = sys_clone3(&args);

	return pid == -1 && errno == ENOSYS ? fork() : pid;
}

/* Signal masks in the kernel's form: bit N-1 is signal N. */
#define SYS_SIGBIT(n) ((uint64_t)1 << ((n) - 1))

/*
 * The C libraries reserve some signals and leave them out of all sets (musl 32 to 34,
 * glibc 32 and 33). But 34 is the SIGRTMIN of most programs.
 */
static inline MUST_CHECK int
sys_sigprocmask(int how, const uint64_t *set, uint64_t *old)
{
	return (int)syscall(SYS_rt_sigprocmask, how, set, old, sizeof(*set));
}

static inline MUST_CHECK int
sys_signalfd(int fd, const uint64_t *set, int flags)
{
	return (int)syscall(SYS_signalfd4, fd, set, sizeof(*set), flags);
}

static inline MUST_CHECK int
sys_execveat(int dir, const char *path, char *const argv[], char *const envp[],
    int flags)
{
	return (int)syscall(SYS_execveat, dir, path, argv, envp, flags);
}

#endif
