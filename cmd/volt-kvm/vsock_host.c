#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "chain.h"
#include "fdpass.h"
#include "sys.h"
#include "vsock_host.h"

#define PORT_TEXT (sizeof("_4294967295") - 1)
#define PATH_MOST (sizeof(((struct sockaddr_un *)0)->sun_path) - 1 - PORT_TEXT)
#define BACKLOG 64
#define PATIENCE 200	/* ms that the helper gets at the end */

static int to_helper = -1;	/* for vsock_host_leave() */

/* Can a socket have this path, and those with a port behind it? If not, the end. */
void
vsock_host_check(const char *path)
{
	if (strlen(path) > PATH_MOST)
		errx(EXIT_LINK, "vsock=%s: too long; %zu bytes at the most",
		    path, PATH_MOST);
}

/* A socket of ours; for the helper without a message. */
static int
new_socket(void)
{
	return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
}

/*
 * Remove a socket that nobody listens at. Returns 0; or -1 and errno, EADDRINUSE if
 * somebody listens, ENOTSOCK if it is something else.
 */
static int
remove_stale(const struct sockaddr_un *addr)
{
	struct stat st;
	int fd, rc;

	if (lstat(addr->sun_path, &st) == -1)
		return errno == ENOENT ? 0 : -1;
	if (!S_ISSOCK(st.st_mode)) {
		errno = ENOTSOCK;
		return -1;
	}
	if ((fd = new_socket()) == -1)
		return -1;
	rc = connect(fd, (const struct sockaddr *)addr, sizeof(*addr));
	if (rc == 0 || errno == EAGAIN) {
		close(fd);
		errno = EADDRINUSE;
		return -1;
	}
	rc = errno == ECONNREFUSED ? unlink(addr->sun_path) : -1;
	close(fd);
	return rc;
}

/* Listen at the path, with mode 0600. Ends the program if that fails. */
static int
listen_at(const struct sockaddr_un *addr)
{
	const struct sockaddr *a = (const struct sockaddr *)addr;
	int fd;

	/* The file gets the mode of the socket. */
	if ((fd = new_socket()) == -1 || fchmod(fd, 0600) == -1)
		err(EXIT_LINK, "vsock=%s", addr->sun_path);
	if (bind(fd, a, sizeof(*addr)) == -1 && (errno != EADDRINUSE ||
	    remove_stale(addr) == -1 || bind(fd, a, sizeof(*addr)) == -1)) {
		if (errno == EADDRINUSE)
			errx(EXIT_LINK, "vsock=%s: in use by another guest or "
			    "program", addr->sun_path);
		if (errno == ENOTSOCK)
			errx(EXIT_LINK, "vsock=%s: there is a file that is no "
			    "socket", addr->sun_path);
		err(EXIT_LINK, "vsock=%s", addr->sun_path);
	}
	if (listen(fd, BACKLOG) == -1)
		err(EXIT_LINK, "vsock=%s", addr->sun_path);
	return fd;
}

/* --- the helper ------------------------------------------------------------ */

/* Connect to PATH_PORT. Returns the socket, or -1. */
static int
connect_to(const struct sockaddr_un *base, uint32_t port)
{
	struct sockaddr_un addr = *base;
	size_t len = strlen(addr.sun_path);
	int fd;

	snprintf(addr.sun_path + len, sizeof(addr.sun_path) - len, "_%u", port);
	if ((fd = new_socket()) == -1)
		return -1;
	/* This does not wait: a listener without room is EAGAIN. */
	if (connect(fd, (const struct sockaddr *)&addr, sizeof(addr)) == 0)
		return fd;
	close(fd);
	return -1;
}

/* Serve volt-kvm until it ends, and then remove the path, if it still is ours. */
static _Noreturn void
serve(int sock, const struct sockaddr_un *addr, const struct stat *ours)
{
	struct vsock_call call;
	struct stat st;
	int fd, rc;

	while (recv(sock, &call, sizeof(call), 0) == sizeof(call)) {
		fd = connect_to(addr, call.port);
		rc = fdpass_send_with(sock, fd, &call, sizeof(call));
		if (fd != -1)
			close(fd);
		if (rc == -1)
			break;
	}
	if (lstat(addr->sun_path, &st) == 0 && st.st_dev == ours->st_dev &&
	    st.st_ino == ours->st_ino)
		(void)unlink(addr->sun_path);
	_exit(0);
}

/*
 * Become the helper. It has no descriptor but sock, at 0, and no signal reaches it but
 * those that nobody can block: it must outlive volt-kvm.
 */
static _Noreturn void
helper(int sock, const struct sockaddr_un *addr, const struct stat *ours)
{
	sigset_t all;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	setsid();
	prctl(PR_SET_NAME, "volt-kvm-helper");
	prctl(PR_SET_DUMPABLE, 0);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == -1 ||
	    dup2(sock, 0) == -1 ||
	    syscall(SYS_close_range, 1U, UINT_MAX, 0U) == -1)
		_exit(EXIT_LINK);
	serve(0, addr, ours);
}

/*
 * Before there is a guest: listen at the path and start the helper. Ends the program
 * if that fails.
 */
void
vsock_host_open(struct vsock_host *h, const char *path)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	struct stat st;
	int pair[2];
	pid_t pid;

	memcpy(addr.sun_path, path, strlen(path));
	h->listener = listen_at(&addr);
	if (lstat(addr.sun_path, &st) == -1 ||
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == -1 ||
	    (pid = sys_fork_silent()) == -1) {
		warn("vsock=%s", addr.sun_path);
		(void)unlink(addr.sun_path);
		_exit(EXIT_LINK);
	}
	if (pid == 0)
		helper(pair[1], &addr, &st);
	close(pair[1]);
	if (fcntl(pair[0], F_SETFL, O_NONBLOCK) == -1)
		err(EXIT_LINK, "vsock=%s", addr.sun_path);
	h->helper = to_helper = pair[0];
}

/* --- volt-kvm --------------------------------------------------------------- */

/* Ask the helper for a socket. Returns false if it cannot be asked now. */
bool
vsock_host_ask(const struct vsock_host *h, const struct vsock_call *call)
{
	return send(h->helper, call, sizeof(*call),
	    MSG_DONTWAIT | MSG_NOSIGNAL) == sizeof(*call);
}

/*
 * Read an answer of the helper's: *fd is a socket, which the caller closes, or -1.
 * Returns 1; 0 if there is none now; -1 if there will be no more.
 */
int
vsock_host_answer(const struct vsock_host *h, struct vsock_call *call, int *fd)
{
	ssize_t n = fdpass_recv_with(h->helper, fd, call, sizeof(*call));

	if (n == sizeof(*call))
		return 1;
	if (*fd != -1)
		close(*fd);
	*fd = -1;
	return n == -1 && errno == EAGAIN ? 0 : -1;
}

/* At the end: wait until the helper has removed the path, but not for long. */
void
vsock_host_leave(void)
{
	struct pollfd p = { .fd = to_helper, .events = POLLIN };
	char answer[sizeof(struct vsock_call)];

	if (to_helper == -1)
		return;
	(void)shutdown(to_helper, SHUT_WR);
	while (poll(&p, 1, PATIENCE) == 1 &&
	    recv(to_helper, answer, sizeof(answer), 0) > 0)
		;
}
