/* fdpass.c: what is received, and that nothing is left open. */
#include <sys/socket.h>

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fdpass.h"
#include "unit.h"

/* Send n copies of our standard input with one byte. */
static void
send_many(int sock, size_t n)
{
	union {
		struct cmsghdr align;
		char buf[CMSG_SPACE(8 * sizeof(int))];
	} control = { .buf = { 0 } };
	char byte = 'x';
	struct iovec iov = { &byte, 1 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control.buf,
		.msg_controllen = (socklen_t)CMSG_SPACE(n * sizeof(int)) };
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);
	int fd = STDIN_FILENO;
	size_t i;

	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = (socklen_t)CMSG_LEN(n * sizeof(int));
	for (i = 0; i < n; i++)
		memcpy(CMSG_DATA(cmsg) + i * sizeof(int), &fd, sizeof(fd));
	CHECK_INT(sendmsg(sock, &msg, 0), 1);
}

static int
lowest_free(void)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC), free = fd;

	CHECK(fd != -1);
	close(fd);
	return free;
}

static void
one_descriptor_or_none(void)
{
	int pair[2], fd, before;
	char byte = 0;

	CHECK_INT(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	CHECK_INT(fdpass_send_with(pair[0], STDIN_FILENO, "a", 1), 0);
	CHECK_INT(fdpass_recv_with(pair[1], &fd, &byte, 1), 1);
	CHECK(fd > 2);
	CHECK_INT(fcntl(fd, F_GETFD), FD_CLOEXEC);
	close(fd);
	CHECK_INT(fdpass_send_with(pair[0], -1, "b", 1), 0);
	CHECK_INT(fdpass_recv_with(pair[1], &fd, &byte, 1), 1);
	CHECK_INT(fd, -1);
	CHECK_INT(byte, 'b');
	before = lowest_free();
	for (size_t n = 2; n <= 8; n++) {
		send_many(pair[0], n);
		CHECK_ERRNO(fdpass_recv_with(pair[1], &fd, &byte, 1), EPROTO);
		CHECK_INT(fd, -1);
		CHECK_INT(lowest_free(), before);
	}
	close(pair[0]);
	CHECK_INT(fdpass_recv_with(pair[1], &fd, &byte, 1), 0);
	close(pair[1]);
}

static const struct unit tests[] = {
	UNIT(one_descriptor_or_none),
};

UNIT_MAIN(tests)
