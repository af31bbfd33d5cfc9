/*
 * The waiting parent copies between the caller's standard streams and those that
 * console= gave the command. Theory of operation:
 *
 * A flow (flow.h) copies in one direction. The parent never waits for one flow
 * alone, but for all flows and for signals together.
 *
 * With console=pipe, each flow has its own pipe on the command's side, which the
 * parent closes when the flow ends. The command then finds the end of its input,
 * or gets a SIGPIPE, as it would without us. With console=pty, both flows share
 * the terminal on that side. Then the end of input is a character. If output
 * cannot be written, the terminal hangs up as soon as the command writes more.
 */
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "chain.h"
#include "flow.h"
#include "ns.h"
#include "tty.h"

#define PATIENCE 500	/* ms for a slow reader, once we are told to end */
/*
 * The limit, in bytes, for the output that is passed on after the command has
 * ended, besides what its pipe holds at that time. It is more than a pty holds. It
 * is a limit because processes that the command left may go on writing.
 */
#define REST_MOST 65536

struct pump {
	struct flow flow[3];	/* by the caller's descriptor */
	bool fifo[3];	/* the caller's is a fifo: a new reader may come */
	bool pty;
	int master;	/* of the pty; -1: it has hung up, or there is none */
	int slave;	/* held open, so that the command may close its own */
	int lost;	/* errno of the write that failed, or 0 */
	bool told;	/* a signal told us to end */
	struct tty_mode caller;	/* of the caller's terminal */
};

/* In the foreground, set the caller's terminal to pass on each key unchanged. */
static void
make_raw(struct pump *p)
{
	if (tcgetpgrp(STDIN_FILENO) == getpgrp())
		tty_raw(&p->caller, STDIN_FILENO);
}

static void
on_signal(struct supervise *s, int signo)
{
	struct pump *p = s->ctx;

	if (p->pty && signo == SIGCONT)
		make_raw(p);
	if (p->pty && (signo == SIGCONT || signo == SIGWINCH))
		tty_copy_size(STDIN_FILENO, p->master);
	if (signo == SIGTERM || signo == SIGHUP || signo == SIGINT ||
	    signo == SIGQUIT)
		p->told = true;
}

/*
 * Open a stream of the caller without blocking. Changing O_NONBLOCK would affect
 * all processes that share the stream, so a terminal or pipe is opened again, if
 * that is allowed. Returns the new descriptor, or stream itself.
 */
static int
open_stream(struct pump *p, int stream)
{
	struct flow *f = &p->flow[stream];
	bool in = stream == STDIN_FILENO;
	char path[32];
	struct stat st;
	int fd;

	if (fstat(stream, &st) == -1)
		return stream;
	f->recv = in && S_ISSOCK(st.st_mode);
	f->send = !in && S_ISSOCK(st.st_mode);
	p->fifo[stream] = S_ISFIFO(st.st_mode);
	/* Opening a named pipe anew after its writers have ended hides that end. */
	if (!isatty(stream) && (!S_ISFIFO(st.st_mode) || in))
		return stream;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", stream);
	fd = open(path, (in ? O_RDONLY : O_WRONLY) | O_NONBLOCK | O_NOCTTY |
	    O_CLOEXEC);
	if (fd != -1)
		return fd;
	if (!in)
		f->most = PIPE_BUF; /* poll(2) promises room for that */
	return stream;
}

/*
 * Hang up the terminal: the command gets a SIGHUP, and can neither read from the
 * terminal nor write to it any more.
 */
static void
hang_up(struct pump *p)
{
	if (p->master == -1)
		return;
	close(p->slave);
	close(p->master);
	p->master = p->slave = -1;
	flow_end(&p->flow[STDIN_FILENO]);
	flow_end(&p->flow[STDOUT_FILENO]);
}

/*
 * Read what there is, up to most bytes. Returns false at the end, or on an error:
 * output that cannot be read is lost, as if it could not be written.
 */
static bool
fill(struct pump *p, struct flow *f, size_t most)
{
	int rc = flow_fill(f, most);

	if (rc == -1 && errno != 0 && f != p->flow)
		p->lost = errno;
	return rc != -1;
}

/*
 * Write what was read. If that fails, output is lost. Input that the command no
 * longer reads is dropped.
 */
static void
drain(struct pump *p, struct flow *f)
{
	if (flow_drain(f) != -1)
		return;
	if (f != p->flow)
		p->lost = errno;
	if (p->pty)
		flow_drop(f); /* for output: hang up when there is more */
	else
		flow_end(f);
}

/*
 * The reader has gone while the buffer is empty. Output that the pipe holds by now
 * is lost.
 */
static void
reader_gone(struct pump *p, struct flow *f)
{
	int n;

	if (f != p->flow && ioctl(f->from, FIONREAD, &n) == 0 && n > 0)
		p->lost = EPIPE;
	flow_end(f);
}

/*
 * Read input. Returns false if we are not in the foreground, and must not read. A
 * process that reads there gets SIGTTIN, which we block: so stop as it would.
 */
static bool
take_input(struct pump *p, struct flow *f)
{
	if (isatty(STDIN_FILENO) && tcgetpgrp(STDIN_FILENO) != getpgrp()) {
		kill(getpid(), SIGSTOP);
		return false;
	}
	if (fill(p, f, FLOW_PIECE))
		return true;
	if (p->pty)
		flow_type_eof(f, f->to);
	else
		flow_end(f);
	return true;
}

static void
take_output(struct pump *p, struct flow *f)
{
	if (p->pty && p->lost != 0)
		hang_up(p);
	else if (!fill(p, f, FLOW_PIECE) && !p->pty)
		flow_end(f);
}

/*
 * Set what to wait for next, in two entries per flow. poll(2) reports that the
 * reader of a pipe has gone even if no event is requested.
 */
static void
set_polls(struct supervise *s)
{
	const struct pump *p = s->ctx;
	const struct flow *f;
	int i;

	for (i = 0; i < 3; i++) {
		f = &p->flow[i];
		s->fds[2 * i] = (struct pollfd){ .events = POLLIN,
			.fd = flow_is_full(f) ? -1 : f->from };
		s->fds[2 * i + 1] = (struct pollfd){ .fd = f->to };
		if (flow_is_full(f))
			s->fds[2 * i + 1].events = POLLOUT;
		else if (p->pty || (i != STDIN_FILENO && p->fifo[i]))
			s->fds[2 * i + 1].fd = -1;
	}
}

static void
on_poll(struct supervise *s)
{
	struct pump *p = s->ctx;
	struct flow *f;
	int i;

	for (i = 0; i < 3; i++) {
		f = &p->flow[i];
		if (f->from != -1 && s->fds[2 * i].revents != 0) {
			if (i != STDIN_FILENO)
				take_output(p, f);
			else if (!take_input(p, f))
				return;
		} else if (f->to != -1 && s->fds[2 * i + 1].revents != 0) {
			if (flow_is_full(f))
				drain(p, f);
			else
				reader_gone(p, f);
		}
	}
	set_polls(s);
}

/* Read the pending signals. Returns whether one of them tells us to end. */
static bool
ends_us(const struct supervise *s)
{
	struct signalfd_siginfo si;
	bool ends = false;

	while (read(s->sigfd, &si, sizeof(si)) == (ssize_t)sizeof(si)) {
		switch (si.ssi_signo) {
		case SIGCHLD:
		case SIGCONT:
		case SIGPIPE: /* caused by our write, which reports it */
		case SIGXFSZ:
		case SIGURG:
		case SIGWINCH:
			break;
		case SIGTSTP:
		case SIGTTIN:
		case SIGTTOU:
			kill(getpid(), SIGSTOP);
			break;
		default:
			ends = true;
		}
	}
	return ends;
}

/*
 * After the command's end, read more of a flow, up to *left bytes, unless its
 * buffer still holds some. Returns whether there is something to write.
 */
static bool
has_rest(struct pump *p, struct flow *f, size_t *left)
{
	if (f->to == -1 || (p->pty && p->lost != 0))
		return false;
	if (flow_is_full(f))
		return true;
	if (*left == 0 || (!fill(p, f, *left) && !p->pty))
		flow_end(f);
	if (!flow_is_full(f))
		return false;
	*left -= f->len;
	return true;
}

/* The command has ended: pass on the rest of its output. */
static void
show_rest(struct pump *p, const struct supervise *s)
{
	struct pollfd fds[3] = { [0] = { .fd = s->sigfd, .events = POLLIN } };
	struct flow *f;
	size_t left[3] = { 0 };
	bool ready;
	int i, n;

	for (i = STDOUT_FILENO; i <= STDERR_FILENO; i++) {
		left[i] = REST_MOST;
		if (!p->pty && ioctl(p->flow[i].from, FIONREAD, &n) == 0)
			left[i] += (size_t)n;
	}
	for (;;) {
		for (i = STDOUT_FILENO; i <= STDERR_FILENO; i++) {
			f = &p->flow[i];
			fds[i] = (struct pollfd){ .events = POLLOUT,
				.fd = has_rest(p, f, &left[i]) ? f->to : -1 };
		}
		if (fds[STDOUT_FILENO].fd == -1 && fds[STDERR_FILENO].fd == -1)
			return;
		n = poll(fds, 3, p->told ? PATIENCE : -1);
		if (n == -1 && errno == EINTR)
			continue;
		/* A signal ends the wait, but loses no output that is read. */
		ready = fds[STDOUT_FILENO].revents != 0 ||
		    fds[STDERR_FILENO].revents != 0;
		if (n <= 0 || (!ready && ends_us(s))) {
			p->lost = n == -1 ? errno : ETIMEDOUT;
			return;
		}
		for (i = STDOUT_FILENO; i <= STDERR_FILENO; i++)
			if (fds[i].revents != 0)
				drain(p, &p->flow[i]);
	}
}

static void
say_lost(int error)
{
	errno = error;
	if (error == ETIMEDOUT)
		warnx("the command's output: not all of it was read");
	else
		warn("the command's output");
}

/*
 * Set up the flows between the caller's streams and the pty's master, or our ends
 * of the pipes.
 */
static void
begin(struct pump *p, const int pipes[3])
{
	struct flow *f;
	int i, theirs;

	for (i = 0; i < 3; i++) {
		f = &p->flow[i];
		f->from = f->to = -1;
		f->own = p->pty ? -1 : pipes[i];
		theirs = p->pty ? p->master : pipes[i];
		if (p->pty ? i == STDERR_FILENO : pipes[i] == -1)
			continue;
		f->from = i == STDIN_FILENO ? open_stream(p, i) : theirs;
		f->to = i == STDIN_FILENO ? theirs : open_stream(p, i);
	}
	if (!p->pty)
		return;
	p->slave = tty_slave(p->master);
	if (p->slave == -1 || fcntl(p->master, F_SETFL, O_NONBLOCK) == -1)
		err(EXIT_LINK, "console=pty");
	make_raw(p);
}

/*
 * Wait as supervise_wait() does, and meanwhile serve the other side of the command's
 * streams: the pty with that master, or, if master is -1, the pipes of
 * console_pipes(). Closes all of them at the end. Returns 0; 1 if output was lost,
 * after a message; or -1 and errno. Ends the program if the set-up fails.
 */
int
pump_wait(int master, const int pipes[3], struct supervise *s, int *wstatus)
{
	static struct pump p;
	int rc, saved, i;

	p.pty = master != -1;
	p.master = master;
	p.slave = -1;
	s->ctx = &p;
	s->nfds = 6;
	s->poll_cb = on_poll;
	s->signal_cb = on_signal;
	begin(&p, pipes);
	set_polls(s);
	rc = supervise_wait(s, wstatus);
	saved = errno;

	show_rest(&p, s);
	tty_restore(&p.caller, STDIN_FILENO);
	hang_up(&p);
	for (i = 0; i < 3; i++)
		flow_end(&p.flow[i]);
	if (p.lost != 0)
		say_lost(p.lost);
	errno = saved;
	return rc == 0 && p.lost != 0 ? 1 : rc;
}
