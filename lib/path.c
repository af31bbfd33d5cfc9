#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "path.h"
#include "sys.h"

#define LINKS 40	/* symlinks in one lookup; the kernel's limit */

/*
 * Open path as if root were "/". Magic links (such as /proc/self/fd/N) could lead out
 * of the root, and are refused with ELOOP. flags are those of open(2), plus
 * O_CLOEXEC. Returns a descriptor, or -1 and errno.
 */
int
path_open(int root, const char *path, int flags)
{
	const struct open_how how = {
		.flags = (uint64_t)(unsigned int)(flags | O_CLOEXEC),
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
	};
	int fd, tries = 0;

	/* EAGAIN: a rename raced with "..". Try again. */
	do
		fd = sys_openat2(root, path, &how);
	while (fd == -1 && errno == EAGAIN && ++tries < 128);
	return fd;
}

/*
 * Open path. Only its last component may be a symlink, and that is not followed.
 */
static int
open_plain(int root, const char *path)
{
	const struct open_how how = {
		.flags = O_PATH | O_NOFOLLOW | O_CLOEXEC,
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS,
	};

	return sys_openat2(root, path, &how);
}

/* How far a walk has come: all of done exists, without symlinks. */
struct walk {
	int root;
	char done[PATH_MAX];	/* "." or "./a/b" */
	char todo[2 * PATH_MAX];
	unsigned int links;
	mode_t way, last;	/* modes: of directories on the way, of the end */
};

/*
 * Make name in the directory that the walk has reached: a directory if components
 * follow, else a file of that type.
 */
static int
make_here(struct walk *w, const char *name, mode_t type)
{
	const mode_t mode = w->todo[strspn(w->todo, "/")] != '\0' ? w->way : w->last;
	int dir, rc, saved;

	if ((dir = open_plain(w->root, w->done)) == -1)
		return -1;
	rc = type == S_IFDIR ? mkdirat(dir, name, mode) :
	    mknodat(dir, name, S_IFREG | mode, 0);
	saved = errno;
	close(dir);
	errno = saved;
	return rc == -1 && errno != EEXIST ? -1 : 0; /* EEXIST: a race lost */
}

/* Go on with the target of the symlink fd. */
static int
follow(struct walk *w, int fd)
{
	char target[PATH_MAX];
	size_t left = strlen(w->todo);
	ssize_t n;

	if (++w->links > LINKS) {
		errno = ELOOP;
		return -1;
	}
	if ((n = readlinkat(fd, "", target, sizeof(target) - 1)) == -1)
		return -1;
	if ((size_t)n + 1 + left >= sizeof(w->todo)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memmove(w->todo + n + 1, w->todo, left + 1);
	memcpy(w->todo, target, (size_t)n);
	w->todo[n] = '/';
	if (target[0] == '/')
		strcpy(w->done, ".");
	return 0;
}

/* Walk to the next component, or to the target of a symlink. */
static int
step(struct walk *w, const char *name, mode_t type)
{
	size_t len = strlen(w->done);
	struct stat st;
	int fd, rc;

	if (len + 1 + strlen(name) >= sizeof(w->done)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	w->done[len] = '/';
	strcpy(w->done + len + 1, name);
	while ((fd = open_plain(w->root, w->done)) == -1) {
		if (errno != ENOENT)
			return -1;
		w->done[len] = '\0';
		if (make_here(w, name, type) == -1)
			return -1;
		w->done[len] = '/';
	}
	if ((rc = fstat(fd, &st)) == 0 && S_ISLNK(st.st_mode)) {
		w->done[len] = '\0';
		rc = follow(w, fd);
	}
	close(fd);
	return rc;
}

/*
 * Open path below root with O_PATH, as path_open() does, and make what is missing:
 * directories of mode way, and at the end a directory (S_IFDIR) or an empty file
 * (S_IFREG) of mode last. If a symlink leads to something that is missing, it is made
 * there, inside the root. A file that exists is not changed and may be of any type.
 * Returns a descriptor, or -1 and errno.
 */
int
path_make_with(int root, const char *path, mode_t type, mode_t way, mode_t last)
{
	struct walk w = { .root = root, .done = ".", .way = way, .last = last };
	char name[NAME_MAX + 1];
	size_t skip, len;
	int fd;

	if ((fd = path_open(root, path, O_PATH)) != -1 || errno != ENOENT)
		return fd;
	if (strlen(path) >= PATH_MAX) {
		errno = ENAMETOOLONG;
		return -1;
	}
	strcpy(w.todo, path);
	for (;;) {
		skip = strspn(w.todo, "/");
		len = strcspn(w.todo + skip, "/");
		if (len == 0)
			return open_plain(root, w.done);
		if (len > NAME_MAX) {
			errno = ENAMETOOLONG;
			return -1;
		}
		memcpy(name, w.todo + skip, len);
		name[len] = '\0';
		skip += len;
		memmove(w.todo, w.todo + skip, strlen(w.todo + skip) + 1);
		if (strcmp(name, "..") == 0) {
			if (strcmp(w.done, ".") != 0)
				*strrchr(w.done, '/') = '\0';
		} else if (strcmp(name, ".") != 0 && step(&w, name,
		    w.todo[strspn(w.todo, "/")] != '\0' ? S_IFDIR : type) ==
		    -1) {
			return -1;
		}
	}
}

/* Do the same for a place to mount at: directories of mode 0755, a file of 0444. */
int
path_make(int root, const char *path, mode_t type)
{
	return path_make_with(root, path, type, 0755, type == S_IFDIR ? 0755 : 0444);
}
