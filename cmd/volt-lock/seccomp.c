/*
 * The filter of system calls (seccomp(2)). The filters of strict and default were
 * compiled when volt was built. volt-seccomp(1) compiles a file, before we give up
 * any right.
 */
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "chain.h"
#include "kfile.h"
#include "lock.h"
#include "sys.h"
#include "toolbox.h"

#define INSNS_MAX 4096	/* BPF_MAXINSNS */

static const struct sock_filter strict_filter[] = {
#include "strict.h"
};

static const struct sock_filter default_filter[] = {
#include "default.h"
};

static const struct sock_filter ports_filter[] = {
#include "ports.h"
};
static const struct sock_filter no_listen_filter[] = {
#include "no-listen.h"
};
static const struct sock_filter no_tcp_filter[] = {
#include "no-tcp.h"
};
static const struct sock_filter no_udp_filter[] = {
#include "no-udp.h"
};
static const struct sock_filter no_net_filter[] = {
#include "no-net.h"
};
static const struct sock_filter no_unix_filter[] = {
#include "no-unix.h"
};

#define LENGTH(filter) (sizeof(filter) / sizeof((filter)[0]))

static const struct {
	const char *name;	/* of its source in share/volt */
	const struct sock_filter *insn;
	size_t n;
} filters[FILTERS] = {
	[FILTER_PORTS] = { "ports", ports_filter, LENGTH(ports_filter) },
	[FILTER_NO_LISTEN] = { "no-listen", no_listen_filter,
	    LENGTH(no_listen_filter) },
	[FILTER_NO_TCP] = { "no-tcp", no_tcp_filter, LENGTH(no_tcp_filter) },
	[FILTER_NO_UDP] = { "no-udp", no_udp_filter, LENGTH(no_udp_filter) },
	[FILTER_NO_NET] = { "no-net", no_net_filter, LENGTH(no_net_filter) },
	[FILTER_NO_UNIX] = { "no-unix", no_unix_filter,
	    LENGTH(no_unix_filter) },
};

/* Become volt-seccomp for this profile, and write the filter to out. */
static _Noreturn void
run_compiler(const char *profile, int out)
{
	static char name[] = "volt-seccomp", key[] = "profile=";
	static struct toolbox_program compiler;
	char *argv[3] = { name, NULL, NULL };
	size_t size = sizeof(key) + strlen(profile);

	if (dup2(out, STDOUT_FILENO) == -1 ||
	    (argv[1] = malloc(size)) == NULL)
		err(EXIT_LINK, "seccomp=%s", profile);
	strcpy(argv[1], key);
	strcat(argv[1], profile);
	switch (toolbox_find(name, &compiler)) {
	case 1:
		toolbox_exec(&compiler, argv);
		break;
	case 0:
		errno = ENOENT;
		break;
	default:
		break;
	}
	err(EXIT_LINK, "exec %s", name);
}

/*
 * Run the compiler as a child of this process, not of the process that becomes the
 * command. After an exec, a child raises SIGCHLD at its end. That signal would stay
 * pending in the command; and if the caller ignores SIGCHLD, we could not wait for
 * the child. Ends with the compiler's status.
 */
static _Noreturn void
run_apart(const char *profile, int out)
{
	int wstatus;
	pid_t child;

	signal(SIGCHLD, SIG_DFL);
	if ((child = fork()) == -1)
		err(EXIT_LINK, "seccomp=%s", profile);
	if (child == 0)
		run_compiler(profile, out);
	close(out);
	while (waitpid(child, &wstatus, 0) == -1)
		if (errno != EINTR)
			err(EXIT_LINK, "volt-seccomp");
	_exit(WIFEXITED(wstatus) ? WEXITSTATUS(wstatus) : EXIT_LINK);
}

static void
compile(struct lock *lock)
{
	static char buf[INSNS_MAX * sizeof(struct sock_filter) + 1];
	int pipes[2], wstatus;
	ssize_t len;
	pid_t child;

	if (pipe2(pipes, O_CLOEXEC) == -1 || (child = sys_fork_silent()) == -1)
		err(EXIT_LINK, "seccomp=%s", lock->seccomp);
	if (child == 0)
		run_apart(lock->seccomp, pipes[1]);
	close(pipes[1]);
	len = kfile_slurp(pipes[0], buf, sizeof(buf));
	close(pipes[0]);
	while (waitpid(child, &wstatus, __WALL) == -1)
		if (errno != EINTR)
			err(EXIT_LINK, "volt-seccomp");
	if (!WIFEXITED(wstatus) || WEXITSTATUS(wstatus) != 0)
		errx(EXIT_LINK, "seccomp=%s: no filter", lock->seccomp);
	if (len <= 0 || (size_t)len % sizeof(struct sock_filter) != 0)
		errx(EXIT_LINK, "seccomp=%s: not a filter", lock->seccomp);
	/* Copy it, because an array of char may not be aligned. */
	lock->nfilter = (unsigned short)((size_t)len /
	    sizeof(struct sock_filter));
	if ((lock->filter = malloc((size_t)len)) == NULL)
		err(EXIT_LINK, "seccomp=%s", lock->seccomp);
	memcpy(lock->filter, buf, (size_t)len);
}

static void
builtin(struct lock *lock, const struct sock_filter *f, size_t n)
{
	lock->nfilter = (unsigned short)n;
	lock->filter = (struct sock_filter *)(uintptr_t)f;
	if (lock->action == ACTION_ERRNO)
		return;
	if ((lock->filter = malloc(n * sizeof(*f))) == NULL)
		err(EXIT_LINK, "seccomp");
	memcpy(lock->filter, f, n * sizeof(*f));
}

/*
 * seccomp.action=: kill replaces EPERM. log replaces every error: the call is made,
 * and recorded in the audit log.
 */
static void
set_action(struct lock *lock)
{
	struct sock_filter *f;

	for (f = lock->filter; f < lock->filter + lock->nfilter; f++) {
		if (f->code != (BPF_RET | BPF_K))
			continue;
		if (lock->action == ACTION_KILL &&
		    f->k == (SECCOMP_RET_ERRNO | EPERM))
			f->k = SECCOMP_RET_KILL_PROCESS;
		if (lock->action == ACTION_LOG &&
		    (f->k & SECCOMP_RET_ACTION_FULL) == SECCOMP_RET_ERRNO)
			f->k = SECCOMP_RET_LOG;
	}
}

/* Load or compile the filter. */
void
seccomp_plan(struct lock *lock)
{
	if (lock->seccomp == NULL)
		return;
	if (strcmp(lock->seccomp, "strict") == 0)
		builtin(lock, strict_filter, LENGTH(strict_filter));
	else if (strcmp(lock->seccomp, "default") == 0)
		builtin(lock, default_filter, LENGTH(default_filter));
	else
		compile(lock);
	if (lock->action != ACTION_ERRNO)
		set_action(lock);
}

static int
install(const struct sock_filter *f, size_t n)
{
	const struct sock_fprog prog = { (unsigned short)n,
		(struct sock_filter *)(uintptr_t)f };

	return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &prog);
}

/*
 * How our filters treat calls by the numbers of 32-bit x86, in place of killing the
 * process: a policy about ports or files does not forbid 32-bit programs. They get
 * no sockets, because the arguments of socketcall(2) are in memory, where a filter
 * cannot see them.
 */
#define JUMP(op, k, jt, jf) { BPF_JMP | BPF_K | (op), jt, jf, k }
#define RETURN(k) { BPF_RET | BPF_K, 0, 0, k }
static const struct sock_filter i386_filter[] = {
	JUMP(BPF_JEQ, AUDIT_ARCH_I386, 1, 0),
	RETURN(SECCOMP_RET_KILL_PROCESS),
	{ BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(struct seccomp_data, nr) },
	JUMP(BPF_JGE, 345, 2, 0),
	JUMP(BPF_JEQ, 102, 7, 0),	/* socketcall */
	RETURN(SECCOMP_RET_ALLOW),
	JUMP(BPF_JEQ, 345, 5, 0),	/* sendmmsg */
	JUMP(BPF_JGE, 428, 3, 0),
	JUMP(BPF_JGE, 425, 3, 0),	/* io_uring_setup, _enter, _register */
	JUMP(BPF_JGT, 373, 1, 0),
	JUMP(BPF_JGE, 359, 1, 0),	/* socket to shutdown */
	RETURN(SECCOMP_RET_ALLOW),
	RETURN(SECCOMP_RET_ERRNO | ENOSYS),
};

/*
 * Install one of our filters. volt-seccomp begins a filter with "load the
 * architecture, skip the next instruction if it is ours, kill". Replace the kill by
 * a jump to i386_filter, which follows the filter.
 */
static int
install_beside(const struct sock_filter *f, size_t n)
{
#ifdef __x86_64__
	struct sock_filter both[256];

	if (n + LENGTH(i386_filter) > LENGTH(both) ||
	    f[2].k != SECCOMP_RET_KILL_PROCESS) {
		errno = E2BIG;
		return -1;
	}
	memcpy(both, f, n * sizeof(*f));
	memcpy(both + n, i386_filter, sizeof(i386_filter));
	both[2] = (struct sock_filter){ BPF_JMP | BPF_JA, 0, 0,
		(uint32_t)n - 3 };
	return install(both, n + LENGTH(i386_filter));
#else
	(void)i386_filter;
	return install(f, n);
#endif
}

const char *
seccomp_filter_name(unsigned int filter)
{
	return filters[filter].name;
}

/*
 * Install the filters beside Landlock, with or without a profile. Landlock checks
 * bind(2) and connect(2) of TCP and UDP sockets, and older kernels check fewer of
 * them. The filters close the ways around it, and replace what an older kernel
 * lacks.
 */
void
seccomp_filters(const struct lock *lock)
{
	unsigned int i;

	for (i = 0; i < FILTERS; i++)
		if ((lock->ll.filters & 1U << i) != 0 &&
		    install_beside(filters[i].insn, filters[i].n) == -1)
			lost(lock, "%s: no filter for what Landlock does not "
			    "see: %s", filters[i].name, strerror(errno));
}

/* filter=FD: a filter in the kernel's form, for instance from seccomp_export_bpf(3). */
void
seccomp_ready(void *ctx, const char *key, const char *value)
{
	struct lock *lock = ctx;
	struct sock_fprog *p;
	char *buf;
	ssize_t len;
	int fd = word_fd(key, value);

	if ((buf = malloc(INSNS_MAX * sizeof(struct sock_filter) + 1)) == NULL)
		err(EXIT_LINK, "%s=", key);
	len = kfile_slurp(fd, buf, INSNS_MAX * sizeof(struct sock_filter) + 1);
	if (len == -1)
		err(EXIT_LINK, "%s=%s", key, value);
	if (len == 0 || (size_t)len % sizeof(struct sock_filter) != 0)
		word_bad(key, value, "not a filter: its instructions have 8 bytes");
	close(fd);
	p = realloc(lock->ready, (lock->nready + 1) * sizeof(*p));
	if (p == NULL)
		err(EXIT_LINK, "%s=", key);
	lock->ready = p;
	p[lock->nready++] = (struct sock_fprog){
		(unsigned short)((size_t)len / sizeof(struct sock_filter)),
		(struct sock_filter *)(void *)buf };
}

/*
 * Install the filters of filter=, by prctl(2). Usual filters allow that call for the
 * next filter, but not seccomp(2).
 */
static void
install_ready(const struct lock *lock)
{
	size_t i;

	if (lock->nready == 0)
		return;
	chain_seal();
	for (i = 0; i < lock->nready; i++)
		if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &lock->ready[i]) ==
		    -1)
			err(EXIT_LINK, "filter=");
}

static void
install_profile(const struct lock *lock)
{
	if (lock->filter == NULL)
		return;
	if (strcmp(lock->seccomp, "strict") != 0 &&
	    strcmp(lock->seccomp, "default") != 0)
		chain_seal();
	if (install(lock->filter, lock->nfilter) == -1)
		err(EXIT_LINK, "seccomp=%s", lock->seccomp);
}

/* Install all filters. After this we only make the calls that exec needs. */
void
seccomp_enforce(const struct lock *lock)
{
	install_profile(lock);
	install_ready(lock);
}
