/* Look at a group, and at those below it. */
#include <sys/xattr.h>

#include <dirent.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cgroup.h"
#include "chain.h"

#include "cg.h"

/* The path of a group, as people write it. */
const char *
shown(const char *path)
{
	return *path != '\0' ? path : "/";
}

/* Is this the root group, which may have processes and limits below it? */
bool
look_is_root(int dir)
{
	if (faccessat(dir, "cgroup.type", F_OK, 0) == 0)
		return false;
	if (errno != ENOENT)
		err(EXIT_LINK, "cgroup.type");
	return true;
}

/* Copy the mark of a group to buf. Returns buf, or NULL if it has none. */
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
 * Call deed for a group and for the groups below it, as many levels as depth
 * says.
 */
void
look_each(int dir, int depth, void (*deed)(int dir, void *ctx), void *ctx)
{
	struct dirent *e;
	DIR *d;
	int fd;

	deed(dir, ctx);
	if (depth == 0 ||
	    (fd = openat(dir, ".", O_RDONLY | O_CLOEXEC)) == -1 ||
	    (d = fdopendir(fd)) == NULL)
		return;
	while ((e = readdir(d)) != NULL) {
		if (e->d_type != DT_DIR || strcmp(e->d_name, ".") == 0 ||
		    strcmp(e->d_name, "..") == 0)
			continue;
		fd = openat(dir, e->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (fd == -1)
			continue;
		look_each(fd, depth - 1, deed, ctx);
		close(fd);
	}
	closedir(d);
}

static void
add_count(int dir, void *ctx)
{
	long n = cgroup_count(dir, false), *sum = ctx;

	*sum += n == -1 ? 0 : n;
}

/* The number of processes in a group and in those below it. */
long
look_count_all(int dir, int depth)
{
	long n = 0;

	look_each(dir, depth, add_count, &n);
	return n;
}

static void
find_first(int dir, void *ctx)
{
	pid_t *least = ctx;
	char line[32];
	long pid;
	FILE *f;
	int fd;

	if ((fd = openat(dir, "cgroup.procs", O_RDONLY | O_CLOEXEC)) == -1)
		return;
	if ((f = fdopen(fd, "r")) == NULL) {
		close(fd);
		return;
	}
	/* A process of another PID namespace is 0. */
	while (fgets(line, sizeof(line), f) != NULL)
		if ((pid = strtol(line, NULL, 10)) > 0 &&
		    (*least == 0 || pid < *least))
			*least = (pid_t)pid;
	fclose(f);
}

/* The lowest process ID among them, mostly that of the first process; or 0. */
pid_t
look_first(int dir, int depth)
{
	pid_t pid = 0;

	look_each(dir, depth, find_first, &pid);
	return pid;
}
