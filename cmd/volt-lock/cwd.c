/*
 * The working directory. A process keeps it, whatever the rules of Landlock
 * say.
 */
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

/*
 * Does ".." lead to the root? If not, it ends at a directory that is its own
 * "..".
 */
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
 * Is the working directory outside the root? Then it is a way out of it. The
 * kernel's getcwd says so; that of the C library may hide it. If the directory
 * was removed, or its path is too long, the kernel does not say: then path is
 * empty, and we look for the root.
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
 * After landlock_enforce(), check the working directory. If no word grants it,
 * the command gets errors that do not name it, so warn. Do not warn in "/": a
 * command there rarely needs its working directory.
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
	/* Landlock does not restrict access(2). */
	fd = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd == -1 && errno == EACCES && access(".", R_OK) == 0)
		warnx("no word grants reading the working directory");
	if (fd != -1)
		close(fd);
}
