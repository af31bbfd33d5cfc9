/*
 * path.c, below a root that somebody hostile has made. Each test has a root,
 * and beside it a canary, a directory that must stay as it is.
 */
#include <sys/stat.h>
#include <sys/syscall.h>

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "path.h"
#include "unit.h"

#define EXCHANGE 2 /* RENAME_EXCHANGE */

static char canary[128];

/* Make the directories, enter the root and return its descriptor. */
static int
make_root(void)
{
	char file[160];
	int root;

	snprintf(canary, sizeof(canary), "%s/canary", unit_tmpdir());
	CHECK_INT(chdir(unit_tmpdir()), 0);
	CHECK_INT(mkdir("root", 0755), 0);
	CHECK_INT(mkdir(canary, 0755), 0);
	snprintf(file, sizeof(file), "%s/secret", canary);
	unit_write(file, "secret");
	CHECK_INT(chdir("root"), 0);
	CHECK((root = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC)) != -1);
	return root;
}

/* The canary holds nothing but its file. */
static void
check_canary(void)
{
	struct dirent *d;
	DIR *dir;

	CHECK((dir = opendir(canary)) != NULL);
	while ((d = readdir(dir)) != NULL)
		if (d->d_name[0] != '.')
			CHECK_STR(d->d_name, "secret");
	closedir(dir);
}

/* fd is open, of this type, and inside the root as path; close it. */
static void
check_inside(int fd, mode_t type, const char *path)
{
	char link[64], real[PATH_MAX], want[PATH_MAX + 128];
	struct stat st;
	ssize_t n;

	CHECK(fd != -1);
	CHECK_INT(fstat(fd, &st), 0);
	CHECK_INT(st.st_mode & S_IFMT, type);
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	CHECK((n = readlink(link, real, sizeof(real) - 1)) > 0);
	real[n] = '\0';
	CHECK(realpath(".", want) != NULL);
	if (path[0] != '\0')
		snprintf(want + strlen(want), PATH_MAX, "/%s", path);
	CHECK_STR(real, want);
	CHECK(fcntl(fd, F_GETFD) == FD_CLOEXEC);
	close(fd);
}

static void
opens_below_the_root(void)
{
	int root = make_root();

	CHECK_INT(mkdir("etc", 0755), 0);
	unit_write("etc/file", "x");
	check_inside(path_open(root, "etc/file", O_RDONLY), S_IFREG, "etc/file");
	check_inside(path_open(root, "/etc/file", O_PATH), S_IFREG, "etc/file");
	check_inside(path_open(root, "//etc/./file", O_PATH), S_IFREG,
	    "etc/file");
	check_inside(path_open(root, "/", O_PATH), S_IFDIR, "");
	check_inside(path_open(root, ".", O_PATH), S_IFDIR, "");
	CHECK_ERRNO(path_open(root, "none", O_PATH), ENOENT);
	CHECK_ERRNO(path_open(root, "", O_PATH), ENOENT);
	CHECK_ERRNO(path_open(root, "etc/file/x", O_PATH), ENOTDIR);
	CHECK_ERRNO(path_open(-1, "etc", O_PATH), EBADF);
	close(root);
}

static void
dots_stay_below_the_root(void)
{
	int root = make_root();

	CHECK_INT(mkdir("etc", 0755), 0);
	check_inside(path_open(root, "..", O_PATH), S_IFDIR, "");
	check_inside(path_open(root, "../../../../etc", O_PATH), S_IFDIR, "etc");
	check_inside(path_open(root, "etc/../../../etc", O_PATH), S_IFDIR, "etc");
	CHECK_ERRNO(path_open(root, "../canary", O_PATH), ENOENT);
	CHECK_ERRNO(path_open(root, canary, O_PATH), ENOENT);
	close(root);
}

static void
links_stay_below_the_root(void)
{
	int root = make_root();

	CHECK_INT(mkdir("etc", 0755), 0);
	CHECK_INT(symlink(canary, "absolute"), 0);
	CHECK_INT(symlink("../canary", "relative"), 0);
	CHECK_INT(symlink("/etc", "inside"), 0);
	CHECK_INT(symlink("/", "top"), 0);
	CHECK_INT(symlink("loop", "loop"), 0);
	CHECK_ERRNO(path_open(root, "absolute/secret", O_PATH), ENOENT);
	CHECK_ERRNO(path_open(root, "relative/secret", O_PATH), ENOENT);
	CHECK_ERRNO(path_open(root, "top/../canary", O_PATH), ENOENT);
	CHECK_ERRNO(path_open(root, "loop", O_PATH), ELOOP);
	check_inside(path_open(root, "inside", O_PATH), S_IFDIR, "etc");
	check_inside(path_open(root, "top/top/../top/etc", O_PATH), S_IFDIR,
	    "etc");
	close(root);
}

/* /proc/self/fd/N and its kin lead out of any root. */
static void
magic_links_are_refused(void)
{
	int root = make_root(), slash;
	char link[64];

	CHECK((slash = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC)) != -1);
	snprintf(link, sizeof(link), "/proc/self/fd/%d/etc", root);
	CHECK_ERRNO(path_open(slash, link, O_PATH), ELOOP);
	CHECK_ERRNO(path_open(slash, "/proc/self/root/etc", O_PATH), ELOOP);
	CHECK_ERRNO(path_open(slash, "/proc/self/cwd", O_PATH), ELOOP);
	CHECK_ERRNO(path_make(slash, "/proc/self/cwd/x", S_IFDIR), ELOOP);
	CHECK_ERRNO(access("x", F_OK), ENOENT);
	close(slash);
	close(root);
}

static void
makes_what_is_missing(void)
{
	int root = make_root();
	struct stat st;

	umask(0);
	check_inside(path_make(root, "a/b/c", S_IFDIR), S_IFDIR, "a/b/c");
	check_inside(path_make(root, "/a//b/./file", S_IFREG), S_IFREG,
	    "a/b/file");
	check_inside(path_make(root, "d/", S_IFDIR), S_IFDIR, "d");
	check_inside(path_make(root, "x/../y/z", S_IFDIR), S_IFDIR, "y/z");
	check_inside(path_make(root, "../../up", S_IFDIR), S_IFDIR, "up");
	CHECK_INT(stat("a/b", &st), 0);
	CHECK_INT(st.st_mode & 07777, 0755);
	CHECK_INT(stat("a/b/file", &st), 0);
	CHECK_INT(st.st_mode & 07777, 0444);
	CHECK_INT(st.st_size, 0);
	check_inside(path_make_with(root, "p/q", S_IFDIR, 0750, 0701), S_IFDIR, "p/q");
	CHECK_INT(stat("p", &st), 0);
	CHECK_INT(st.st_mode & 07777, 0750);
	CHECK_INT(stat("p/q", &st), 0);
	CHECK_INT(st.st_mode & 07777, 0701);
	check_canary();
	close(root);
}

static void
leaves_what_is_there(void)
{
	int root = make_root();
	struct stat st;

	unit_write("file", "text");
	CHECK_INT(mkdir("dir", 0700), 0);
	CHECK_INT(mkfifo("fifo", 0600), 0);
	check_inside(path_make(root, "file", S_IFDIR), S_IFREG, "file");
	check_inside(path_make(root, "dir", S_IFREG), S_IFDIR, "dir");
	check_inside(path_make(root, "fifo", S_IFREG), S_IFIFO, "fifo");
	CHECK_INT(stat("file", &st), 0);
	CHECK_INT(st.st_size, 4);
	CHECK_INT(stat("dir", &st), 0);
	CHECK_INT(st.st_mode & 07777, 0700);
	CHECK_ERRNO(path_make(root, "file/below", S_IFDIR), ENOTDIR);
	close(root);
}

static void
makes_nothing_outside(void)
{
	int root = make_root();
	char inside[PATH_MAX];

	CHECK_INT(symlink(canary, "absolute"), 0);
	CHECK_INT(symlink("../canary", "relative"), 0);
	CHECK_INT(symlink("../canary/new", "dangling"), 0);
	CHECK_INT(symlink("loop", "loop"), 0);
	CHECK_INT(symlink("/new/sub/../file", "climbing"), 0);
	CHECK_INT(symlink("deep/../other", "twice"), 0);
	CHECK_ERRNO(path_make(root, "loop/x", S_IFDIR), ELOOP);
	CHECK_ERRNO(path_make(root, "loop", S_IFREG), ELOOP);
	/* Where the links lead, but inside the root. */
	snprintf(inside, sizeof(inside), "%s/x", canary + 1);
	check_inside(path_make(root, "absolute/x", S_IFDIR), S_IFDIR, inside);
	check_inside(path_make(root, "relative/x/y", S_IFREG), S_IFREG,
	    "canary/x/y");
	check_inside(path_make(root, "dangling", S_IFREG), S_IFREG,
	    "canary/new");
	check_inside(path_make(root, "climbing", S_IFREG), S_IFREG, "new/file");
	check_inside(path_make(root, "twice/d", S_IFDIR), S_IFDIR,
	    "other/d");
	check_canary();
	close(root);
}

static void
refuses_names_that_are_too_long(void)
{
	static char path[PATH_MAX + 2];
	int root = make_root();

	memset(path, 'a', 256);
	CHECK_ERRNO(path_open(root, path, O_PATH), ENAMETOOLONG);
	CHECK_ERRNO(path_make(root, path, S_IFDIR), ENAMETOOLONG);
	for (size_t i = 0; i < sizeof(path) - 1; i++)
		path[i] = i % 2 == 0 ? 'a' : '/';
	CHECK_ERRNO(path_make(root, path, S_IFDIR), ENAMETOOLONG);
	CHECK_ERRNO(access("a", F_OK), ENOENT);
	close(root);
}

static void
a_root_that_cannot_be_written(void)
{
	int root = make_root();

	if (getuid() == 0 && setresuid(12345, 12345, 12345) == -1)
		unit_skip("cannot become another user");
	else if (getuid() != 12345)
		CHECK_INT(chmod(".", 0555), 0);
	CHECK_ERRNO(path_make(root, "a/b", S_IFDIR), EACCES);
	close(root);
}

/*
 * Swap "d", a directory, for "l", a link that leads out, as fast as can be,
 * while we make things below it.
 */
static void
a_rename_race_leads_nowhere(void)
{
	int root = make_root(), fd, i, made = 0;
	char path[64];
	pid_t pid;

	CHECK_INT(mkdir("d", 0755), 0);
	CHECK_INT(symlink(canary, "l"), 0);
	CHECK((pid = fork()) != -1);
	if (pid == 0)
		for (;;)
			syscall(SYS_renameat2, root, "d", root, "l", EXCHANGE);
	for (i = 0; i < 3000; i++) {
		snprintf(path, sizeof(path), "d/%d/../%d-file", i, i);
		fd = path_make(root, path, S_IFREG);
		if (fd != -1) {
			made++;
			close(fd);
		} else {
			CHECK(errno == ENOENT || errno == ELOOP ||
			    errno == ENOTDIR || errno == EAGAIN);
		}
		fd = path_open(root, "d/../l/secret", O_PATH);
		CHECK(fd == -1);
	}
	kill(pid, SIGKILL);
	check_canary();
	CHECK(made > 0);
	close(root);
}

static const struct unit tests[] = {
	UNIT(opens_below_the_root),
	UNIT(dots_stay_below_the_root),
	UNIT(links_stay_below_the_root),
	UNIT(magic_links_are_refused),
	UNIT(makes_what_is_missing),
	UNIT(leaves_what_is_there),
	UNIT(makes_nothing_outside),
	UNIT(refuses_names_that_are_too_long),
	UNIT(a_root_that_cannot_be_written),
	UNIT(a_rename_race_leads_nowhere),
};

UNIT_MAIN(tests)
