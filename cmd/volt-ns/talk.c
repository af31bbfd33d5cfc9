/*
 * The messages between the actors. Each message on a SOCK_SEQPACKET pair has
 * one descriptor or none. If the peer of an actor has ended, the actor ends
 * too, with status 125: the peer has printed why.
 */
#include <sys/socket.h>
#include <sys/wait.h>

#include <err.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "chain.h"
#include "fdpass.h"
#include "ns.h"

static pid_t helper;	/* our child at the other end, or 0 */

/* Remember that the peer is our child pid. */
void
talk_with(pid_t pid)
{
	helper = pid;
}

/*
 * Wait for that child to end. If a signal killed it, print that, because it
 * cannot have printed anything itself. Returns whether it exited with 0.
 */
bool
talk_ended(void)
{
	pid_t pid = helper;
	int status;

	helper = 0;
	if (pid == 0)
		return true;
	while (waitpid(pid, &status, __WALL) == -1)
		if (errno != EINTR)
			err(EXIT_LINK, "wait for our helper");
	if (WIFSIGNALED(status))
		warnx("our helper was killed by signal %d", WTERMSIG(status));
	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static _Noreturn void
failed(const char *what)
{
	if (errno != EPIPE && errno != ECONNRESET)
		err(EXIT_LINK, "%s our helper", what);
	may_fail(talk_ended()); /* we fail in any case */
	exit(EXIT_LINK);
}

/* Send fd, or with -1 a message without a descriptor. */
void
talk_send(int sock, int fd)
{
	if (fdpass_send_with(sock, fd, fd == -1 ? "-" : "+", 1) == -1)
		failed("send to");
}

/* Receive what talk_send() sends. The caller closes the descriptor. */
int
talk_recv(int sock)
{
	char byte = 0;
	ssize_t n;
	int fd;

	if ((n = fdpass_recv_with(sock, &fd, &byte, 1)) == 0)
		errno = EPIPE;
	else if (n == 1 && (byte == '+') == (fd != -1))
		return fd;
	else if (n != -1)
		errno = EPROTO;
	failed("receive from");
}

/* Wait for a message of the peer, and drop its descriptor if it has one. */
void
talk_wait(int sock)
{
	int fd = talk_recv(sock);

	if (fd != -1)
		close(fd);
}

/*
 * Send our process ID. It is taken from /proc, which both of us see, and which
 * may belong to another PID namespace than ours.
 */
void
talk_hello(int sock)
{
	char pid[16];
	ssize_t n;

	if ((n = readlink("/proc/self", pid, sizeof(pid))) == -1)
		err(EXIT_LINK, "/proc/self");
	if (fdpass_send_with(sock, -1, pid, (size_t)n) == -1)
		failed("send to");
}

/* Send text. If it is empty, send a newline instead. */
void
talk_tell(int sock, const char *text)
{
	if (*text == '\0')
		text = "\n";
	if (fdpass_send_with(sock, -1, text, strlen(text)) == -1)
		failed("send to");
}

/* Receive what talk_tell() sends. Returns false if the peer has ended. */
bool
talk_text(int sock, char *text, size_t size)
{
	ssize_t n;
	int fd;

	n = fdpass_recv_with(sock, &fd, text, size - 1);
	if (n == 0 || (n == -1 && errno == ECONNRESET))
		return false;
	if (n == -1)
		failed("receive from");
	if (fd != -1)
		close(fd);
	text[n == 1 && text[0] == '\n' ? 0 : n] = '\0';
	return true;
}

/* Receive what talk_hello() sends, as a string. */
void
talk_heard(int sock, char *pid, size_t size)
{
	if (!talk_text(sock, pid, size)) {
		errno = EPIPE;
		failed("receive from");
	}
}

/*
 * Receive a message, and return the process ID of its sender in our PID
 * namespace, or -1 if the other end is closed. SO_PASSCRED must have been set
 * before the message was sent. This function clears it.
 */
pid_t
talk_sender(int sock)
{
	union {
		struct cmsghdr align;
		char buf[CMSG_SPACE(sizeof(struct ucred))];
	} control;
	const int off = 0;
	char byte;
	struct iovec iov = { &byte, 1 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control.buf,
		.msg_controllen = sizeof(control.buf) };
	struct cmsghdr *cmsg;
	struct ucred cred;
	ssize_t n;

	while ((n = recvmsg(sock, &msg, MSG_CMSG_CLOEXEC)) == -1 &&
	    errno == EINTR)
		;
	if (n == 0)
		return -1;
	if (n == -1 || (cmsg = CMSG_FIRSTHDR(&msg)) == NULL ||
	    cmsg->cmsg_level != SOL_SOCKET ||
	    cmsg->cmsg_type != SCM_CREDENTIALS ||
	    setsockopt(sock, SOL_SOCKET, SO_PASSCRED, &off, sizeof(off)) == -1)
		err(EXIT_LINK, "receive from the container's first process");
	memcpy(&cred, CMSG_DATA(cmsg), sizeof(cred));
	return cred.pid;
}
