/*
 * The cgroup v2 tree that this process sees. A group is named by its path below the
 * top of the mount: "" is the top itself, "/a/b" a group below it.
 */
#ifndef VOLT_CGROUP_H
#define VOLT_CGROUP_H

#include <sys/types.h>

#include <limits.h>
#include <stdbool.h>

#include "must.h"

/* The mark of groups that volt-cg made: a user.* attribute, which all may read. */
#define CGROUP_MARK "user.volt"

struct cgroup_tree {
	int top;	/* the top of the mount, or -1 */
	bool visible;	/* our own group is below the top: own is set */
	char point[PATH_MAX];	/* the mount point */
	char own[PATH_MAX];	/* our own group */
};

MUST_CHECK int cgroup_tree_open(struct cgroup_tree *t);
const char *cgroup_below(const char *own, const char *root);
MUST_CHECK int cgroup_open(int top, const char *path);
MUST_CHECK int cgroup_make(int dir, const char *name, mode_t mode);
MUST_CHECK long cgroup_count(int dir, bool others);
MUST_CHECK int cgroup_delegate(int dir, uid_t uid, gid_t gid);
MUST_CHECK bool cgroup_delegated(int dir);
MUST_CHECK int cgroup_of(pid_t pid, char *buf, size_t size);
const char *cgroup_unit(const char *path, char *buf, size_t size);
MUST_CHECK bool cgroup_lists(int dir, const char *file, const char *word);

#endif
