#include <linux/magic.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <unistd.h>

#include "reopen.h"

#define TRIES 100	/* of 1 ms each */

/* The mode that lets everybody open fd again as it is open. */
static mode_t
mode_for(int fd)
{
	const mode_t readable = S_IRGRP | S_IROTH, writable = S_IWGRP | S_IWOTH;
	int flags = fcntl(fd, F_GETFL);

	if (flags == -1 || (flags & O_PATH) != 0)
		return 0;
	switch (flags & O_ACCMODE) {
	case O_RDONLY:
		return readable;
	case O_WRONLY:
		return writable;
	default:
		return readable | writable;
	}
}

/*
 * Both ends of a pipe have one mode, and a link may be at each. So that none
 * undoes what the other does, lock the pipe. The lock is for an open file of
 * our own: that of fd is shared with others, and so would be its lock. Where
 * there is no /proc, or somebody keeps a lock, we go on without. Returns a
 * descriptor to close, or -1.
 */
static int
lock(int fd)
{
	char path[32];
	int own, i;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	own = open(path, (fcntl(fd, F_GETFL) & O_ACCMODE) | O_NONBLOCK |
	    O_NOCTTY | O_CLOEXEC);
	for (i = 0; own != -1 && i < TRIES; i++) {
		if (flock(own, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK)
			break;
		(void)poll(NULL, 0, 1);
	}
	return own;
}

/*
 * If fd is a pipe without a name, let all who hold that end open it again.
 * Returns 0, or -1 and errno if that is not ours to do.
 */
int
reopen_allow(int fd)
{
	mode_t mode = mode_for(fd);
	struct statfs fs;
	struct stat st;
	int own, rc, saved;

	if (mode == 0 || fstat(fd, &st) == -1 || !S_ISFIFO(st.st_mode) ||
	    (st.st_mode & mode) == mode || fstatfs(fd, &fs) == -1 ||
	    fs.f_type != PIPEFS_MAGIC)
		return 0;
	own = lock(fd);
	rc = fstat(fd, &st) == 0 ? fchmod(fd, (st.st_mode & 0777) | mode) : -1;
	saved = errno;
	if (own != -1)
		close(own);
	errno = saved;
	return rc;
}

/*
 * That for standard input, output and error. Returns 0, or -1 and errno if one
 * of them is not ours to change: the command can use that all the same.
 */
int
reopen_allow_stdio(void)
{
	int fd, error = 0;

	for (fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (reopen_allow(fd) == -1)
			error = errno;
	errno = error;
	return error == 0 ? 0 : -1;
}
