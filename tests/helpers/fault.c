/*
 * fault [-u UID] [-t SECONDS] [-f FD] COMMAND ARG ...
 *
 * Run a chain again and again, and let one of its system calls fail each time.
 * Each line of standard input is one run:
 *
 *	-			nothing fails; the calls are listed
 *	TASK PROGRAM NR N HOW	the Nth call NR that TASK makes as PROGRAM is
 *				not made: it returns the error HOW; or with
 *				HOW 0 it is made to read or write less
 *
 * A task is named after its parents: the first is 0, and its second child is 0.1.
 * Only programs with names that begin with volt- are traced. The command is the
 * first program with another name that one of them becomes. Standard output gets
 * one line of JSON for each run.
 *
 * volt-guest runs here without a guest. Its mounts of /sys and /dev are not made, and
 * return 0. At the end, volt-guest waits for the guest to power off: then it is killed.
 *
 * The chain runs as UID, with PATH as its environment, /dev/null as standard input,
 * and files in memory as standard output, standard error and the descriptors of -f.
 * A run that takes longer than SECONDS is ended. A process that the chain left is
 * ended after the same time.
 */
#define _GNU_SOURCE
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>

#include <linux/ptrace.h>

#include <grp.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>

#include "snapshot.h"

#define TASKS 256
#define CALLS 512
#define FILES 4	/* standard output and error, and -f */
#define NAME 48
#define LOADER_SIZE 0x40000	/* more than the size of its code */

struct task {
	pid_t pid;	/* 0: none */
	char name[NAME];	/* "": not known yet, its parent has not stopped */
	char program[NAME];
	int children;
	uint64_t loader;	/* address of the dynamic loader; 0: there is none */
	bool waiting;	/* it is stopped until it has its name */
	bool old;	/* it has waited for a tick */
	bool free;	/* we do not look at its calls */
	bool answered;	/* its present call is not made, and returns: */
	long answer;
	unsigned int calls[CALLS];
};

static struct {
	char task[NAME], program[NAME];
	unsigned int nr, n;
	int how;
	bool listing;
} wanted;

static struct task tasks[TASKS];
static struct text calls, made, left;
static bool injected, implausible, command_ran, ran_before, crashed;
static int files[FILES] = { -1, -1, -1, -1 }, file_fds[FILES] = { 1, 2, -1, -1 };
static volatile sig_atomic_t ticks;	/* of 100 ms */
static unsigned int patience = 10, uid;	/* s */
static bool as_user;

static void
die(const char *what)
{
	perror(what);
	exit(1);
}

static void
on_alarm(int signo)
{
	(void)signo;
	ticks++;
}

static void
tick(bool on)
{
	const struct timeval step = { 0, on ? 100000 : 0 };
	const struct itimerval t = { step, step };

	ticks = 0;
	(void)setitimer(ITIMER_REAL, &t, NULL);
}

static bool
is_late(void)
{
	return ticks >= (int)patience * 10;
}

static struct task *
find(pid_t pid)
{
	struct task *t, *unused = NULL;

	for (t = tasks; t < tasks + TASKS; t++) {
		if (t->pid == pid)
			return t;
		if (t->pid == 0 && unused == NULL)
			unused = t;
	}
	if (unused == NULL)
		die("too many tasks");
	*unused = (struct task){ .pid = pid };
	return unused;
}

static void
go_on(struct task *t, int signo)
{
	bool guest = strcmp(t->program, "volt-guest") == 0;
	bool look = !t->free && (!injected || t->answered || guest);

	(void)ptrace(look ? PTRACE_SYSCALL : PTRACE_CONT, t->pid, NULL,
	    (void *)(intptr_t)signo);
}

/* The last part of the path of the program that t runs. */
static void
see_program(struct task *t)
{
	char link[64], path[PATH_MAX], *base, *end;
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/%d/exe", t->pid);
	n = readlink(link, path, sizeof(path) - 1);
	path[n > 0 ? n : 0] = '\0';
	if ((end = strstr(path, " (deleted)")) != NULL)
		*end = '\0';
	base = strrchr(path, '/');
	snprintf(t->program, sizeof(t->program), "%.40s", base != NULL ?
	    base + 1 : path);
}

/*
 * Get the address of the dynamic loader, from the auxiliary vector. The calls that
 * it makes before main are not the program's.
 */
static void
see_loader(struct task *t)
{
	unsigned long aux[64];
	char path[64];
	ssize_t n;
	size_t i;
	int fd;

	t->loader = 0;
	snprintf(path, sizeof(path), "/proc/%d/auxv", t->pid);
	if ((fd = open(path, O_RDONLY | O_CLOEXEC)) == -1)
		return;
	n = read(fd, aux, sizeof(aux));
	close(fd);
	for (i = 0; n > 0 && i + 1 < (size_t)n / sizeof(*aux); i += 2)
		if (aux[i] == AT_BASE)
			t->loader = aux[i + 1];
}

static void
execed(struct task *t)
{
	bool was_link = strncmp(t->program, "volt-", 5) == 0;

	see_program(t);
	see_loader(t);
	memset(t->calls, 0, sizeof(t->calls));
	t->free = strncmp(t->program, "volt-", 5) != 0;
	/* newuidmap and newgidmap are not the command. */
	if (was_link && t->free && strncmp(t->program, "new", 3) != 0)
		command_ran = true;
}

/* Name the child that t has made, and let it go on if it has stopped already. */
static void
had_child(struct task *t)
{
	unsigned long pid;
	struct task *child;

	if (ptrace(PTRACE_GETEVENTMSG, t->pid, NULL, &pid) == -1)
		return;
	child = find((pid_t)pid);
	snprintf(child->name, sizeof(child->name), "%.40s.%d", t->name,
	    t->children++);
	memcpy(child->program, t->program, sizeof(child->program));
	child->free = t->free;
	child->loader = t->loader;
	if (child->waiting) {
		child->waiting = false;
		go_on(child, 0);
	}
}

/*
 * Let waiting tasks go on without a name: a parent may have ended before we could
 * learn the name of its child. With old, only those that have waited since the last
 * tick: these came after their parent's end.
 */
static void
release_waiting(bool old)
{
	struct task *t;

	for (t = tasks; t < tasks + TASKS; t++) {
		if (t->pid == 0 || !t->waiting)
			continue;
		if (old && !t->old) {
			t->old = true;
			continue;
		}
		t->waiting = false;
		strcpy(t->name, "?");
		go_on(t, 0);
	}
}

/* Add the strings among the arguments of a call, for readers of the report. */
static void
add_arguments(struct text *s, pid_t pid, const uint64_t *args)
{
	struct iovec ours, theirs;
	char buf[64];
	ssize_t n;
	int i, j;

	for (i = 0; i < 6; i++) {
		ours = (struct iovec){ buf, sizeof(buf) - 1 };
		theirs = (struct iovec){ (void *)(uintptr_t)args[i],
			sizeof(buf) - 1 };
		n = args[i] < 65536 ? -1 :
		    process_vm_readv(pid, &ours, 1, &theirs, 1, 0);
		if (n <= 0) {
			if (i < 3 && args[i] < 65536)
				text_add(s, " %llu", (unsigned long long)args[i]);
			continue;
		}
		buf[n] = '\0';
		for (j = 0; buf[j] >= ' ' && buf[j] <= '~'; j++)
			;
		if (j > 1 && buf[j] == '\0')
			text_add(s, " %s", buf);
	}
}

/*
 * Can this read or write really end in the wanted way? With an eventfd and similar
 * files, it can fail only with EINTR. It cannot be short for a message that is always
 * whole, or for a write to a file that the kernel interprets as a whole.
 */
static bool
is_plausible(pid_t pid, uint64_t fd, uint64_t len)
{
	bool write = wanted.nr == SYS_write || wanted.nr == SYS_pwrite64;
	char link[64], path[PATH_MAX];
	ssize_t n;

	if (!write && wanted.nr != SYS_read && wanted.nr != SYS_pread64)
		return true;
	snprintf(link, sizeof(link), "/proc/%d/fd/%d", pid, (int)fd);
	n = readlink(link, path, sizeof(path) - 1);
	path[n > 0 ? n : 0] = '\0';
	if (strncmp(path, "anon_inode:", 11) == 0)
		return wanted.how == EINTR;
	return wanted.how != 0 || (len > 1 && n > 0 &&
	    strncmp(path, "socket:", 7) != 0 && (!write ||
	    (strncmp(path, "/proc/", 6) != 0 && strncmp(path, "/sys/", 5) != 0 &&
	    strstr(path, "cgroup") == NULL)));
}

#define CALL offsetof(struct user, regs.orig_rax)
#define ANSWER offsetof(struct user, regs.rax)
#define LENGTH offsetof(struct user, regs.rdx)

static void
set_register(const struct task *t, size_t which, long value)
{
	(void)ptrace(PTRACE_POKEUSER, t->pid, which, value);
}

/* t is at the entry of a call that must not be made. */
static void
answer(struct task *t, long value)
{
	set_register(t, CALL, -1);
	t->answered = true;
	t->answer = value;
}

/* t is at the entry of the call that must fail. */
static void
inject(struct task *t, const struct __ptrace_syscall_info *info)
{
	ran_before = command_ran;
	text_add(&made, "%s", t->program);
	add_arguments(&made, t->pid, (const uint64_t *)info->entry.args);
	injected = true;
	if (!is_plausible(t->pid, info->entry.args[0], info->entry.args[2])) {
		implausible = true;
	} else if (wanted.how == 0) {
		set_register(t, LENGTH, (long)info->entry.args[2] / 2);
	} else {
		answer(t, -wanted.how);
	}
}

/* t is volt-guest, at the entry of a call. Returns whether we answer that. */
static bool
outside_a_guest(struct task *t, const struct __ptrace_syscall_info *info)
{
	char type[16] = "";
	struct iovec ours = { type, sizeof(type) - 1 }, theirs = {
		(void *)(uintptr_t)info->entry.args[2], sizeof(type) - 1 };

	if (info->entry.nr == SYS_pause && strcmp(t->name, "0.0") == 0)
		kill(t->pid, SIGKILL);
	if (info->entry.nr != SYS_mount ||
	    process_vm_readv(t->pid, &ours, 1, &theirs, 1, 0) <= 0 ||
	    (strcmp(type, "sysfs") != 0 && strcmp(type, "devtmpfs") != 0))
		return false;
	answer(t, 0);
	return true;
}

static void
at_call(struct task *t)
{
	struct __ptrace_syscall_info info;
	uint64_t nr;

	if (ptrace(PTRACE_GET_SYSCALL_INFO, t->pid, (void *)sizeof(info),
		&info) <= 0)
		return;
	if (info.op == PTRACE_SYSCALL_INFO_EXIT && t->answered) {
		set_register(t, ANSWER, t->answer);
		t->answered = false;
	}
	if (info.op == PTRACE_SYSCALL_INFO_ENTRY &&
	    strcmp(t->program, "volt-guest") == 0 && outside_a_guest(t, &info))
		return;
	if (info.op != PTRACE_SYSCALL_INFO_ENTRY || injected)
		return;
	if ((nr = info.entry.nr) >= CALLS)
		return;
	if (t->loader != 0 && info.instruction_pointer >= t->loader &&
	    info.instruction_pointer < t->loader + LOADER_SIZE)
		return;
	if (wanted.listing)
		text_add(&calls, "%s[\"%s\",\"%s\",%u,%u,%d,%llu]",
		    calls.len > 0 ? "," : "", t->name, t->program,
		    (unsigned int)nr, t->calls[nr], command_ran,
		    (unsigned long long)info.entry.args[1]);
	else if (nr == wanted.nr && t->calls[nr] == wanted.n &&
	    strcmp(t->name, wanted.task) == 0 &&
	    strcmp(t->program, wanted.program) == 0)
		inject(t, &info);
	t->calls[nr]++;
}

static void
stopped(struct task *t, int wstatus)
{
	int signo = WSTOPSIG(wstatus), event = wstatus >> 16;

	if (t->name[0] == '\0') {
		t->waiting = true;
		return;
	}
	switch (event) {
	case PTRACE_EVENT_FORK:
	case PTRACE_EVENT_VFORK:
	case PTRACE_EVENT_CLONE:
		had_child(t);
		break;
	case PTRACE_EVENT_EXEC:
		execed(t);
		break;
	case PTRACE_EVENT_STOP:
		if (signo != SIGTRAP) { /* job control stopped it: leave it */
			(void)ptrace(PTRACE_LISTEN, t->pid, NULL, NULL);
			return;
		}
		break;
	default:
		if (signo == (SIGTRAP | 0x80)) {
			at_call(t);
			break;
		}
		go_on(t, signo);
		return;
	}
	go_on(t, 0);
}

/* Did a fault of its own end the program? */
static bool
is_crash(int wstatus)
{
	static const int faults[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT,
		SIGSYS, SIGTRAP };
	size_t i;

	for (i = 0; i < sizeof(faults) / sizeof(faults[0]); i++)
		if (WIFSIGNALED(wstatus) && WTERMSIG(wstatus) == faults[i])
			return true;
	return false;
}

/* The time is over: report the processes that are left, and end them. */
static void
end_all(bool hang)
{
	char path[64], where[128];
	struct task *t;

	for (t = tasks; t < tasks + TASKS; t++) {
		if (t->pid == 0)
			continue;
		snprintf(path, sizeof(path), "/proc/%d/syscall", t->pid);
		if (read_text(path, where, sizeof(where)) <= 0)
			where[0] = '\0';
		text_add(&left, "%s %s %s in call %.*s;", hang ? "hang:" :
		    "left:", t->name, t->program, (int)strcspn(where, " \n"),
		    where);
		kill(t->pid, SIGKILL);
	}
}

/* Follow all tasks until they end. Returns the wait status of the first. */
static int
follow(pid_t first)
{
	int wstatus, code = -1;
	bool ended = false;
	struct task *t;
	pid_t pid;

	tick(true);
	for (;;) {
		pid = waitpid(-1, &wstatus, __WALL);
		if (is_late()) {
			end_all(!ended);
			ticks = 0;
		}
		if (pid == -1 && errno == EINTR) {
			release_waiting(true);
			continue;
		}
		if (pid == -1)
			break;
		t = find(pid);
		if (WIFSTOPPED(wstatus)) {
			stopped(t, wstatus);
			continue;
		}
		if (is_crash(wstatus) && strncmp(t->program, "volt-",
		    5) == 0)
			crashed = true;
		t->pid = 0;
		release_waiting(false);
		if (pid == first) {
			code = wstatus;
			ended = true;
			ticks = 0;
		}
	}
	tick(false);
	return code;
}

/* Become the chain, once we are told to go. */
static void
become(char *argv[], int gate)
{
	char byte, path[PATH_MAX + 5];
	char *env[] = { path, NULL };
	size_t i;

	for (i = 0; i < FILES; i++)
		if (file_fds[i] != -1 && dup2(files[i], file_fds[i]) == -1)
			_exit(95);
	if (dup2(open("/dev/null", O_RDONLY), 0) == -1)
		_exit(95);
	(void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	if (as_user && ((geteuid() == 0 && setgroups(0, NULL) == -1) ||
	    setresgid(uid, uid, uid) == -1 || setresuid(uid, uid, uid) == -1))
		_exit(95);
	snprintf(path, sizeof(path), "PATH=%s", getenv("PATH"));
	if (read(gate, &byte, 1) == -1)
		_exit(95);
	execvpe(argv[0], argv, env);
	_exit(95);
}

static pid_t
start(char *argv[])
{
	const long options = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEFORK |
	    PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC |
	    PTRACE_O_EXITKILL;
	struct task *t;
	int gate[2];
	pid_t pid;

	if (pipe2(gate, O_CLOEXEC) == -1 || (pid = fork()) == -1)
		die("fork");
	if (pid == 0) {
		close(gate[1]);
		become(argv, gate[0]);
	}
	close(gate[0]);
	if (ptrace(PTRACE_SEIZE, pid, NULL, (void *)options) == -1)
		die("ptrace");
	t = find(pid);
	strcpy(t->name, "0");
	if (write(gate[1], "", 1) != 1)
		die("gate");
	close(gate[1]);
	return pid;
}

static void
add_content(struct text *s, int fd)
{
	static char buf[1 << 20];
	ssize_t n = pread(fd, buf, sizeof(buf), 0);

	text_hex(s, buf, n > 0 ? (size_t)n : 0);
}

/* Do one run, and print its line. */
static void
run(char *argv[])
{
	struct text t = { 0 };
	int wstatus;
	size_t i;

	memset(tasks, 0, sizeof(tasks));
	calls.len = made.len = left.len = 0;
	injected = implausible = command_ran = ran_before = crashed = false;
	for (i = 0; i < FILES; i++)
		if (files[i] != -1 && (ftruncate(files[i], 0) == -1 ||
		    lseek(files[i], 0, SEEK_SET) == -1))
			die("memfd");
	wstatus = follow(start(argv));
	text_add(&t, "{\"status\":%d,\"injected\":%d,\"implausible\":%d,"
	    "\"ran\":%d,\"ran_before\":%d,\"crashed\":%d", WIFSIGNALED(wstatus) ?
	    128 + WTERMSIG(wstatus) : WEXITSTATUS(wstatus), injected,
	    implausible, command_ran, ran_before, crashed);
	text_add(&t, ",\"made\":");
	text_hex(&t, made.s, made.len);
	text_add(&t, ",\"left\":");
	text_hex(&t, left.s, left.len);
	text_add(&t, ",\"files\":[");
	for (i = 0; i < FILES && files[i] != -1; i++) {
		text_add(&t, i > 0 ? "," : "");
		add_content(&t, files[i]);
	}
	text_add(&t, "],\"calls\":[%.*s]}\n", (int)calls.len,
	    calls.s != NULL ? calls.s : "");
	text_write(&t, STDOUT_FILENO);
	free(t.s);
}

int
main(int argc, char *argv[])
{
	struct sigaction sa = { .sa_handler = on_alarm };
	char line[256];
	int opt, fd, n = 2;
	size_t i;

	while ((opt = getopt(argc, argv, "+u:t:f:")) != -1) {
		if (opt == 'u') {
			uid = (unsigned int)atoi(optarg);
			as_user = true;
		} else if (opt == 't') {
			patience = (unsigned int)atoi(optarg);
		} else if (opt == 'f' && n < FILES) {
			file_fds[n++] = atoi(optarg);
		} else {
			return 1;
		}
	}
	if (optind == argc)
		return 1;
	for (i = 0; i < FILES; i++) {
		if (file_fds[i] == -1)
			continue;
		fd = memfd_create("chain", MFD_CLOEXEC);
		/* A high number does not collide with the chain's descriptors. */
		files[i] = fcntl(fd, F_DUPFD_CLOEXEC, 100);
		close(fd);
	}
	(void)sigaction(SIGALRM, &sa, NULL);
	(void)prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
	while (fgets(line, sizeof(line), stdin) != NULL) {
		wanted.listing = line[0] == '-';
		if (!wanted.listing && sscanf(line, "%47s %47s %u %u %d",
			wanted.task, wanted.program, &wanted.nr, &wanted.n,
			&wanted.how) != 5)
			return 1;
		run(argv + optind);
	}
	return 0;
}
