/*
 * The command of a random chain. Prints what it sees of itself (snapshot.h), does
 * what its first argument asks for, and ends. The first argument is a list:
 *
 *	m	only as the first: also print mounts, filters and network
 *	rFD	the descriptor to print to; the default is 1
 *	e	write a line to standard error
 *	c	copy standard input to standard output
 *	tPATH	try to open PATH, for reading and for writing
 *	bPORT	try to bind a TCP socket to PORT
 *	W, H	wait for signals, by sigwait(3) or by handlers, and print "sig N"
 *		for each until signal 64 comes
 *	DN	wait for signal N without a handler
 *	S	stop ourselves
 *	ZMS	sleep
 *	kN	end by signal N
 *	xN	exit with N
 */
#define _GNU_SOURCE
#include <netinet/in.h>
#include <sys/socket.h>

#include <signal.h>
#include <stdbool.h>
#include <time.h>

#include "snapshot.h"

#define LAST 64
#define PATIENCE 60	/* s; then our caller has ended */

static int report = 1;
static volatile sig_atomic_t ended;

static int
try_open(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

	if (fd == -1)
		return errno;
	close(fd);
	return 0;
}

static int
try_bind(int port)
{
	struct sockaddr_in in = { .sin_family = AF_INET,
		.sin_port = htons((uint16_t)port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), rc;

	if (fd == -1)
		return errno;
	rc = bind(fd, (struct sockaddr *)&in, sizeof(in)) == -1 ? errno : 0;
	close(fd);
	return rc;
}

static void
told(int signo)
{
	char line[] = "sig 00\n";
	int saved = errno;

	line[4] = (char)('0' + signo / 10);
	line[5] = (char)('0' + signo % 10);
	while (write(report, line, sizeof(line) - 1) == -1 && errno == EINTR)
		;
	if (signo == LAST)
		ended = 1;
	errno = saved;
}

/* The return from a handler, which the kernel needs to know. */
__asm__(".globl probe_restorer\nprobe_restorer:\n\tmov $15, %eax\n\tsyscall\n");
void probe_restorer(void);

static void
set_action(int signo, void (*handler)(int))
{
	const struct kernel_sigaction sa = { .handler = handler,
		.flags = 0x04000000 /* SA_RESTORER */,
		.restorer = probe_restorer, .mask = UINT64_MAX };

	(void)syscall(SYS_rt_sigaction, signo, &sa, NULL, 8);
}

static void
set_mask(uint64_t mask)
{
	(void)syscall(SYS_rt_sigprocmask, 2 /* SIG_SETMASK */, &mask, NULL, 8);
}

/* Prepare before the line is written: its reader may send signals at once. */
static void
prepare(struct text *t, const char *word, const char **comma)
{
	int n;

	switch (*word) {
	case 'r':
		report = atoi(word + 1);
		break;
	case 't':
		text_add(t, "%s[%d,%d]", *comma, try_open(word + 1, O_RDONLY),
		    try_open(word + 1, O_WRONLY));
		*comma = ",";
		break;
	case 'b':
		text_add(t, "%s[%d,0]", *comma, try_bind(atoi(word + 1)));
		*comma = ",";
		break;
	case 'H':
		for (n = 1; n <= LAST; n++)
			set_action(n, told);
		/* FALLTHROUGH */
	case 'W':
		set_mask(UINT64_MAX);
		break;
	case 'D':
		set_action(atoi(word + 1), SIG_DFL);
		set_mask(0);
		break;
	default:
		break;
	}
}

static void
say_more(struct text *t)
{
	add_file(t, "mounts", "/proc/self/mountinfo");
	add_file(t, "status", "/proc/self/status");
	add_file(t, "addresses", "/proc/self/net/fib_trie");
	add_file(t, "addresses6", "/proc/self/net/if_inet6");
	add_file(t, "routes", "/proc/self/net/route");
	add_file(t, "resolv", "/etc/resolv.conf");
}

static void
wait_signals(bool handlers)
{
	const struct timespec patience = { .tv_sec = PATIENCE };
	const uint64_t all = UINT64_MAX, none = 0;
	long n;

	while (!ended) {
		if (handlers) {
			if (syscall(SYS_ppoll, NULL, 0, &patience, &none, 8) == 0)
				_exit(98);
			continue;
		}
		n = syscall(SYS_rt_sigtimedwait, &all, NULL, &patience, 8);
		if (n == -1 && errno != EINTR)
			_exit(98);
		if (n > 0)
			told((int)n);
	}
}

static void
copy_input(void)
{
	static char buf[65536];
	struct text t = { .s = buf };
	ssize_t n;

	while ((n = read(STDIN_FILENO, buf, sizeof(buf))) > 0) {
		t.len = (size_t)n;
		text_write(&t, STDOUT_FILENO);
	}
}

static void
nap(long ms)
{
	const struct timespec ts = { ms / 1000, ms % 1000 * 1000000 };

	nanosleep(&ts, NULL);
}

static void
die(int signo)
{
	const struct rlimit none = { 0, 0 };

	(void)setrlimit(RLIMIT_CORE, &none);
	set_action(signo, SIG_DFL);
	set_mask(~((uint64_t)1 << (signo - 1))); /* others may be pending */
	(void)syscall(SYS_kill, getpid(), signo);
	_exit(77); /* PID 1 lives on */
}

static void
act(const char *word)
{
	static const char line[] = "probe: standard error\n";

	switch (*word) {
	case 'e':
		if (write(STDERR_FILENO, line, sizeof(line) - 1) == -1)
			break;
		break;
	case 'c':
		copy_input();
		break;
	case 'W':
	case 'H':
		wait_signals(*word == 'H');
		break;
	case 'D':
		if (getpid() == 1) /* PID 1 would wait for ever */
			_exit(77);
		nap(PATIENCE * 1000L);
		_exit(98);
	case 'S':
		(void)syscall(SYS_kill, getpid(), SIGSTOP);
		break;
	case 'Z':
		nap(atol(word + 1));
		break;
	case 'k':
		die(atoi(word + 1));
		break;
	case 'x':
		_exit(atoi(word + 1));
	default:
		break;
	}
}

int
main(int argc, char *argv[], char *env[])
{
	struct text t = { 0 };
	const char *comma = "";
	char *word, *save;

	if (argc < 2)
		return 96;
	snapshot(&t, argv, env, -1);
	if (*argv[1] == 'm')
		say_more(&t);
	text_add(&t, ",\"tries\":[");
	for (word = strtok_r(strdup(argv[1]), ",", &save); word != NULL;
	     word = strtok_r(NULL, ",", &save))
		prepare(&t, word, &comma);
	text_add(&t, "]}\n");
	text_write(&t, report);
	for (word = strtok_r(strdup(argv[1]), ",", &save); word != NULL;
	     word = strtok_r(NULL, ",", &save))
		act(word);
	return 0;
}
