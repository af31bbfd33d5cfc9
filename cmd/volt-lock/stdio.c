/*
 * Standard input, output and error when the user ID changes. A pipe belongs to
 * the user who made it, and its mode lets nobody else open it: as another user
 * the command reads and writes it, but cannot open /dev/stdout, which is the
 * pipe by its name in /proc. So an anonymous pipe that is ours is given to the
 * user, as login(1) gives its terminal.
 *
 * Nothing else is. A file, a named pipe and a terminal have a name and stay
 * behind when the command is gone, with nobody here to take them back. A socket
 * cannot be opened by anybody.
 */
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "lock.h"
#include "say.h"

/* Is this a pipe without a name, and our user's? */
static bool
is_own_pipe(int fd)
{
	struct statfs fs;
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISFIFO(st.st_mode) &&
	    st.st_uid == geteuid() && fstatfs(fd, &fs) == 0 &&
	    fs.f_type == PIPEFS_MAGIC;
}

/* Before the IDs change. That it cannot be done leaves the pipe as it is. */
void
stdio_give(const struct lock *lock)
{
	int fd;

	if (!lock->id.uid_given || lock->id.uid == geteuid() || lock->keep_stdio)
		return;
	for (fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (is_own_pipe(fd) && fchown(fd, lock->id.uid, (gid_t)-1) == -1)
			say("descriptor %d: the pipe stays ours: %s", fd,
			    strerror(errno));
}
