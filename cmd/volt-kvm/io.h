/*
 * The I/O thread is the main thread, in a loop around poll(2). Before each poll(2)
 * every source says what it waits for: so no state must be kept in step. A device
 * that may block for long, such as a disk, has workers (vio_worker.c).
 */
#ifndef VOLT_KVM_IO_H
#define VOLT_KVM_IO_H

#include <stdbool.h>
#include <stdint.h>

#include "must.h"

/* Of these vsock= has 131, control= 50, the network card up to 50, and shares 48. */
#define IO_SOURCES 320


struct io_source {
	int fd;
	short (*wants)(struct io_source *s);	/* events; NULL: always POLLIN */
	void (*ready)(struct io_source *s, short revents);
	void *arg;
};

struct io {
	struct io_source sources[IO_SOURCES];
	unsigned int n;
	int wake;	/* eventfd of io_wake() */
	int timeout;	/* of the next poll(2), in ms; -1: none */
};

MUST_CHECK int io_init(struct io *io);
struct io_source *io_add(struct io *io, const struct io_source *s);
void io_wake(struct io *io);
MUST_CHECK bool io_due(struct io *io, int64_t when);
void io_step(struct io *io);

#endif
