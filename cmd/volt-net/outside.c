/*
 * Where the helper is: outside of the unit that the chain is in. systemd kills
 * what is left in a unit once its process has ended, with KillMode=mixed at
 * once; and a volt-cg behind us needs a unit's group to itself, where that was
 * delegated. The helper ends with the chain in any case.
 *
 * Who puts a volt-cg in front wants all in its group, the helper as well.
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

/* Is it a unit's, or -1: is that not to be known by this group? */
static int
is_unit(int dir)
{
	if (has(dir, CGROUP_MARK))
		return 0;
	return has(dir, "trusted.invocation_id") ||
	    has(dir, "user.invocation_id") ? 1 : -1;
}

/*
 * The top of the tree, which takes processes always, if it is a unit that we
 * are in; else -1.
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
 * fork(2), the child outside. Where the kernel does not let us go, as from
 * inside a container, it stays with the chain.
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
