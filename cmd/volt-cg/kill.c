/* Kill all processes of a group, and remove it with the groups below it. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "kfile.h"

#include "cg.h"

static bool
is_group(const struct dirent *e)
{
	return e->d_type == DT_DIR && strcmp(e->d_name, ".") != 0 &&
	    strcmp(e->d_name, "..") != 0;
}

/* Send SIGKILL to each process in the group and in the groups below it. */
static void
kill_each(int dir, int depth)
{
	char line[32];
	struct dirent *e;
	long pid;
	FILE *f;
	DIR *d;
	int fd;

	if ((fd = openat(dir, "cgroup.procs", O_RDONLY | O_CLOEXEC)) != -1 &&
	    (f = fdopen(fd, "r")) != NULL) {
		/*
		 * A process of another PID namespace is 0: kill(0) is not
		 * meant.
		 */
		while (fgets(line, sizeof(line), f) != NULL)
			if ((pid = strtol(line, NULL, 10)) > 0)
				kill((pid_t)pid, SIGKILL);
		fclose(f);
	}
	if (depth == CG_DEPTH ||
	    (fd = openat(dir, ".", O_RDONLY | O_CLOEXEC)) == -1 ||
	    (d = fdopendir(fd)) == NULL)
		return;
	while ((e = readdir(d)) != NULL) {
		if (!is_group(e))
			continue;
		fd = openat(dir, e->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (fd != -1) {
			kill_each(fd, depth + 1);
			close(fd);
		}
	}
	closedir(d);
}

/*
 * Kill all processes in the group and below it, and wait until they are gone.
 * Without cgroup.kill (before 5.14) freeze the group first: a process that
 * forks could be faster than we. Returns 0, or -1 and errno: EBUSY if processes
 * are left after patience, in ms.
 */
int
kill_group(int dir, int64_t patience)
{
	int64_t end = clock_ms() + patience;
	struct pollfd events = { .events = POLLPRI };
	char buf[256];
	bool once = false;
	ssize_t n;

	if ((events.fd = openat(dir, "cgroup.events",
		 O_RDONLY | O_CLOEXEC)) == -1)
		return -1;
	for (;;) {
		if ((n = pread(events.fd, buf, sizeof(buf) - 1, 0)) == -1)
			break;
		buf[n] = '\0';
		if (strstr(buf, "populated 0") != NULL) {
			close(events.fd);
			return 0;
		}
		if (clock_ms() >= end) {
			errno = EBUSY;
			break;
		}
		if (!once) {
			once = kfile_write(dir, "cgroup.kill", "1") == 0;
			if (!once && errno != ENOENT)
				break;
		}
		if (!once) {
			/* Else some may slip away, and the next round has them. */
			may_fail(kfile_write(dir, "cgroup.freeze", "1"));
			kill_each(dir, 0);
		}
		poll(&events, 1, once ? 1000 : 10);
	}
	close(events.fd);
	return -1;
}

/*
 * Remove the groups below one. This is not recursive: their owner may have
 * nested them as deep as he wanted. Returns 0, or -1 and errno.
 */
static int
remove_below(int top)
{
	bool found, went_up = false;
	struct dirent *e;
	long depth = 0;
	int fd, next;
	DIR *d;

	if ((fd = openat(top, ".", O_RDONLY | O_CLOEXEC)) == -1)
		return -1;
	while ((d = fdopendir(fd)) != NULL) {
		next = -1;
		found = false;
		while (next == -1 && (e = readdir(d)) != NULL) {
			if (!is_group(e))
				continue;
			if (unlinkat(fd, e->d_name, AT_REMOVEDIR) == 0) {
				went_up = false;
				continue;
			}
			found = true;
			/* We were in it, and it cannot be removed. */
			if (went_up || errno != EBUSY)
				break;
			next = openat(fd, e->d_name,
			    O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		}
		if (next != -1) {
			depth++;
		} else if (!found && depth-- > 0) {
			next = openat(fd, "..",
			    O_RDONLY | O_DIRECTORY | O_CLOEXEC);
			went_up = true;
		}
		closedir(d);
		if (next == -1)
			return found ? -1 : 0;
		fd = next;
	}
	close(fd);
	return -1;
}

/* Kill and remove the group name in parent. Returns 0, or -1 and errno. */
int
kill_remove(int parent, const char *name, int64_t patience)
{
	int dir, rc, saved;

	if (unlinkat(parent, name, AT_REMOVEDIR) == 0 || errno == ENOENT)
		return 0;
	if ((dir = openat(parent, name,
		 O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)) == -1)
		return -1;
	rc = kill_group(dir, patience);
	if (rc == 0)
		rc = remove_below(dir);
	saved = errno;
	close(dir);
	errno = saved;
	return rc == -1 ? -1 : unlinkat(parent, name, AT_REMOVEDIR);
}
