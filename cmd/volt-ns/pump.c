/*
 * The waiting parent copies between what the caller gave us as standard streams
 * and what console= gave the command. Theory of operation:
 *
 * A flow is one direction of that. It is read from when its buffer is empty, so
 * a reader that is slow slows the writer down. Nothing here waits for one flow
 * alone, but for what all of them and the signals bring.
 *
 * With console=pipe each flow has a pipe of its own at the command's side, and
 * its end is that of the pipe: the command finds the end of its input, or a
 * SIGPIPE, as it would without us. With console=pty both flows have the terminal
 * there. The end of input is a character then; and when output cannot be
 * written the terminal hangs up, as soon as there is more of it.
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
#include <termios.h>
#include <unistd.h>

#include "chain.h"
#include "ns.h"
#include "tty.h"

#ifndef TIOCGPTPEER
#define TIOCGPTPEER _IO('T', 0x41)
#endif

#define PATIENCE 500	/* ms for a reader that is slow, once we are to end */
/*
 * Bytes that are passed on after the command's end, besides those that its pipe
 * holds then: more than a pty does, and a bound for what processes that it left
 * behind go on writing.
 */
#define REST_MOST 65536

#define PIECE 32768

struct flow {
	int from, to;	/* -1: over */
	bool is_socket;	/* the caller's side: it has calls that do not block */
	bool is_fifo;	/* the caller's side: another reader may come */
	size_t most;	/* bytes for one write that must not block */
	char buf[PIECE];
	size_t start, end;
};

struct pump {
	struct flow flow[3];	/* by the caller's descriptor */
	bool pty;
	int master;	/* of that; -1: hung up, or none */
	int slave;	/* held open, so that the command may close its own */
	int lost;	/* errno of the write that failed, or 0 */
	bool told;	/* to end */
	bool raw;	/* stdin is a terminal that we made raw */
	struct termios saved;
	char last;	/* byte of the caller's input */
};

/* In the foreground, the caller's terminal passes every key on as it is. */
static void
make_raw(struct pump *p)
{
	struct termios t;

	if (tcgetpgrp(STDIN_FILENO) != getpgrp() ||
	    tcgetattr(STDIN_FILENO, &t) == -1)
		return;
	if (!p->raw)
		p->saved = t;
	cfmakeraw(&t);
	/* Not TCSADRAIN: that waits for a terminal that takes nothing. */
	if (tcsetattr(STDIN_FILENO, TCSANOW, &t) == 0)
		p->raw = true;
}

static void
copy_size(const struct pump *p)
{
	struct winsize size;

	if (ioctl(STDIN_FILENO, TIOCGWINSZ, &size) == 0)
		(void)ioctl(p->master, TIOCSWINSZ, &size);
}

static void
on_signal(struct supervise *s, int signo)
{
	struct pump *p = s->ctx;

	if (p->pty && signo == SIGCONT)
		make_raw(p);
	if (p->pty && (signo == SIGCONT || signo == SIGWINCH))
		copy_size(p);
	if (signo == SIGTERM || signo == SIGHUP || signo == SIGINT ||
	    signo == SIGQUIT)
		p->told = true;
}

/*
 * A stream of the caller's, not to block on. That flag belongs to everybody who
 * has it open: so a terminal or pipe is opened again where that is allowed.
 */
static int
open_stream(struct pump *p, int stream)
{
	char path[32];
	struct stat st;
	int fd;

	p->flow[stream].most = PIECE;
	if (fstat(stream, &st) == -1)
		return stream;
	p->flow[stream].is_socket = S_ISSOCK(st.st_mode);
	p->flow[stream].is_fifo = S_ISFIFO(st.st_mode);
	/* Who opens a named pipe after its writers' end does not see that. */
	if (!isatty(stream) &&
	    (!S_ISFIFO(st.st_mode) || stream == STDIN_FILENO))
		return stream;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", stream);
	fd = open(path, (stream == STDIN_FILENO ? O_RDONLY : O_WRONLY) |
	    O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd != -1)
		return fd;
	p->flow[stream].most = PIPE_BUF; /* poll(2) promises that */
	return stream;
}

/* The flow is over: the command's end of its pipe, too. */
static void
end(struct pump *p, struct flow *f)
{
	if (f->to == -1)
		return;
	if (!p->pty)
		close(f == p->flow ? f->to : f->from);
	f->from = f->to = -1;
	f->start = f->end = 0;
}

/*
 * The terminal goes: the command is sent SIGHUP and can neither read nor write
 * there any more.
 */
static void
hang_up(struct pump *p)
{
	if (p->master == -1)
		return;
	close(p->slave);
	close(p->master);
	p->master = p->slave = -1;
	end(p, &p->flow[STDIN_FILENO]);
	end(p, &p->flow[STDOUT_FILENO]);
}

static bool
full(const struct flow *f)
{
	return f->start < f->end;
}

/*
 * Take what there is, up to most. Returns false at its end, or on an error:
 * output that cannot be read is lost like what cannot be written.
 */
static bool
fill(struct pump *p, struct flow *f, size_t most)
{
	bool socket = f == p->flow && f->is_socket;
	ssize_t n;

	do {
		n = socket ? recv(f->from, f->buf, most, MSG_DONTWAIT) :
		    read(f->from, f->buf, most);
	} while (n == -1 && errno == EINTR);
	f->start = 0;
	f->end = n > 0 ? (size_t)n : 0;
	if (n == -1 && errno != EAGAIN && f != p->flow)
		p->lost = errno;
	return n > 0 || (n == -1 && errno == EAGAIN);
}

/* Pass on input; what the command does not take any more is dropped. */
static void
drain_input(struct pump *p, struct flow *f)
{
	ssize_t n = write(f->to, f->buf + f->start, f->end - f->start);

	if (n > 0)
		f->start += (size_t)n;
	if (n >= 0 || errno == EINTR || errno == EAGAIN)
		return;
	if (p->pty)
		f->start = f->end;
	else
		end(p, f);
}

/* Pass on output. If that fails it is lost. */
static void
drain_output(struct pump *p, struct flow *f)
{
	const char *at = f->buf + f->start;
	size_t rest = f->end - f->start, len = rest < f->most ? rest : f->most;
	ssize_t n = f->is_socket ?
	    send(f->to, at, len, MSG_DONTWAIT | MSG_NOSIGNAL) :
	    write(f->to, at, len);

	if (n >= 0) {
		f->start += (size_t)n;
		return;
	}
	if (errno == EINTR || errno == EAGAIN)
		return;
	p->lost = errno;
	if (p->pty)
		f->start = f->end; /* hang up when there is more */
	else
		end(p, f);
}

/*
 * Whoever reads is gone, and there is nothing to pass on. What the pipe may hold
 * by now is lost.
 */
static void
reader_gone(struct pump *p, struct flow *f)
{
	int n;

	if (f != p->flow && ioctl(f->from, FIONREAD, &n) == 0 && n > 0)
		p->lost = EPIPE;
	end(p, f);
}

/* Returns false if there is none for us: we are not in the foreground. */
static bool
take_input(struct pump *p, struct flow *f)
{
	if (isatty(STDIN_FILENO) && tcgetpgrp(STDIN_FILENO) != getpgrp()) {
		/* As SIGTTIN, which we block, would have us do. */
		kill(getpid(), SIGSTOP);
		return false;
	}
	if (fill(p, f, PIECE)) {
		if (full(f))
			p->last = f->buf[f->end - 1];
	} else if (p->pty) {
		f->from = -1;
		f->end = tty_eof(f->to, p->last, f->buf);
	} else {
		end(p, f);
	}
	return true;
}

static void
take_output(struct pump *p, struct flow *f)
{
	if (p->pty && p->lost != 0)
		hang_up(p);
	else if (!fill(p, f, PIECE) && !p->pty)
		end(p, f);
}

/*
 * What to wait for next: two for each flow. That the reader of a pipe's bytes is
 * gone is told without asking.
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
			.fd = full(f) ? -1 : f->from };
		s->fds[2 * i + 1] = (struct pollfd){ .fd = f->to };
		if (full(f))
			s->fds[2 * i + 1].events = POLLOUT;
		else if (p->pty || (i != STDIN_FILENO && f->is_fifo))
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
			if (!full(f))
				reader_gone(p, f);
			else if (i == STDIN_FILENO)
				drain_input(p, f);
			else
				drain_output(p, f);
		}
	}
	set_polls(s);
}

/* Take the signals that are there. Returns whether one of them is to end us. */
static bool
ends_us(const struct supervise *s)
{
	struct signalfd_siginfo si;
	bool ends = false;

	while (read(s->sigfd, &si, sizeof(si)) == (ssize_t)sizeof(si)) {
		switch (si.ssi_signo) {
		case SIGCHLD:
		case SIGCONT:
		case SIGPIPE: /* our own: the write tells */
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
 * Have more of the rest of a flow ready to be passed on, if there is more. Returns
 * whether there is.
 */
static bool
has_rest(struct pump *p, struct flow *f, size_t *left)
{
	if (f->to == -1 || (p->pty && p->lost != 0))
		return false;
	if (full(f))
		return true;
	if (*left == 0 || (!fill(p, f, *left < PIECE ? *left : PIECE) &&
		!p->pty))
		end(p, f);
	if (!full(f))
		return false;
	*left -= f->end;
	return true;
}

/* The command is gone: what it wrote last is still to be shown. */
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
		/* A signal ends the wait for a reader, and takes none its output. */
		ready = fds[STDOUT_FILENO].revents != 0 ||
		    fds[STDERR_FILENO].revents != 0;
		if (n <= 0 || (!ready && ends_us(s))) {
			p->lost = n == -1 ? errno : ETIMEDOUT;
			return;
		}
		for (i = STDOUT_FILENO; i <= STDERR_FILENO; i++)
			if (fds[i].revents != 0)
				drain_output(p, &p->flow[i]);
	}
}

static void
say_lost(int error)
{
	errno = error;
	if (error == ETIMEDOUT)
		warnx("the command's output: nobody took all of it");
	else
		warn("the command's output");
}

/* The flows, between the caller's streams and master or our ends of pipes. */
static void
begin(struct pump *p, const int pipes[3])
{
	int i;

	for (i = 0; i < 3; i++) {
		p->flow[i].from = p->flow[i].to = -1;
		if (p->pty ? i == STDERR_FILENO : pipes[i] == -1)
			continue;
		p->flow[i].from = i == STDIN_FILENO ? open_stream(p, i) :
		    p->pty ? p->master : pipes[i];
		p->flow[i].to = i != STDIN_FILENO ? open_stream(p, i) :
		    p->pty ? p->master : pipes[i];
	}
	if (!p->pty)
		return;
	p->slave = ioctl(p->master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (p->slave == -1 || fcntl(p->master, F_SETFL, O_NONBLOCK) == -1)
		err(EXIT_LINK, "console=pty");
	make_raw(p);
}

/*
 * Wait as supervise_wait() does, and be the other side of the command's streams
 * meanwhile: of the pty whose master we have, or where that is -1 of the pipes
 * of console_pipes(). All are closed in the end. Returns 0, 1 if output was lost,
 * which is said, or -1 and errno. Ends the program if it cannot be that.
 */
int
pump_wait(int master, const int pipes[3], struct supervise *s, int *wstatus)
{
	static struct pump p;
	int rc, saved, i;

	p.pty = master != -1;
	p.master = master;
	p.slave = -1;
	p.last = '\n';
	s->ctx = &p;
	s->nfds = 6;
	s->poll_cb = on_poll;
	s->signal_cb = on_signal;
	begin(&p, pipes);
	set_polls(s);
	rc = supervise_wait(s, wstatus);
	saved = errno;

	show_rest(&p, s);
	if (p.raw)
		(void)tcsetattr(STDIN_FILENO, TCSANOW, &p.saved);
	hang_up(&p);
	for (i = 0; i < 3; i++)
		end(&p, &p.flow[i]);
	if (p.lost != 0)
		say_lost(p.lost);
	errno = saved;
	return rc == 0 && p.lost != 0 ? 1 : rc;
}
