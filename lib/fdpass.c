#include <sys/socket.h>

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "fdpass.h"

union control {
	struct cmsghdr align;
	char buf[CMSG_SPACE(sizeof(int))];
};

/*
 * Send len bytes, at least one, and with them a descriptor unless fd is -1.
 * Returns 0, or -1 and errno; EMSGSIZE if not all of it went.
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
 * Receive at most len bytes, and the descriptor that came with them or -1;
 * close-on-exec, the caller's. Returns the number of bytes, 0 at the end, or
 * -1 and errno, EPROTO if there was more than one descriptor or len bytes.
 */
ssize_t
fdpass_recv_with(int sock, int *fd, void *data, size_t len)
{
	struct iovec iov = { data, len };
	union control control;
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control.buf,
		.msg_controllen = sizeof(control.buf) };
	struct cmsghdr *cmsg;
	ssize_t n;

	*fd = -1;
	while ((n = recvmsg(sock, &msg, MSG_CMSG_CLOEXEC)) == -1 &&
	    errno == EINTR)
		;
	if (n == -1)
		return -1;
	cmsg = CMSG_FIRSTHDR(&msg);
	if (cmsg != NULL && cmsg->cmsg_level == SOL_SOCKET &&
	    cmsg->cmsg_type == SCM_RIGHTS &&
	    cmsg->cmsg_len == CMSG_LEN(sizeof(int)))
		memcpy(fd, CMSG_DATA(cmsg), sizeof(*fd));
	/* The kernel has closed the descriptors that did not fit. */
	if ((msg.msg_flags & (MSG_CTRUNC | MSG_TRUNC)) == 0)
		return n;
	if (*fd != -1)
		close(*fd);
	*fd = -1;
	errno = EPROTO;
	return -1;
}

/*
 * Send one descriptor, or with fd -1 none. The other side may be dead; whoever
 * waits for it finds out.
 */
void
fdpass_send(int sock, int fd)
{
	(void)fdpass_send_with(sock, fd, "", 1);
}

/*
 * Receive one descriptor, or -1 if the other side sent none or is gone. What
 * went wrong there it has said itself.
 */
int
fdpass_recv(int sock)
{
	char byte = 0;
	int fd;

	(void)fdpass_recv_with(sock, &fd, &byte, 1);
	return fd;
}
