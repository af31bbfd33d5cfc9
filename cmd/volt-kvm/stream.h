/*
 * The standard streams, which others may hold as well. Such a descriptor cannot
 * be made non-blocking, for the others would find it so; and what poll(2) says
 * of it holds no longer than until one of them fills the pipe, or empties it.
 * So a timer interrupts each call that waits: it is then as if it had not been
 * made. The last messages have a second in all.
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
	size_t piece;	/* what it takes at once, if poll(2) says POLLOUT */
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
