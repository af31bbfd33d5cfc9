/*
 * The I/O thread: the main thread, in one poll(2) loop. A source says each time
 * round what it waits for, so there is no state to keep in step. What may wait
 * for long, as a disk, is a worker's (vio_worker.c).
 */
#ifndef VOLT_KVM_IO_H
#define VOLT_KVM_IO_H

#include "must.h"

#define IO_SOURCES 48

struct io_source {
	int fd;
	short (*wants)(struct io_source *s);	/* NULL: POLLIN, always */
	void (*ready)(struct io_source *s, short revents);
	void *arg;
};

struct io {
	struct io_source sources[IO_SOURCES];
	unsigned int n;
	int wake;	/* eventfd: look again */
	int timeout;	/* ms of the next poll(2); -1: none */
};

MUST_CHECK int io_init(struct io *io);
void io_add(struct io *io, const struct io_source *s);
void io_wake(struct io *io);
void io_step(struct io *io);

#endif
