/* Open the caller's files that the words show, as detached mounts. */
#include <sys/stat.h>
#include <sys/statvfs.h>

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "chain.h"
#include "ns.h"
#include "say.h"
#include "sys.h"

static bool
is_directory(const struct mount *m)
{
	struct stat st;

	if (fstat(m->fd, &st) == -1)
		err(EXIT_LINK, "%s", m->what);
	return S_ISDIR(st.st_mode);
}

/* Is the file system itself read-only, or the mount? */
static bool
is_read_only(const struct mount *m)
{
	struct statvfs st;

	if (fstatvfs(m->fd, &st) == -1)
		err(EXIT_LINK, "%s", m->what);
	return (st.f_flag & ST_RDONLY) != 0;
}

/*
 * Clone the mount of the file or directory that is open at m->from. The kernel clones
 * only mounts of our mount namespace, which is a copy of the caller's. So we clone what
 * is at the same path here. It must be the same file or directory.
 */
static int
clone_descriptor(const struct mount *m, unsigned int flags)
{
	char link[32], path[PATH_MAX];
	struct stat want, found;
	ssize_t n;
	int fd;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", m->from);
	if ((n = readlink(link, path, sizeof(path) - 1)) == -1)
		err(EXIT_LINK, "%s", m->what);
	path[n] = '\0';
	if (path[0] != '/')
		errx(EXIT_LINK, "%s: not a file or directory with a path", m->what);
	if ((fd = sys_open_tree(AT_FDCWD, path, flags)) == -1)
		return -1;
	if (fstat(m->from, &want) == -1 || fstat(fd, &found) == -1)
		err(EXIT_LINK, "%s", m->what);
	if (want.st_dev != found.st_dev || want.st_ino != found.st_ino)
		errx(EXIT_LINK, "%s: %s is another file by now", m->what, path);
	return fd;
}

/*
 * Open m's source with m's attributes: a clone of a directory or of a file, or an
 * image. Does nothing if it is open already.
 */
void
source_open(const struct ns *ns, struct mount *m)
{
	/* ro makes the overlay read-only, but not the place for its changes. */
	const uint64_t not_here = m->kind == MOUNT_OVERLAY ?
	    MOUNT_ATTR_RDONLY : 0;
	/* A clone that stays shared would show our mounts to the host. */
	const struct mount_attr attr = { .attr_set = m->attrs & ~not_here,
		.propagation = m->slave ? SYS_PROPAGATION_SLAVE :
		SYS_PROPAGATION_PRIVATE };
	/* For the source itself. The mounts below it keep their attributes. */
	const struct mount_attr lift = { .attr_clr = m->lifted };
	unsigned int rec = m->rec ? AT_RECURSIVE : 0;

	if (m->what == NULL || m->fd != -1 || m->kind == MOUNT_EMPTY)
		return;
	if (m->kind == MOUNT_IMAGE)
		m->fd = image_open(m);
	else if (m->from != -1)
		m->fd = clone_descriptor(m, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC |
		    rec);
	else
		m->fd = sys_open_tree(AT_FDCWD, m->src, OPEN_TREE_CLONE |
		    OPEN_TREE_CLOEXEC | rec);
	if (m->fd == -1 && m->try && (errno == ENOENT || errno == ENOTDIR)) {
		say("%s: left out: %s", m->what, strerror(errno));
		return;
	}
	if (m->fd == -1 && m->kind == MOUNT_BIND && errno != EINVAL)
		err(EXIT_LINK, "%s: source %s", m->what, m->src);
	if (m->fd == -1)
		fail(m->rec ? 0 : EINVAL, m->kind != MOUNT_BIND && (is_overlay(ns) ||
			m->kind == MOUNT_LOWER) ? "there are mounts below it: only "
		    "the host's root can make a layer of it" : "there are mounts "
		    "below it: add the option rec", "%s", m->what);
	if (m->kind != MOUNT_BIND && !is_directory(m)) {
		errno = ENOTDIR;
		err(EXIT_LINK, "%s", m->what);
	}
	if (sys_mount_setattr(m->fd, "", AT_EMPTY_PATH | rec, &attr) == -1)
		err(EXIT_LINK, "%s: mount attributes", m->what);
	if (m->lifted != 0 &&
	    sys_mount_setattr(m->fd, "", AT_EMPTY_PATH, &lift) == -1)
		fail(EPERM, "the flags of the source's mount are locked: the "
		    "options rw, exec, dev and suid cannot clear them",
		    "%s: mount attributes", m->what);
	if ((m->lifted & MOUNT_ATTR_RDONLY) != 0 && is_read_only(m))
		errx(EXIT_LINK, "%s: rw: the file system is read-only",
		    m->what);
}

/* If m has the option idmap, map the IDs of its source as userns does. */
void
source_idmap(struct mount *m, int userns)
{
	const struct mount_attr attr = {
		.attr_set = (uint64_t)MOUNT_ATTR_IDMAP,
		.userns_fd = (uint64_t)(unsigned int)userns,
	};

	if (m->what == NULL || !m->idmap || m->fd == -1)
		return;
	if (sys_mount_setattr(m->fd, "", AT_EMPTY_PATH |
		(m->rec ? AT_RECURSIVE : 0), &attr) == 0)
		return;
	if (errno == EPERM)
		fail(EPERM, "the option idmap requires the rights of the host's "
		    "root: leave it out", "%s: mount attributes", m->what);
	fail(EINVAL, m->kind == MOUNT_BIND ? "this kernel cannot map "
	    "the IDs of that file system, or of one below it; without the "
	    "option idmap its files belong to nobody inside" :
	    "this kernel cannot map the IDs of that file system, or of one "
	    "below it; uidmap=0:0:65536 leaves IDs as they are, but then the "
	    "container's root is the host's root",
	    "%s: mount attributes", m->what);
}

/*
 * The directories of the new root: the layers, the first on top, and last the
 * directory for changes, if there is one. Returns number i, or NULL at the end.
 */
struct mount *
source_layer(struct ns *ns, size_t i)
{
	if (i < ns->nlower)
		return &ns->lower[i];
	i -= ns->nlower;
	if (ns->root.what != NULL && i-- == 0)
		return &ns->root;
	if (ns->overlay.what != NULL && i == 0 &&
	    strcmp(ns->overlay.src, "tmpfs") != 0)
		return &ns->overlay;
	return NULL;
}

/*
 * Make changes the directory that both upper and work are in, and name them from there.
 * The kernel accepts them only from one mount.
 */
void
source_changes(struct layers *l)
{
	char *upper, *work;
	size_t i, len = 0;

	if (l->work == NULL)
		return;
	if ((upper = realpath(l->upper, NULL)) == NULL)
		err(EXIT_LINK, "%s: %s", l->what, l->upper);
	if ((work = realpath(l->work, NULL)) == NULL)
		err(EXIT_LINK, "%s: %s", l->what, l->work);
	for (i = 0; upper[i] != '\0' && upper[i] == work[i]; i++)
		if (upper[i] == '/')
			len = i;
	l->upper = upper + len + 1;
	l->work = work + len + 1;
	l->changes->src = strndup(upper, len == 0 ? 1 : len);
	if (l->changes->src == NULL)
		err(EXIT_LINK, "%s", l->what);
}

/* Call deed for each directory of the overlays of layers=. */
void
source_each(struct ns *ns, void (*deed)(const struct ns *, struct mount *, int),
    int arg)
{
	struct layers *l;
	size_t i, j;

	for (i = 0; i < ns->nmounts; i++) {
		if ((l = ns->mounts[i].layers) == NULL)
			continue;
		for (j = 0; j < l->n; j++)
			deed(ns, l->lower[j], arg);
		if (l->changes != NULL && l->changes->fsopts == NULL)
			deed(ns, l->changes, arg);
	}
}
