/*
 * The root. Theory of operation:
 *
 * We are in a mount namespace of our own, made private. First everything that
 * comes from the old root is opened. Then the new root is attached on top of
 * "/", where no path that begins at "/" leads, and all places below it are
 * resolved by its descriptor. (What is mounted over "/" is found by a path with
 * "..", though: nothing of the old root may be looked up by a path of the
 * user's from here on, and nothing may be mounted over the new root.) At last
 * pivot_root(2) swaps the two, and one umount2(2) lets the old root go with all
 * that is below it.
 *
 * An overlay takes only layers that are attached in its own mount namespace.
 * Its changes and those of its layers that are mounts of their own are put on
 * the bench: a tmpfs on the old root's /dev, which goes with it.
 */
#include <sys/mount.h>
#include <sys/stat.h>

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "chain.h"
#include "ns.h"
#include "path.h"
#include "say.h"
#include "sys.h"

/* Complete the plan with what comes with a root unless it was refused. */
void
root_plan(struct ns *ns)
{
	if (!has_root(ns)) {
		ns->no_mask = true;
		return;
	}
	if (is_overlay(ns))
		ns->root.rec = false; /* no overlay shows what is below */
	if (!ns->no_proc)
		mount_default(ns, MOUNT_PROC, "/proc");
	if (!ns->no_dev)
		mount_default(ns, MOUNT_DEV, "/dev");
	if (!ns->no_sys && (ns->flags & CLONE_NEWNET) != 0) {
		mount_default(ns, MOUNT_SYS, "/sys");
		if (!ns->no_cgroup && (ns->flags & CLONE_NEWCGROUP) != 0)
			mount_default(ns, MOUNT_CGROUP, "/sys/fs/cgroup");
	}
}

static void
describe_root(const struct ns *ns)
{
	size_t i;

	for (i = 0; i < ns->nlower; i++)
		mount_describe(&ns->lower[i]);
	if (ns->root.what != NULL)
		mount_describe(&ns->root);
	if (ns->overlay.what != NULL)
		say("keep changes to / in %s", ns->overlay.src);
}

/* The whole plan, for -N. */
void
root_describe(struct ns *ns)
{
	size_t i;

	describe_root(ns);
	for (i = 0; i < ns->ndefaults; i++)
		apply_describe(ns, &ns->defaults[i]);
	for (i = 0; i < ns->nmounts; i++)
		apply_describe(ns, &ns->mounts[i]);
	if (ns->root_ro)
		say("make / read-only");
}

/* Attach fd, a layer, on a new directory of the bench. */
static void
bench_attach(int bench, int fd, const char *what)
{
	static unsigned int serial;
	char name[16];

	snprintf(name, sizeof(name), "%u", serial++);
	if (mkdirat(bench, name, 0700) == -1 ||
	    sys_move_mount(fd, "", bench, name, MOVE_MOUNT_F_EMPTY_PATH) == -1)
		err(EXIT_LINK, "%s: attach", what);
}

/* A tmpfs for layers; with overlay=tmpfs it takes the changes as well. */
static int
bench_make(const struct ns *ns)
{
	char opts[] = "size=64K,mode=700";
	struct mount m = { .what = "bench", .fsopts = opts };
	int bench;

	if (ns->overlay.what != NULL && strcmp(ns->overlay.src, "tmpfs") == 0)
		m = ns->overlay;
	bench = mount_fs(&m, "tmpfs");
	if (sys_move_mount(bench, "", AT_FDCWD, "/dev",
		MOVE_MOUNT_F_EMPTY_PATH) == -1)
		err(EXIT_LINK, "%s: /dev", m.what);
	return bench;
}

/*
 * Open what m shows of the old root, unless the outer actor has: the detached
 * mount, or for a plain layer of an overlay just the directory.
 */
static void
source_open(struct mount *m, bool layer)
{
	if (m->what == NULL || m->fd != -1)
		return;
	m->detached = !layer || m->kind == MOUNT_IMAGE;
	if (m->detached)
		m->fd = apply_source(m, -1);
	else if ((m->fd = open(m->src, O_PATH | O_DIRECTORY | O_CLOEXEC)) == -1)
		err(EXIT_LINK, "%s", m->what);
}

static void
sources_open(struct ns *ns, struct build *b)
{
	bool overlay = is_overlay(ns);
	size_t i;

	source_open(&ns->root, overlay);
	for (i = 0; i < ns->nlower; i++)
		source_open(&ns->lower[i], overlay);
	if (ns->overlay.what != NULL && strcmp(ns->overlay.src, "tmpfs") != 0)
		source_open(&ns->overlay, true);
	for (i = 0; i < ns->nmounts; i++)
		if (ns->mounts[i].kind == MOUNT_BIND)
			source_open(&ns->mounts[i], false);
	dev_open(b);
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

/*
 * Write ",upperdir=...,workdir=..." for the place where changes go to opts. The root
 * directory of an overlay is that of its changes: a new one gets owner and mode
 * of the top layer's.
 */
static void
overlay_upper(const struct mount *m, int bench, int top, char *opts,
    size_t size)
{
	int dir = m->fd != -1 ? m->fd : bench;
	bool made = mkdirat(dir, "upper", 0700) == 0;
	int upper = subdirectory(m, dir, "upper");
	struct stat st;

	if (made && (fstat(top, &st) == -1 ||
	    /* An owner that this user namespace does not know stays ours. */
	    (fchownat(upper, "", st.st_uid, st.st_gid, AT_EMPTY_PATH) == -1 &&
		errno != EPERM && errno != EINVAL) ||
	    fchmodat(dir, "upper", st.st_mode & 07777, 0) == -1))
		err(EXIT_LINK, "%s: upper", m->what);
	snprintf(opts, size,
	    ",upperdir=/proc/self/fd/%d,workdir=/proc/self/fd/%d", upper,
	    subdirectory(m, dir, "work"));
}

/*
 * The layers and what is on top of them, as one detached overlay. Layers are
 * named by descriptor, so that no path needs quoting and none is looked up
 * twice. What it opens stays open until exec.
 */
static int
overlay_make(const struct ns *ns)
{
	struct mount m = { .what = ns->overlay.what, .attrs =
	    MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV };
	size_t i, n = ns->nlower + (ns->root.what != NULL);
	/* One fsconfig(2) string holds 255 bytes; more takes Linux 6.5. */
	const char *first = n > 12 ? "lowerdir+=" : "lowerdir=";
	const char *next = n > 12 ? ",lowerdir+=" : ":";
	char opts[NS_LAYERS * 40 + 128];
	const struct mount *layer;
	int bench = bench_make(ns);
	size_t len;

	if (ns->overlay.what != NULL)
		m.attrs = ns->overlay.attrs;
	else
		m.what = ns->lower[0].what;
	len = (size_t)sprintf(opts, "%s", (ns->flags & CLONE_NEWUSER) != 0 ?
	    "userxattr," : "");
	for (i = 0; i < n; i++) {
		layer = i < ns->nlower ? &ns->lower[i] : &ns->root;
		if (layer->detached)
			bench_attach(bench, layer->fd, layer->what);
		len += (size_t)sprintf(opts + len, "%s/proc/self/fd/%d",
		    i == 0 ? first : next, layer->fd);
	}
	if (ns->overlay.detached)
		bench_attach(bench, ns->overlay.fd, ns->overlay.what);
	if (ns->overlay.what != NULL)
		overlay_upper(&ns->overlay, bench,
		    ns->nlower > 0 ? ns->lower[0].fd : ns->root.fd,
		    opts + len, sizeof(opts) - len);
	m.fsopts = opts;
	return mount_fs(&m, "overlay");
}

/* The new root, attached on top of "/". */
static int
root_make(const struct ns *ns)
{
	const struct mount *m = ns->root.what != NULL ? &ns->root :
	    &ns->lower[0];
	int fd;

	fd = is_overlay(ns) ? overlay_make(ns) : m->fd;
	if (sys_move_mount(fd, "", AT_FDCWD, "/", MOVE_MOUNT_F_EMPTY_PATH) ==
	    -1)
		err(EXIT_LINK, "%s: attach", m->what);
	describe_root(ns);
	return fd;
}

/* Make root "/" of the process, and let the old one go. */
static void
root_enter(int root)
{
	if (fchdir(root) == -1)
		err(EXIT_LINK, "root");
	if (sys_pivot_root(".", ".") == -1)
		fail(EINVAL, "the root that volt-ns itself runs in must be a "
		    "mount, and not an initramfs", "pivot_root");
	if (umount2(".", MNT_DETACH) == -1)
		err(EXIT_LINK, "old root");
	if (chdir("/") == -1)
		err(EXIT_LINK, "root");
}

/* Is there anything to do but to be in a mount namespace? */
static bool
is_plain(const struct ns *ns)
{
	return !has_root(ns) && ns->nmounts == 0 && !ns->root_ro;
}

/* Leave the caller's mounts alone, and open what the plan shows of them. */
void
root_open(struct ns *ns, struct build *b)
{
	const struct mount_attr private = {
		.propagation = SYS_PROPAGATION_PRIVATE,
	};

	if (sys_mount_setattr(AT_FDCWD, "/", AT_RECURSIVE, &private) == -1)
		err(EXIT_LINK, "make mounts private");
	if (!is_plain(ns))
		sources_open(ns, b);
}

/* Carry out the plan for the mount namespace that we are in. */
void
root_build(struct ns *ns, struct build *b)
{
	const struct mount_attr ro = { .attr_set = MOUNT_ATTR_RDONLY };
	mode_t mask;
	size_t i;

	if (is_plain(ns))
		return;
	mask = umask(0);
	net_files_open(ns);
	if (has_root(ns))
		b->root = root_make(ns);
	else if ((b->root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC)) == -1)
		err(EXIT_LINK, "/");
	for (i = 0; i < ns->ndefaults; i++)
		apply_mount(ns, &ns->defaults[i], b);
	net_files_apply(ns, b);
	for (i = 0; i < ns->nmounts; i++)
		apply_mount(ns, &ns->mounts[i], b);
	if (ns->root_ro) {
		if (sys_mount_setattr(b->root, "", AT_EMPTY_PATH, &ro) == -1)
			err(EXIT_LINK, "ro=/");
		say("make / read-only");
	}
	if (has_root(ns))
		root_enter(b->root);
	umask(mask);
}
