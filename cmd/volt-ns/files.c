/*
 * Files that we write: those of file= and text=, and those of volt-net. They are
 * on a tmpfs of our own, and each is mounted at its place, so that nothing is
 * written to the root. The kernel clones a file only if its file system is
 * attached. So meanwhile the tmpfs is attached on the old root's /dev, or on the
 * stage.
 */
#include <sys/mount.h>
#include <sys/stat.h>

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "chain.h"
#include "ns.h"
#include "path.h"
#include "sys.h"

static bool
write_all(int fd, const char *buf, size_t len)
{
	ssize_t n;

	for (; len > 0; buf += n, len -= (size_t)n)
		if ((n = write(fd, buf, len)) == -1)
			return false;
	return true;
}

/* Copy everything that can be read. Returns false and errno on an error. */
static bool
copy(int from, int to)
{
	char buf[16384];
	ssize_t n;

	for (;;) {
		n = read(from, buf, sizeof(buf));
		if (n == 0)
			return true;
		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1 || !write_all(to, buf, (size_t)n))
			return false;
	}
}

/*
 * Fill fd with the contents of from, or if that is -1 with m's text and a newline.
 */
static bool
fill(const struct mount *m, int from, int fd)
{
	size_t len = strlen(m->src);

	if (from != -1)
		return copy(from, fd);
	return write_all(fd, m->src, len) && (len == 0 ||
	    m->src[len - 1] == '\n' || write_all(fd, "\n", 1));
}

/*
 * Write the file name in dir. Its contents are read from the descriptor from, or
 * if that is -1 they are m's text, with a newline at its end. The file becomes
 * m's detached mount.
 */
void
files_write(struct mount *m, int dir, const char *name, int from)
{
	const struct mount_attr attr = { .attr_set = m->attrs };
	int fd;

	fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd == -1)
		err(EXIT_LINK, "%s", m->what);
	if (!fill(m, from, fd))
		err(EXIT_LINK, "%s", m->what);
	if (fchmod(fd, (mode_t)m->mode) == -1)
		err(EXIT_LINK, "%s", m->what);
	close(fd);
	m->fd = sys_open_tree(dir, name, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	if (m->fd == -1 || sys_mount_setattr(m->fd, "", AT_EMPTY_PATH, &attr) ==
	    -1)
		err(EXIT_LINK, "%s", m->what);
}

static bool
is_wanted(const struct ns *ns)
{
	size_t i;

	for (i = 0; i < ns->nmounts; i++)
		if ((ns->mounts[i].kind == MOUNT_FILE ||
			ns->mounts[i].kind == MOUNT_TEXT) &&
		    !ns->mounts[i].plain)
			return true;
	return ns->offer != NULL && has_root(ns) &&
	    (*ns->offer->resolv != '\0' || *ns->offer->hosts != '\0');
}

/* Make the files. The old root must still be "/". */
void
files_open(struct ns *ns)
{
	char opts[] = "size=512M,mode=755", name[24];
	const struct mount fs = { .what = "files", .fsopts = opts };
	const char *where = ns->staged ? STAGE_FILES : "/dev";
	struct mount *m;
	int dir;

	if (!is_wanted(ns))
		return;
	dir = mount_fs(&fs, "tmpfs");
	if (sys_move_mount(dir, "", AT_FDCWD, where,
		MOVE_MOUNT_F_EMPTY_PATH) == -1)
		err(EXIT_LINK, "files: %s", where);
	net_files_open(ns, dir);
	for (m = ns->mounts; m < ns->mounts + ns->nmounts; m++) {
		snprintf(name, sizeof(name), "%zu", (size_t)(m - ns->mounts));
		if (m->plain)
			continue;
		if (m->kind == MOUNT_TEXT)
			files_write(m, dir, name, -1);
		else if (m->kind == MOUNT_FILE)
			files_write(m, dir, name, atoi(m->src));
	}
	close(dir);
	if (umount2(where, MNT_DETACH) == -1)
		err(EXIT_LINK, "files: %s", where);
}

/*
 * Write a file into the root itself. If the file exists, it is overwritten, and keeps its
 * mode and owner.
 */
void
files_put(const struct mount *m, int root)
{
	char path[32];
	int place, fd;
	bool made;

	made = (place = path_open(root, m->dst, O_PATH)) == -1;
	if (made)
		place = path_make_with(root, m->dst, S_IFREG, mount_way(m), 0600);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", place);
	if (place == -1 || (fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC |
		O_NOCTTY | O_NONBLOCK)) == -1)
		err(EXIT_LINK, "%s", m->what);
	if (!fill(m, m->kind == MOUNT_FILE ? atoi(m->src) : -1, fd) ||
	    (made && fchmod(fd, (mode_t)m->mode) == -1))
		err(EXIT_LINK, "%s", m->what);
	close(fd);
	close(place);
}
