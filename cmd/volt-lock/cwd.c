/* The working directory, which no rule of Landlock's takes from a process. */
#include <sys/stat.h>
#include <sys/syscall.h>

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "chain.h"
#include "lock.h"
#include "mountid.h"

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
 * too long, it does not tell, and leaves path empty.
 */
static bool
is_outside(char *path, size_t size)
{
	if (syscall(SYS_getcwd, path, size) != -1)
		return path[0] != '/';
	if (errno != ENOENT && errno != ENAMETOOLONG && errno != ERANGE)
		err(EXIT_LINK, "the working directory");
	path[0] = '\0';
	return !below_root();
}

/*
 * Behind landlock_enforce(). That the working directory was not granted is the
 * cause of errors that do not name it; only in "/" nobody works.
 */
void
cwd_check(const struct lock *lock)
{
	char path[PATH_MAX + 16];
	int fd;

	if (is_outside(path, sizeof(path)))
		errx(EXIT_LINK, "the working directory is outside the root");
	if (lock->ll.ruleset == -1 || strcmp(path, "/") == 0)
		return;
	/* access(2) is what Landlock has no say about. */
	fd = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd == -1 && errno == EACCES && access(".", R_OK) == 0)
		warnx("no word grants reading the working directory");
	if (fd != -1)
		close(fd);
}
