/*
 * A minimal /dev: six devices of the host, a devpts of its own, and symlinks.
 */
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "chain.h"
#include "ns.h"
#include "sys.h"

static const struct {
	const char *name;
	unsigned int major, minor;
} devices[NS_DEVICES] = {
	{ "null", 1, 3 }, { "zero", 1, 5 }, { "full", 1, 7 },
	{ "random", 1, 8 }, { "urandom", 1, 9 }, { "tty", 5, 0 },
};

static void
placeholder(int dev, const char *name)
{
	if (mknodat(dev, name, S_IFREG | 0644, 0) == -1)
		err(EXIT_LINK, "/dev/%s", name);
}

/*
 * Open the devices of the old root, because a user namespace cannot make device
 * nodes. A device that is missing, or has other numbers, becomes -1. That is an
 * error only if it is used.
 */
void
dev_open(struct build *b)
{
	char path[32];
	struct stat st;
	size_t i;

	for (i = 0; i < NS_DEVICES; i++) {
		snprintf(path, sizeof(path), "/dev/%s", devices[i].name);
		b->device[i] = open(path, O_PATH | O_CLOEXEC);
		if (b->device[i] != -1 && fstat(b->device[i], &st) == 0 &&
		    S_ISCHR(st.st_mode) && st.st_rdev ==
		    makedev(devices[i].major, devices[i].minor))
			continue;
		if (b->device[i] != -1)
			close(b->device[i]);
		b->device[i] = -1;
	}
}

/*
 * Clone the mount of a device node, or end. The clone is read-only: that
 * protects the node from its owner. The device itself can still be written to.
 */
static int
clone_device(const struct build *b, size_t i)
{
	const struct mount_attr attr = { .attr_set = MOUNT_ATTR_RDONLY |
	    MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC };
	int fd;

	if (b->device[i] == -1)
		errx(EXIT_LINK, "/dev/%s: not the device %u:%u",
		    devices[i].name, devices[i].major, devices[i].minor);
	fd = sys_open_tree(b->device[i], "", OPEN_TREE_CLONE |
	    OPEN_TREE_CLOEXEC | AT_EMPTY_PATH);
	if (fd == -1 || sys_mount_setattr(fd, "", AT_EMPTY_PATH, &attr) == -1)
		err(EXIT_LINK, "/dev/%s", devices[i].name);
	return fd;
}

/* Return a detached mount of /dev/null, for masks. */
int
dev_null(const struct build *b)
{
	return clone_device(b, 0);
}

/* Make the directory name, and for it a detached mount of type with opts. */
static int
part_make(int dev, const char *name, const char *type, const char *opts,
    uint64_t attrs, bool silent)
{
	char what[32], options[64];
	const struct mount m = { .attrs = attrs, .optional = true,
		.silent = silent, .what = what, .fsopts = options };

	snprintf(what, sizeof(what), "/dev/%s", name);
	snprintf(options, sizeof(options), "%s", opts);
	if (mkdirat(dev, name, 0755) == -1)
		err(EXIT_LINK, "%s", what);
	return mount_fs(&m, type);
}

/* Make the /dev that m asks for, and what is mounted in it. */
void
dev_make(const struct ns *ns, const struct mount *m, struct parts *p)
{
	static const struct {
		const char *name, *target;
	} links[] = {
		{ "fd", "/proc/self/fd" }, { "stdin", "/proc/self/fd/0" },
		{ "stdout", "/proc/self/fd/1" },
		{ "stderr", "/proc/self/fd/2" }, { "ptmx", "pts/ptmx" },
		{ "core", "/proc/kcore" },
	};
	const uint64_t safe = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV |
	    MOUNT_ATTR_NOEXEC;
	char shm[64];
	size_t i;
	int dev;

	if ((dev = mount_fs(m, "tmpfs")) == -1)
		err(EXIT_LINK, "%s: mount tmpfs", m->what);
	for (i = 0; i < NS_DEVICES; i++)
		placeholder(dev, devices[i].name);
	for (i = 0; i < sizeof(links) / sizeof(links[0]); i++)
		if (symlinkat(links[i].target, dev, links[i].name) == -1)
			err(EXIT_LINK, "/dev/%s", links[i].name);
	if (ns->console == CONSOLE_PTY)
		placeholder(dev, "console");

	/*
	 * Terminals belong to the group tty, which is 5 if it has a fixed
	 * number.
	 */
	p->fd[PART_FS] = dev;
	p->fd[PART_PTS] = part_make(dev, "pts", "devpts",
	    idmap_has_group(ns, 5) ? "mode=620,ptmxmode=666,gid=5" :
	    "mode=620,ptmxmode=666",
	    MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC, false);
	snprintf(shm, sizeof(shm), "size=%s,mode=1777",
	    m->shm != NULL ? m->shm : "64M");
	p->fd[PART_SHM] = part_make(dev, "shm", "tmpfs", shm, safe, false);
	if ((ns->flags & (CLONE_NEWUSER | CLONE_NEWIPC)) != CLONE_NEWUSER)
		p->fd[PART_MQUEUE] = part_make(dev, "mqueue", "mqueue", "",
		    safe, (ns->flags & CLONE_NEWIPC) == 0);
}

/* Attach fd on the entry name of dev. */
static void
attach(int dev, int fd, const char *name)
{
	if (sys_move_mount(fd, "", dev, name, MOVE_MOUNT_F_EMPTY_PATH) == -1)
		err(EXIT_LINK, "mount /dev/%s", name);
}

/* Attach what dev_make() made at m's place, and attach the devices in it. */
void
dev_place(const struct mount *m, const struct parts *p,
    const struct build *b)
{
	static const char *const names[NS_PARTS] = {
		[PART_PTS] = "pts", [PART_SHM] = "shm",
		[PART_MQUEUE] = "mqueue",
	};
	int dev = p->fd[PART_FS], fd;
	size_t i;

	/* It makes its place, so it cannot return false. */
	may_fail(mount_attach(m, dev, b->root, S_IFDIR));
	for (i = 0; i < NS_DEVICES; i++) {
		fd = clone_device(b, i);
		attach(dev, fd, devices[i].name);
		close(fd);
	}
	for (i = PART_PTS; i < NS_PARTS; i++)
		if (p->fd[i] != -1)
			attach(dev, p->fd[i], names[i]);
}
