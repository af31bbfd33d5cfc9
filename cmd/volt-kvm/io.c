#include <sys/eventfd.h>

#include <err.h>
#include <errno.h>
#include <poll.h>
#include <stddef.h>

#include "chain.h"
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

/* Add a source, at start-up. */
void
io_add(struct io *io, const struct io_source *s)
{
	if (io->n == IO_SOURCES)
		errx(EXIT_LINK, "too many devices");
	io->sources[io->n++] = *s;
}

/* From any thread: ask the sources again what they wait for. */
void
io_wake(struct io *io)
{
	(void)eventfd_write(io->wake, 1);
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
