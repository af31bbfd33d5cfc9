#include <sys/stat.h>
#include <sys/xattr.h>

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cgroup.h"
#include "kfile.h"
#include "sys.h"
#include "value.h"

/* Undo the octal escapes of /proc/self/mountinfo, in place. */
static void
unescape(char *s)
{
	char *out = s;

	for (; *s != '\0'; s++) {
		if (s[0] == '\\' && s[1] >= '0' && s[1] <= '3' &&
		    s[2] >= '0' && s[2] <= '7' && s[3] >= '0' && s[3] <= '7') {
			*out++ = (char)((s[1] - '0') << 6 | (s[2] - '0') << 3 |
			    (s[3] - '0'));
			s += 3;
		} else {
			*out++ = *s;
		}
	}
	*out = '\0';
}

/* Is fd on the mount with this ID, or does another mount cover that? */
static bool
is_mount(int fd, uint64_t id)
{
	char path[64], buf[512];
	const char *s;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	return kfile_read(AT_FDCWD, path, buf, sizeof(buf)) != -1 &&
	    (s = strstr(buf, "mnt_id:\t")) != NULL &&
	    strtoull(s + strlen("mnt_id:\t"), NULL, 10) == id;
}

/*
 * Read the group of a process from /proc, as a path from the root of our cgroup
 * namespace; pid 0 is this process. Returns 0, or -1 and errno.
 */
int
cgroup_of(pid_t pid, char *buf, size_t size)
{
	char path[32] = "/proc/self/cgroup";
	FILE *f;
	char *line = NULL;
	size_t n = 0;
	int rc = -1;

	if (pid != 0)
		snprintf(path, sizeof(path), "/proc/%d/cgroup", (int)pid);
	if ((f = fopen(path, "re")) == NULL)
		return -1;
	errno = ENOENT;
	while (getline(&line, &n, f) != -1) {
		if (strncmp(line, "0::/", 4) != 0)
			continue;
		line[strcspn(line, "\n")] = '\0';
		if (strlen(line + 3) < size) {
			strcpy(buf, strcmp(line, "0::/") == 0 ? "" : line + 3);
			rc = 0;
		}
	}
	free(line);
	fclose(f);
	return rc;
}

/*
 * The systemd unit that the group path is in: the nearest group with the name of a
 * unit. Returns buf, or "-" if there is none.
 */
const char *
cgroup_unit(const char *path, char *buf, size_t size)
{
	const char *found = NULL, *s, *end;
	size_t len, n = 0;

	for (s = path; *s != '\0'; s = end) {
		s += strspn(s, "/");
		end = s + strcspn(s, "/");
		len = (size_t)(end - s);
		if ((len > 8 && memcmp(end - 8, ".service", 8) == 0) ||
		    (len > 6 && memcmp(end - 6, ".scope", 6) == 0)) {
			found = s;
			n = len;
		}
	}
	if (found == NULL || n >= size)
		return "-";
	memcpy(buf, found, n);
	buf[n] = '\0';
	return buf;
}

/*
 * The path of the group own in a mount whose root is the group root: "" for root
 * itself; NULL if own is not below root. "/.." is outside of our namespace.
 */
const char *
cgroup_below(const char *own, const char *root)
{
	size_t len = strcmp(root, "/") == 0 ? 0 : strlen(root);

	if (strncmp(own, "/..", 3) == 0 && (own[3] == '/' || own[3] == '\0'))
		return NULL;
	if (strncmp(own, root, len) != 0 ||
	    (own[len] != '/' && own[len] != '\0'))
		return NULL;
	return own + len;
}

/*
 * Use the mount that a line of mountinfo describes, if it is one of cgroup v2 and
 * not covered. own is our group, from the root of our namespace.
 */
static bool
take_mount(struct cgroup_tree *t, char *line, const char *own)
{
	char *field[5], *save, *type;
	const char *below;
	uint64_t id;
	int i;

	if ((type = strstr(line, " - ")) == NULL ||
	    strncmp(type + 3, "cgroup2 ", 8) != 0)
		return false;
	for (i = 0; i < 5; i++)
		if ((field[i] = strtok_r(i == 0 ? line : NULL, " ",
			 &save)) == NULL)
			return false;
	unescape(field[3]);
	unescape(field[4]);
	if (value_uint(field[0], UINT64_MAX, &id) == -1 ||
	    strlen(field[4]) >= sizeof(t->point))
		return false;
	t->top = open(field[4], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (t->top == -1)
		return false;
	if (!is_mount(t->top, id)) {
		close(t->top);
		t->top = -1;
		return false;
	}
	strcpy(t->point, field[4]);
	/* The mount may show only a part of the tree, ours or another. */
	below = cgroup_below(own, field[3]);
	if ((t->visible = below != NULL))
		strcpy(t->own, below);
	return true;
}

/*
 * Find a mount of cgroup v2, if possible one that shows our own group. Returns 0,
 * or -1 and errno; ENOENT if it is not mounted. The caller closes t->top.
 */
int
cgroup_tree_open(struct cgroup_tree *t)
{
	struct cgroup_tree other = { .top = -1 };
	char own[PATH_MAX];
	char *line = NULL;
	size_t n = 0;
	FILE *f;

	*t = (struct cgroup_tree){ .top = -1 };
	if (cgroup_of(0, own, sizeof(own)) == -1 ||
	    (f = fopen("/proc/self/mountinfo", "re")) == NULL)
		return -1;
	while (!t->visible && getline(&line, &n, f) != -1) {
		if (!take_mount(t, line, own) || t->visible)
			continue;
		if (other.top == -1)
			other = *t;
		else
			close(t->top);
	}
	free(line);
	fclose(f);
	if (t->visible) {
		if (other.top != -1)
			close(other.top);
		return 0;
	}
	*t = other;
	errno = ENOENT;
	return t->top == -1 ? -1 : 0;
}

/* Open the directory of a group. Returns a descriptor, or -1 and errno. */
int
cgroup_open(int top, const char *path)
{
	return openat(top, *path == '/' ? path + 1 : ".",
	    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

/*
 * Make a group with this mode: the caller's umask must not affect it. Returns 0, or
 * -1 and errno.
 */
int
cgroup_make(int dir, const char *name, mode_t mode)
{
	mode_t mask = umask(0);
	int rc = mkdirat(dir, name, mode);

	umask(mask);
	return rc;
}

/* systemd defines this mark, and programs that make groups look for it. */
#define MARK "user.delegate"

/* The files to delegate on kernels without /sys/kernel/cgroup/delegate. */
static const char delegated_files[] =
    "cgroup.procs\ncgroup.threads\ncgroup.subtree_control\n";

/*
 * Mark the group as one in which groups may be made. Give its directory and the
 * files that the kernel lists to the user and the group of users; -1 leaves one of
 * them. The kernel does not list the limits. Returns 0, or -1 and errno.
 */
int
cgroup_delegate(int dir, uid_t uid, gid_t gid)
{
	char list[4096];
	char *file, *save;

	if (fsetxattr(dir, MARK, "1", 1, 0) == -1 && errno != EOPNOTSUPP)
		return -1;
	if (uid == (uid_t)-1 && gid == (gid_t)-1)
		return 0;
	if (kfile_read(AT_FDCWD, "/sys/kernel/cgroup/delegate", list,
		sizeof(list)) == -1)
		strcpy(list, delegated_files);
	if (fchown(dir, uid, gid) == -1)
		return -1;
	for (file = strtok_r(list, "\n", &save); file != NULL;
	     file = strtok_r(NULL, "\n", &save))
		if (strchr(file, '/') == NULL && fchownat(dir, file, uid, gid,
			AT_SYMLINK_NOFOLLOW) == -1 && errno != ENOENT)
			return -1;
	return 0;
}

/* Did systemd or volt-cg -d mark this group as delegated? */
bool
cgroup_delegated(int dir)
{
	char mark;

	return (fgetxattr(dir, MARK, &mark, 1) == 1 ||
	    fgetxattr(dir, "trusted.delegate", &mark, 1) == 1) && mark == '1';
}

/*
 * Count the processes of a group itself, with others only those that are not us.
 * Those of other PID namespaces show as 0. Returns -1 and errno on failure.
 */
long
cgroup_count(int dir, bool others)
{
	char *line = NULL;
	size_t size = 0;
	long n = 0;
	FILE *f;
	int fd;

	if ((fd = openat(dir, "cgroup.procs", O_RDONLY | O_CLOEXEC)) == -1 ||
	    (f = fdopen(fd, "r")) == NULL)
		return -1;
	errno = 0;
	while (getline(&line, &size, f) != -1)
		if (!others || strtol(line, NULL, 10) != (long)getpid())
			n++;
	if (ferror(f))
		n = -1;
	free(line);
	fclose(f);
	return n;
}

/* Is word in a file of the group, such as cgroup.controllers? */
bool
cgroup_lists(int dir, const char *file, const char *word)
{
	char buf[4096];
	char *s, *save;

	if (kfile_read(dir, file, buf, sizeof(buf)) == -1)
		return false;
	for (s = strtok_r(buf, " \n", &save); s != NULL;
	     s = strtok_r(NULL, " \n", &save))
		if (strcmp(s, word) == 0)
			return true;
	return false;
}
