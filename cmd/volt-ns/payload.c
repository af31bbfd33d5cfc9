/*
 * The groups "supervisor" and "payload", for a container in a delegated group
 * (volt-cg -d, Delegate=yes) that has no process but us. A group can limit the
 * groups below it only while it has no processes itself, and we stay in order
 * to wait. So we move to one group below it, and the container starts in
 * another. That one is the root of the container's cgroup namespace and belongs
 * to the container's root, which can make groups there and limit them, as
 * systemd does. The container's own limits are those of the group above, which
 * it cannot change. volt-cg or systemd, which delegated the group, removes it
 * with all groups below.
 */
#include <sys/stat.h>

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cgroup.h"
#include "chain.h"
#include "kfile.h"
#include "say.h"

#include "ns.h"

#define OURS "supervisor"
#define THEIRS "payload"

/* Enable every controller that there is for the groups below. */
static void
enable_all(int dir)
{
	char list[512], word[64];
	char *name, *save;

	if (kfile_read(dir, "cgroup.controllers", list, sizeof(list)) == -1)
		return;
	for (name = strtok_r(list, " \n", &save); name != NULL;
	     name = strtok_r(NULL, " \n", &save)) {
		snprintf(word, sizeof(word), "+%s", name);
		if (kfile_write(dir, "cgroup.subtree_control", word) == -1)
			say("controller %s: %s", name, strerror(errno));
	}
}

/* Make an empty group. Returns its directory, or -1 and errno. */
static int
make(int dir, const char *name)
{
	int fd;

	if (mkdirat(dir, name, 0755) == -1 && errno == EEXIST &&
	    (unlinkat(dir, name, AT_REMOVEDIR) == -1 ||
	    mkdirat(dir, name, 0755) == -1))
		return -1;
	fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd != -1)
		(void)fchmod(fd, 0755); /* whatever the umask */
	return fd;
}

/*
 * The IDs that the container's root has in our user namespace. Returns false if
 * we cannot give it a group: then we make none.
 */
static bool
container_root(const struct ns *ns, uint32_t *uid, uint32_t *gid)
{
	*uid = *gid = 0;
	if ((ns->flags & CLONE_NEWUSER) != 0 &&
	    (!idmap_outside(&ns->uidmap, 0, uid) ||
	    !idmap_outside(&ns->gidmap, 0, gid)))
		return false;
	return geteuid() == 0 || (*uid == geteuid() && *gid == getegid());
}

/*
 * If our group is such a delegated group, leave it and make one for the
 * container. Returns the directory of that group, or -1: the container stays in
 * our group.
 */
int
payload_make(struct ns *ns)
{
	uint32_t uid, gid;
	struct cgroup_tree tree;
	int dir, ours, theirs;
	struct stat st;
	long others;

	if (!container_root(ns, &uid, &gid))
		return -1;
	if (cgroup_tree_open(&tree) == -1) {
		if (errno != ENOENT && errno != EACCES)
			err(EXIT_LINK, "cgroup tree");
		return -1; /* there is none */
	}
	dir = tree.visible ? cgroup_open(tree.top, tree.own) : -1;
	close(tree.top);
	if (dir == -1 || !cgroup_delegated(dir))
		return -1;
	if (fstat(dir, &st) == -1 || (others = cgroup_count(dir, true)) == -1)
		err(EXIT_LINK, "our cgroup");
	if (st.st_uid != geteuid() || others != 0)
		return -1;
	if ((ours = make(dir, OURS)) == -1)
		return -1; /* not ours to write, or in use */
	if ((theirs = make(dir, THEIRS)) == -1 ||
	    kfile_write(ours, "cgroup.procs", "0") == -1) {
		warn("cgroup " THEIRS);
		exit(EXIT_LINK);
	}
	enable_all(dir);
	if (cgroup_delegate(theirs, uid, gid) == -1)
		err(EXIT_LINK, "cgroup " THEIRS);
	say("cgroup " THEIRS " for the container, " OURS " for us");
	close(ours);
	close(dir);
	return theirs;
}
