/*
 * console=pty. The command gets a terminal of its own devpts as stdin, stdout,
 * stderr and controlling terminal; the waiting parent copies between that and
 * what the caller gave us. The command never holds the caller's terminal, so
 * TIOCSTI and its kin reach nothing but its own.
 */
#include <sys/ioctl.h>
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

/* One direction. A write of no more than PIPE_BUF does not block after poll. */
struct flow {
	char buf[4096];
	size_t start, end;
	bool eof;
};

struct console {
	int master;
	int slave;	/* held open, so that the command may close its own */
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
	fdpass_send(ns->outer, master);
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
	if (tcsetattr(STDIN_FILENO, TCSADRAIN, &t) == 0)
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
}

/* Take what from has; at its end, or an error, set eof. */
static void
fill(struct flow *f, int from)
{
	ssize_t n = read(from, f->buf, sizeof(f->buf));

	f->start = 0;
	f->end = n > 0 ? (size_t)n : 0;
	f->eof = n == 0 || (n == -1 && errno != EINTR && errno != EAGAIN);
}

/* Pass on what there is; what cannot be written to a closed end is dropped. */
static void
drain(struct flow *f, int to)
{
	ssize_t n = write(to, f->buf + f->start, f->end - f->start);

	if (n > 0)
		f->start += (size_t)n;
	else if (n == -1 && errno != EINTR && errno != EAGAIN)
		f->start = f->end = 0;
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
	s->fds[1] = (struct pollfd){ .fd = full(&c->out) ? STDOUT_FILENO : -1,
		.events = POLLOUT };
	s->fds[2] = (struct pollfd){ .fd = c->master, .events =
	    (short)((full(&c->in) ? POLLOUT : 0) |
		(full(&c->out) ? 0 : POLLIN)) };
}

static void
on_poll(struct supervise *s)
{
	struct console *c = s->ctx;

	if (s->fds[0].revents != 0) {
		if (isatty(STDIN_FILENO) &&
		    tcgetpgrp(STDIN_FILENO) != getpgrp()) {
			/* As SIGTTIN, which we block, would have us do. */
			kill(getpid(), SIGSTOP);
			return;
		}
		fill(&c->in, STDIN_FILENO);
		if (c->in.eof)
			c->in.end = tty_eof(c->master, c->last, c->in.buf);
		else if (full(&c->in))
			c->last = c->in.buf[c->in.end - 1];
	}
	if ((s->fds[2].revents & POLLOUT) != 0)
		drain(&c->in, c->master);
	if ((s->fds[2].revents & POLLIN) != 0)
		fill(&c->out, c->master);
	if (s->fds[1].revents != 0)
		drain(&c->out, STDOUT_FILENO);
	set_polls(s);
}

/*
 * Wait as supervise_wait() does, and be the terminal of the command meanwhile.
 * master is the pty's; it is closed in the end.
 */
int
console_wait(int master, struct supervise *s, int *wstatus)
{
	struct console c = { .master = master, .last = '\n' };
	struct pollfd out = { .fd = STDOUT_FILENO, .events = POLLOUT };
	int rc, saved;

	s->ctx = &c;
	s->nfds = 3;
	s->poll_cb = on_poll;
	s->signal_cb = on_signal;
	c.slave = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (c.slave == -1 || fcntl(master, F_SETFL, O_NONBLOCK) == -1)
		return -1;
	make_raw(&c);
	set_polls(s);
	rc = supervise_wait(s, wstatus);
	saved = errno;

	/* The command is gone: what it wrote last is still to be shown. */
	do {
		while (full(&c.out) && poll(&out, 1, -1) != -1)
			drain(&c.out, STDOUT_FILENO);
		fill(&c.out, master);
	} while (full(&c.out));
	if (c.raw)
		(void)tcsetattr(STDIN_FILENO, TCSADRAIN, &c.saved);
	close(c.slave);
	close(master);
	errno = saved;
	return rc;
}
