"""The errors with which each system call can fail, if it can."""

from errno import (EACCES, EADDRINUSE, EAGAIN, EBUSY, EEXIST, EINTR, EINVAL, EIO, EMFILE,
                   ENFILE, ENOBUFS, ENODEV, ENOENT, ENOLCK, ENOMEM, ENOSPC, EPERM, EROFS,
                   ESRCH, ETOOMANYREFS)
from typing import Dict, List, Tuple

SHORT = 0  # no error: the call reads or writes less than requested

# These cannot fail, or only if the program is wrong; or they do their work even if they
# return an error, such as close(2). brk(2) returns the old break, and never an error.
# Threads call futex(2) in another order each time, and a wake cannot be refused.
NEVER = set("""
close close_range exit exit_group rt_sigreturn rt_sigaction rt_sigprocmask rt_sigpending
getpid getppid gettid getuid geteuid getgid getegid getresuid getresgid getpgid getpgrp
getsid umask set_tid_address set_robust_list rseq arch_prctl sched_yield munmap
restart_syscall uname lseek alarm sigaltstack clock_gettime gettimeofday time madvise
getpriority timerfd_settime set_mempolicy brk futex
""".split())

OPENS = [EMFILE, ENOMEM, EACCES]
MAKES = [ENOSPC, EACCES, ENOMEM]
SENDS = [EINTR, ENOBUFS, ETOOMANYREFS, ENOMEM]
WAITS = [EINTR, ENOMEM]

# A call that is not here gets ENOMEM and EPERM.
ERRORS: Dict[str, List[int]] = {}
for _names, _errors in (
        ("open openat openat2 open_tree", OPENS + [EINTR, EIO]),
        ("socket socketpair pipe pipe2 memfd_create eventfd2 signalfd4 timerfd_create "
         "epoll_create1 pidfd_open inotify_init1 fsopen fsmount fspick", OPENS + [ENFILE]),
        ("dup dup2 dup3", [EMFILE, EBUSY]),
        ("fcntl", [EMFILE, EACCES]),
        ("accept accept4", [EMFILE, ENOMEM, EINTR]),
        ("read pread64", [EINTR, EIO, ENOMEM, SHORT]),
        ("readv", [EINTR, EIO, ENOMEM]),
        ("write pwrite64", [EINTR, ENOSPC, EIO, EPERM, EAGAIN, SHORT]),
        ("writev", [EINTR, ENOSPC, EIO, EPERM]),
        ("recvmsg recvfrom", [EINTR, ENOMEM, ENOBUFS]),
        ("sendmsg", SENDS), ("sendto", SENDS[:2] + [ENOMEM, EPERM]),
        ("wait4 waitid", [EINTR]),
        ("poll ppoll select pselect6 epoll_wait epoll_pwait rt_sigtimedwait", WAITS),
        ("nanosleep clock_nanosleep rt_sigsuspend pause", [EINTR]),
        ("flock", [EINTR, ENOLCK]),
        ("mmap mprotect mremap", [ENOMEM]),
        ("clone clone3 fork vfork", [EAGAIN, ENOMEM, EPERM]),
        ("unshare setns", [ENOMEM, EPERM, ENOSPC, EINVAL]),
        ("execve execveat", [ENOMEM, EACCES, EIO]),
        ("mkdir mkdirat mknodat symlinkat linkat renameat2", MAKES + [EROFS]),
        ("unlink unlinkat rmdir", [EBUSY, EACCES, ENOMEM, EROFS]),
        ("ftruncate fallocate", [ENOSPC, EINTR, EIO]),
        ("stat fstat lstat newfstatat statx statfs fstatfs readlink readlinkat access "
         "faccessat2 getcwd getdents64", [ENOMEM, EACCES, EIO]),
        ("getcwd chdir fchdir", [ENOMEM, EACCES, ENOENT]),
        ("mount move_mount", [ENOMEM, EPERM, ENOSPC, EBUSY]),
        ("mount_setattr fsconfig", [ENOMEM, EPERM, EINVAL]),
        ("umount2 pivot_root", [ENOMEM, EPERM, EBUSY]),
        ("setuid setgid setreuid setregid setresuid setresgid", [EAGAIN, EPERM]),
        ("setgroups capset", [ENOMEM, EPERM]),
        ("prctl", [EPERM, EINVAL, ENOMEM]),
        ("seccomp", [ENOMEM, EACCES, EINVAL]),
        ("prlimit64 setrlimit getrlimit", [EPERM]),
        ("getrandom", [EINTR]),
        ("sched_getaffinity getgroups sysinfo", [EPERM]),
        ("kill tkill tgkill pidfd_send_signal", [EPERM, ESRCH]),
        ("setpgid setsid", [EPERM, EACCES]),
        ("bind listen", [EADDRINUSE, ENOMEM, EACCES]),
        ("connect", [EINTR, EAGAIN, EACCES]),
        ("getsockopt setsockopt getsockname getpeername", [ENOMEM, ENOBUFS]),
        ("ioctl", [ENOMEM, EPERM, EINTR, EIO]),
):
    for _name in _names.split():
        ERRORS[_name] = _errors

# Requests of ioctl(2) and their errors, for loop devices and KVM.
REQUESTS: Dict[int, List[int]] = {
    0x4c82: [ENOSPC, ENODEV, EINTR],  # LOOP_CTL_GET_FREE
    0x4c0a: [EBUSY, ENOMEM, EINVAL, EINTR],  # LOOP_CONFIGURE
    0xae01: [EINTR, ENOMEM, EEXIST],  # KVM_CREATE_VM
    0xae80: [EINTR, EAGAIN, EIO],  # KVM_RUN
}


def errors_of(name: str, argument: int) -> List[int]:
    """The errors for a call. argument is its second one."""
    if name in NEVER:
        return []
    if name == "fcntl":
        return [EMFILE] if argument in (0, 1030) else [EACCES]  # F_DUPFD, _CLOEXEC
    if name == "ioctl" and argument in REQUESTS:
        return REQUESTS[argument]
    return list(dict.fromkeys(ERRORS.get(name, [ENOMEM, EPERM])))


Call = Tuple[str, str, int, int]  # task, program, number, which of them in order
