/*
 * Become the first program of a random chain, after we have become the caller that it
 * needs. Standard input is a list of records. Each has a letter, a value and a NUL.
 * Standard output gets a snapshot (snapshot.h) of what the chain gets. An error goes
 * there, too, after a "!".
 *
 *	P path of the program, a argument, e string of the environment
 *	f "NEW OLD CLOEXEC": our descriptor OLD becomes NEW; all others are closed
 *	c cgroup.procs to enter, d working directory, D remove it afterwards
 *	U be root of a user namespace, in which IDs 0 to N-1 are those outside,
 *	  or with 0 our own user is 0
 *	u user ID, g group ID, G groups, B bounding set, I inheritable and A ambient
 *	  capabilities, E no ambient ones, S securebits
 *	m umask, n nice, r "RESOURCE SOFT HARD", o oom_score_adj, x personality
 *	l scheduler, t timer slack
 *	b blocked signals, i ignored signals, q a signal pending
 *	s a new session, y the same with this terminal, p a process group
 *	k death signal, N no_new_privs, z a child that has ended
 */
#define _GNU_SOURCE
#include <linux/securebits.h>
#include <sys/ioctl.h>
#include <sys/wait.h>

#include <grp.h>
#include <sched.h>
#include <signal.h>

#include "snapshot.h"

#define BASE 600	/* from here to BASE + MANY - 1: temporary descriptors */
#define MANY 100
#define SPEC_MAX ((size_t)1 << 20)

static int before;	/* the snapshot goes to this descriptor */
static char *spec, *spec_end;

static void
die(const char *what)
{
	struct text t = { 0 };

	text_add(&t, "!%s: %s\n", what, strerror(errno));
	text_write(&t, before);
	_exit(95);
}

static void
check(long rc, const char *what)
{
	if (rc == -1)
		die(what);
}

static void
read_spec(void)
{
	size_t len = 0;
	ssize_t n;

	if ((spec = malloc(SPEC_MAX)) == NULL)
		die("spec");
	while ((n = read(STDIN_FILENO, spec + len, SPEC_MAX - len)) > 0)
		len += (size_t)n;
	spec_end = spec + len;
}

/* The next record of that letter after s, or NULL. */
static char *
next(char letter, char *s)
{
	char *p = s == NULL ? spec : s + strlen(s) + 1;

	for (; p < spec_end; p += strlen(p) + 1)
		if (*p == letter)
			return p + 1;
	return NULL;
}

static char **
all(char letter)
{
	char **list, *s = NULL;
	size_t n = 0;

	for (s = next(letter, NULL); s != NULL; s = next(letter, s))
		n++;
	if ((list = calloc(n + 1, sizeof(*list))) == NULL)
		die("memory");
	for (n = 0, s = next(letter, NULL); s != NULL; s = next(letter, s))
		list[n++] = s;
	return list;
}

/* The first record of that letter as a number, if there is one. */
static int
number(char letter, unsigned long long *n)
{
	char *s = next(letter, NULL);

	if (s == NULL)
		return 0;
	*n = strtoull(s, NULL, 0);
	return 1;
}

static void
write_file(const char *path, const char *s)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd == -1 || write(fd, s, strlen(s)) == -1)
		die(path);
	close(fd);
}

/* Only a process outside of a user namespace can write its maps. */
static void
enter_userns(unsigned long long n)
{
	char path[64], map[64];
	unsigned int uid = getuid(), gid = getgid();
	int pair[2], status;
	char byte = 0;
	pid_t parent = getpid(), child;

	check(pipe2(pair, O_CLOEXEC), "pipe");
	check(child = fork(), "fork");
	if (child == 0) {
		if (read(pair[0], &byte, 1) != 1)
			_exit(1);
		if (n == 0) {
			snprintf(path, sizeof(path), "/proc/%d/setgroups", parent);
			write_file(path, "deny");
		}
		snprintf(path, sizeof(path), "/proc/%d/uid_map", parent);
		snprintf(map, sizeof(map), n == 0 ? "0 %llu 1" : "0 0 %llu",
		    n == 0 ? uid : n);
		write_file(path, map);
		snprintf(path, sizeof(path), "/proc/%d/gid_map", parent);
		if (n == 0)
			snprintf(map, sizeof(map), "0 %u 1", gid);
		write_file(path, map);
		_exit(0);
	}
	check(unshare(CLONE_NEWUSER), "user namespace");
	check(write(pair[1], &byte, 1), "pipe");
	check(waitpid(child, &status, 0), "wait");
	if (status != 0)
		die("maps");
	close(pair[0]);
	close(pair[1]);
	check(syscall(SYS_setresgid, 0, 0, 0), "setresgid");
	check(syscall(SYS_setresuid, 0, 0, 0), "setresuid");
}

/* Make each new descriptor from the copies of the old ones. */
static void
place_descriptors(void)
{
	int new[MANY], old, cloexec, n = 0, i;
	struct rlimit limit, most;
	int flags[MANY];
	char *s;

	check(getrlimit(RLIMIT_NOFILE, &limit), "limit");
	most = (struct rlimit){ limit.rlim_max, limit.rlim_max };
	check(setrlimit(RLIMIT_NOFILE, &most), "limit");
	for (s = next('f', NULL); s != NULL && n < MANY; s = next('f', s), n++) {
		if (sscanf(s, "%d %d %d", &new[n], &old, &cloexec) != 3)
			die(s);
		check(dup3(old, BASE + n, O_CLOEXEC), "descriptor put aside");
		flags[n] = cloexec ? O_CLOEXEC : 0;
	}
	check(fcntl(before, F_DUPFD_CLOEXEC, BASE + MANY), "report");
	before = BASE + MANY;
	(void)syscall(SYS_close_range, 0U, (unsigned int)BASE - 1, 0);
	for (i = 0; i < n; i++)
		check(dup3(BASE + i, new[i], flags[i]), "descriptor");
	(void)syscall(SYS_close_range, (unsigned int)BASE,
	    (unsigned int)BASE + MANY - 1, 0);
	check(setrlimit(RLIMIT_NOFILE, &limit), "limit");
}

static void
set_caps(void)
{
	struct __user_cap_header_struct head = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct d[2];
	unsigned long long set;
	int cap;

	if (number('B', &set))
		for (cap = 0; cap < CAPS; cap++)
			if ((set >> cap & 1) == 0 &&
			    prctl(PR_CAPBSET_READ, cap, 0, 0, 0) == 1)
				check(prctl(PR_CAPBSET_DROP, cap, 0, 0, 0),
				    "bounding set");
	if (number('I', &set)) {
		check(syscall(SYS_capget, &head, d), "capget");
		d[0].inheritable = (uint32_t)set;
		d[1].inheritable = (uint32_t)(set >> 32);
		check(syscall(SYS_capset, &head, d), "capset");
	}
	if (next('E', NULL) != NULL)
		check(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0),
		    "ambient set");
	if (number('A', &set))
		for (cap = 0; cap < CAPS; cap++)
			if ((set >> cap & 1) != 0)
				check(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE,
				    cap, 0, 0), "ambient set");
	if (number('S', &set))
		check(prctl(PR_SET_SECUREBITS, set, 0, 0, 0), "securebits");
}

static void
set_ids(void)
{
	unsigned long long n;
	gid_t groups[64];
	char *s, *field, *save;
	size_t i = 0;

	if ((s = next('G', NULL)) != NULL) {
		for (field = strtok_r(strdup(s), ",", &save); field != NULL;
		     field = strtok_r(NULL, ",", &save))
			groups[i++] = (gid_t)strtoul(field, NULL, 10);
		check(setgroups(i, groups), "groups");
	}
	if (number('g', &n))
		check(syscall(SYS_setresgid, n, n, n), "group ID");
	if (number('u', &n))
		check(syscall(SYS_setresuid, n, n, n), "user ID");
}

static void
set_limits(void)
{
	unsigned long long r[2], n;
	char *s, number_text[32];
	int which;

	for (s = next('r', NULL); s != NULL; s = next('r', s)) {
		if (sscanf(s, "%d %llu %llu", &which, &r[0], &r[1]) != 3)
			die(s);
		check(syscall(SYS_prlimit64, 0, which, r, NULL), "limit");
	}
	if ((s = next('n', NULL)) != NULL)
		check(setpriority(PRIO_PROCESS, 0, atoi(s)), "nice");
	if ((s = next('o', NULL)) != NULL) {
		snprintf(number_text, sizeof(number_text), "%s", s);
		write_file("/proc/self/oom_score_adj", number_text);
	}
	if (number('l', &n))
		check(sched_setscheduler(0, (int)n, &(struct sched_param){ 0 }),
		    "scheduler");
	if (number('t', &n))
		check(prctl(PR_SET_TIMERSLACK, n, 0, 0, 0), "timer slack");
	if (number('m', &n))
		umask((mode_t)n);
	if (number('x', &n))
		check(syscall(SYS_personality, n), "personality");
}

static void
set_session(void)
{
	unsigned long long n;
	char *s;
	int fd;

	if (next('p', NULL) != NULL)
		check(setpgid(0, 0), "process group");
	if (next('s', NULL) != NULL)
		check(setsid(), "session");
	if ((s = next('y', NULL)) != NULL) {
		check(setsid(), "session");
		check(fd = open(s, O_RDWR | O_NOCTTY), s);
		check(ioctl(fd, TIOCSCTTY, 0), "terminal");
		close(fd);
	}
	if (number('k', &n))
		check(prctl(PR_SET_PDEATHSIG, n, 0, 0, 0), "death signal");
	if (next('N', NULL) != NULL)
		check(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs");
}

static void
set_signals(void)
{
	const struct kernel_sigaction ignore = { .handler = (void (*)(int))1 };
	const struct kernel_sigaction usual = { .handler = NULL };
	unsigned long long set, n;
	uint64_t mask = 0;
	pid_t child;
	char *s;

	if (!number('i', &set))
		set = 0;
	for (n = 1; n <= SIGNALS; n++)
		if (n != SIGKILL && n != SIGSTOP)
			check(syscall(SYS_rt_sigaction, (int)n,
			    (set >> (n - 1) & 1) != 0 ? &ignore : &usual, NULL,
			    8), "signal");
	if (number('b', &set))
		mask = set;
	check(syscall(SYS_rt_sigprocmask, 2, &mask, NULL, 8), "signal mask");
	for (s = next('q', NULL); s != NULL; s = next('q', s))
		check(kill(getpid(), atoi(s)), "signal");
	if (next('z', NULL) != NULL) {
		check(child = fork(), "child");
		if (child == 0)
			_exit(0);
		/* It stays a zombie, unless SIGCHLD is ignored. */
		(void)waitid(P_PID, (id_t)child, &(siginfo_t){ 0 },
		    WEXITED | WNOWAIT);
	}
}

int
main(void)
{
	struct text t = { 0 };
	char **argv, **env, *s;
	unsigned long long n;

	before = STDOUT_FILENO;
	read_spec();
	argv = all('a');
	env = all('e');
	if ((s = next('c', NULL)) != NULL)
		write_file(s, "0");
	if ((s = next('d', NULL)) != NULL)
		check(chdir(s), s);
	if ((s = next('D', NULL)) != NULL)
		check(rmdir(s), s);
	place_descriptors();
	set_limits();
	if (number('U', &n))
		enter_userns(n);
	set_caps();
	set_ids();
	set_session();
	set_signals();
	/* Set it as exec(2) does: a change of IDs must not count. */
	check(prctl(PR_SET_DUMPABLE, 1, 0, 0, 0), "dumpable");
	snapshot(&t, argv, env, before);
	text_add(&t, "}\n");
	text_write(&t, before);
	if ((s = next('P', NULL)) == NULL)
		die("no program");
	execve(s, argv, env);
	die("exec");
}
