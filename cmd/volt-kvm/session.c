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
#include "ending.h"
#include "guest.h"
#include "host_socket.h"
#include "notify.h"
#include "session.h"
#include "signals.h"
#include "stream.h"
#include "terminal.h"
#include "vcpu.h"
#include "vm.h"

#define TAIL_LINES 128	/* room for an oops, a panic and their call traces */
#define PATIENCE 1000	/* ms that a stalled reader of output gets */
#define ANSWER 5000	/* ms without an acknowledgement, before a warning */
#define PANIC 2000	/* ms from the kernel's panic to its reset */

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
	struct session *s = arg;
	struct talk_end end;

	if (strcmp(line, GUEST_UP) == 0) {
		s->up = true;
		say_ready(s);
		if (s->cfg->pty)
			terminal_raw(); /* until now ^C ended volt-kvm */
	}
	if (strcmp(line, GUEST_HEARD) == 0)
		s->asked = 0;
	if (strcmp(line, GUEST_LOST) == 0)
		console_lose(s->vm->lane);
	if (!s->done && talk_end_parse(&end, line)) {
		s->done = true;
		s->end = end;
	}
}

/*
 * Only the last messages follow. The other threads still run and hold locks, so
 * nothing is cleaned up but the terminal, and the sockets' paths by their helpers.
 */
static void
last_messages(int status)
{
	terminal_restore();
	stream_last(status);
	host_socket_leave();
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
		if (!s->done)
			s->end = s->up ? (struct talk_end){ 's', signo } :
			    (struct talk_end){ 'f', EXIT_SIGNAL + signo };
		ending_report(&s->end, s->cfg->status_fd, signo);
		if (!s->done) {
			show_tail(s);
			warnx("%s: %s", signals_terminating(signo), why);
		}
	}
	_exit(EXIT_SIGNAL + signo);
}

/* I/O thread: a signal that may be for the command. This may end the program. */
void
session_signal(struct session *s, int signo)
{
	int64_t now = clock_ms();

	if (*s->cfg->argv == NULL || !s->up || s->done) {
		if (signals_terminating(signo) != NULL)
			signal_ends(s, signo, "the command had not started");
		return;
	}
	if (signals_terminating(signo) != NULL) {
		if (s->asked != 0 && now - s->asked >= SIGNALS_INSIST)
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
	console_signal(s->vm->lane, (unsigned int)signo);
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
	if (si.ssi_signo == SIGWINCH && s->cfg->pty && s->up) {
		terminal_size(size, sizeof(size));
		console_size(s->vm->lane, size);
	}
	if (!signals_ours((int)si.ssi_signo))
		session_signal(s, (int)si.ssi_signo);
}

static void
watch_signals(struct session *s)
{
	int fd = signals_open();

	if (fd == -1)
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
	if (vm->lane != NULL)
		console_on_line(vm->lane, control_line, s);
	else
		io_add(&vm->io, &(struct io_source){ .fd = STDIN_FILENO,
		    .wants = wants_typing, .ready = typed,
		    .arg = &vm->uart });
	if (cfg->control != NULL)
		server_begin(&s->server, s, cfg->control_host.listener);
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

/* I/O thread: the guest cannot go on, for that reason. */
_Noreturn void
session_fail(struct session *s, const char *why)
{
	s->vm->why = why;
	machine_ended(s, " crashed");
}

/* The command has ended: exit with its status. */
static _Noreturn void
command_ended(const struct session *s)
{
	int status = ending_status(&s->end), lost = console_lost(s->vm->lane);

	if (lost != 0 && s->end.how == 'e' && status == 0)
		status = EXIT_LINK;
	last_messages(status);
	ending_report(&s->end, s->cfg->status_fd,
	    s->end.how == 's' ? s->end.code : 0);
	if (s->cfg->stats)
		print_stats(s);
	if (s->end.how == 'f' && s->end.code == EXIT_NOTFOUND &&
	    s->cfg->root == NULL && s->cfg->initrd == NULL)
		warnx("neither root= nor initrd=: only volt's own programs "
		    "are in the guest");
	ending_output(lost);
	_exit(status);
}

/* Warn while the guest runs, if standard error takes the line at once. */
static void
warn_of_silence(struct session *s)
{
	struct stream out;
	char line[128];
	int n;

	n = snprintf(line, sizeof(line), "volt-kvm: %s: the guest does not "
	    "answer; the next one ends it\n", signals_terminating(s->asked_by));
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
	    io_due(&s->vm->io, s->boot_end))
		machine_ended(s, " did not start in time");
	if (s->done)
		return;
	if (s->panic_end != 0 && io_due(&s->vm->io, s->panic_end))
		machine_ended(s, "'s kernel panicked");
	if (s->stop_end != 0 && io_due(&s->vm->io, s->stop_end))
		signal_ends(s, SIGTERM,
		    "the guest did not end by stop_timeout=");
	if (s->asked != 0 && !s->warned && io_due(&s->vm->io, s->asked + ANSWER))
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
		console_look(s->vm->lane);
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
	uint64_t now = console_taken(s->vm->lane);

	if (!s->told)
		return false;
	if (s->taken_end == 0 || now != s->taken)
		s->taken_end = clock_ms() + PATIENCE;
	s->taken = now;
	return io_due(&s->vm->io, s->taken_end);
}

/* Is the session over? If not, this sets the timeout of the next poll(2). */
static bool
over(struct session *s)
{
	s->vm->io.timeout = -1;
	if (s->cfg->control != NULL) {
		server_step(&s->server);
		vcpu_pause_step(s->vm);
	}
	if (s->done && console_drained(s->vm->lane))
		return true;
	if (atomic_load(&s->vm->end) != VM_RUNS && nothing_comes(s))
		return true;
	if (s->done && taken_too_slowly(s)) {
		console_lose(s->vm->lane);
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
		if (!plain && io_due(&s->vm->io, end))
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
			session_signal(s, SIGALRM);
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
