/*
 * -l: run the command under all restrictions but a filter of system calls. Then
 * print the profile that it needed, sorted, and after it, as comments, the
 * Landlock words that it lacked (refused.c). Of these lines, a file gets only
 * those that it does not have yet.
 *
 * The command and all processes that it starts are traced (ptrace(2)). The calls
 * that the child makes before it becomes the command are left out, but for the
 * exec. volt-lock cannot learn from a command that traces others itself, or that
 * refuses to be traced.
 */
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/user.h>
#include <sys/wait.h>

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "chain.h"
#include "lock.h"
#include "supervise.h"

#define SOCKETS 64
#define FILE_MOST 65536	/* bytes of a file that is added to */
#define TYPE_MASK 0xf	/* SOCK_TYPE_MASK: the bits above are flags */
#define NEW_NAMESPACES (CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | \
	CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET)

static const char *const calls[] = {
#include "calls.h"
};
#define CALLS (sizeof(calls) / sizeof(calls[0]))

/* The arguments of socket(2), as the kernel takes them. */
struct kind {
	uint32_t family, type, protocol;
};

static struct {
	bool made[1024];
	struct kind sockets[SOCKETS];
	size_t nsockets;
	bool more_sockets;	/* there are more than sockets[] has room for */
	bool namespaces;	/* clone(2) made some */
} seen;

/* The call that each process is in. ptrace gives the arguments only at its start. */
static struct pending {
	pid_t pid;	/* of a thread; 0: free */
	uint64_t nr, args[REFUSED_ARGS];
} *pending;
static size_t npending;

static pid_t command;	/* for the handler */
static const struct landlock *landlock;	/* NULL: it is not in force */

static void
pass_on(int signo)
{
	kill(command, signo);
}

static void
note_socket(const uint64_t args[])
{
	const struct kind k = { (uint32_t)args[0],
		(uint32_t)args[1] & TYPE_MASK, (uint32_t)args[2] };
	size_t i;

	for (i = 0; i < seen.nsockets; i++)
		if (memcmp(&seen.sockets[i], &k, sizeof(k)) == 0)
			return;
	if (seen.nsockets < SOCKETS)
		seen.sockets[seen.nsockets++] = k;
	else
		seen.more_sockets = true;
}

static void
note(const struct __ptrace_syscall_info *info)
{
	uint64_t nr = info->entry.nr;

	if (nr >= sizeof(seen.made))
		return;
	seen.made[nr] = true;
	/* A filter cannot check its flags: the profile answers ENOSYS. */
	if (nr == SYS_clone3)
		seen.made[SYS_clone] = true;
	if (nr == SYS_clone && (info->entry.args[0] & NEW_NAMESPACES) != 0)
		seen.namespaces = true;
	if (nr == SYS_socket)
		note_socket(info->entry.args);
}

static int
by_kind(const void *a, const void *b)
{
	const struct kind *x = a, *y = b;

	return x->family != y->family ? (x->family > y->family) * 2 - 1 :
	    x->type != y->type ? (x->type > y->type) * 2 - 1 :
	    (x->protocol > y->protocol) - (x->protocol < y->protocol);
}

/*
 * Print the family, type and protocol of each socket. A family alone would also
 * allow sockets that the command did not make, such as packet sockets, which are
 * a type of AF_INET.
 */
static void
print_sockets(FILE *f)
{
	static const struct {
		uint32_t family;
		const char *name;
	} names[] = {
		{ AF_UNIX, "AF_UNIX" }, { AF_INET, "AF_INET" },
		{ AF_INET6, "AF_INET6" }, { AF_NETLINK, "AF_NETLINK" },
		{ AF_PACKET, "AF_PACKET" },
	};
	const struct kind *k;
	size_t i;

	if (seen.more_sockets) {
		fprintf(f, "socket\n");
		return;
	}
	qsort(seen.sockets, seen.nsockets, sizeof(*k), by_kind);
	for (k = seen.sockets; k < seen.sockets + seen.nsockets; k++) {
		for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
			if (names[i].family == k->family)
				break;
		if (i < sizeof(names) / sizeof(names[0]))
			fprintf(f, "socket if a0:32==%s", names[i].name);
		else
			fprintf(f, "socket if a0:32==%u", k->family);
		fprintf(f, " a1:32&0x%x==%u a2:32==%u\n", TYPE_MASK, k->type,
		    k->protocol);
	}
}

static int
by_name(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Print the calls that were made, and those that starting the command needs. */
static void
print_profile(FILE *f)
{
	/* To become the command, and to report why that fails. */
	static const int ours[] = { SYS_execve, SYS_execveat, SYS_exit_group,
		SYS_read, SYS_write, SYS_writev };
	const char *names[CALLS] = { NULL };
	size_t i, n = 0;

	for (i = 0; i < sizeof(ours) / sizeof(ours[0]); i++)
		seen.made[ours[i]] = true;
	for (i = 0; i < sizeof(seen.made); i++) {
		if (!seen.made[i])
			continue;
		if (i < CALLS && calls[i] != NULL)
			names[n++] = calls[i];
		else
			warnx("learn: call %zu has no name that we know", i);
	}
	qsort(names, n, sizeof(names[0]), by_name);
	for (i = 0; i < n; i++) {
		if (strcmp(names[i], "socket") == 0)
			print_sockets(f);
		else if (strcmp(names[i], "clone3") == 0)
			fprintf(f, "clone3 = ENOSYS\n");
		else if (strcmp(names[i], "clone") == 0 && !seen.namespaces)
			fprintf(f, "clone if a0&0x%x==0\n", NEW_NAMESPACES);
		else
			fprintf(f, "%s\n", names[i]);
	}
}

/* Does text have this line? */
static bool
has_line(const char *text, const char *line)
{
	size_t len = strlen(line);

	for (; text != NULL; text = strchr(text, '\n')) {
		text += *text == '\n';
		if (strncmp(text, line, len) == 0 &&
		    (text[len] == '\n' || text[len] == '\0'))
			return true;
	}
	return false;
}

/* Open the file or the descriptor of the caller that a word names. */
static int
open_file(const char *key, const char *name)
{
	int fd;

	if (name[strspn(name, "0123456789")] == '\0')
		return word_fd(key, name);
	fd = open(name, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY,
	    0666);
	if (fd == -1)
		err(EXIT_LINK, "%s=%s", key, name);
	return fd;
}

/* Returns the content of the file; "" if it cannot be read. */
static char *
read_file(int fd)
{
	static char old[FILE_MOST];
	struct stat st;
	ssize_t n = 0;

	if (fstat(fd, &st) == -1)
		err(EXIT_LINK, "learn");
	if (S_ISREG(st.st_mode) && st.st_size > 0) {
		if ((n = pread(fd, old, sizeof(old) - 1, 0)) == -1)
			n = 0; /* opened only for writing */
		else if (n < st.st_size)
			errx(EXIT_LINK, "learn: the file is too long");
		if (lseek(fd, 0, SEEK_END) == -1)
			err(EXIT_LINK, "learn");
	}
	old[n] = '\0';
	return old;
}

/* Write the lines of the profile or the words that the file does not have yet. */
static void
write_file(int fd, void (*print)(FILE *f))
{
	char *old = read_file(fd), *text, *line, *save;
	size_t size, len = strlen(old);
	FILE *f;

	if ((f = open_memstream(&text, &size)) == NULL)
		err(EXIT_LINK, "learn");
	print(f);
	if (fclose(f) == EOF)
		err(EXIT_LINK, "learn");
	if (len > 0 && old[len - 1] != '\n' && dprintf(fd, "\n") < 0)
		err(EXIT_LINK, "learn");
	for (line = strtok_r(text, "\n", &save); line != NULL;
	     line = strtok_r(NULL, "\n", &save))
		if (!has_line(old, line) && dprintf(fd, "%s\n", line) < 0)
			err(EXIT_LINK, "learn");
	free(text);
}

static void
print_words(FILE *f)
{
	refused_print(f, "");
}

/* In a profile, words are comments. */
static void
print_both(FILE *f)
{
	print_profile(f);
	refused_print(f, "# ");
}

static struct pending *
find_pending(pid_t pid)
{
	size_t i;

	for (i = 0; i < npending; i++)
		if (pending[i].pid == pid)
			return &pending[i];
	return NULL;
}

/* A call begins. */
static void
begin_call(pid_t pid, const struct __ptrace_syscall_info *info)
{
	struct pending *p = find_pending(pid);

	if (p == NULL)
		p = find_pending(0);
	if (p == NULL) {
		pending = realloc(pending, (npending + 1) * sizeof(*pending));
		if (pending == NULL)
			err(EXIT_LINK, "learn");
		p = &pending[npending++];
	}
	*p = (struct pending){ .pid = pid, .nr = info->entry.nr };
	memcpy(p->args, info->entry.args, sizeof(p->args));
}

/* A call has ended. Before the command runs, judge only its exec. */
static void
end_call(pid_t pid, const struct __ptrace_syscall_info *info, bool started)
{
	struct pending *p = find_pending(pid);

	if (p == NULL)
		return;
	if (info->exit.is_error && (started || refused_exec(p->nr)))
		refused_call(landlock, pid, p->nr, p->args, -info->exit.rval);
	p->pid = 0;
}

/*
 * A process has stopped at a call. On another architecture, the calls have other
 * numbers.
 */
static void
look_at_call(pid_t pid, bool started)
{
	static uint32_t ours;
	struct __ptrace_syscall_info info;

	if (ptrace(PTRACE_GET_SYSCALL_INFO, pid, sizeof(info), &info) <= 0)
		return;
	if (ours == 0)
		ours = info.arch;	/* the first call is volt-lock's own */
	if (info.op == PTRACE_SYSCALL_INFO_ENTRY && started)
		note(&info);
	if (landlock == NULL || info.arch != ours)
		return;
	if (info.op == PTRACE_SYSCALL_INFO_ENTRY)
		begin_call(pid, &info);
	else if (info.op == PTRACE_SYSCALL_INFO_EXIT)
		end_call(pid, &info, started);
}

/*
 * Handle one stop of a traced process. Returns the signal to go on with, or -1 if
 * the process must stay stopped. started is whether the command is running.
 */
static int
handle(pid_t pid, int wstatus, bool *started)
{
	int signo = WSTOPSIG(wstatus), event = wstatus >> 16;

	if (event == PTRACE_EVENT_EXEC) {
		*started = true;
		return 0;
	}
	if (event == PTRACE_EVENT_STOP) {
		/* A group stop: leave it stopped, but listen. */
		return signo == SIGTRAP ? 0 : -1;
	}
	if (event != 0)
		return 0;
	if (signo != (SIGTRAP | 0x80))
		return signo;
	look_at_call(pid, *started);
	return 0;
}

/* Trace until all processes have ended. Returns the wait status of the command. */
static int
trace(void)
{
	bool started = false;
	int wstatus, result = 0, signo;
	struct pending *p;
	pid_t pid;

	for (;;) {
		pid = waitpid(-1, &wstatus, __WALL);
		if (pid == -1 && errno == EINTR)
			continue;
		if (pid == -1)
			return result;	/* ECHILD: no process is left */
		if (!WIFSTOPPED(wstatus)) {
			if (pid == command)
				result = wstatus;
			if ((p = find_pending(pid)) != NULL)
				p->pid = 0;
			continue;
		}
		signo = handle(pid, wstatus, &started);
		if (signo == -1)
			ptrace(PTRACE_LISTEN, pid, NULL, NULL);
		else
			ptrace(PTRACE_SYSCALL, pid, NULL,
			    (void *)(intptr_t)signo);
	}
}

bool
learn_wanted(const struct lock *lock)
{
	return lock->learn || lock->learn_file != NULL ||
	    lock->learn_words != NULL;
}

/*
 * Before the rules are made, plan to remember what they grant. learn.words= needs a
 * Landlock policy.
 */
void
learn_plan(struct lock *lock)
{
	lock->ll.remember = learn_wanted(lock);
	if (lock->learn_words != NULL && !lock->ll.wanted)
		errx(EXIT_LINK, "learn.words=%s: needs one of Landlock's words; "
		    "start with fs=none", lock->learn_words);
}

/*
 * Fork. The child returns, stopped until it is traced, and goes on to become
 * the command; the parent traces it, prints and ends with its status.
 */
void
learn_run(struct lock *lock)
{
	const struct sigaction ignore = { .sa_handler = SIG_IGN };
	const struct sigaction pass = { .sa_handler = pass_on,
		.sa_flags = SA_RESTART };
	int wstatus, pipes[2], profile = -1, words = -1;
	char go;

	if (lock->learn_file != NULL)
		profile = open_file("learn", lock->learn_file);
	else if (lock->learn)
		profile = STDERR_FILENO;
	if (lock->learn_words != NULL)
		words = open_file("learn.words", lock->learn_words);
	landlock = lock->ll.ruleset != -1 ? &lock->ll : NULL;
	if (pipe2(pipes, O_CLOEXEC) == -1 || (command = fork()) == -1)
		err(EXIT_LINK, "learn");
	if (command == 0) {
		close(pipes[1]);
		lock->filter = NULL;
		/* A byte means start. Without one, the parent has ended. */
		if (read(pipes[0], &go, 1) != 1)
			_exit(EXIT_LINK);
		close(pipes[0]);
		return;
	}
	close(pipes[0]);
	if (ptrace(PTRACE_SEIZE, command, NULL, (void *)(uintptr_t)(
		PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEFORK |
		PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC |
		PTRACE_O_EXITKILL)) == -1)
		err(EXIT_LINK, "learn: ptrace");
	/* A signal from the terminal reaches the command itself. */
	sigaction(SIGINT, &ignore, NULL);
	sigaction(SIGQUIT, &ignore, NULL);
	sigaction(SIGTERM, &pass, NULL);
	sigaction(SIGHUP, &pass, NULL);
	/* The command still waits for our byte. It must not be able to trace us. */
	prctl(PR_SET_DUMPABLE, 0);
	/* From its next stop on, the command stops at each call: cause that stop. */
	if (ptrace(PTRACE_INTERRUPT, command, NULL, NULL) == -1 ||
	    write(pipes[1], "", 1) != 1)
		err(EXIT_LINK, "learn: ptrace");
	close(pipes[1]);
	wstatus = trace();
	if (words != -1)
		write_file(words, print_words);
	if (profile != -1)
		write_file(profile, words == -1 ? print_both : print_profile);
	exit(supervise_exit_code(wstatus));
}
