#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include <errno.h>
#include <unistd.h>

#include "reopen.h"

#define MODE 0666

/*
 * If fd is an anonymous pipe, let each process that has it open it again. Returns 0,
 * or -1 and errno if we may not change it.
 */
int
reopen_allow(int fd)
{
	struct statfs fs;
	struct stat st;

	if (fstat(fd, &st) == -1 || !S_ISFIFO(st.st_mode) ||
	    (st.st_mode & MODE) == MODE || fstatfs(fd, &fs) == -1 ||
	    fs.f_type != PIPEFS_MAGIC)
		return 0;
	return fchmod(fd, MODE);
}

/*
 * The same for standard input, output and error. Returns 0, or -1 and errno if we may
 * not change one of them; the command can still use its descriptor.
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
