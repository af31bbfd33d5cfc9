/* Looking at a group, whosever it is. */
#include <sys/xattr.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cgroup.h"

#include "cg.h"

/* The path of a group as people write it. */
const char *
shown(const char *path)
{
	return *path != '\0' ? path : "/";
}

/* Is this the one group that may have both processes and limits below it? */
bool
look_is_root(int dir)
{
	return faccessat(dir, "cgroup.type", F_OK, 0) == -1;
}

/* Returns the mark of a group in buf, or NULL if it is none of ours. */
const char *
look_mark(int dir, char *buf, size_t size)
{
	ssize_t n = fgetxattr(dir, LOOK_MARK, buf, size - 1);

	if (n == -1)
		return NULL;
	buf[n] = '\0';
	return buf;
}

/*
 * The processes in a group and in those below it, down to a depth beyond which
 * nobody goes in earnest.
 */
long
look_count_all(int dir, int depth)
{
	struct dirent *e;
	long n = cgroup_count(dir, false);
	DIR *d;
	int fd;

	n = n == -1 ? 0 : n;
	if (depth == 0 ||
	    (fd = openat(dir, ".", O_RDONLY | O_CLOEXEC)) == -1 ||
	    (d = fdopendir(fd)) == NULL)
		return n;
	while ((e = readdir(d)) != NULL) {
		if (e->d_type != DT_DIR || strcmp(e->d_name, ".") == 0 ||
		    strcmp(e->d_name, "..") == 0)
			continue;
		fd = openat(dir, e->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (fd == -1)
			continue;
		n += look_count_all(fd, depth - 1);
		close(fd);
	}
	closedir(d);
	return n;
}
