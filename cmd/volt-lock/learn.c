/*
 * -l: run the command under everything but a filter of system calls, and print
 * the profile that it needed, in a profile's own words and sorted; and behind it,
 * as comments, the words of Landlock that it lacked (refused.c). A file that holds
 * some of that already is given what is new.
 *
 * The command and all that comes of it is traced (ptrace(2)). What it does
 * before it becomes the command, in here, is not its own and is left out, but
 * for the exec. A command that traces others itself, or that refuses to be
 * traced, cannot be learnt from.
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
#define TYPE_MASK 0xf	/* SOCK_TYPE_MASK: what is above are flags */
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
	bool more_sockets;	/* than there is room for */
	bool namespaces;	/* clone(2) made some */
} seen;

/* The call that each process is in: what it was asked is told at its start alone. */
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
	/* Its flags cannot be checked: it will be answered ENOSYS. */
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
 * Family, type and protocol: a family alone would let through what nobody
 * asked for, as the packet sockets that are a type of AF_INET.
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

/* The calls that were made, and those that becoming the command takes. */
static void
print_profile(FILE *f)
{
	/* And saying why it cannot be done. */
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

/* Is there a line in text that says this? */
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

/* What a word names: a file, or a descriptor of the caller's. */
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

/* What is in it already; "" if it cannot be read again. */
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
			n = 0; /* opened for writing alone */
		else if (n < st.st_size)
			errx(EXIT_LINK, "learn: the file is too long");
		if (lseek(fd, 0, SEEK_END) == -1)
			err(EXIT_LINK, "learn");
	}
	old[n] = '\0';
	return old;
}

/* Write the profile or the words, or of these what is not there yet. */
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

/* It has ended. Before the command runs, its exec alone is of interest. */
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

/* A process stopped at a call. One of another architecture has other numbers. */
static void
look_at_call(pid_t pid, bool started)
{
	static uint32_t ours;
	struct __ptrace_syscall_info info;

	if (ptrace(PTRACE_GET_SYSCALL_INFO, pid, sizeof(info), &info) <= 0)
		return;
	if (ours == 0)
		ours = info.arch;	/* the first to come is volt-lock's */
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
 * One stop of a traced process. Returns the signal to go on with. started: the
 * command is running.
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

/* Trace until all are gone. Returns the wait status of the command. */
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
			return result;	/* ECHILD: that was the last */
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
 * Before the rules are made: what they grant has to be known later. With learn.words=
 * alone nobody asked for a profile.
 */
void
learn_plan(struct lock *lock)
{
	lock->ll.remember = learn_wanted(lock);
	if (lock->learn_words != NULL && !lock->ll.wanted)
		errx(EXIT_LINK, "learn.words=%s: none of Landlock's words is "
		    "given; fs=none grants nothing to begin with",
		    lock->learn_words);
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
		/* The end of the pipe is the word to start, or our end. */
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
	/* What the terminal sends has reached the command, too. */
	sigaction(SIGINT, &ignore, NULL);
	sigaction(SIGQUIT, &ignore, NULL);
	sigaction(SIGTERM, &pass, NULL);
	sigaction(SIGHUP, &pass, NULL);
	/* The command waits for our word still: it must not get hold of us. */
	prctl(PR_SET_DUMPABLE, 0);
	/* A stop for every call, from its next stop on: there it is. */
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
