/*
 * The root. Theory of operation:
 *
 * We are in a mount namespace of our own, made private. What only serves the
 * building, the stage, is a small tmpfs attached on top of "/"; the new root is
 * attached on top of that. Nothing of this is seen by path, since "/" of a
 * process is a directory and not what is mounted over it; all goes by
 * descriptor. Then the new root becomes "/" by pivot_root(2), and the old one,
 * with the stage on it, is let go in one piece.
 */
#include <sys/mount.h>
#include <sys/stat.h>

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

/* What the OCI runtimes hide, and what they make read-only. */
static const char *const masked[] = { "/proc/acpi", "/proc/asound",
	"/proc/interrupts", "/proc/kcore", "/proc/keys", "/proc/latency_stats",
	"/proc/sched_debug", "/proc/scsi", "/proc/timer_list",
	"/proc/timer_stats", "/sys/devices/virtual/powercap", "/sys/firmware" };
static const char *const readonly[] = { "/proc/bus", "/proc/fs", "/proc/irq",
	"/proc/sys", "/proc/sysrq-trigger" };

/* Complete the plan with what comes with a root unless it was refused. */
void
root_plan(struct ns *ns)
{
	size_t i;

	if (!has_root(ns))
		return;
	if (!ns->no_proc)
		mount_default(ns, MOUNT_PROC, "/proc");
	if (!ns->no_dev)
		mount_default(ns, MOUNT_DEV, "/dev");
	if (!ns->no_sys && (ns->flags & CLONE_NEWNET) != 0) {
		mount_default(ns, MOUNT_SYS, "/sys");
		if (!ns->no_cgroup && (ns->flags & CLONE_NEWCGROUP) != 0)
			mount_default(ns, MOUNT_CGROUP, "/sys/fs/cgroup");
	}
	if (ns->no_mask)
		return;
	for (i = 0; i < sizeof(masked) / sizeof(masked[0]); i++)
		mount_default(ns, MOUNT_MASK, masked[i]);
	for (i = 0; i < sizeof(readonly) / sizeof(readonly[0]); i++)
		mount_default(ns, MOUNT_RO, readonly[i]);
}

void
root_describe(const struct ns *ns)
{
	size_t i;

	if (ns->root.what != NULL)
		mount_describe(ns, &ns->root);
	for (i = 0; i < ns->nlower; i++)
		mount_describe(ns, &ns->lower[i]);
	if (ns->overlay.what != NULL)
		say(ns, "keep changes to the root in %s", ns->overlay.src);
	for (i = 0; i < ns->ndefaults; i++)
		mount_describe(ns, &ns->defaults[i]);
	for (i = 0; i < ns->nmounts; i++)
		mount_describe(ns, &ns->mounts[i]);
	if (ns->root_ro)
		say(ns, "make / read-only");
}

/* Attach a detached mount on top of everything at "/". */
static void
attach_on_top(int fd, const char *what)
{
	if (sys_move_mount(fd, "", AT_FDCWD, "/", MOVE_MOUNT_F_EMPTY_PATH) ==
	    -1)
		err(EXIT_LINK, "%s: attach", what);
}

/* The stage holds "null" and "empty", which masks show, and mount points. */
static int
stage_make(void)
{
	char opts[] = "size=64K,mode=700";
	const struct mount m = { .what = "stage", .fsopts = opts,
		.attrs = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV |
		    MOUNT_ATTR_NOEXEC };
	int stage, fd;

	stage = mount_fs(&m, "tmpfs");
	attach_on_top(stage, m.what);
	fd = openat(stage, "null", O_CREAT | O_WRONLY | O_CLOEXEC, 0444);
	if (fd == -1 || mkdirat(stage, "empty", 0555) == -1)
		err(EXIT_LINK, "stage");
	close(fd);
	return stage;
}

static void
stage_freeze(int stage)
{
	const struct mount_attr attr = { .attr_set = MOUNT_ATTR_RDONLY };

	if (sys_mount_setattr(stage, "", AT_EMPTY_PATH, &attr) == -1)
		err(EXIT_LINK, "stage");
}

/* Attach fd on a new directory of the stage, and return it. */
static int
stage_attach(int stage, int fd, const char *what)
{
	static unsigned int serial;
	char name[16];

	snprintf(name, sizeof(name), "%u", serial++);
	if (mkdirat(stage, name, 0700) == -1 ||
	    sys_move_mount(fd, "", stage, name, MOVE_MOUNT_F_EMPTY_PATH) == -1)
		err(EXIT_LINK, "%s: stage", what);
	return fd;
}

/* A layer of the overlay: a directory of ours, or a mount of the outer's. */
static int
layer_open(const struct mount *m, int stage)
{
	int fd;

	if (m->fd != -1)
		return stage_attach(stage, m->fd, m->what);
	if (m->kind == MOUNT_IMAGE)
		return stage_attach(stage, mount_source(m, -1), m->what);
	if ((fd = open(m->src, O_PATH | O_DIRECTORY | O_CLOEXEC)) == -1)
		err(EXIT_LINK, "%s", m->what);
	return fd;
}

/* Open the directory name below dir, made if it is missing. */
static int
subdirectory(const struct mount *m, int dir, const char *name)
{
	int fd;

	if (mkdirat(dir, name, 0755) == -1 && errno != EEXIST)
		err(EXIT_LINK, "%s: %s", m->what, name);
	fd = openat(dir, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd == -1)
		err(EXIT_LINK, "%s: %s", m->what, name);
	return fd;
}

/* Append " ,upperdir=...,workdir=..." for the place where changes go. */
static void
overlay_upper(const struct ns *ns, int stage, char *opts, size_t size)
{
	const struct mount *m = &ns->overlay;
	size_t len = strlen(opts);
	int dir;

	if (strcmp(m->src, "tmpfs") == 0)
		dir = stage_attach(stage, mount_fs(m, "tmpfs"), m->what);
	else if ((dir = open(m->src, O_PATH | O_DIRECTORY | O_CLOEXEC)) == -1)
		err(EXIT_LINK, "%s", m->what);
	snprintf(opts + len, size - len,
	    ",upperdir=/proc/self/fd/%d,workdir=/proc/self/fd/%d",
	    subdirectory(m, dir, "upper"), subdirectory(m, dir, "work"));
}

/*
 * The layers and what is on top of them, as one detached overlay. Layers are
 * named by descriptor, so that no path needs quoting and none is looked up
 * twice. What it opens stays open until exec.
 */
static int
overlay_make(const struct ns *ns, int stage)
{
	struct mount m = { .what = ns->overlay.what, .attrs =
	    MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV };
	size_t i, n = ns->nlower + (ns->root.what != NULL);
	/* One fsconfig(2) string holds 255 bytes; more takes Linux 6.5. */
	const char *first = n > 12 ? "lowerdir+=" : "lowerdir=";
	const char *next = n > 12 ? ",lowerdir+=" : ":";
	char opts[NS_LAYERS * 40 + 128] = "";
	size_t len = 0;

	if (ns->overlay.what != NULL)
		m.attrs = ns->overlay.attrs;
	else
		m.what = ns->lower[0].what;
	for (i = 0; i < n; i++)
		len += (size_t)sprintf(opts + len, "%s/proc/self/fd/%d",
		    i == 0 ? first : next,
		    layer_open(i < ns->nlower ? &ns->lower[i] : &ns->root,
			stage));
	if (ns->overlay.what != NULL)
		overlay_upper(ns, stage, opts, sizeof(opts));
	if ((ns->flags & CLONE_NEWUSER) != 0)
		strcat(opts, ",userxattr");
	m.fsopts = opts;
	return mount_fs(&m, "overlay");
}

/* The new root, attached on top of "/". */
static int
root_make(const struct ns *ns, int stage)
{
	const struct mount *m = ns->root.what != NULL ? &ns->root :
	    &ns->lower[0];
	int fd;

	if (ns->overlay.what != NULL ||
	    ns->nlower + (ns->root.what != NULL) > 1)
		fd = overlay_make(ns, stage);
	else
		fd = m->fd != -1 ? m->fd : mount_source(m, -1);
	attach_on_top(fd, m->what);
	return fd;
}

/* Make root, which is attached, "/" of the process, and let the old one go. */
static void
root_enter(int root)
{
	if (fchdir(root) == -1)
		err(EXIT_LINK, "root");
	if (sys_pivot_root(".", ".") == -1) {
		warn("pivot_root");
		if (errno == EINVAL)
			warnx("the root that volt-ns itself runs in must be a "
			    "mount, and not an initramfs");
		exit(EXIT_LINK);
	}
	if (umount2(".", MNT_DETACH) == -1)
		err(EXIT_LINK, "old root");
	if (chdir("/") == -1)
		err(EXIT_LINK, "root");
}

/* Carry out the plan for the mount namespace that we are in. */
void
root_build(struct ns *ns)
{
	const struct mount_attr private = {
		.propagation = SYS_PROPAGATION_PRIVATE,
	};
	const struct mount_attr ro = { .attr_set = MOUNT_ATTR_RDONLY };
	mode_t mask = umask(0);
	int root, stage, cwd = -1;
	size_t i;

	if (sys_mount_setattr(AT_FDCWD, "/", AT_RECURSIVE, &private) == -1)
		err(EXIT_LINK, "make mounts private");
	if (!has_root(ns) && ns->nmounts == 0 && !ns->root_ro) {
		umask(mask);
		return;
	}
	stage = stage_make();
	if (has_root(ns)) {
		root = root_make(ns, stage);
	} else {
		root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
		cwd = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	}
	if (root == -1)
		err(EXIT_LINK, "/");
	stage_freeze(stage);
	for (i = 0; i < ns->ndefaults; i++)
		mount_apply(ns, &ns->defaults[i], root, stage);
	for (i = 0; i < ns->nmounts; i++)
		mount_apply(ns, &ns->mounts[i], root, stage);
	if (ns->root_ro &&
	    sys_mount_setattr(root, "", AT_EMPTY_PATH, &ro) == -1)
		err(EXIT_LINK, "ro=/");
	if (has_root(ns)) {
		root_enter(root);
	} else if (fchdir(stage) == -1 || umount2(".", MNT_DETACH) == -1 ||
	    (cwd != -1 && fchdir(cwd) == -1)) {
		err(EXIT_LINK, "stage");
	}
	close(stage);
	umask(mask);
}
