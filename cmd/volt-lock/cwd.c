/* The working directory, which no rule of Landlock's takes from a process. */
#include <sys/stat.h>
#include <sys/syscall.h>

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <unistd.h>

#include "chain.h"
#include "lock.h"
#include "mountid.h"
#include "say.h"

#define DIRECTORY (O_PATH | O_DIRECTORY | O_CLOEXEC)

/* Are both the same directory, seen on the same mount? */
static bool
same(int a, int b)
{
	struct stat x, y;
	uint64_t m, n;

	if (fstat(a, &x) == -1 || fstat(b, &y) == -1 ||
	    mountid_get(a, &m) == -1 || mountid_get(b, &n) == -1)
		err(EXIT_LINK, "the working directory");
	return x.st_dev == y.st_dev && x.st_ino == y.st_ino && m == n;
}

/* Does ".." lead to the root? Elsewhere it ends where it leads to itself. */
static bool
below_root(void)
{
	int root = open("/", DIRECTORY), dir = open(".", DIRECTORY), up;
	bool found;

	if (root == -1 || dir == -1)
		err(EXIT_LINK, "the working directory");
	while (!(found = same(dir, root))) {
		if ((up = openat(dir, "..", DIRECTORY)) == -1)
			err(EXIT_LINK, "the working directory");
		if (same(dir, up)) {
			close(up);
			break;
		}
		close(dir);
		dir = up;
	}
	close(dir);
	close(root);
	return found;
}

/*
 * Outside the root it is a way out. The kernel's own getcwd tells; the C
 * library's may hide it. Of a directory that was removed, and of a path that is
 * too long, it does not tell.
 */
static bool
is_outside(void)
{
	char path[PATH_MAX + 16];

	if (syscall(SYS_getcwd, path, sizeof(path)) != -1)
		return path[0] != '/';
	if (errno != ENOENT && errno != ENAMETOOLONG && errno != ERANGE)
		err(EXIT_LINK, "the working directory");
	return !below_root();
}

/* Behind landlock_enforce(). */
void
cwd_check(const struct lock *lock)
{
	int fd;

	if (is_outside())
		errx(EXIT_LINK, "the working directory is outside the root");
	if (!say_on || lock->ll.ruleset == -1)
		return;
	/* access(2) is what Landlock has no say about. */
	fd = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd == -1 && errno == EACCES && access(".", R_OK) == 0)
		say("no word grants reading the working directory");
	if (fd != -1)
		close(fd);
}
