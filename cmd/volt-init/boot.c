/*
 * What a full init system expects of a container (systemd's "Container
 * Interface"): the variable "container", writable file systems on /run and
 * /tmp, and a cgroup tree of its own.
 */
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "chain.h"
#include "init.h"
#include "sys.h"

#define CGROUP "/sys/fs/cgroup"
#define CGROUP2_MAGIC 0x63677270
#define TMPFS_MAGIC 0x01021994

static void
mount_tmpfs(const char *path, const char *options)
{
	struct statfs fs;

	if (statfs(path, &fs) == -1)
		err(EXIT_LINK, "boot: %s", path);
	if (fs.f_type == TMPFS_MAGIC)
		return; /* the caller has mounted one */
	if (mount("tmpfs", path, "tmpfs", MS_NOSUID | MS_NODEV, options) == -1)
		err(EXIT_LINK, "boot: mount %s", path);
}

/*
 * Mount the cgroup tree so that it can be written: systemd makes groups in it. In
 * a cgroup namespace of our own these are below our group.
 */
static void
mount_cgroup(void)
{
	struct statfs st;
	int fs, fd;

	if (statfs(CGROUP, &st) == -1)
		err(EXIT_LINK, "boot: %s", CGROUP);
	if (st.f_type == CGROUP2_MAGIC &&
	    access(CGROUP "/cgroup.procs", W_OK) == 0)
		return;
	/*
	 * The mount that volt-ns made is locked: cover it. mount(2) refuses to
	 * mount a file system on itself.
	 */
	if ((fs = sys_fsopen("cgroup2", FSOPEN_CLOEXEC)) == -1 ||
	    sys_fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) == -1 ||
	    (fd = sys_fsmount(fs, FSMOUNT_CLOEXEC, MOUNT_ATTR_NOSUID |
		MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC)) == -1 ||
	    sys_move_mount(fd, "", AT_FDCWD, CGROUP,
		MOVE_MOUNT_F_EMPTY_PATH) == -1)
		err(EXIT_LINK, "boot: mount %s", CGROUP);
	close(fd);
	close(fs);
}

/*
 * Is /proc that of our PID namespace? If it is not, the mounts are not this
 * container's, but the caller's.
 */
static bool
has_own_proc(void)
{
	char pid[16];
	ssize_t n = readlink("/proc/self", pid, sizeof(pid));

	if (n == -1 && errno != ENOENT && errno != ENOTDIR)
		err(EXIT_LINK, "boot: /proc/self");
	return n == 1 && pid[0] == '1';
}

/*
 * Become the init system: argv, or /sbin/init. It must be PID 1. systemd halts at
 * SIGRTMIN+3 (volt-ns stop=RTMIN+3).
 */
_Noreturn void
boot(char *argv[])
{
	static char init[] = "/sbin/init";
	static char *fallback[] = { init, NULL };

	if (getpid() != 1)
		errx(EXIT_LINK, "boot: not PID 1; volt-ns -p makes one");
	if (!has_own_proc())
		errx(EXIT_LINK, "boot: /proc is not this PID namespace's; "
		    "volt-ns -mp mounts one");
	mount_tmpfs("/run", "mode=755,size=64M");
	mount_tmpfs("/tmp", "mode=1777,size=512M");
	mount_cgroup();
	if (setenv("container", "volt", 1) == -1)
		err(EXIT_LINK, "boot");
	chain_exec(*argv != NULL ? argv : fallback);
}
