/*
 * The standard streams, which other processes may share. We cannot make such a
 * descriptor non-blocking, since it would be non-blocking for these, too. And
 * after poll(2) another process may fill or empty the pipe, so that our call
 * blocks. So a timer interrupts each call that blocks, and the caller tries
 * again later. All of the last messages together get one second.
 */
#ifndef VOLT_KVM_STREAM_H
#define VOLT_KVM_STREAM_H

#include <sys/types.h>
#include <sys/uio.h>

#include <stdbool.h>
#include <stddef.h>

#include "io.h"
#include "must.h"

struct stream {
	int fd;
	size_t piece;	/* how much one write(2) takes after a POLLOUT */
	bool socket;
};

void stream_begin(struct io *io);
MUST_CHECK int stream_open(struct stream *s, int fd);
MUST_CHECK ssize_t stream_read(int fd, const struct iovec *iov, int n);
MUST_CHECK ssize_t stream_write(const struct stream *s, const void *buf, size_t
    len);
MUST_CHECK bool stream_alarm(void);
void stream_last(int status);

#endif
