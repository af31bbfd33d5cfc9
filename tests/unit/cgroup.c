/* cgroup.c: where cgroup v2 is, and where in it we are. */
#include <sys/mount.h>
#include <sys/stat.h>

#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cgroup.h"
#include "kfile.h"
#include "unit.h"

static struct cgroup_tree t;
static char group[64];	/* below the top */

/* What /proc says of us. */
static const char *
own(void)
{
	static char buf[8192];
	char *s, *end;

	CHECK(kfile_read(AT_FDCWD, "/proc/self/cgroup", buf, sizeof(buf)) > 0);
	if (strncmp(buf, "0::", 3) == 0)
		s = buf;
	else
		CHECK((s = strstr(buf, "\n0::")) != NULL && s++);
	CHECK((end = strchr(s, '\n')) != NULL);
	*end = '\0';
	return strcmp(s + 3, "/") == 0 ? "" : s + 3;
}

/* A mount namespace of our own, with no cgroup v2 in it. */
static void
begin(void)
{
	if (cgroup_tree_open(&t) == -1)
		unit_skip("the host lacks: cgroup v2");
	if (geteuid() != 0 || unshare(CLONE_NEWNS) == -1)
		unit_skip("needs root");
	CHECK_INT(mount("", "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
	close(t.top);
	CHECK_INT(chdir(unit_tmpdir()), 0);
	while (cgroup_tree_open(&t) == 0) {
		close(t.top);
		CHECK_INT(umount2(t.point, MNT_DETACH), 0);
	}
	CHECK_INT(errno, ENOENT);
	CHECK_INT(t.top, -1);
}

static void
mount_at(const char *dir)
{
	CHECK_INT(mkdir(dir, 0755), 0);
	CHECK_INT(mount("cgroup2", dir, "cgroup2", 0, NULL), 0);
}

static void
it_is_where_the_kernel_says(void)
{
	struct stat a, b;

	begin();
	mount_at("a b\t\\c");
	CHECK_INT(cgroup_tree_open(&t), 0);
	CHECK_STR(strrchr(t.point, '/'), "/a b\t\\c");
	CHECK(t.visible);
	CHECK_STR(t.own, own());
	CHECK_INT(fstat(t.top, &a), 0);
	CHECK_INT(stat("a b\t\\c", &b), 0);
	CHECK_INT(a.st_ino, b.st_ino);
	close(t.top);
	CHECK_INT(umount2("a b\t\\c", MNT_DETACH), 0);
}

/* What is mounted over it hides it. */
static void
a_hidden_mount_is_not_taken(void)
{
	begin();
	mount_at("cg");
	CHECK_INT(mount("tmpfs", "cg", "tmpfs", 0, NULL), 0);
	CHECK_ERRNO(cgroup_tree_open(&t), ENOENT);
	CHECK_INT(umount2("cg", 0), 0);
	CHECK_INT(cgroup_tree_open(&t), 0);
	close(t.top);
	CHECK_INT(umount2("cg", MNT_DETACH), 0);
}

/* A mount that shows another part of the tree serves only without a better. */
static void
a_part_of_the_tree(void)
{
	char dir[96];

	begin();
	mount_at("all");
	snprintf(group, sizeof(group), "unit-%d", (int)getpid());
	snprintf(dir, sizeof(dir), "all/%s", group);
	CHECK_INT(mkdir(dir, 0755), 0);
	CHECK_INT(mkdir("part", 0755), 0);
	CHECK_INT(mount(dir, "part", NULL, MS_BIND, NULL), 0);
	CHECK_INT(cgroup_tree_open(&t), 0);
	CHECK_STR(strrchr(t.point, '/'), "/all");
	close(t.top);
	CHECK_INT(umount2("all", MNT_DETACH), 0);
	CHECK_INT(cgroup_tree_open(&t), 0);
	CHECK_STR(strrchr(t.point, '/'), "/part");
	CHECK(!t.visible);
	close(t.top);
	CHECK_INT(umount2("part", MNT_DETACH), 0);
	CHECK_INT(mount("cgroup2", "all", "cgroup2", 0, NULL), 0);
	CHECK_INT(rmdir(dir), 0);
	CHECK_INT(umount2("all", MNT_DETACH), 0);
}

static void
groups_are_opened_by_path(void)
{
	int top, a, b;

	CHECK_INT(chdir(unit_tmpdir()), 0);
	CHECK_INT(mkdir("a", 0755), 0);
	CHECK_INT(mkdir("a/b", 0755), 0);
	CHECK_INT(symlink("b", "a/link"), 0);
	CHECK((top = open(".", O_PATH | O_CLOEXEC)) != -1);
	CHECK((a = cgroup_open(top, "")) != -1);
	CHECK_INT(fcntl(a, F_GETFD), FD_CLOEXEC);
	CHECK((b = cgroup_open(top, "/a/b")) != -1);
	close(a);
	close(b);
	CHECK_ERRNO(cgroup_open(top, "/none"), ENOENT);
	CHECK_ERRNO(cgroup_open(top, "/a/link"), ENOTDIR);
	close(top);
}

static void
words_of_a_file_are_whole(void)
{
	int dir;

	CHECK_INT(chdir(unit_tmpdir()), 0);
	unit_write("list", "cpuset cpu io\n");
	CHECK((dir = open(".", O_PATH | O_CLOEXEC)) != -1);
	CHECK(cgroup_lists(dir, "list", "cpu"));
	CHECK(cgroup_lists(dir, "list", "cpuset"));
	CHECK(cgroup_lists(dir, "list", "io"));
	CHECK(!cgroup_lists(dir, "list", "cp"));
	CHECK(!cgroup_lists(dir, "list", ""));
	CHECK(!cgroup_lists(dir, "none", "cpu"));
	close(dir);
}

static void
below_is_a_whole_name(void)
{
	CHECK_STR(cgroup_below("/a/b", "/a"), "/b");
	CHECK_STR(cgroup_below("/a/b", "/"), "/a/b");
	CHECK_STR(cgroup_below("/a", "/a"), "");
	CHECK_STR(cgroup_below("", "/"), "");
	CHECK(cgroup_below("/ab", "/a") == NULL);
	CHECK(cgroup_below("/a", "/a/b") == NULL);
	/* Outside of the namespace, and a name that only begins so. */
	CHECK(cgroup_below("/..", "/..") == NULL);
	CHECK(cgroup_below("/../a", "/") == NULL);
	CHECK_STR(cgroup_below("/..a/b", "/..a"), "/b");
	CHECK_STR(cgroup_below("/...", "/"), "/...");
}

static void
a_unit_is_the_nearest(void)
{
	char buf[64];

	CHECK_STR(cgroup_unit("/system.slice/a.service/web", buf, 64),
	    "a.service");
	CHECK_STR(cgroup_unit("/user.slice/user@1.service/app.slice/b.scope",
	    buf, 64), "b.scope");
	CHECK_STR(cgroup_unit("/volt/web", buf, 64), "-");
	CHECK_STR(cgroup_unit("", buf, 64), "-");
	CHECK_STR(cgroup_unit("/.service/.scope/ascope", buf, 64), "-");
	CHECK_STR(cgroup_unit("/a.service", buf, 9), "-");
	CHECK_STR(cgroup_unit("/a.service/", buf, 10), "a.service");
}

static const struct unit tests[] = {
	UNIT(a_unit_is_the_nearest),
	UNIT(below_is_a_whole_name),
	UNIT(it_is_where_the_kernel_says),
	UNIT(a_hidden_mount_is_not_taken),
	UNIT(a_part_of_the_tree),
	UNIT(groups_are_opened_by_path),
	UNIT(words_of_a_file_are_whole),
};

UNIT_MAIN(tests)
