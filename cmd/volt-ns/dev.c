/* A minimal /dev: six devices of the host's, a devpts of its own, and links. */
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "chain.h"
#include "ns.h"
#include "path.h"
#include "sys.h"

static void
placeholder(int dev, const char *name)
{
	int fd;

	fd = openat(dev, name, O_CREAT | O_EXCL | O_CLOEXEC | O_WRONLY, 0644);
	if (fd == -1)
		err(EXIT_LINK, "/dev/%s", name);
	close(fd);
}

/*
 * Show one device of the host's: a user namespace may not make nodes. It is
 * what its numbers say, or we stop.
 */
static void
show_device(int dev, const char *name, unsigned int major, unsigned int minor)
{
	char path[32];
	struct stat st;
	int fd;

	snprintf(path, sizeof(path), "/dev/%s", name);
	fd = sys_open_tree(AT_FDCWD, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	if (fd == -1 || fstat(fd, &st) == -1)
		err(EXIT_LINK, "%s", path);
	if (!S_ISCHR(st.st_mode) || st.st_rdev != makedev(major, minor))
		errx(EXIT_LINK, "%s: not the device %u:%u", path, major, minor);
	placeholder(dev, name);
	if (sys_move_mount(fd, "", dev, name, MOVE_MOUNT_F_EMPTY_PATH) == -1)
		err(EXIT_LINK, "mount %s", path);
	close(fd);
}

/* Mount type, told opts, on the new directory name; -1 where we may not. */
static int
mount_below(int dev, const char *name, const char *type, const char *opts,
    uint64_t attrs)
{
	char what[32], options[64];
	struct mount m = { .attrs = attrs, .optional = true, .what = what,
		.fsopts = options };
	int fd;

	snprintf(what, sizeof(what), "/dev/%s", name);
	snprintf(options, sizeof(options), "%s", opts);
	if (mkdirat(dev, name, 0755) == -1)
		err(EXIT_LINK, "%s", what);
	if ((fd = mount_fs(&m, type)) == -1)
		return -1;
	if (sys_move_mount(fd, "", dev, name, MOVE_MOUNT_F_EMPTY_PATH) == -1)
		err(EXIT_LINK, "mount %s", what);
	return fd;
}

void
dev_make(struct ns *ns, const struct mount *m, int root)
{
	static const struct {
		const char *name;
		unsigned int major, minor;
	} devices[] = {
		{ "null", 1, 3 }, { "zero", 1, 5 }, { "full", 1, 7 },
		{ "random", 1, 8 }, { "urandom", 1, 9 }, { "tty", 5, 0 },
	};
	static const struct {
		const char *name, *target;
	} links[] = {
		{ "fd", "/proc/self/fd" }, { "stdin", "/proc/self/fd/0" },
		{ "stdout", "/proc/self/fd/1" },
		{ "stderr", "/proc/self/fd/2" }, { "ptmx", "pts/ptmx" },
	};
	const uint64_t safe = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV |
	    MOUNT_ATTR_NOEXEC;
	size_t i;
	int dev, fd;

	if ((dev = mount_fs(m, "tmpfs")) == -1)
		err(EXIT_LINK, "%s: mount tmpfs", m->what);
	mount_attach(m, dev, root, S_IFDIR);
	for (i = 0; i < sizeof(devices) / sizeof(devices[0]); i++)
		show_device(dev, devices[i].name, devices[i].major,
		    devices[i].minor);
	for (i = 0; i < sizeof(links) / sizeof(links[0]); i++)
		if (symlinkat(links[i].target, dev, links[i].name) == -1)
			err(EXIT_LINK, "/dev/%s", links[i].name);

	/* Terminals belong to group tty, 5 wherever it has a number. */
	ns->devpts = mount_below(dev, "pts", "devpts",
	    (ns->flags & CLONE_NEWUSER) == 0 || idmap_has(&ns->gidmap, 5) ?
	    "mode=620,ptmxmode=666,gid=5" : "mode=620,ptmxmode=666",
	    MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC);
	fd = mount_below(dev, "shm", "tmpfs", "size=64M,mode=1777", safe);
	close(fd);
	if ((ns->flags & (CLONE_NEWUSER | CLONE_NEWIPC)) != CLONE_NEWUSER) {
		fd = mount_below(dev, "mqueue", "mqueue", "", safe);
		close(fd);
	}
	if (ns->console) {
		placeholder(dev, "console");
		ns->console_dst = openat(dev, "console", O_PATH | O_CLOEXEC);
	}
	close(dev);
}
