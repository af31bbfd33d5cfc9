/*
 * console=pty. The command gets a terminal of its own devpts as stdin, stdout,
 * stderr and controlling terminal; the waiting parent copies between that and
 * what the caller gave us. The command never holds the caller's terminal, so
 * TIOCSTI and its kin reach nothing but its own.
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
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "chain.h"
#include "fdpass.h"
#include "ns.h"
#include "path.h"
#include "sys.h"
#include "tty.h"

#ifndef TIOCGPTPEER
#define TIOCGPTPEER _IO('T', 0x41)
#endif

#define PATIENCE 500	/* ms for a reader that is slow, once we are to end */
/*
 * Bytes that are passed on after the command's end: more than a pty holds, and
 * a bound for what processes that it left behind go on writing.
 */
#define REST_MOST 65536

/* One direction. A write of no more than PIPE_BUF does not block after poll. */
struct flow {
	char buf[4096];
	size_t start, end;
	bool eof;
};

struct console {
	int master;	/* -1: hung up */
	int slave;	/* held open, so that the command may close its own */
	int out_fd;	/* where output goes: of its own, not to block */
	bool out_is_socket;
	int lost;	/* errno of the write that failed, or 0 */
	bool told;	/* to end */
	bool raw;	/* stdin is a terminal that we made raw */
	struct termios saved;
	struct flow in, out;
	char last;	/* byte of the caller's input */
};

/* Open a file of the root's own /dev, or of the one that there is. */
static int
open_below(const struct ns *ns, const char *name, int flags)
{
	char path[PATH_MAX];
	int root, fd;

	if (snprintf(path, sizeof(path), "%s%s", ns->dev != NULL ? ns->dev :
		"/dev", name) >= (int)sizeof(path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	if ((root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC)) == -1)
		return -1;
	fd = path_open(root, path, flags);
	close(root);
	return fd;
}

/*
 * The outer actor: receive the other side of that terminal. Returns -1 if the
 * inner actor has ended before, and has said why.
 */
int
console_recv(int sock)
{
	char byte;
	int master;
	ssize_t n = fdpass_recv_with(sock, &master, &byte, 1);

	if (n == -1)
		err(EXIT_LINK, "console=pty");
	return n == 0 ? -1 : master;
}

/*
 * Give the inner actor its terminal, and the outer actor the other side. Ends
 * the program on error.
 */
void
console_open(struct ns *ns)
{
	struct winsize size;
	int master, slave, fd, dst, unlock = 0;

	master = open_below(ns, ns->dev != NULL ? "/pts/ptmx" : "/ptmx",
	    O_RDWR | O_NOCTTY);
	if (master == -1 || ioctl(master, TIOCSPTLCK, &unlock) == -1 ||
	    (slave = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY)) == -1)
		err(EXIT_LINK, "console=pty");
	if (ioctl(STDIN_FILENO, TIOCGWINSZ, &size) == 0 ||
	    ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0)
		(void)ioctl(slave, TIOCSWINSZ, &size);
	if (ns->uid_given && fchown(slave, ns->uid, (gid_t)-1) == -1)
		err(EXIT_LINK, "console=pty: uid=%u", ns->uid);
	if (ns->dev != NULL) {
		dst = open_below(ns, "/console", O_PATH);
		fd = sys_open_tree(slave, "", OPEN_TREE_CLONE |
		    OPEN_TREE_CLOEXEC | AT_EMPTY_PATH);
		if (dst == -1 || fd == -1 || sys_move_mount(fd, "", dst, "",
			MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) ==
		    -1)
			err(EXIT_LINK, "mount %s/console", ns->dev);
		close(fd);
		close(dst);
	}
	if (fdpass_send_with(ns->outer, master, "", 1) == -1)
		err(EXIT_LINK, "console=pty");
	close(master);
	(void)setsid();
	if (ioctl(slave, TIOCSCTTY, 0) == -1)
		err(EXIT_LINK, "controlling terminal");
	for (fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (dup2(slave, fd) == -1)
			err(EXIT_LINK, "console=pty");
	if (slave > STDERR_FILENO)
		close(slave);
}

/* In the foreground, the caller's terminal passes every key on as it is. */
static void
make_raw(struct console *c)
{
	struct termios t;

	if (tcgetpgrp(STDIN_FILENO) != getpgrp() ||
	    tcgetattr(STDIN_FILENO, &t) == -1)
		return;
	if (!c->raw)
		c->saved = t;
	cfmakeraw(&t);
	/* Not TCSADRAIN: that waits for a terminal that takes nothing. */
	if (tcsetattr(STDIN_FILENO, TCSANOW, &t) == 0)
		c->raw = true;
}

static void
copy_size(const struct console *c)
{
	struct winsize size;

	if (ioctl(STDIN_FILENO, TIOCGWINSZ, &size) == 0)
		(void)ioctl(c->master, TIOCSWINSZ, &size);
}

static void
on_signal(struct supervise *s, int signo)
{
	struct console *c = s->ctx;

	if (signo == SIGCONT)
		make_raw(c);
	if (signo == SIGCONT || signo == SIGWINCH)
		copy_size(c);
	if (signo == SIGTERM || signo == SIGHUP || signo == SIGINT ||
	    signo == SIGQUIT)
		c->told = true;
}

/*
 * Standard output may be a terminal or a socket that has room for less than we
 * have. The flag against blocking belongs to everybody who has it open: so a
 * terminal or pipe is opened again where that is allowed.
 */
static void
open_output(struct console *c)
{
	struct stat st;
	int fd = -1;

	c->out_fd = STDOUT_FILENO;
	if (fstat(STDOUT_FILENO, &st) == -1)
		return;
	c->out_is_socket = S_ISSOCK(st.st_mode);
	if (S_ISFIFO(st.st_mode) || isatty(STDOUT_FILENO))
		fd = open("/proc/self/fd/1",
		    O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd != -1)
		c->out_fd = fd;
}

/*
 * The terminal goes: the command is sent SIGHUP and can neither read nor write
 * there any more.
 */
static void
hang_up(struct console *c)
{
	if (c->master == -1)
		return;
	close(c->slave);
	close(c->master);
	c->master = c->slave = -1;
	c->in.start = c->in.end = c->out.start = c->out.end = 0;
	c->in.eof = true;
}

/*
 * Take what from has; at its end, or an error, set eof. Returns 0, or the errno
 * of such an error.
 */
static int
fill(struct flow *f, int from)
{
	ssize_t n;
	int error;

	while ((n = read(from, f->buf, sizeof(f->buf))) == -1 && errno == EINTR)
		;
	error = n == -1 && errno != EAGAIN ? errno : 0;
	f->start = 0;
	f->end = n > 0 ? (size_t)n : 0;
	f->eof = n == 0 || error != 0;
	return error;
}

/* The command's output: what cannot be read is lost like what cannot be written. */
static void
fill_output(struct console *c)
{
	int error = fill(&c->out, c->master);

	if (error != 0)
		c->lost = error;
}

/* Pass input on; what the terminal does not take any more is dropped. */
static void
drain_input(struct console *c)
{
	struct flow *f = &c->in;
	ssize_t n = write(c->master, f->buf + f->start, f->end - f->start);

	if (n > 0)
		f->start += (size_t)n;
	else if (n == -1 && errno != EINTR && errno != EAGAIN)
		f->start = f->end = 0;
}

/* Pass output on. If that fails it is lost, and what follows hangs up. */
static void
drain_output(struct console *c)
{
	struct flow *f = &c->out;
	const char *at = f->buf + f->start;
	size_t len = f->end - f->start;
	ssize_t n = c->out_is_socket ?
	    send(c->out_fd, at, len, MSG_DONTWAIT | MSG_NOSIGNAL) :
	    write(c->out_fd, at, len);

	if (n >= 0) {
		f->start += (size_t)n;
	} else if (errno != EINTR && errno != EAGAIN) {
		c->lost = errno;
		f->start = f->end = 0;
	}
}

static bool
full(const struct flow *f)
{
	return f->start < f->end;
}

/* What to wait for next: a flow is read from when it is empty. */
static void
set_polls(struct supervise *s)
{
	const struct console *c = s->ctx;

	s->fds[0] = (struct pollfd){ .fd = full(&c->in) || c->in.eof ? -1 :
	    STDIN_FILENO, .events = POLLIN };
	s->fds[1] = (struct pollfd){ .fd = full(&c->out) ? c->out_fd : -1,
		.events = POLLOUT };
	s->fds[2] = (struct pollfd){ .fd = c->master, .events =
	    (short)((full(&c->in) ? POLLOUT : 0) |
		(full(&c->out) ? 0 : POLLIN)) };
}

/* Returns false if there is none for us: we are not in the foreground. */
static bool
take_input(struct console *c)
{
	if (isatty(STDIN_FILENO) && tcgetpgrp(STDIN_FILENO) != getpgrp()) {
		/* As SIGTTIN, which we block, would have us do. */
		kill(getpid(), SIGSTOP);
		return false;
	}
	(void)fill(&c->in, STDIN_FILENO);
	if (c->in.eof)
		c->in.end = tty_eof(c->master, c->last, c->in.buf);
	else if (full(&c->in))
		c->last = c->in.buf[c->in.end - 1];
	return true;
}

static void
on_poll(struct supervise *s)
{
	struct console *c = s->ctx;
	short master = s->fds[2].revents;

	if (s->fds[0].revents != 0 && !take_input(c))
		return;
	if ((master & POLLOUT) != 0 && full(&c->in))
		drain_input(c);
	if ((master & POLLIN) != 0 && c->lost != 0)
		hang_up(c);
	else if ((master & POLLIN) != 0)
		fill_output(c);
	if (s->fds[1].revents != 0)
		drain_output(c);
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

/* The command is gone: what it wrote last is still to be shown. */
static void
show_rest(struct console *c, const struct supervise *s)
{
	struct pollfd fds[2] = {
		{ .fd = c->out_fd, .events = POLLOUT },
		{ .fd = s->sigfd, .events = POLLIN },
	};
	size_t left = REST_MOST;
	int n;

	while (c->master != -1 && c->lost == 0) {
		if (!full(&c->out)) {
			if (left < sizeof(c->out.buf))
				return;
			fill_output(c);
			if (!full(&c->out))
				return;
			left -= c->out.end;
		}
		n = poll(fds, 2, c->told ? PATIENCE : -1);
		if (n == -1 && errno == EINTR)
			continue;
		if (n <= 0 || (fds[1].revents != 0 && ends_us(s))) {
			c->lost = n == -1 ? errno : ETIMEDOUT;
			return;
		}
		if (fds[0].revents != 0)
			drain_output(c);
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

/*
 * Wait as supervise_wait() does, and be the terminal of the command meanwhile.
 * master is the pty's; it is closed in the end. Returns 0, 1 if output was lost,
 * which is said, or -1 and errno. Ends the program if it cannot be that terminal.
 */
int
console_wait(int master, struct supervise *s, int *wstatus)
{
	struct console c = { .master = master, .last = '\n' };
	int rc, saved;

	s->ctx = &c;
	s->nfds = 3;
	s->poll_cb = on_poll;
	s->signal_cb = on_signal;
	c.slave = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (c.slave == -1 || fcntl(master, F_SETFL, O_NONBLOCK) == -1)
		err(EXIT_LINK, "console=pty");
	open_output(&c);
	make_raw(&c);
	set_polls(s);
	rc = supervise_wait(s, wstatus);
	saved = errno;

	show_rest(&c, s);
	if (c.raw)
		(void)tcsetattr(STDIN_FILENO, TCSANOW, &c.saved);
	hang_up(&c);
	if (c.lost != 0)
		say_lost(c.lost);
	errno = saved;
	return rc == 0 && c.lost != 0 ? 1 : rc;
}
