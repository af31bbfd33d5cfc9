#include <sys/eventfd.h>

#include <err.h>
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stddef.h>

#include "chain.h"
#include "clock.h"
#include "io.h"

static void
drain(struct io_source *s, short revents)
{
	eventfd_t n;

	(void)revents;
	(void)eventfd_read(s->fd, &n);
}

int
io_init(struct io *io)
{
	io->timeout = -1;
	if ((io->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) == -1)
		return -1;
	io_add(io, &(struct io_source){ .fd = io->wake, .ready = drain });
	return 0;
}

/* Add a source, at start-up. Returns the copy of it that is polled. */
struct io_source *
io_add(struct io *io, const struct io_source *s)
{
	if (io->n == IO_SOURCES)
		errx(EXIT_LINK, "too many devices");
	io->sources[io->n] = *s;
	return &io->sources[io->n++];
}

/* From any thread: ask the sources again what they wait for. */
void
io_wake(struct io *io)
{
	(void)eventfd_write(io->wake, 1);
}

/*
 * Has that time come (CLOCK_MONOTONIC, ms)? If not, the next poll(2) ends by then.
 */
bool
io_due(struct io *io, int64_t when)
{
	int64_t left = when - clock_ms();

	if (left <= 0)
		return true;
	if (left > INT_MAX)
		left = INT_MAX;
	if (io->timeout == -1 || left < io->timeout)
		io->timeout = (int)left;
	return false;
}

/* Wait for the next events and handle them. */
void
io_step(struct io *io)
{
	struct pollfd fds[IO_SOURCES];
	struct io_source *s;
	unsigned int i;
	int n;

	for (i = 0; i < io->n; i++) {
		s = &io->sources[i];
		fds[i].events = s->wants != NULL ? s->wants(s) : POLLIN;
		fds[i].revents = 0;
		/* A descriptor in the set would report each hang-up again. */
		fds[i].fd = fds[i].events != 0 ? s->fd : -1;
	}
	n = poll(fds, io->n, io->timeout);
	if (n == -1 && errno != EINTR)
		err(EXIT_LINK, "poll");
	for (i = 0; n > 0 && i < io->n; i++)
		if (fds[i].revents != 0)
			io->sources[i].ready(&io->sources[i], fds[i].revents);
}
