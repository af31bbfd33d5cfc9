#include <sys/socket.h>
#include <sys/stat.h>

#include <err.h>
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <time.h>
#include <unistd.h>

#include "chain.h"
#include "stream.h"
#include "thread.h"

#define TICK 100	/* ms that a call may block */
#define LAST 1000	/* ms for all of the last messages */

static timer_t timer;
static struct io *loop;
static atomic_bool alarm_seen;	/* a SIGALRM that the timer did not send */
static volatile sig_atomic_t last = -1;	/* the exit status; -1: not the end */

/* The signal of a timer only has to interrupt a system call. */
static void
interrupted(int signo, siginfo_t *si, void *context)
{
	int saved = errno;

	(void)signo;
	(void)context;
	if (si->si_code != SI_TIMER) {
		atomic_store(&alarm_seen, true);
		io_wake(loop);
	} else if (last != -1 && si->si_value.sival_ptr == &timer) {
		_exit(last);
	}
	errno = saved;
}

/*
 * I/O thread, at start-up: set up the timer, and what a thread does that a timer
 * interrupts (thread.h).
 */
void
stream_begin(struct io *io)
{
	struct sigaction sa = { .sa_sigaction = interrupted,
		.sa_flags = SA_SIGINFO }; /* and not SA_RESTART */

	loop = io;
	sigemptyset(&sa.sa_mask);
	if (sigaction(SIGALRM, &sa, NULL) == -1 || thread_timer(&timer) == -1)
		err(EXIT_LINK, "timer");
}

/* Returns 0, or -1 and errno if fd is not open. */
int
stream_open(struct stream *s, int fd)
{
	struct stat st;

	*s = (struct stream){ .fd = fd, .piece = (size_t)64 << 10 };
	if (fstat(fd, &st) == -1)
		return -1;
	if (S_ISFIFO(st.st_mode))
		s->piece = PIPE_BUF;
	else if (S_ISSOCK(st.st_mode))
		s->socket = true;
	else if (isatty(fd))
		s->piece = 256;
	return 0;
}

/*
 * Start the timer, or stop it with 0. It repeats, because the first signal may
 * come before the system call begins.
 */
static void
tick(long ms)
{
	const struct timespec t = { .tv_nsec = ms * 1000000 };
	const struct itimerspec it = { t, t };

	if (last == -1)
		(void)timer_settime(timer, 0, &it, NULL);
}

/* As readv(2), but fails with EAGAIN or EINTR instead of blocking. */
ssize_t
stream_read(int fd, const struct iovec *iov, int n)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	ssize_t done;
	int saved;

	if (poll(&p, 1, 0) != 1) {
		errno = EAGAIN;
		return -1;
	}
	tick(TICK);
	done = readv(fd, iov, n);
	saved = errno;
	tick(0);
	errno = saved;
	return done;
}

/* As write(2) of one piece, but fails with EAGAIN or EINTR instead of blocking. */
ssize_t
stream_write(const struct stream *s, const void *buf, size_t len)
{
	struct pollfd p = { .fd = s->fd, .events = POLLOUT };
	ssize_t done;
	int saved;

	if (len > s->piece)
		len = s->piece;
	if (poll(&p, 1, 0) != 1) {
		errno = EAGAIN;
		return -1;
	}
	if (s->socket)
		return send(s->fd, buf, len, MSG_DONTWAIT | MSG_NOSIGNAL);
	tick(TICK);
	done = write(s->fd, buf, len);
	saved = errno;
	tick(0);
	errno = saved;
	return done;
}

/* Did another process send us a SIGALRM since the last call? */
bool
stream_alarm(void)
{
	return atomic_exchange(&alarm_seen, false);
}

/*
 * Only the last messages follow, by plain write(2). If a reader stalls the process
 * ends with this status after LAST.
 */
void
stream_last(int status)
{
	const struct itimerspec it = { .it_value = { .tv_sec = LAST / 1000 } };

	last = status;
	(void)timer_settime(timer, 0, &it, NULL);
}
