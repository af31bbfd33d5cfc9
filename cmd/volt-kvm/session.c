/*
 * The I/O thread's loop, and how it ends: with the command's end, which the
 * guest reports on its control port; with the machine's; or by a signal.
 *
 * A signal is handed to the command, and volt-guest says that it has got it. A
 * guest that says nothing hangs: then a second signal that asks for the end is
 * for us. Nothing that is written may wait for ever (stream.h).
 */
#include <sys/signalfd.h>

#include <err.h>
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "chain.h"
#include "clock.h"
#include "config.h"
#include "console.h"
#include "guest.h"
#include "session.h"
#include "status.h"
#include "stream.h"
#include "terminal.h"
#include "value.h"
#include "vm.h"

#define TAIL_LINES 128	/* an oops, a panic, their call traces */
#define PATIENCE 1000	/* ms without progress of what is written */
#define ANSWER 5000	/* ms; then it is said that the guest hangs */
#define INSIST 500	/* ms between a signal and one that insists on it */
#define PANIC 2000	/* ms from the kernel's panic to its reset */

static struct vm *vm;
static const struct config *cfg;
static struct {
	bool up;	/* volt-guest has reported */
	bool done;	/* and again, with the command's end */
	bool told;	/* it was told to end */
	char how;	/* 'e'xit, 's'ignal, 'f'ailed */
	int code;

	/* CLOCK_MONOTONIC, ms; 0: does not apply */
	int64_t boot_end, stop_end, panic_end;
	int64_t asked;	/* the first signal that the guest has not answered */
	int asked_by;
	bool warned;	/* that it has not */
} session;

/* The signals that end us where nobody else hears them. */
static const struct {
	int signo;
	const char *name;
} ends[] = { { SIGTERM, "SIGTERM" }, { SIGINT, "SIGINT" },
	{ SIGHUP, "SIGHUP" }, { SIGQUIT, "SIGQUIT" } };

/* Its name, or NULL if it is not one of them. */
static const char *
ends_us(int signo)
{
	size_t i;

	for (i = 0; i < sizeof(ends) / sizeof(ends[0]); i++)
		if (ends[i].signo == signo)
			return ends[i].name;
	return NULL;
}

/* A line on the control port: the guest is not trusted to write sense. */
static void
control_line(const char *line)
{
	static const struct {
		const char *word;
		uint64_t most;
	} reports[] = { { "exit ", 255 }, { "signal ", 64 },
		{ "failed ", 255 } };
	uint64_t n;
	size_t i;

	if (strcmp(line, GUEST_UP) == 0) {
		session.up = true;
		if (cfg->pty)
			terminal_raw(); /* ^C was for us until now */
	}
	if (strcmp(line, GUEST_HEARD) == 0)
		session.asked = 0;
	if (strcmp(line, GUEST_LOST) == 0)
		console_lose();
	for (i = 0; i < sizeof(reports) / sizeof(reports[0]); i++)
		if (!session.done && strncmp(line, reports[i].word,
			strlen(reports[i].word)) == 0 &&
		    value_uint(line + strlen(reports[i].word),
			reports[i].most, &n) == 0) {
			session.done = true;
			session.how = line[0];
			session.code = (int)n;
		}
}

/*
 * From here on there are only last messages. Threads run on and hold locks:
 * nothing but the terminal is tidied up.
 */
static void
last_messages(int status)
{
	terminal_restore();
	stream_last(status);
}

/* Tell the reporters further out of a command that has run. */
static void
tell_started(void)
{
	struct status_ends further;

	if (status_find(&further) == -1)
		warn(STATUS_VARIABLE);
	if (session.how != 'f')
		status_started(&further);
}

/* The line of status=. */
static void
report_end(void)
{
	static const char *const words[] = { "exit", "signal", "failed" };
	size_t i = session.how == 'e' ? 0 : session.how == 's' ? 1 : 2;

	if (cfg->status_fd != -1)
		dprintf(cfg->status_fd, "%s %d\n", words[i], session.code);
}

/* What the guest's kernel said last, where it was not seen. */
static void
show_tail(void)
{
	if (*cfg->argv != NULL && !cfg->console)
		uart_tail(&vm->uart, STDERR_FILENO, TAIL_LINES);
}

/* A signal, or the time that it gave, ends us and the command with us. */
static _Noreturn void
signal_ends(int signo, const char *why)
{
	last_messages(EXIT_SIGNAL + signo);
	if (*cfg->argv != NULL) {
		if (!session.done) {
			session.how = session.up ? 's' : 'f';
			session.code = session.up ? signo :
			    EXIT_SIGNAL + signo;
		}
		report_end();
		tell_started();
		/* Both have a signal as waitpid(2) does. */
		if (session.how != 'f' && status_tell(signo) == -1)
			warn(STATUS_VARIABLE);
		if (!session.done) {
			show_tail();
			warnx("%s: %s", ends_us(signo), why);
		}
	}
	_exit(EXIT_SIGNAL + signo);
}

/* Any signal that is not our own. */
static void
handle_signal(int signo)
{
	int64_t now = clock_ms();

	if (*cfg->argv == NULL || !session.up || session.done) {
		if (ends_us(signo) != NULL)
			signal_ends(signo, "the command had not started");
		return;
	}
	if (ends_us(signo) != NULL) {
		if (session.asked != 0 && now - session.asked >= INSIST)
			signal_ends(signo, "the guest did not answer");
		if (session.asked == 0) {
			session.asked = now;
			session.asked_by = signo;
			session.warned = false;
		}
	}
	if (signo == SIGTERM) {
		session.told = true;
		if (cfg->stop_timeout != 0 && session.stop_end == 0)
			session.stop_end = now + (int64_t)cfg->stop_timeout;
	}
	console_signal((unsigned int)signo);
}

static void
signal_ready(struct io_source *s, short revents)
{
	struct signalfd_siginfo si;
	char size[16];
	bool taken;

	(void)revents;
	/* To the vCPUs a SIGCONT is either pending or counted. */
	pthread_mutex_lock(&vm->continue_lock);
	taken = read(s->fd, &si, sizeof(si)) == sizeof(si);
	if (taken && si.ssi_signo == SIGCONT)
		vm->continued++;
	pthread_mutex_unlock(&vm->continue_lock);
	if (!taken)
		return;
	switch (si.ssi_signo) {
	case SIGWINCH:
		if (cfg->pty && session.up) {
			terminal_size(size, sizeof(size));
			console_size(size);
		}
		return;
	case SIGPIPE: /* our own writes' */
	case SIGXFSZ:
	case SIGCHLD:
	case SIGCONT:
	case SIGURG:
		return;
	default:
		handle_signal((int)si.ssi_signo);
	}
}

static void
watch_signals(void)
{
	static const int others[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP,
		SIGABRT, SIGSYS, SIGTSTP, SIGTTIN, SIGTTOU, SIGALRM };
	sigset_t mask;
	size_t i;
	int fd;

	sigfillset(&mask);
	for (i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		sigdelset(&mask, others[i]);
	if (sigprocmask(SIG_BLOCK, &mask, NULL) == -1 ||
	    (fd = signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK)) == -1)
		err(EXIT_LINK, "signals");
	io_add(&vm->io, &(struct io_source){ .fd = fd,
	    .ready = signal_ready });
	stream_begin(&vm->io);
}

/* Without a command, stdin is typed at COM1. */
static short
wants_typing(struct io_source *s)
{
	return s->fd != -1 && uart_room(&vm->uart) > 0 ? POLLIN : 0;
}

static void
typed(struct io_source *s, short revents)
{
	uint8_t buf[UART_INPUT];
	struct iovec iov = { buf, uart_room(&vm->uart) };
	ssize_t n;

	(void)revents;
	if (iov.iov_len == 0)
		return; /* the guest took it, by its loop */
	n = stream_read(s->fd, &iov, 1);
	if (n > 0)
		uart_input(&vm->uart, buf, (unsigned int)n);
	else if (n == 0 || (errno != EAGAIN && errno != EINTR))
		s->fd = -1;
}

/* Before the guest runs. */
void
session_begin(struct vm *machine, const struct config *config)
{
	vm = machine;
	cfg = config;
	watch_signals();
	if (*cfg->argv == NULL)
		io_add(&vm->io, &(struct io_source){ .fd = STDIN_FILENO,
		    .wants = wants_typing, .ready = typed });
	console_on_line(control_line);
}

static void
print_stats(void)
{
	static const char *const names[EXITS] = { "pio", "mmio", "other" };
	uint64_t sum[EXITS] = { 0 };
	unsigned int i, k;

	for (i = 0; i < vm->ncpus; i++)
		for (k = 0; k < EXITS; k++)
			sum[k] += vm->cpu[i].exits[k];
	for (k = 0; k < EXITS; k++)
		dprintf(STDERR_FILENO, "exits.%s %llu\n", names[k],
		    (unsigned long long)sum[k]);
	dprintf(STDERR_FILENO, "exits %llu\nthreads %u\n",
	    (unsigned long long)(sum[0] + sum[1] + sum[2]),
	    vm->ncpus + cfg->ndisks + 1);
}

/* The machine has ended by itself, or did not start in time. */
static _Noreturn void
machine_ended(const char *why)
{
	last_messages(EXIT_LINK);
	if (*cfg->argv != NULL && cfg->status_fd != -1)
		dprintf(cfg->status_fd, "failed %d\n", EXIT_LINK);
	if (cfg->stats)
		print_stats();
	show_tail();
	warnx("the guest%s%s%s", why, vm->why != NULL ? ": " : "",
	    vm->why != NULL ? vm->why : "");
	_exit(EXIT_LINK);
}

/* The command has ended: its status is ours. */
static _Noreturn void
command_ended(void)
{
	int status = session.how == 's' ? EXIT_SIGNAL + session.code :
	    session.code;

	errno = console_lost();
	if (errno != 0 && session.how == 'e' && status == 0)
		status = EXIT_LINK;
	last_messages(status);
	report_end();
	tell_started();
	if (session.how == 's' && status_tell(session.code) == -1)
		warn(STATUS_VARIABLE);
	if (cfg->stats)
		print_stats();
	if (session.how == 'f' && session.code == EXIT_NOTFOUND &&
	    cfg->root == NULL && cfg->initrd == NULL)
		warnx("neither root= nor initrd=: only volt's own programs "
		    "are in the guest");
	if ((errno = console_lost()) == ETIMEDOUT)
		warnx("the command's output: nobody took all of it");
	else if (errno != 0)
		warn("the command's output");
	_exit(status);
}

/* Has that time come? If not, poll(2) waits no longer than until then. */
static bool
due(int64_t when)
{
	int64_t left = when - clock_ms();

	if (left <= 0)
		return true;
	if (left > INT_MAX)
		left = INT_MAX;
	if (vm->io.timeout == -1 || left < vm->io.timeout)
		vm->io.timeout = (int)left;
	return false;
}

/* A line in the middle of it all, if it can be written at once. */
static void
warn_of_silence(void)
{
	struct stream s;
	char line[128];
	int n;

	n = snprintf(line, sizeof(line), "volt-kvm: %s: the guest does not "
	    "answer; the next one ends it\n", ends_us(session.asked_by));
	/* Nobody may read it: the guest's end must not wait for that. */
	if (stream_open(&s, STDERR_FILENO) == 0)
		may_fail(stream_write(&s, line, (size_t)n));
	session.warned = true;
}

/* What is to happen by a certain time, and has not. */
static void
look_at_clock(void)
{
	if (session.boot_end != 0 && !session.up && *cfg->argv != NULL &&
	    due(session.boot_end))
		machine_ended(" did not start in time");
	if (session.done)
		return;
	if (session.panic_end != 0 && due(session.panic_end))
		machine_ended("'s kernel panicked");
	if (session.stop_end != 0 && due(session.stop_end))
		signal_ends(SIGTERM, "the guest did not end by stop_timeout=");
	if (session.asked != 0 && !session.warned &&
	    due(session.asked + ANSWER))
		warn_of_silence();
}

/* The machine has ended. Has it said all? */
static bool
nothing_comes(void)
{
	static bool looked;

	/* What it said last may not have been read yet. */
	if (*cfg->argv == NULL || (looked && !session.done))
		return true;
	if (!looked)
		console_look();
	looked = true;
	return false;
}

/* The command has ended, but not all of its output has been taken. */
static bool
taken_too_slowly(void)
{
	static int64_t end;
	static uint64_t taken;
	uint64_t now = console_taken();

	/* Who was not told to end waits as long as it takes. */
	if (!session.told)
		return false;
	if (end == 0 || now != taken)
		end = clock_ms() + PATIENCE;
	taken = now;
	return due(end);
}

/* Is it over? If not, the next poll(2) has its timeout. */
static bool
over(void)
{
	vm->io.timeout = -1;
	if (session.done && console_drained())
		return true;
	if (atomic_load(&vm->end) != VM_RUNS && nothing_comes())
		return true;
	if (session.done && taken_too_slowly()) {
		console_lose();
		return true;
	}
	if (atomic_load(&vm->panicked) && session.panic_end == 0)
		session.panic_end = clock_ms() + PANIC;
	look_at_clock();
	return false;
}

/*
 * What is on COM1 by now is written, too: for a plain machine, whose output it
 * is, as long as it takes.
 */
static void
send_console(void)
{
	bool plain = *cfg->argv == NULL;
	uint64_t all = uart_logged(&vm->uart), sent = uart_sent(&vm->uart);
	uint64_t before = sent;
	int64_t end = clock_ms() + PATIENCE;

	for (; sent < all; sent = uart_sent(&vm->uart)) {
		if (sent != before)
			end = clock_ms() + PATIENCE;
		before = sent;
		vm->io.timeout = -1;
		if (!plain && due(end))
			return;
		io_step(&vm->io);
	}
}

/* Let the guest run, until it is over. */
_Noreturn void
session_run(void)
{
	if (cfg->boot_timeout != 0)
		session.boot_end = clock_ms() + (int64_t)cfg->boot_timeout;
	while (!over()) {
		io_step(&vm->io);
		if (stream_alarm())
			handle_signal(SIGALRM);
	}
	send_console();
	if (session.done)
		command_ended();
	if (atomic_load(&vm->panicked))
		machine_ended("'s kernel panicked");
	switch (atomic_load(&vm->end)) {
	case VM_POWEROFF:
		if (*cfg->argv != NULL)
			machine_ended(" powered off before the command ended");
		last_messages(0);
		if (cfg->stats)
			print_stats();
		_exit(0);
	case VM_RESET:
		machine_ended(" reset itself");
	default:
		machine_ended(" crashed");
	}
}
