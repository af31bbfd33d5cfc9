/*
 * unlock: as the container's root, try to undo the mounts. Try to clear a flag of each
 * visible mount, of each mount to which a descriptor of a visible process leads, and of
 * clones of these. Then try to unmount each. Prints what worked.
 */
#define _GNU_SOURCE
#include <sys/mount.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>

#include <dirent.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifndef AT_EMPTY_PATH
#define AT_EMPTY_PATH 0x1000
#endif
#define CLONE_RECURSIVE (1 | 0x8000) /* OPEN_TREE_CLONE, AT_RECURSIVE */

struct attr {
	uint64_t set, clr, propagation, userns;
};

static const struct {
	const char *name;
	unsigned long statvfs;
	uint64_t attr;
} flags[] = {
	{ "ro", ST_RDONLY, 1 }, { "nosuid", ST_NOSUID, 2 },
	{ "nodev", 4, 4 }, { "noexec", 8, 8 },
};

static void
try_flags(int fd, const char *path, const char *how)
{
	struct statvfs st;
	size_t i;

	if (fstatvfs(fd, &st) == -1)
		return;
	for (i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
		struct attr attr = { .clr = flags[i].attr };

		if ((st.f_flag & flags[i].statvfs) != 0 &&
		    syscall(SYS_mount_setattr, fd, "", AT_EMPTY_PATH, &attr,
			sizeof(attr)) == 0)
			printf("%s without %s%s\n", path, flags[i].name, how);
	}
}

static void
try_path(const char *path)
{
	int fd, clone;

	if ((fd = open(path, O_PATH)) == -1)
		return;
	try_flags(fd, path, "");
	clone = (int)syscall(SYS_open_tree, fd, "",
	    CLONE_RECURSIVE | AT_EMPTY_PATH);
	if (clone != -1) {
		try_flags(clone, path, ", in a clone");
		close(clone);
	}
	close(fd);
}

static void
try_descriptors(const char *pid)
{
	char path[512];
	struct dirent *e;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%s/fd", pid);
	if ((dir = opendir(path)) == NULL)
		return;
	while ((e = readdir(dir)) != NULL) {
		snprintf(path, sizeof(path), "/proc/%s/fd/%s", pid, e->d_name);
		if (*e->d_name != '.')
			try_path(path);
	}
	closedir(dir);
}

int
main(void)
{
	static char where[4096][256];
	char line[4096];
	struct dirent *e;
	size_t n = 0;
	FILE *f;
	DIR *dir;

	if ((f = fopen("/proc/self/mountinfo", "r")) == NULL)
		return 1;
	while (n < 4096 && fgets(line, sizeof(line), f) != NULL)
		if (sscanf(line, "%*s %*s %*s %*s %255s", where[n]) == 1)
			try_path(where[n++]);
	fclose(f);
	if ((dir = opendir("/proc")) == NULL)
		return 1;
	while ((e = readdir(dir)) != NULL)
		if (*e->d_name >= '1' && *e->d_name <= '9' &&
		    atoi(e->d_name) != getpid())
			try_descriptors(e->d_name);
	closedir(dir);
	while (n-- > 0)
		if (umount2(where[n], MNT_DETACH) == 0)
			printf("%s unmounted\n", where[n]);
	return 0;
}
