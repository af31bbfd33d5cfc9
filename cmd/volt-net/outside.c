/*
 * The control group of the helper. If systemd started the chain, the helper is
 * outside of the chain's unit, for two reasons: systemd kills all processes of
 * a unit when its main process ends, and a later volt-cg needs the unit's group
 * without other processes. The helper ends with the chain's process in any
 * case.
 *
 * If there is a volt-cg before us, the helper is in the group of that volt-cg:
 * the caller wants all of the chain there.
 */
#include <sys/xattr.h>

#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "cgroup.h"
#include "sys.h"

#include "net.h"

static bool
has(int dir, const char *mark)
{
	return fgetxattr(dir, mark, NULL, 0) > 0;
}

/* Whose group is this? Returns 1: a unit's; 0: a volt-cg's; -1: neither. */
static int
is_unit(int dir)
{
	if (has(dir, CGROUP_MARK))
		return 0;
	return has(dir, "trusted.invocation_id") ||
	    has(dir, "user.invocation_id") ? 1 : -1;
}

/*
 * If we are in a unit, open the top of the tree, which always accepts
 * processes. Otherwise return -1.
 */
static int
find_group(void)
{
	static struct cgroup_tree t;
	char path[PATH_MAX], *slash;
	int dir, found = -1;

	if (cgroup_tree_open(&t) == -1)
		return -1;
	strcpy(path, t.visible ? t.own : "");
	while (found == -1 && (slash = strrchr(path, '/')) != NULL) {
		if ((dir = cgroup_open(t.top, path)) == -1)
			break;
		found = is_unit(dir);
		close(dir);
		*slash = '\0';
	}
	if (found == 1)
		return t.top;
	close(t.top);
	return -1;
}

/*
 * Like fork(2), but the child is outside of the unit. If the kernel does not
 * permit that, as in a container, the child stays in the unit.
 */
pid_t
outside_fork(void)
{
	const int group = find_group();
	const struct clone_args args = { .flags = CLONE_INTO_CGROUP,
		.exit_signal = SIGCHLD,
		.cgroup = (uint64_t)(unsigned int)group };
	pid_t pid = -1;

	if (group != -1) {
		pid = sys_clone3(&args);
		close(group);
	}
	return pid != -1 ? pid : fork();
}
