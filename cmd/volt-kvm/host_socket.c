#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "chain.h"
#include "host_socket.h"
#include "sys.h"

#define BACKLOG 64
#define PATIENCE 200	/* ms that the helpers get at the end */
#define HELPERS 2

static int to_helper[HELPERS];	/* for host_socket_leave() */
static unsigned int helpers;

/* Can a socket have this path, of so many bytes at most? If not, the end. */
void
host_socket_check(const char *key, const char *path, size_t most)
{
	if (strlen(path) > most)
		errx(EXIT_LINK, "%s=%s: too long; %zu bytes at the most", key, path,
		    most);
}

/*
 * Remove a socket that nobody listens at. Returns 0; or -1 and errno, EADDRINUSE if
 * somebody listens, ENOTSOCK if it is something else.
 */
static int
remove_stale(const struct sockaddr_un *addr, int type)
{
	struct stat st;
	int fd, rc;

	if (lstat(addr->sun_path, &st) == -1)
		return errno == ENOENT ? 0 : -1;
	if (!S_ISSOCK(st.st_mode)) {
		errno = ENOTSOCK;
		return -1;
	}
	if ((fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) == -1)
		return -1;
	rc = connect(fd, (const struct sockaddr *)addr, sizeof(*addr));
	/* EPROTOTYPE: somebody listens, for another type of socket. */
	if (rc == 0 || errno == EAGAIN || errno == EPROTOTYPE) {
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
listen_at(const char *key, const struct sockaddr_un *addr, int type)
{
	const struct sockaddr *a = (const struct sockaddr *)addr;
	int fd;

	/* The file gets the mode of the socket. */
	fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd == -1 || fchmod(fd, 0600) == -1)
		err(EXIT_LINK, "%s=%s", key, addr->sun_path);
	if (bind(fd, a, sizeof(*addr)) == -1 && (errno != EADDRINUSE ||
	    remove_stale(addr, type) == -1 || bind(fd, a, sizeof(*addr)) == -1)) {
		if (errno == EADDRINUSE)
			errx(EXIT_LINK, "%s=%s: in use by another guest or "
			    "program", key, addr->sun_path);
		if (errno == ENOTSOCK)
			errx(EXIT_LINK, "%s=%s: there is a file that is no "
			    "socket", key, addr->sun_path);
		err(EXIT_LINK, "%s=%s", key, addr->sun_path);
	}
	if (listen(fd, BACKLOG) == -1)
		err(EXIT_LINK, "%s=%s", key, addr->sun_path);
	return fd;
}

/*
 * Become the helper. It has no descriptor but sock, at 0, and no signal reaches it but
 * those that nobody can block: it must outlive volt-kvm. At the end of sock it removes
 * the path, if that still is ours.
 */
static _Noreturn void
helper(int sock, const struct sockaddr_un *addr, const struct stat *ours,
    void (*serve)(int sock, const struct sockaddr_un *addr))
{
	struct stat st;
	sigset_t all;
	char byte;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	setsid();
	prctl(PR_SET_NAME, "volt-kvm-helper");
	prctl(PR_SET_DUMPABLE, 0);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == -1 ||
	    dup2(sock, 0) == -1 ||
	    syscall(SYS_close_range, 1U, UINT_MAX, 0U) == -1)
		_exit(EXIT_LINK);
	if (serve != NULL)
		serve(0, addr);
	else
		while (recv(0, &byte, 1, 0) > 0)
			;
	if (lstat(addr->sun_path, &st) == 0 && st.st_dev == ours->st_dev &&
	    st.st_ino == ours->st_ino)
		(void)unlink(addr->sun_path);
	_exit(0);
}

/*
 * Before there is a guest: listen at the path, for sockets of that type, and start the
 * helper. serve() does what the helper is asked by its socket, until that ends; NULL:
 * nothing. Ends the program if that fails.
 */
void
host_socket_open(struct host_socket *h, const char *key, const char *path,
    int type, void (*serve)(int sock, const struct sockaddr_un *addr))
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	struct stat st;
	int pair[2];
	pid_t pid;

	memcpy(addr.sun_path, path, strlen(path));
	h->listener = listen_at(key, &addr, type);
	if (lstat(addr.sun_path, &st) == -1 ||
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == -1 ||
	    (pid = sys_fork_silent()) == -1) {
		warn("%s=%s", key, addr.sun_path);
		(void)unlink(addr.sun_path);
		_exit(EXIT_LINK);
	}
	if (pid == 0)
		helper(pair[1], &addr, &st, serve);
	close(pair[1]);
	if (fcntl(pair[0], F_SETFL, O_NONBLOCK) == -1)
		err(EXIT_LINK, "%s=%s", key, addr.sun_path);
	h->helper = pair[0];
	if (helpers < HELPERS)
		to_helper[helpers++] = pair[0];
}

/* At the end: wait until the helpers have removed their paths, but not for long. */
void
host_socket_leave(void)
{
	struct pollfd p = { .events = POLLIN };
	unsigned int i;
	char byte;

	for (i = 0; i < helpers; i++)
		(void)shutdown(to_helper[i], SHUT_WR);
	for (i = 0; i < helpers; i++) {
		p.fd = to_helper[i];
		while (poll(&p, 1, PATIENCE) == 1 &&
		    recv(p.fd, &byte, 1, 0) > 0)
			;
	}
}
