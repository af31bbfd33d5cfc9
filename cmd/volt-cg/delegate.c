/* -d: leave the group to a user, or to a manager of groups inside. */
#include <sys/xattr.h>

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "chain.h"
#include "kfile.h"
#include "say.h"

#include "cg.h"

/* What kernels older than /sys/kernel/cgroup/delegate leave to others. */
static const char fallback[] =
    "cgroup.procs\ncgroup.threads\ncgroup.subtree_control\n";

/*
 * The group's directory and the files that the kernel lists go to uid= and
 * gid=; its limits do not. The mark is systemd's: those inside go by it.
 */
void
delegate(const struct cg *cg)
{
	char list[4096];
	char *file, *save;

	if (fsetxattr(cg->dir, "user.delegate", "1", 1, 0) == -1 &&
	    errno != EOPNOTSUPP)
		err(EXIT_LINK, "delegate %s", group_name(cg));
	if (cg->uid == (uid_t)-1 && cg->gid == (gid_t)-1)
		return;
	if (kfile_read(AT_FDCWD, "/sys/kernel/cgroup/delegate", list,
		sizeof(list)) == -1)
		strcpy(list, fallback);
	if (fchown(cg->dir, cg->uid, cg->gid) == -1)
		err(EXIT_LINK, "delegate %s", group_name(cg));
	for (file = strtok_r(list, "\n", &save); file != NULL;
	     file = strtok_r(NULL, "\n", &save))
		if (strchr(file, '/') == NULL && fchownat(cg->dir, file,
			cg->uid, cg->gid, AT_SYMLINK_NOFOLLOW) == -1 &&
		    errno != ENOENT)
			err(EXIT_LINK, "delegate %s: %s", group_name(cg), file);
	if (cg->uid != (uid_t)-1)
		say("delegated to user %u", (unsigned int)cg->uid);
	if (cg->gid != (gid_t)-1)
		say("delegated to group %u", (unsigned int)cg->gid);
}
