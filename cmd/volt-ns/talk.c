/*
 * What the actors tell each other: one descriptor, or none, in each message of
 * a SOCK_SEQPACKET pair. An actor whose peer has ended ends too, with status
 * 125: the peer has said why.
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

/* The peer is our child pid. */
void
talk_with(pid_t pid)
{
	helper = pid;
}

/*
 * Wait for that child to end. If a signal killed it, say so: it cannot have
 * said anything itself. Returns whether it did its work.
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

/* Send fd, or that there is none (-1). */
void
talk_send(int sock, int fd)
{
	if (fdpass_send_with(sock, fd, fd == -1 ? "-" : "+", 1) == -1)
		failed("send to");
}

/* Receive what talk_send() sends. The descriptor is the caller's. */
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

/* Receive no more than the word that the peer has come so far. */
void
talk_wait(int sock)
{
	int fd = talk_recv(sock);

	if (fd != -1)
		close(fd);
}

/*
 * Tell who we are: our process ID as the /proc that both see has it, which may
 * be that of another PID namespace than ours.
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

/* Send text, of which nothing is as good as a newline. */
void
talk_tell(int sock, const char *text)
{
	if (*text == '\0')
		text = "\n";
	if (fdpass_send_with(sock, -1, text, strlen(text)) == -1)
		failed("send to");
}

/* Receive that, as a string. Returns false if the peer has ended. */
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
 * The process ID of whoever sends the next message, as our PID namespace has
 * it. SO_PASSCRED must be set before it is sent; it is unset here. Returns -1
 * if the other end is closed.
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
