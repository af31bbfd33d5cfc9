#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "carry.h"
#include "fdpass.h"
#include "kfile.h"
#include "path.h"
#include "sys.h"
#include "toolbox.h"

#define OVERFLOW_UID 65534
#define ETC_DIR "/etc/volt"
#define SHARE_BESIDE "/../share/volt" /* from the programs' directory */

extern char **environ;

enum { PROGRAMS, OWN, ETC, SHARE, PARTS = TOOLBOX_PARTS };

/* The directory that holds this program; "" until it is looked up. */
static char home_dir[PATH_MAX];

/* Does errno mean that there is no such file? Any other error leaves that open. */
static bool
is_missing(int error)
{
	return error == ENOENT || error == ENOTDIR || error == EACCES;
}

/*
 * Look up the directory of this program, before the mount namespace changes: once the
 * mount namespace in which the program was started is gone the kernel cuts its path
 * at its mount. The path is that of /proc/self/exe, so that an installation can be
 * moved as a whole. Without /proc it is the compiled-in one. Returns 0, or -1 and
 * errno.
 */
int
toolbox_begin(void)
{
	ssize_t n = readlink("/proc/self/exe", home_dir, sizeof(home_dir) - 1);

	if (n > 0 && home_dir[0] == '/') {
		home_dir[n] = '\0';
		*strrchr(home_dir, '/') = '\0';
		return 0;
	}
	if (n == -1 && !is_missing(errno))
		return -1;
	snprintf(home_dir, sizeof(home_dir), "%s/bin", VOLT_PREFIX);
	return 0;
}

/*
 * Write the directory of this program to buf, followed by below. Returns 0, or -1 and
 * errno.
 */
static int
home(char *buf, size_t size, const char *below)
{
	int len;

	if (home_dir[0] == '\0' && toolbox_begin() == -1)
		return -1;
	len = snprintf(buf, size, "%s%s", home_dir, below);
	if (len < 0 || (size_t)len >= size) {
		errno = ENAMETOOLONG;
		return -1;
	}
	return 0;
}

/*
 * Open the user's own directory of words: XDG_CONFIG_HOME/volt, or .config/volt in
 * HOME. Both variables may be those of another user, as behind sudo(8). So the
 * directory counts only if it is ours and no other user can write to it. Returns a
 * descriptor, or -1 and errno.
 */
static int
open_own(void)
{
	const char *config = getenv("XDG_CONFIG_HOME"), *below = "volt";
	char path[PATH_MAX];
	struct stat st;
	int fd, error = ENOENT;

	if (config == NULL || *config == '\0') {
		config = getenv("HOME");
		below = ".config/volt";
	}
	errno = ENOENT;
	if (config == NULL || *config != '/')
		return -1;
	if (snprintf(path, sizeof(path), "%s/%s", config, below) >=
	    (int)sizeof(path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	if ((fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC)) == -1)
		return -1;
	if (fstat(fd, &st) == -1)
		error = errno;
	else if (st.st_uid == geteuid() &&
	    (st.st_mode & (S_IWGRP | S_IWOTH)) == 0)
		return fd;
	close(fd);
	errno = error;
	return -1;
}

/* Make a detached clone of a directory by which nothing can be changed. */
static int
clone_readonly(int dir, const char *path)
{
	const struct mount_attr attr = {
		.attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID |
		    MOUNT_ATTR_NODEV,
		.propagation = SYS_PROPAGATION_PRIVATE,
	};
	int fd, saved;

	fd = sys_open_tree(dir, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC |
	    AT_RECURSIVE | AT_EMPTY_PATH);
	if (fd == -1)
		return -1;
	if (sys_mount_setattr(fd, "", AT_EMPTY_PATH | AT_RECURSIVE, &attr) ==
	    -1) {
		saved = errno;
		close(fd);
		errno = saved;
		return -1;
	}
	return fd;
}

/*
 * Is fd such a clone? The caller of a link can name any descriptor in VOLT_TOOLBOX.
 * Believe only a directory on a read-only, nosuid mount that is its own parent. It must
 * belong to root, to us, to the owner of this program, or to a user that our user
 * namespace does not map.
 */
int
toolbox_is_ours(int fd)
{
	struct stat st, up, exe;
	struct statvfs vfs;

	if (fstat(fd, &st) == -1)
		return carry_unlike();
	if (!S_ISDIR(st.st_mode))
		return 0;
	if (fstatat(fd, "..", &up, 0) == -1 || fstatvfs(fd, &vfs) == -1)
		return carry_unlike();
	if (st.st_dev != up.st_dev || st.st_ino != up.st_ino ||
	    (vfs.f_flag & ST_RDONLY) == 0 || (vfs.f_flag & ST_NOSUID) == 0)
		return 0;
	if (st.st_uid == 0 || st.st_uid == geteuid() ||
	    st.st_uid == OVERFLOW_UID)
		return 1;
	if (stat("/proc/self/exe", &exe) == -1)
		return is_missing(errno) ? 0 : -1;
	return st.st_uid == exe.st_uid;
}

/*
 * Parse VOLT_TOOLBOX. Returns 1 if there is one and it is believed; 0 if there is none;
 * or -1 and errno.
 */
int
toolbox_parts(int part[TOOLBOX_PARTS])
{
	const char *cursor = getenv(TOOLBOX_VARIABLE);
	int i, fd, ours;

	for (i = 0; i < PARTS; i++) {
		part[i] = -1;
		if (!carry_next(&cursor, &fd) || (i == PROGRAMS && fd == -1))
			return 0;
		if (fd != -1 && (ours = toolbox_is_ours(fd)) != 1)
			return ours;
		part[i] = fd;
	}
	return cursor == NULL;
}

/*
 * Clone the directories of the toolbox; a part that this host lacks is -1. The caller
 * closes the descriptors, which are close-on-exec. Requires CAP_SYS_ADMIN in the mount
 * namespace, and must come before the root changes. Returns 0, or -1 and errno.
 */
int
toolbox_clone(int part[TOOLBOX_PARTS])
{
	char path[PATH_MAX];
	int own, saved;

	if (home(path, sizeof(path), "") == -1 ||
	    (part[PROGRAMS] = clone_readonly(AT_FDCWD, path)) == -1)
		return -1;
	part[OWN] = -1;
	if ((own = open_own()) != -1) {
		part[OWN] = clone_readonly(own, "");
		saved = errno;
		close(own);
		errno = saved;
	}
	if (part[OWN] == -1 && !is_missing(errno))
		return -1;
	part[ETC] = clone_readonly(AT_FDCWD, ETC_DIR);
	if (part[ETC] == -1 && !is_missing(errno))
		return -1;
	if (home(path, sizeof(path), SHARE_BESIDE) == -1)
		return -1;
	part[SHARE] = clone_readonly(AT_FDCWD, path);
	return part[SHARE] == -1 && !is_missing(errno) ? -1 : 0;
}

/*
 * Name the clones in VOLT_TOOLBOX and leave them open over exec. chain_exec() closes
 * them for a command that is not a link. Returns 0, or -1 and errno.
 */
int
toolbox_announce(const int part[TOOLBOX_PARTS])
{
	return carry_announce(TOOLBOX_VARIABLE, part, PARTS, NULL);
}

static const char *const places[PARTS] = { TOOLBOX_PLACES };

/*
 * Attach the parts on the directories TOOLBOX_PLACES of dir. Returns 0, or -1
 * and errno.
 */
int
toolbox_attach(const int part[TOOLBOX_PARTS], int dir)
{
	int i;

	for (i = 0; i < PARTS; i++)
		if (part[i] != -1 && sys_move_mount(part[i], "", dir, places[i],
		    MOVE_MOUNT_F_EMPTY_PATH) == -1)
			return -1;
	return 0;
}

/*
 * Replace each part by a clone of the mount that is attached on its place in dir.
 * Returns 0, or -1 and errno.
 */
int
toolbox_reopen(int part[TOOLBOX_PARTS], const char *dir)
{
	char path[PATH_MAX];
	int i;

	for (i = 0; i < PARTS; i++) {
		if (part[i] == -1)
			continue;
		close(part[i]);
		snprintf(path, sizeof(path), "%s/%s", dir, places[i]);
		if ((part[i] = sys_open_tree(AT_FDCWD, path, OPEN_TREE_CLONE |
		    OPEN_TREE_CLOEXEC | AT_RECURSIVE)) == -1)
			return -1;
	}
	return 0;
}

/*
 * Enter a user and a mount namespace, as its root: a nested user namespace can be made
 * only with a mapped ID. Returns 0, or -1 and errno.
 */
static int
go_down(void)
{
	char uids[32], gids[32];

	snprintf(uids, sizeof(uids), "0 %u 1", geteuid());
	snprintf(gids, sizeof(gids), "0 %u 1", getegid());
	if (unshare(CLONE_NEWUSER | CLONE_NEWNS) == -1 ||
	    kfile_write(AT_FDCWD, "/proc/self/setgroups", "deny") == -1 ||
	    kfile_write(AT_FDCWD, "/proc/self/uid_map", uids) == -1)
		return -1;
	return kfile_write(AT_FDCWD, "/proc/self/gid_map", gids);
}

/*
 * In a child: lock each part, by one more user namespace, and send it with errno. It is
 * attached on any directory.
 */
static void
lock_and_send(int sock)
{
	const struct mount_attr private = {
		.propagation = SYS_PROPAGATION_PRIVATE,
	};
	int part[PARTS] = { -1, -1, -1, -1 }, i, error = 0, came;

	if ((geteuid() == 0 ? unshare(CLONE_NEWNS) : go_down()) == -1 ||
	    sys_mount_setattr(AT_FDCWD, "/", AT_RECURSIVE, &private) == -1 ||
	    (came = toolbox_parts(part)) == -1 ||
	    (came == 0 && toolbox_clone(part) == -1))
		error = errno;
	for (i = 0; i < PARTS; i++) {
		if (error == 0 && part[i] != -1 &&
		    (sys_move_mount(part[i], "", AT_FDCWD, "/dev",
		    MOVE_MOUNT_F_EMPTY_PATH) == -1 || go_down() == -1 ||
		    (part[i] = sys_open_tree(AT_FDCWD, "/dev", OPEN_TREE_CLONE |
		    OPEN_TREE_CLOEXEC | AT_RECURSIVE)) == -1))
			error = errno;
		/* What does not arrive is an error at the other end. */
		may_fail(fdpass_send_with(sock, error == 0 ? part[i] : -1,
		    &error, sizeof(error)));
	}
}

/*
 * Announce a locked toolbox: that of VOLT_TOOLBOX, or a new one. This needs no
 * privileges if user namespaces are available. Returns 0, or -1 and errno.
 */
int
toolbox_lock(void)
{
	int part[PARTS], old[PARTS], pair[2], i, error = 0;
	int came = toolbox_parts(old);
	pid_t child;

	if (came == -1 || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == -1)
		return -1;
	if ((child = sys_fork_silent()) == 0) {
		lock_and_send(pair[1]);
		_exit(0);
	}
	close(pair[1]);
	if (child == -1)
		error = errno;
	for (i = 0; i < PARTS && error == 0; i++)
		if (fdpass_recv_with(pair[0], &part[i], &error,
		    sizeof(error)) != (ssize_t)sizeof(error))
			error = EPIPE;
	close(pair[0]);
	while (child != -1 && waitpid(child, NULL, __WALL) == -1 && errno == EINTR)
		;
	for (i = 0; came == 1 && i < PARTS; i++)
		if (old[i] != -1)
			close(old[i]);
	if (error == 0)
		return toolbox_announce(part);
	errno = error;
	return -1;
}

/* Clone and announce, unless VOLT_TOOLBOX is set. Returns 0, or -1 and errno. */
int
toolbox_pack(void)
{
	int part[PARTS];
	int came = toolbox_parts(part);

	if (came != 0)
		return came == 1 ? 0 : -1;
	return toolbox_clone(part) == -1 ? -1 : toolbox_announce(part);
}

/*
 * Is there a VOLT_TOOLBOX, that is, has an earlier link changed the root? Returns 1, 0,
 * or -1 and errno.
 */
int
toolbox_here(void)
{
	int part[PARTS];

	return toolbox_parts(part);
}

/*
 * Open the file of "@name". With a slash it is a path. Otherwise it is looked up in the
 * user's own directory, in /etc/volt, and in share/volt beside the programs; with a
 * toolbox only in that, never in the root. Returns a descriptor, or -1 and errno.
 */
int
toolbox_open_words(const char *name)
{
	char dir[PATH_MAX];
	int part[PARTS];
	int i, fd = -1, came;

	if (strchr(name, '/') != NULL)
		return open(name, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if ((came = toolbox_parts(part)) == -1)
		return -1;
	if (came == 1) {
		errno = ENOENT;
		for (i = OWN; i <= SHARE && fd == -1 && errno == ENOENT; i++)
			if (part[i] != -1)
				fd = path_open(part[i], name,
				    O_RDONLY | O_NOCTTY);
		return fd;
	}
	for (i = OWN; i <= SHARE && fd == -1; i++) {
		int at;

		snprintf(dir, sizeof(dir), "%s", ETC_DIR);
		if (i == SHARE && home(dir, sizeof(dir), SHARE_BESIDE) == -1)
			return -1;
		at = i == OWN ? open_own() :
		    open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (at == -1 && !is_missing(errno))
			return -1;
		if (at == -1)
			continue;
		fd = openat(at, name, O_RDONLY | O_CLOEXEC | O_NOCTTY);
		close(at);
		if (fd == -1 && errno != ENOENT)
			return -1;
	}
	return fd;
}

/*
 * Look up the volt program name: in the toolbox, or without one beside this program.
 * Returns 1 and its place, for toolbox_exec(); 0 if there is none; or -1 and errno.
 */
int
toolbox_find(const char *name, struct toolbox_program *p)
{
	int part[PARTS], came;
	size_t len;

	if ((came = toolbox_parts(part)) == -1)
		return -1;
	if (came == 1) {
		/* A symlink would be followed in the current root. */
		p->flags = AT_SYMLINK_NOFOLLOW;
		p->dir = part[PROGRAMS];
		len = 0;
	} else {
		p->flags = 0;
		p->dir = AT_FDCWD;
		if (home(p->path, sizeof(p->path), "/") == -1)
			return -1;
		len = strlen(p->path);
	}
	if ((size_t)snprintf(p->path + len, sizeof(p->path) - len, "%s",
	    name) >= sizeof(p->path) - len) {
		errno = ENAMETOOLONG;
		return -1;
	}
	if (faccessat(p->dir, p->path, F_OK, p->flags) == 0)
		return 1;
	/* A toolbox can always be searched. */
	return is_missing(errno) && (came == 0 || errno != EACCES) ? 0 : -1;
}

/*
 * Become that program, by one call to the system. That this returns says that it
 * failed, with errno.
 */
void
toolbox_exec(const struct toolbox_program *p, char *const argv[])
{
	if (p->dir == AT_FDCWD)
		execv(p->path, argv);
	else
		may_fail(sys_execveat(p->dir, p->path, argv, environ,
		    p->flags));
}

/*
 * Open the volt program name for reading, to copy it into a guest. Returns a
 * descriptor, or -1 and errno.
 */
int
toolbox_open_program(const char *name)
{
	char path[PATH_MAX];
	int part[PARTS], came;
	size_t len;

	if ((came = toolbox_parts(part)) == -1)
		return -1;
	if (came == 1)
		return openat(part[PROGRAMS], name, O_RDONLY | O_CLOEXEC);
	if (home(path, sizeof(path), "/") == -1)
		return -1;
	len = strlen(path);
	if ((size_t)snprintf(path + len, sizeof(path) - len, "%s", name) >=
	    sizeof(path) - len) {
		errno = ENAMETOOLONG;
		return -1;
	}
	return open(path, O_RDONLY | O_CLOEXEC);
}
