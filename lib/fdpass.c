#include <sys/socket.h>

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "fdpass.h"

union control {
	struct cmsghdr align;
	char buf[CMSG_SPACE(sizeof(int))];
};

/*
 * Store the descriptor of msg in *fd, or -1 if there is none. By alignment, space for
 * one is space for two: if there are more close them all. Returns whether there was
 * at most one.
 */
static bool
take(struct msghdr *msg, int *fd)
{
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(msg);
	size_t n, i;

	*fd = -1;
	if (cmsg == NULL || cmsg->cmsg_level != SOL_SOCKET ||
	    cmsg->cmsg_type != SCM_RIGHTS)
		return true;
	n = (cmsg->cmsg_len - CMSG_LEN(0)) / sizeof(*fd);
	for (i = 0; i < n; i++) {
		memcpy(fd, CMSG_DATA(cmsg) + i * sizeof(*fd), sizeof(*fd));
		if (n > 1)
			close(*fd);
	}
	if (n <= 1)
		return true;
	*fd = -1;
	return false;
}

/*
 * Send len bytes, at least one, and with them a descriptor unless fd is -1. Returns
 * 0, or -1 and errno; EMSGSIZE if not all bytes were sent.
 */
int
fdpass_send_with(int sock, int fd, const void *data, size_t len)
{
	struct iovec iov = { (void *)(uintptr_t)data, len };
	union control control = { .buf = { 0 } };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct cmsghdr *cmsg;
	ssize_t n;

	if (fd != -1) {
		msg.msg_control = control.buf;
		msg.msg_controllen = sizeof(control.buf);
		cmsg = CMSG_FIRSTHDR(&msg);
		cmsg->cmsg_level = SOL_SOCKET;
		cmsg->cmsg_type = SCM_RIGHTS;
		cmsg->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(cmsg), &fd, sizeof(fd));
	}
	while ((n = sendmsg(sock, &msg, MSG_NOSIGNAL)) == -1 && errno == EINTR)
		;
	if (n == -1)
		return -1;
	if ((size_t)n != len) {
		errno = EMSGSIZE;
		return -1;
	}
	return 0;
}

/*
 * Receive at most len bytes, and the descriptor that came with them, or -1. It is
 * close-on-exec, and the caller closes it. Returns the number of bytes, 0 at the end,
 * or -1 and errno; EPROTO if there was more than one descriptor, or more bytes.
 */
ssize_t
fdpass_recv_with(int sock, int *fd, void *data, size_t len)
{
	struct iovec iov = { data, len };
	union control control;
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control.buf,
		.msg_controllen = sizeof(control.buf) };
	ssize_t n;

	*fd = -1;
	while ((n = recvmsg(sock, &msg, MSG_CMSG_CLOEXEC)) == -1 &&
	    errno == EINTR)
		;
	if (n == -1)
		return -1;
	/* The kernel has closed the descriptors that did not fit. */
	if (take(&msg, fd) && (msg.msg_flags & (MSG_CTRUNC | MSG_TRUNC)) == 0)
		return n;
	if (*fd != -1)
		close(*fd);
	*fd = -1;
	errno = EPROTO;
	return -1;
}
