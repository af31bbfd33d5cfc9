/*
 * Choose the place: the group in which ours is made. It is our own group if
 * that was delegated to us: so its limits apply to us, and its owner cleans up.
 * Else, for root, it is /volt.
 */
#include <sys/stat.h>
#include <sys/xattr.h>

#include <dirent.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "chain.h"
#include "kfile.h"

#include "cg.h"

#define TOP_NAME "volt"
#define TOP_PLACE "/" TOP_NAME

static bool
may_write(int dir, const char *name)
{
	if (faccessat(dir, name, W_OK, AT_EACCESS) == 0)
		return true;
	if (errno != EACCES && errno != EPERM && errno != EROFS && errno != ENOENT)
		err(EXIT_LINK, "cgroup: %s", name);
	return false;
}

static bool
writable(int dir)
{
	return may_write(dir, ".") && may_write(dir, "cgroup.procs") &&
	    may_write(dir, "cgroup.subtree_control");
}

/*
 * May we make groups in this one? A user may where he can write. Root can write
 * everywhere: for root the group must be marked as delegated, and be root's
 * own.
 */
static bool
is_ours(int dir, bool everywhere)
{
	struct stat st;

	if (!everywhere)
		return writable(dir);
	if (fstat(dir, &st) == -1)
		err(EXIT_LINK, "cgroup");
	return st.st_uid == geteuid() && cgroup_delegated(dir);
}

static _Noreturn void
busy(const char *path, long n)
{
	if (n > 0)
		warnx("%s: other processes are in this group (%ld), so none "
		    "below it can have limits", shown(path), n);
	else
		warnx("%s: not a group that can have limits below it",
		    shown(path));
	errx(EXIT_LINK, "start volt-cg alone in a unit with Delegate=yes "
	    "(systemd-run --scope -p Delegate=yes), or say parent=");
}

/* The place is this group. */
static void
take(struct cg *cg, const char *path, int fd, size_t floor)
{
	char buf[sizeof(cg->place)];

	snprintf(buf, sizeof(buf), "%s", path);
	memcpy(cg->place, buf, sizeof(buf));
	cg->place_fd = fd;
	cg->floor = floor;
	cg->inside = cg->tree.visible && strcmp(buf, cg->tree.own) == 0 &&
	    !look_is_root(fd) && limit_needs(cg);
}

/*
 * Take the first group that we may use, from our own upwards. If it has other
 * processes and is not marked as delegated, we are in a user's session: go on
 * upwards to a group without processes.
 */
static bool
take_own(struct cg *cg, bool everywhere)
{
	char path[PATH_MAX];
	char *slash;
	long n;
	int fd;

	if (!cg->tree.visible)
		return false;
	strcpy(path, cg->tree.own);
	for (;;) {
		fd = cgroup_open(cg->tree.top, path);
		if (fd == -1 && errno != ENOENT && errno != EACCES)
			err(EXIT_LINK, "cgroup: %s", shown(path));
		if (fd != -1 && is_ours(fd, everywhere)) {
			n = look_is_root(fd) || !limit_needs(cg) ? 0 :
			    cgroup_count(fd, true);
			if (n == 0) {
				take(cg, path, fd, strlen(path));
				return true;
			}
			if (cgroup_delegated(fd) || *path == '\0')
				busy(path, n);
		}
		if (fd != -1)
			close(fd);
		if ((slash = strrchr(path, '/')) == NULL)
			return false;
		*slash = '\0';
	}
}

static _Noreturn void
nowhere(const struct cg *cg)
{
	warnx("%s: this group is not delegated to you",
	    cg->tree.visible ? shown(cg->tree.own) : "our own group");
	errx(EXIT_LINK,
	    "use systemd-run --user --scope -p Delegate=yes volt-cg ...");
}

/* Take /volt, and make it if it does not exist. */
static void
take_top(struct cg *cg)
{
	int fd;

	if ((cgroup_make(cg->tree.top, TOP_NAME, 0755) == -1 &&
		errno != EEXIST) ||
	    (fd = cgroup_open(cg->tree.top, TOP_PLACE)) == -1)
		err(EXIT_LINK, "%s" TOP_PLACE, cg->tree.point);
	take(cg, TOP_PLACE, fd, 0);
}

/*
 * Write the path of parent= to buf. The word is a path in the tree, or a path
 * in the file system, or a path relative to our own group.
 */
static void
parent_path(const struct cg *cg, char *buf, size_t size)
{
	const char *s = cg->parent, *end;
	size_t len = strlen(cg->tree.point), out = 0;

	if (strncmp(s, cg->tree.point, len) == 0 &&
	    (s[len] == '/' || s[len] == '\0'))
		s += len;
	else if (*s != '/' && !cg->tree.visible)
		errx(EXIT_LINK, "parent=%s: our own group is not visible here",
		    s);
	else if (*s != '/')
		out = (size_t)snprintf(buf, size, "%s", cg->tree.own);
	for (buf[out] = '\0'; *s != '\0'; s = end) {
		s += strspn(s, "/");
		end = s + strcspn(s, "/");
		if (end == s || (end - s == 1 && *s == '.'))
			continue;
		if (out + 2 + (size_t)(end - s) > size)
			errx(EXIT_LINK, "parent=: the path is too long");
		out += (size_t)sprintf(buf + out, "/%.*s", (int)(end - s), s);
	}
}

static int
open_parent(const struct cg *cg, char *buf, size_t size)
{
	int fd;

	parent_path(cg, buf, size);
	if ((fd = cgroup_open(cg->tree.top, buf)) == -1 ||
	    faccessat(fd, "cgroup.procs", F_OK, 0) == -1)
		err(EXIT_LINK, "parent=%s", cg->parent);
	return fd;
}

/* Choose where a new group is made, and open that. */
void
place_choose(struct cg *cg)
{
	char path[PATH_MAX];
	bool everywhere;
	long n;
	int fd;

	if (cg->parent != NULL) {
		fd = open_parent(cg, path, sizeof(path));
		take(cg, path, fd, 0);
		if (cg->inside && (n = cgroup_count(fd, true)) != 0)
			busy(path, n);
		return;
	}
	everywhere = geteuid() == 0 && writable(cg->tree.top);
	if (take_own(cg, everywhere))
		return;
	if (!everywhere)
		nowhere(cg);
	/* The top of a container's tree is like a delegated group. */
	if (!look_is_root(cg->tree.top) && cg->tree.visible &&
	    *cg->tree.own == '\0') {
		n = limit_needs(cg) ? cgroup_count(cg->tree.top, true) : 0;
		if (n != 0)
			busy("", n);
		take(cg, "", cg->tree.top, 0);
		return;
	}
	if (cg->dry) {
		if ((fd = cgroup_open(cg->tree.top, TOP_PLACE)) == -1)
			fd = cg->tree.top;
		take(cg, TOP_PLACE, fd, 0);
		return;
	}
	take_top(cg);
}

/*
 * Open the group path/name. Returns false if there is none. With marked_only it
 * must have a mark; and since everybody can set a mark, root wants one of
 * root's.
 */
static bool
find_in(struct cg *cg, const char *path, const char *name, bool marked_only)
{
	char buf[PATH_MAX], mark[8];
	struct stat st;

	if (snprintf(buf, sizeof(buf), "%s/%s", path, name) >=
	    (int)sizeof(buf) ||
	    (cg->dir = cgroup_open(cg->tree.top, buf)) == -1)
		return false;
	if (marked_only &&
	    (look_mark(cg->dir, mark, sizeof(mark)) == NULL ||
	    fstat(cg->dir, &st) == -1 ||
	    (geteuid() == 0 && st.st_uid != 0))) {
		close(cg->dir);
		cg->dir = -1;
		return false;
	}
	take(cg, path, cgroup_open(cg->tree.top, path), 0);
	return true;
}

/*
 * Find the existing group name: in parent=; else in our own group or a group
 * above it, if it has a mark; else in /volt. Returns false and errno if there
 * is none.
 */
bool
place_lookup(struct cg *cg, const char *name)
{
	char path[PATH_MAX], first[PATH_MAX];
	char *slash;

	if (cg->parent != NULL) {
		close(open_parent(cg, path, sizeof(path)));
		return find_in(cg, path, name, false);
	}
	/* If name is a path, its first component has the mark. */
	snprintf(first, sizeof(first), "%s", name);
	first[strcspn(first, "/")] = '\0';
	strcpy(path, cg->tree.own);
	while (cg->tree.visible) {
		if (find_in(cg, path, first, true)) {
			close(cg->dir);
			if (find_in(cg, path, name, false))
				return true;
		}
		if ((slash = strrchr(path, '/')) == NULL)
			break;
		*slash = '\0';
	}
	return find_in(cg, TOP_PLACE, name, false);
}

/* The same, but ends if there is none. */
void
place_find(struct cg *cg, const char *name)
{
	if (place_lookup(cg, name))
		return;
	if (cg->parent != NULL)
		err(EXIT_LINK, "parent=%s: %s", cg->parent, name);
	warn("%s", name);
	errx(EXIT_LINK, "volt-cg without words lists the groups; parent= says "
	    "where else to look");
}

/* Write to buf the path of the group whose groups are all listed. */
void
place_of_list(const struct cg *cg, char *buf, size_t size)
{
	if (cg->parent != NULL)
		close(open_parent(cg, buf, size));
	else
		snprintf(buf, size, TOP_PLACE);
}
