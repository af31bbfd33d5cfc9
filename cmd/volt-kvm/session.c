/*
 * The loop of the I/O thread. It ends when the command ends, which the guest
 * reports on its control port, when the machine ends, or by a signal.
 *
 * A signal is passed to the command, and volt-guest acknowledges it. A guest that
 * does not acknowledge a signal hangs: then the next terminating signal ends
 * volt-kvm. No write waits for ever (stream.h).
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
#include "notify.h"
#include "session.h"
#include "status.h"
#include "stream.h"
#include "terminal.h"
#include "value.h"
#include "vm.h"
#include "vsock_host.h"

#define TAIL_LINES 128	/* room for an oops, a panic and their call traces */
#define PATIENCE 1000	/* ms that a stalled reader of output gets */
#define ANSWER 5000	/* ms without an acknowledgement, before a warning */
#define INSIST 500	/* ms from a signal to the next that may end us */
#define PANIC 2000	/* ms from the kernel's panic to its reset */

/* The terminating signals: they end volt-kvm if they cannot end the command. */
static const struct {
	int signo;
	const char *name;
} ends[] = { { SIGTERM, "SIGTERM" }, { SIGINT, "SIGINT" },
	{ SIGHUP, "SIGHUP" }, { SIGQUIT, "SIGQUIT" } };

/* The name of a terminating signal, or NULL if it is another. */
static const char *
terminating(int signo)
{
	size_t i;

	for (i = 0; i < sizeof(ends) / sizeof(ends[0]); i++)
		if (ends[i].signo == signo)
			return ends[i].name;
	return NULL;
}

/* Tell systemd that the command has started, or without one the guest. */
static void
say_ready(struct session *s)
{
	if (s->ready != -1 && notify_ready(s->ready) == -1)
		warn(NOTIFY_READY);
	s->ready = -1;
}

/* A line from the control port. A line that makes no sense is ignored. */
static void
control_line(void *arg, const char *line)
{
	static const struct {
		const char *word;
		uint64_t most;
	} reports[] = { { "exit ", 255 }, { "signal ", 64 },
		{ "failed ", 255 } };
	struct session *s = arg;
	uint64_t n;
	size_t i;

	if (strcmp(line, GUEST_UP) == 0) {
		s->up = true;
		say_ready(s);
		if (s->cfg->pty)
			terminal_raw(); /* until now ^C ended volt-kvm */
	}
	if (strcmp(line, GUEST_HEARD) == 0)
		s->asked = 0;
	if (strcmp(line, GUEST_LOST) == 0)
		console_lose(s->vm->console);
	for (i = 0; i < sizeof(reports) / sizeof(reports[0]); i++)
		if (!s->done && strncmp(line, reports[i].word,
			strlen(reports[i].word)) == 0 &&
		    value_uint(line + strlen(reports[i].word),
			reports[i].most, &n) == 0) {
			s->done = true;
			s->how = line[0];
			s->code = (int)n;
		}
}

/*
 * Only the last messages follow. The other threads still run and hold locks, so
 * nothing is cleaned up but the terminal, and the socket of vsock= by its helper.
 */
static void
last_messages(int status)
{
	terminal_restore();
	stream_last(status);
	vsock_host_leave();
}

/* Tell the outer links that wait for it (status=) that the command has run. */
static void
tell_started(const struct session *s)
{
	struct status_ends further;

	if (status_find(&further) == -1 ||
	    (s->how != 'f' && status_started(&further) == -1))
		warn(STATUS_VARIABLE);
}

/* Write the line of status=. */
static void
report_end(const struct session *s)
{
	static const char *const words[] = { "exit", "signal", "failed" };
	size_t i = s->how == 'e' ? 0 : s->how == 's' ? 1 : 2;

	if (s->cfg->status_fd != -1)
		dprintf(s->cfg->status_fd, "%s %d\n", words[i], s->code);
}

/* Show the last lines of the guest's kernel, unless -c has shown them. */
static void
show_tail(const struct session *s)
{
	if (*s->cfg->argv != NULL && !s->cfg->console)
		uart_tail(&s->vm->uart, STDERR_FILENO, TAIL_LINES);
}

/* End volt-kvm, and the command with it, by a signal. */
static _Noreturn void
signal_ends(struct session *s, int signo, const char *why)
{
	last_messages(EXIT_SIGNAL + signo);
	if (*s->cfg->argv != NULL) {
		if (!s->done) {
			s->how = s->up ? 's' : 'f';
			s->code = s->up ? signo :
			    EXIT_SIGNAL + signo;
		}
		report_end(s);
		tell_started(s);
		/* Both get the status as waitpid(2) has it. */
		if (s->how != 'f' && status_tell(signo) == -1)
			warn(STATUS_VARIABLE);
		if (!s->done) {
			show_tail(s);
			warnx("%s: %s", terminating(signo), why);
		}
	}
	_exit(EXIT_SIGNAL + signo);
}

/* A signal that may be for the command. */
static void
handle_signal(struct session *s, int signo)
{
	int64_t now = clock_ms();

	if (*s->cfg->argv == NULL || !s->up || s->done) {
		if (terminating(signo) != NULL)
			signal_ends(s, signo, "the command had not started");
		return;
	}
	if (terminating(signo) != NULL) {
		if (s->asked != 0 && now - s->asked >= INSIST)
			signal_ends(s, signo, "the guest did not answer");
		if (s->asked == 0) {
			s->asked = now;
			s->asked_by = signo;
			s->warned = false;
		}
	}
	if (signo == SIGTERM) {
		s->told = true;
		if (s->cfg->stop_timeout != 0 && s->stop_end == 0)
			s->stop_end = now + (int64_t)s->cfg->stop_timeout;
	}
	console_signal(s->vm->console, (unsigned int)signo);
}

static void
signal_ready(struct io_source *source, short revents)
{
	struct session *s = source->arg;
	struct signalfd_siginfo si;
	char size[16];
	bool taken;

	(void)revents;
	/* The vCPUs see each SIGCONT as pending or as counted. */
	pthread_mutex_lock(&s->vm->continue_lock);
	taken = read(source->fd, &si, sizeof(si)) == sizeof(si);
	if (taken && si.ssi_signo == SIGCONT)
		s->vm->continued++;
	pthread_mutex_unlock(&s->vm->continue_lock);
	if (!taken)
		return;
	switch (si.ssi_signo) {
	case SIGWINCH:
		if (s->cfg->pty && s->up) {
			terminal_size(size, sizeof(size));
			console_size(s->vm->console, size);
		}
		return;
	case SIGPIPE: /* a write of ours failed */
	case SIGXFSZ:
	case SIGCHLD:
	case SIGCONT:
	case SIGURG:
		return;
	default:
		handle_signal(s, (int)si.ssi_signo);
	}
}

static void
watch_signals(struct session *s)
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
	io_add(&s->vm->io, &(struct io_source){ .fd = fd,
	    .ready = signal_ready, .arg = s });
	stream_begin(&s->vm->io);
}

/* Without a command standard input goes to COM1. */
static short
wants_typing(struct io_source *source)
{
	struct uart *u = source->arg;

	return source->fd != -1 && uart_room(u) > 0 ? POLLIN : 0;
}

static void
typed(struct io_source *source, short revents)
{
	struct uart *u = source->arg;
	uint8_t buf[UART_INPUT];
	struct iovec iov = { buf, uart_room(u) };
	ssize_t n;

	(void)revents;
	if (iov.iov_len == 0)
		return; /* a guest in loopback mode has filled the room */
	n = stream_read(source->fd, &iov, 1);
	if (n > 0)
		uart_input(u, buf, (unsigned int)n);
	else if (n == 0 || (errno != EAGAIN && errno != EINTR))
		source->fd = -1;
}

/* Before the guest runs. */
void
session_begin(struct session *s, struct vm *vm, const struct config *cfg)
{
	s->vm = vm;
	s->cfg = cfg;
	if ((s->ready = notify_open()) == -1 && errno != ENOENT)
		err(EXIT_LINK, NOTIFY_READY);
	watch_signals(s);
	if (vm->console != NULL)
		console_on_line(vm->console, control_line, s);
	else
		io_add(&vm->io, &(struct io_source){ .fd = STDIN_FILENO,
		    .wants = wants_typing, .ready = typed,
		    .arg = &vm->uart });
}

static void
print_stats(const struct session *s)
{
	static const char *const names[EXITS] = { "pio", "mmio", "other" };
	uint64_t sum[EXITS] = { 0 };
	unsigned int i, k;

	for (i = 0; i < s->vm->ncpus; i++)
		for (k = 0; k < EXITS; k++)
			sum[k] += s->vm->cpu[i].exits[k];
	for (k = 0; k < EXITS; k++)
		dprintf(STDERR_FILENO, "exits.%s %llu\n", names[k],
		    (unsigned long long)sum[k]);
	dprintf(STDERR_FILENO, "exits %llu\nthreads %u\n",
	    (unsigned long long)(sum[0] + sum[1] + sum[2]),
	    s->vm->ncpus + s->cfg->ndisks + 1);
}

/* The machine has ended by itself, or did not start in time. */
static _Noreturn void
machine_ended(const struct session *s, const char *why)
{
	last_messages(EXIT_LINK);
	if (*s->cfg->argv != NULL && s->cfg->status_fd != -1)
		dprintf(s->cfg->status_fd, "failed %d\n", EXIT_LINK);
	if (s->cfg->stats)
		print_stats(s);
	show_tail(s);
	warnx("the guest%s%s%s", why, s->vm->why != NULL ? ": " : "",
	    s->vm->why != NULL ? s->vm->why : "");
	_exit(EXIT_LINK);
}

/* The command has ended: exit with its status. */
static _Noreturn void
command_ended(const struct session *s)
{
	int status = s->how == 's' ? EXIT_SIGNAL + s->code :
	    s->code;

	errno = console_lost(s->vm->console);
	if (errno != 0 && s->how == 'e' && status == 0)
		status = EXIT_LINK;
	last_messages(status);
	report_end(s);
	tell_started(s);
	if (s->how == 's' && status_tell(s->code) == -1)
		warn(STATUS_VARIABLE);
	if (s->cfg->stats)
		print_stats(s);
	if (s->how == 'f' && s->code == EXIT_NOTFOUND &&
	    s->cfg->root == NULL && s->cfg->initrd == NULL)
		warnx("neither root= nor initrd=: only volt's own programs "
		    "are in the guest");
	if ((errno = console_lost(s->vm->console)) == ETIMEDOUT)
		warnx("the command's output: not all of it was read");
	else if (errno != 0)
		warn("the command's output");
	_exit(status);
}

/* Has that time come? If not, the next poll(2) ends by then. */
static bool
due(const struct session *s, int64_t when)
{
	int64_t left = when - clock_ms();

	if (left <= 0)
		return true;
	if (left > INT_MAX)
		left = INT_MAX;
	if (s->vm->io.timeout == -1 || left < s->vm->io.timeout)
		s->vm->io.timeout = (int)left;
	return false;
}

/* Warn while the guest runs, if standard error takes the line at once. */
static void
warn_of_silence(struct session *s)
{
	struct stream out;
	char line[128];
	int n;

	n = snprintf(line, sizeof(line), "volt-kvm: %s: the guest does not "
	    "answer; the next one ends it\n", terminating(s->asked_by));
	/* This may fail: the guest must not wait for a stalled reader. */
	if (stream_open(&out, STDERR_FILENO) == 0)
		may_fail(stream_write(&out, line, (size_t)n));
	s->warned = true;
}

/* Act on each deadline that has passed. */
static void
look_at_clock(struct session *s)
{
	if (s->boot_end != 0 && !s->up && *s->cfg->argv != NULL &&
	    due(s, s->boot_end))
		machine_ended(s, " did not start in time");
	if (s->done)
		return;
	if (s->panic_end != 0 && due(s, s->panic_end))
		machine_ended(s, "'s kernel panicked");
	if (s->stop_end != 0 && due(s, s->stop_end))
		signal_ends(s, SIGTERM,
		    "the guest did not end by stop_timeout=");
	if (s->asked != 0 && !s->warned && due(s, s->asked + ANSWER))
		warn_of_silence(s);
}

/* The machine has ended. Have we read all that it said? */
static bool
nothing_comes(struct session *s)
{
	/* A report may still be in the queue of the control port. */
	if (*s->cfg->argv == NULL || (s->looked && !s->done))
		return true;
	if (!s->looked)
		console_look(s->vm->console);
	s->looked = true;
	return false;
}

/*
 * The command has ended, and a reader has not taken all of its output. Once told
 * to terminate, do not wait for a stalled reader; else wait for ever.
 */
static bool
taken_too_slowly(struct session *s)
{
	uint64_t now = console_taken(s->vm->console);

	if (!s->told)
		return false;
	if (s->taken_end == 0 || now != s->taken)
		s->taken_end = clock_ms() + PATIENCE;
	s->taken = now;
	return due(s, s->taken_end);
}

/* Is the session over? If not, this sets the timeout of the next poll(2). */
static bool
over(struct session *s)
{
	s->vm->io.timeout = -1;
	if (s->done && console_drained(s->vm->console))
		return true;
	if (atomic_load(&s->vm->end) != VM_RUNS && nothing_comes(s))
		return true;
	if (s->done && taken_too_slowly(s)) {
		console_lose(s->vm->console);
		return true;
	}
	if (atomic_load(&s->vm->panicked) && s->panic_end == 0)
		s->panic_end = clock_ms() + PANIC;
	look_at_clock(s);
	return false;
}

/*
 * Write the output of COM1 that is left. Without a command it is the machine's
 * output: then wait for a slow reader as long as it takes.
 */
static void
send_console(struct session *s)
{
	bool plain = *s->cfg->argv == NULL;
	uint64_t all = uart_logged(&s->vm->uart), sent = uart_sent(&s->vm->uart);
	uint64_t before = sent;
	int64_t end = clock_ms() + PATIENCE;

	for (; sent < all; sent = uart_sent(&s->vm->uart)) {
		if (sent != before)
			end = clock_ms() + PATIENCE;
		before = sent;
		s->vm->io.timeout = -1;
		if (!plain && due(s, end))
			return;
		io_step(&s->vm->io);
	}
}

/* Serve the guest until the session is over. */
_Noreturn void
session_run(struct session *s)
{
	if (*s->cfg->argv == NULL)
		say_ready(s);
	if (s->cfg->boot_timeout != 0)
		s->boot_end = clock_ms() + (int64_t)s->cfg->boot_timeout;
	while (!over(s)) {
		io_step(&s->vm->io);
		if (stream_alarm())
			handle_signal(s, SIGALRM);
	}
	send_console(s);
	if (s->done)
		command_ended(s);
	if (atomic_load(&s->vm->panicked))
		machine_ended(s, "'s kernel panicked");
	switch (atomic_load(&s->vm->end)) {
	case VM_POWEROFF:
		if (*s->cfg->argv != NULL)
			machine_ended(s,
			    " powered off before the command ended");
		last_messages(0);
		if (s->cfg->stats)
			print_stats(s);
		_exit(0);
	case VM_RESET:
		machine_ended(s, " reset itself");
	default:
		machine_ended(s, " crashed");
	}
}
