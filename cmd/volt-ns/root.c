/*
 * The root. Theory of operation:
 *
 * We are in a mount namespace of our own, whose mounts are slaves of the
 * caller's. First we open everything that comes from the old root. Then we
 * attach the new root on top of "/". A path that begins at "/" does not lead
 * there, so all places below it are resolved from its descriptor. (But a path
 * with ".." does lead to what is mounted over "/". So from here on, no path of
 * the user may be looked up in the old root, and nothing may be mounted over
 * the new root.) At last pivot_root(2) swaps the two, and one umount2(2)
 * removes the old root with all mounts below it.
 *
 * A builder (stage.c) does all that except the last step: it leaves the new
 * root on the stage. It has a new root even if the words name none: a clone of
 * the old root, with all mounts below it.
 */
#include <sys/mount.h>
#include <sys/stat.h>

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "chain.h"
#include "ns.h"
#include "path.h"
#include "say.h"
#include "sys.h"

/* Add to the plan what comes with every root, unless the words refuse it. */
void
root_plan(struct ns *ns)
{
	if (!has_root(ns)) {
		ns->no_mask = true;
		return;
	}
	if (is_overlay(ns))
		ns->root.rec = false; /* an overlay shows no mounts below */
	if (!ns->no_proc)
		mount_default(ns, MOUNT_PROC, "/proc");
	if (!ns->no_dev) {
		ns->dev = "/dev";
		mount_default(ns, MOUNT_DEV, ns->dev);
	}
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

/* Say the whole plan, for -N. */
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

/* Is a mount namespace all that is needed, without a change to the mounts? */
bool
root_is_plain(const struct ns *ns)
{
	return !has_root(ns) && ns->nmounts == 0 && !ns->root_ro;
}

static void
open_layer(const struct ns *ns, struct mount *m, int unused)
{
	(void)unused;
	source_open(ns, m);
}

static void
sources_open(struct ns *ns, struct build *b)
{
	struct mount *m;
	size_t i;

	for (i = 0; (m = source_layer(ns, i)) != NULL; i++)
		source_open(ns, m);
	for (i = 0; i < ns->nmounts; i++)
		if (ns->mounts[i].kind == MOUNT_BIND)
			source_open(ns, &ns->mounts[i]);
	for (i = 0; i < ns->nmounts; i++)
		if (ns->mounts[i].layers != NULL)
			source_changes(ns->mounts[i].layers);
	source_each(ns, open_layer, -1);
	dev_open(b);
	if (has_root(ns) || !ns->staged)
		return;
	b->root = sys_open_tree(AT_FDCWD, "/", OPEN_TREE_CLONE |
	    OPEN_TREE_CLOEXEC | AT_RECURSIVE);
	if (b->root == -1)
		err(EXIT_LINK, "/");
}

/*
 * Protect the caller's mounts from our changes, and open those that the plan
 * shows. What the caller mounts or unmounts later also happens in our
 * namespace. Otherwise a chain without a root would keep busy each device that
 * was mounted at its start.
 */
void
root_open(struct ns *ns, struct build *b)
{
	const struct mount_attr slave = {
		.propagation = SYS_PROPAGATION_SLAVE,
	};

	if (sys_mount_setattr(AT_FDCWD, "/", AT_RECURSIVE, &slave) == -1)
		err(EXIT_LINK, "make mounts slaves of the caller's");
	if (!root_is_plain(ns))
		sources_open(ns, b);
}

/* Attach the new root on top of "/". */
static void
root_attach(struct ns *ns, struct build *b)
{
	const char *what = "/";

	if (is_overlay(ns)) {
		what = ns->overlay.what != NULL ? ns->overlay.what :
		    ns->lower[0].what;
		b->root = b->inner != -1 ? talk_recv(b->inner) :
		    overlay_make(ns);
	} else if (ns->root.kind == MOUNT_EMPTY && ns->root.what != NULL) {
		what = ns->root.what;
		b->root = b->inner != -1 ? talk_recv(b->inner) :
		    mount_fs(&ns->root, "tmpfs");
	} else if (has_root(ns)) {
		what = ns->root.what != NULL ? ns->root.what :
		    ns->lower[0].what;
		b->root = ns->root.what != NULL ? ns->root.fd :
		    ns->lower[0].fd;
	}
	if (sys_move_mount(b->root, "", AT_FDCWD, "/",
		MOVE_MOUNT_F_EMPTY_PATH) == -1)
		err(EXIT_LINK, "%s: attach", what);
	describe_root(ns);
}

/* Make root the "/" of the process, and unmount the old one. */
void
root_enter(const struct ns *ns, int root)
{
	char cwd[PATH_MAX];
	bool keep = !has_root(ns) && ns->chdir == NULL;

	if (keep && getcwd(cwd, sizeof(cwd)) == NULL)
		err(EXIT_LINK, "working directory");
	if (fchdir(root) == -1)
		err(EXIT_LINK, "root");
	if (sys_pivot_root(".", ".") == -1)
		fail(EINVAL, "the root that volt-ns itself runs in must be a "
		    "mount, and not an initramfs", "pivot_root");
	if (umount2(".", MNT_DETACH) == -1)
		err(EXIT_LINK, "old root");
	if (chdir(keep ? cwd : "/") == -1)
		err(EXIT_LINK, "%s", keep ? cwd : "root");
}

/* Carry out the plan in the mount namespace that we are in. */
void
root_build(struct ns *ns, struct build *b)
{
	const struct mount_attr ro = { .attr_set = MOUNT_ATTR_RDONLY };
	mode_t mask;
	size_t i;

	if (root_is_plain(ns))
		return;
	mask = umask(0);
	files_open(ns);
	if (has_root(ns) || b->root != -1)
		root_attach(ns, b);
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
	if (b->inner == -1 && has_root(ns))
		root_enter(ns, b->root);
	umask(mask);
}
