#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "path.h"
#include "sys.h"

/*
 * Open path as if root were "/". Magic links (/proc/self/fd/N and its kin) are
 * refused with ELOOP: they are the one way out. flags are open(2)'s, O_CLOEXEC
 * is added. Returns a descriptor, or -1 and errno.
 */
int
path_open(int root, const char *path, int flags)
{
	const struct open_how how = {
		.flags = (uint64_t)(unsigned int)(flags | O_CLOEXEC),
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
	};
	int fd, tries = 0;

	/* EAGAIN: a rename elsewhere raced with "..". Look again. */
	do
		fd = sys_openat2(root, path, &how);
	while (fd == -1 && errno == EAGAIN && ++tries < 128);
	return fd;
}

/*
 * Make path, whose last component begins at name and whose parent exists, as a
 * directory or an empty file, unless it is there.
 */
static int
make_one(int root, const char *path, const char *name, mode_t type)
{
	char parent[PATH_MAX] = ".";
	size_t len = (size_t)(name - path);
	int dir, fd, rc, saved;

	if ((fd = path_open(root, path, O_PATH)) != -1)
		return close(fd);
	if (errno != ENOENT)
		return -1;
	if (len > 0) {
		memcpy(parent, path, len);
		parent[len] = '\0';
	}
	if ((dir = path_open(root, parent, O_PATH | O_DIRECTORY)) == -1)
		return -1;
	rc = type == S_IFDIR ? mkdirat(dir, name, 0755) :
	    mknodat(dir, name, S_IFREG | 0644, 0);
	saved = errno;
	close(dir);
	errno = saved;
	/* Somebody was quicker, or a link dangles: the caller looks again. */
	return rc == -1 && errno != EEXIST ? -1 : 0;
}

/*
 * Open path below root with O_PATH, as path_open() does, and make what is
 * missing of it: directories (0755) on the way, and at its end a directory or
 * an empty file (0644) as type is S_IFDIR or S_IFREG. What is there already is
 * not changed and may be of any type. Returns a descriptor, or -1 and errno.
 */
int
path_make(int root, const char *path, mode_t type)
{
	char buf[PATH_MAX];
	char *name, *next, end;
	size_t len = strlen(path);
	mode_t kind;
	int fd;

	if ((fd = path_open(root, path, O_PATH)) != -1 || errno != ENOENT)
		return fd;
	if (len >= sizeof(buf)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(buf, path, len + 1);

	/* Prefix by prefix, so that links on the way stay in the root. */
	for (name = buf; *(name += strspn(name, "/")) != '\0'; name = next) {
		next = name + strcspn(name, "/");
		kind = next[strspn(next, "/")] != '\0' ? S_IFDIR : type;
		end = *next;
		*next = '\0';
		if (make_one(root, buf, name, kind) == -1)
			return -1;
		*next = end;
	}
	return path_open(root, path, O_PATH);
}
