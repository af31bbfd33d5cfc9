/*
 * console=: the command gets other standard streams in place of the caller's. The
 * waiting parent copies between the two (pump.c).
 *
 * With console=pty, a terminal from the command's own devpts is stdin, stdout,
 * stderr and the controlling terminal. The command never holds the caller's
 * terminal, so TIOCSTI and similar ioctls affect only its own.
 *
 * With console=pipe, the command gets a pipe in place of each stream that it could
 * not open by name as another user: a terminal, a file, a stream socket, a named
 * pipe.
 */
#include <linux/magic.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#include "chain.h"
#include "fdpass.h"
#include "ns.h"
#include "path.h"
#include "reopen.h"
#include "sys.h"
#include "tty.h"

/* Open a file of the root's new /dev, or of the /dev that exists. */
static int
open_below(const struct ns *ns, const char *name, int flags)
{
	char path[PATH_MAX];
	int root, fd;

	if (snprintf(path, sizeof(path), "%s%s", ns->dev != NULL ? ns->dev :
		"/dev", name) >= (int)sizeof(path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	if ((root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC)) == -1)
		return -1;
	fd = path_open(root, path, flags);
	close(root);
	return fd;
}

/*
 * In the outer actor, receive the other side of that terminal. Returns -1 if the
 * inner actor has ended before, after a message.
 */
int
console_recv(int sock)
{
	char byte = 0;
	int master;
	ssize_t n = fdpass_recv_with(sock, &master, &byte, 1);

	if (n == -1)
		err(EXIT_LINK, "console=pty");
	return n == 0 ? -1 : master;
}

/*
 * Give the inner actor its terminal, and the outer actor the other side. Ends
 * the program on error.
 */
static void
open_terminal(struct ns *ns)
{
	int master, slave, fd, dst;

	master = open_below(ns, ns->dev != NULL ? "/pts/ptmx" : "/ptmx",
	    O_RDWR | O_NOCTTY);
	if (master == -1 || (slave = tty_slave(master)) == -1)
		err(EXIT_LINK, "console=pty");
	if (!tty_copy_size(STDIN_FILENO, slave))
		tty_copy_size(STDOUT_FILENO, slave);
	if (ns->id.uid_given && fchown(slave, ns->id.uid, (gid_t)-1) == -1)
		err(EXIT_LINK, "console=pty: uid=%u", ns->id.uid);
	if (ns->dev != NULL) {
		dst = open_below(ns, "/console", O_PATH);
		fd = sys_open_tree(slave, "", OPEN_TREE_CLONE |
		    OPEN_TREE_CLOEXEC | AT_EMPTY_PATH);
		if (dst == -1 || fd == -1 || sys_move_mount(fd, "", dst, "",
			MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) ==
		    -1)
			err(EXIT_LINK, "mount %s/console", ns->dev);
		close(fd);
		close(dst);
	}
	if (fdpass_send_with(ns->outer, master, "", 1) == -1)
		err(EXIT_LINK, "console=pty");
	close(master);
	if (setsid() == -1)
		err(EXIT_LINK, "a session of its own");
	if (ioctl(slave, TIOCSCTTY, 0) == -1)
		err(EXIT_LINK, "controlling terminal");
	for (fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (dup2(slave, fd) == -1)
			err(EXIT_LINK, "console=pty");
	close(slave);
}

/* Must the command get a pipe in place of fd? */
static bool
needs_pipe(int fd)
{
	struct statfs fs;
	struct stat st;
	socklen_t len = sizeof(int);
	int type;

	if (fstat(fd, &st) == -1 || (S_ISFIFO(st.st_mode) &&
		fstatfs(fd, &fs) == -1) || (S_ISSOCK(st.st_mode) &&
		getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) == -1))
		err(EXIT_LINK, "console=pipe: descriptor %d", fd);
	if (S_ISFIFO(st.st_mode))
		return fs.f_type != PIPEFS_MAGIC;
	if (S_ISSOCK(st.st_mode))
		return type == SOCK_STREAM;
	return S_ISREG(st.st_mode) || (S_ISCHR(st.st_mode) && isatty(fd));
}

/* Are both the same file? Then one pipe for both keeps their order. */
static bool
same(int fd, int other)
{
	struct stat a, b;

	return fstat(fd, &a) == 0 && fstat(other, &b) == 0 &&
	    a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

/*
 * console=pipe: make the pipes, in the outer actor before it forks the inner one. ours
 * gets our ends, or -1 for a stream without a pipe. The inner actor's ends are in ns.
 */
void
console_pipes(struct ns *ns, int ours[3])
{
	int fd, p[2], in;

	for (fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
		ours[fd] = ns->stream[fd] = -1;
		if (!needs_pipe(fd))
			continue;
		if (fd == STDERR_FILENO && ns->stream[STDOUT_FILENO] != -1 &&
		    same(fd, STDOUT_FILENO)) {
			ns->stream[fd] = fcntl(ns->stream[STDOUT_FILENO],
			    F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
			if (ns->stream[fd] == -1)
				err(EXIT_LINK, "console=pipe");
			continue;
		}
		in = fd == STDIN_FILENO;
		if (pipe2(p, O_CLOEXEC) == -1 ||
		    fcntl(p[in], F_SETFL, O_NONBLOCK) == -1 ||
		    reopen_allow(p[0]) == -1)
			err(EXIT_LINK, "console=pipe");
		ours[fd] = p[in];
		ns->stream[fd] = p[!in];
	}
}

/* In the inner actor: set up the standard streams that console= promises. */
void
console_open(struct ns *ns)
{
	int fd;

	if (ns->console == CONSOLE_PTY)
		open_terminal(ns);
	for (fd = STDIN_FILENO; ns->console == CONSOLE_PIPE &&
	    fd <= STDERR_FILENO; fd++)
		if (ns->stream[fd] != -1 && dup2(ns->stream[fd], fd) == -1)
			err(EXIT_LINK, "console=pipe");
}

/* In the outer actor, after the fork: close the inner actor's ends. */
void
console_forked(struct ns *ns)
{
	int fd;

	for (fd = STDIN_FILENO; ns->console == CONSOLE_PIPE &&
	    fd <= STDERR_FILENO; fd++)
		if (ns->stream[fd] != -1)
			close(ns->stream[fd]);
}
