/*
 * The floor: what the kernel alone takes for the container that volt's chain
 * makes. The same namespaces, mounts and limits by the same system calls,
 * written down one after the other; no words, no checks, no second program.
 * The mounts are locked as volt-ns locks them: a process with the caller's
 * rights builds the root, and it shows in the container's mount namespace by
 * propagation.
 *
 *	floor ROOT COMMAND	volt-ns -UmpniuC root=ROOT volt-init COMMAND
 *	floor -l ROOT COMMAND	and volt-lock with ten rules and a filter before it
 */
#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <err.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "sys.h"

#define LINE(n) must(__LINE__, (long)(n))
#define ROOT_FLAGS (MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV)
#define SAFE (ROOT_FLAGS | MOUNT_ATTR_NOEXEC)

static int
must(int line, long n)
{
	if (n == -1)
		err(1, "line %d", line);
	return (int)n;
}

static void
put(const char *path, const char *text)
{
	int fd = LINE(open(path, O_WRONLY | O_CLOEXEC));

	LINE(write(fd, text, strlen(text)));
	close(fd);
}

static int
new_fs(const char *type, const char *const opts[], unsigned int attrs)
{
	int mnt, fs = LINE(sys_fsopen(type, FSOPEN_CLOEXEC));

	for (; opts != NULL && opts[0] != NULL; opts += 2)
		LINE(sys_fsconfig(fs, FSCONFIG_SET_STRING, opts[0], opts[1], 0));
	LINE(sys_fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0));
	mnt = LINE(sys_fsmount(fs, FSMOUNT_CLOEXEC, attrs));
	close(fs);
	return mnt;
}

static void
move(int mnt, int dir, const char *name)
{
	LINE(sys_move_mount(mnt, "", dir, name, MOVE_MOUNT_F_EMPTY_PATH));
}

static int
clone_at(int dir, const char *path, unsigned int flags)
{
	return LINE(sys_open_tree(dir, path, OPEN_TREE_CLONE |
	    OPEN_TREE_CLOEXEC | flags));
}

/* What the container makes, of its own namespaces; attached nowhere. */
struct made {
	int proc, dev, pts, shm, mqueue, sys, cgroup;
};

static const char *const devices[] = { "null", "zero", "full", "random",
	"urandom", "tty" };
#define DEVICES (sizeof(devices) / sizeof(devices[0]))

static void
make(struct made *m)
{
	static const char *const dev_opts[] = { "size", "64K", "mode", "755",
		NULL };
	static const char *const pts_opts[] = { "mode", "620", "ptmxmode",
		"666", "gid", "5", NULL };
	static const char *const shm_opts[] = { "size", "64M", "mode", "1777",
		NULL };
	size_t i;

	m->proc = new_fs("proc", NULL, SAFE);
	m->dev = new_fs("tmpfs", dev_opts, MOUNT_ATTR_NOSUID);
	for (i = 0; i < DEVICES; i++)
		LINE(mknodat(m->dev, devices[i], S_IFREG | 0644, 0));
	LINE(symlinkat("/proc/self/fd", m->dev, "fd"));
	LINE(symlinkat("/proc/self/fd/0", m->dev, "stdin"));
	LINE(symlinkat("/proc/self/fd/1", m->dev, "stdout"));
	LINE(symlinkat("/proc/self/fd/2", m->dev, "stderr"));
	LINE(symlinkat("pts/ptmx", m->dev, "ptmx"));
	LINE(mkdirat(m->dev, "pts", 0755));
	LINE(mkdirat(m->dev, "shm", 0755));
	LINE(mkdirat(m->dev, "mqueue", 0755));
	m->pts = new_fs("devpts", pts_opts, MOUNT_ATTR_NOSUID);
	m->shm = new_fs("tmpfs", shm_opts, SAFE);
	m->mqueue = new_fs("mqueue", NULL, SAFE);
	m->sys = new_fs("sysfs", NULL, SAFE | MOUNT_ATTR_RDONLY);
	m->cgroup = new_fs("cgroup2", NULL, SAFE | MOUNT_ATTR_RDONLY);
}

static void
place_dev(int root, const struct made *m)
{
	char path[32];
	size_t i;
	int fd;

	move(m->dev, root, "dev");
	for (i = 0; i < DEVICES; i++) {
		snprintf(path, sizeof(path), "/dev/%s", devices[i]);
		fd = clone_at(AT_FDCWD, path, 0);
		move(fd, m->dev, devices[i]);
		close(fd);
	}
	move(m->pts, m->dev, "pts");
	move(m->shm, m->dev, "shm");
	move(m->mqueue, m->dev, "mqueue");
}

static void
hide(int root, const char *path, const char *with)
{
	struct mount_attr ro = { .attr_set = MOUNT_ATTR_RDONLY };
	int fd;

	if (faccessat(root, path, F_OK, 0) == -1)
		return;
	if (with != NULL) {
		fd = clone_at(AT_FDCWD, with, 0);
	} else {
		fd = clone_at(root, path, AT_RECURSIVE);
		LINE(sys_mount_setattr(fd, "", AT_EMPTY_PATH | AT_RECURSIVE,
		    &ro));
	}
	move(fd, root, path);
	close(fd);
}

/* A mount namespace of our own, in which what is mounted on /dev propagates. */
static void
make_stage(void)
{
	struct mount_attr private = { .propagation = SYS_PROPAGATION_PRIVATE };
	struct mount_attr shared = { .propagation = SYS_PROPAGATION_SHARED };
	int dev;

	LINE(unshare(CLONE_NEWNS));
	LINE(sys_mount_setattr(AT_FDCWD, "/", AT_RECURSIVE, &private));
	dev = clone_at(AT_FDCWD, "/dev", 0);
	move(dev, AT_FDCWD, "/dev");
	LINE(sys_mount_setattr(dev, "", AT_EMPTY_PATH, &shared));
	close(dev);
}

static void
build(const char *path, const struct made *m)
{
	static const char *const files[] = { "proc/interrupts", "proc/kcore",
		"proc/keys", "proc/timer_list", "proc/sched_debug" };
	static const char *const readonly[] = { "proc/bus", "proc/fs",
		"proc/irq", "proc/sys", "proc/sysrq-trigger" };
	static const char *const empty_opts[] = { "size", "4K", NULL };
	struct mount_attr root_attr = { .attr_set = ROOT_FLAGS };
	size_t i;
	int root;

	root = clone_at(AT_FDCWD, path, AT_RECURSIVE);
	LINE(sys_mount_setattr(root, "", AT_EMPTY_PATH | AT_RECURSIVE,
	    &root_attr));
	move(root, AT_FDCWD, "/");
	move(m->proc, root, "proc");
	place_dev(root, m);
	move(m->sys, root, "sys");
	move(m->cgroup, root, "sys/fs/cgroup");
	for (i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		hide(root, files[i], "/dev/null");
	if (faccessat(root, "proc/acpi", F_OK, 0) == 0)
		move(new_fs("tmpfs", empty_opts, SAFE), root, "proc/acpi");
	if (faccessat(root, "sys/firmware", F_OK, 0) == 0)
		move(new_fs("tmpfs", empty_opts, SAFE), root, "sys/firmware");
	for (i = 0; i < sizeof(readonly) / sizeof(readonly[0]); i++)
		hide(root, readonly[i], NULL);
	move(root, AT_FDCWD, "/dev");
}

static void
enter(void)
{
	LINE(chdir("/dev"));
	LINE(sys_pivot_root(".", "."));
	LINE(umount2(".", MNT_DETACH));
	LINE(chdir("/"));
}

/* Ten Landlock rules and a filter of 54 instructions. */
static void
lock(void)
{
	struct landlock_ruleset_attr attr = { .handled_access_fs = 0x1fff };
	struct landlock_path_beneath_attr rule = { .allowed_access =
	    LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_READ_FILE |
	    LANDLOCK_ACCESS_FS_READ_DIR };
	struct sock_filter code[54];
	struct sock_fprog prog = { 54, code };
	int i, fd = LINE(syscall(SYS_landlock_create_ruleset, &attr,
	    sizeof(attr), 0));

	for (i = 0; i < 10; i++) {
		rule.parent_fd = LINE(open("/", O_PATH | O_CLOEXEC));
		LINE(syscall(SYS_landlock_add_rule, fd,
		    LANDLOCK_RULE_PATH_BENEATH, &rule, 0));
		close(rule.parent_fd);
	}
	LINE(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	LINE(syscall(SYS_landlock_restrict_self, fd, 0));
	close(fd);
	code[0] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
	    offsetof(struct seccomp_data, nr));
	for (i = 1; i < 53; i++)
		code[i] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ |
		    BPF_K, 1000 + (unsigned int)i, 0, 0);
	code[53] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K,
	    SECCOMP_RET_ALLOW);
	LINE(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &prog));
}

/* PID 1: one fork, one wait. */
static int
init(char *argv[], int locked)
{
	int status;
	pid_t pid = LINE(fork());

	if (pid == 0) {
		if (locked)
			lock();
		execv(argv[0], argv);
		err(1, "%s", argv[0]);
	}
	LINE(waitpid(pid, &status, 0));
	return WEXITSTATUS(status);
}

int
main(int argc, char *argv[])
{
	/* The descriptors are both's: nothing needs to be sent. */
	struct clone_args args = { .flags = CLONE_NEWUSER | CLONE_NEWNS |
	    CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWUTS | CLONE_NEWIPC |
	    CLONE_NEWCGROUP | CLONE_FILES, .exit_signal = SIGCHLD };
	int locked = argc > 1 && strcmp(argv[1], "-l") == 0;
	struct ifreq ifr = { .ifr_name = "lo" };
	char path[64], byte = 0;
	struct made m;
	int pair[2], status, fd;
	pid_t pid;

	argv += locked;
	if (argc - locked < 3)
		errx(1, "usage: floor [-l] root command");
	LINE(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair));
	make_stage();
	if ((pid = LINE(sys_clone3(&args))) == 0) {
		LINE(read(pair[0], &byte, 1));
		fd = LINE(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
		ifr.ifr_flags = IFF_UP;
		LINE(ioctl(fd, SIOCSIFFLAGS, &ifr));
		close(fd);
		make(&m);
		LINE(write(pair[0], &m, sizeof(m)));
		LINE(read(pair[0], &byte, 1));
		enter();
		return init(argv + 2, locked);
	}
	snprintf(path, sizeof(path), "/proc/%d/uid_map", (int)pid);
	put(path, "0 0 4294967295\n");
	snprintf(path, sizeof(path), "/proc/%d/gid_map", (int)pid);
	put(path, "0 0 4294967295\n");
	LINE(write(pair[1], &byte, 1));
	LINE(read(pair[1], &m, sizeof(m)));
	build(argv[1], &m);
	LINE(write(pair[1], &byte, 1));
	LINE(waitpid(pid, &status, 0));
	return WEXITSTATUS(status);
}
