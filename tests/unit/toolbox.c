/* toolbox.c: what is believed, and what the clones allow. */
#include <sys/stat.h>
#include <sys/wait.h>

#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "toolbox.h"
#include "unit.h"

/* Capabilities over mounts, of this test's own. */
static void
own_mounts(void)
{
	if (unshare(CLONE_NEWUSER | CLONE_NEWNS) == -1)
		unit_skip("no user namespaces");
}

static void
believes_nothing_but_clones(void)
{
	static const char *const formats[] = { "%d", "%d:-", "%d:-:-:-",
		"%d:%d:%d:-", "-:-:-:-", "%d:-:-", "%d:-:-:-:", "0%d:-:-:-",
		" %d:-:-:-", "%d:-:-:-:-", "x:-:-:-", "99999999999:-:-:-",
		"::::", "" };
	static const char *const paths[] = { "/", "/etc", "/proc", "/dev/null",
		"." };
	char value[64];
	size_t i, k;
	int fd;

	unsetenv("VOLT_TOOLBOX");
	CHECK(!toolbox_here());
	for (i = 0; i < UNIT_COUNT(paths); i++) {
		CHECK((fd = open(paths[i], O_PATH | O_CLOEXEC)) != -1);
		for (k = 0; k < UNIT_COUNT(formats); k++) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
			snprintf(value, sizeof(value), formats[k], fd, fd, fd);
#pragma GCC diagnostic pop
			setenv("VOLT_TOOLBOX", value, 1);
			CHECK(!toolbox_here());
		}
		close(fd);
	}
}

static void
packs_and_is_believed(void)
{
	char value[64];
	int fd;

	unsetenv("VOLT_TOOLBOX");
	own_mounts();
	CHECK_INT(toolbox_pack(), 0);
	CHECK(toolbox_here());
	strcpy(value, getenv("VOLT_TOOLBOX"));
	fd = atoi(value);
	CHECK_INT(fcntl(fd, F_GETFD), 0);
	CHECK_INT(toolbox_pack(), 0); /* one is enough */
	CHECK_STR(getenv("VOLT_TOOLBOX"), value);
	/* A descriptor more would be a lie. */
	strcat(value, ":-");
	setenv("VOLT_TOOLBOX", value, 1);
	CHECK(!toolbox_here());
	_exit(0); /* the parts stay open: that is their purpose */
}

static void
nothing_can_be_changed_through_it(void)
{
	int part[TOOLBOX_PARTS], fd;
	struct stat here, up;

	own_mounts();
	CHECK_INT(toolbox_clone(part), 0);
	CHECK(fcntl(part[0], F_GETFD) == FD_CLOEXEC);
	CHECK_ERRNO(openat(part[0], "value.t", O_RDWR), EROFS);
	CHECK_ERRNO(openat(part[0], "new", O_WRONLY | O_CREAT, 0600), EROFS);
	CHECK_ERRNO(unlinkat(part[0], "toolbox.t", 0), EROFS);
	CHECK((fd = openat(part[0], "toolbox.t", O_RDONLY)) != -1);
	close(fd);
	CHECK_INT(fstatat(part[0], "../../..", &up, 0), 0);
	CHECK_INT(fstat(part[0], &here), 0);
	CHECK(here.st_ino == up.st_ino && here.st_dev == up.st_dev);
	for (int i = 0; i < TOOLBOX_PARTS; i++)
		if (part[i] != -1)
			close(part[i]);
}

static void
words_files_of_a_root_are_not_ours(void)
{
	int fd;

	CHECK_INT(chdir(unit_tmpdir()), 0);
	unit_write("plain", "");
	unsetenv("VOLT_TOOLBOX");
	CHECK((fd = toolbox_open_words("./plain")) != -1);
	CHECK(fcntl(fd, F_GETFD) == FD_CLOEXEC);
	close(fd);
	CHECK_ERRNO(toolbox_open_words("plain"), ENOENT);
	CHECK_ERRNO(toolbox_open_words("./none"), ENOENT);
	CHECK_ERRNO(toolbox_open_words("no-such-file"), ENOENT);
	own_mounts();
	CHECK_INT(toolbox_pack(), 0);
	CHECK_ERRNO(toolbox_open_words("plain"), ENOENT);
	CHECK_ERRNO(toolbox_open_words("no-such-file"), ENOENT);
	_exit(0);
}

static void
run_program(void *ctx)
{
	const char *argv[] = { ctx, NULL };
	static struct toolbox_program program;

	if (toolbox_find(ctx, &program))
		toolbox_exec(&program, (char **)(void *)argv);
	printf("%s", strerror(errno));
}

static void
programs_are_found_beside_this_one(void)
{
	static struct unit_result r;
	char name[] = "value.t", none[] = "volt-none", up[] = "..";

	unsetenv("VOLT_TOOLBOX");
	unit_run(&r, run_program, name);
	CHECK(strstr(r.out, "ok 1 uint_values") != NULL);
	unit_run(&r, run_program, none);
	CHECK_STR(r.out, "No such file or directory");
	own_mounts();
	CHECK_INT(toolbox_pack(), 0);
	unit_run(&r, run_program, name);
	CHECK(strstr(r.out, "ok 1 uint_values") != NULL);
	unit_run(&r, run_program, none);
	CHECK_STR(r.out, "No such file or directory");
	unit_run(&r, run_program, up);
	CHECK_STR(r.out, "Permission denied");
	_exit(0);
}

static const struct unit tests[] = {
	UNIT(believes_nothing_but_clones),
	UNIT(packs_and_is_believed),
	UNIT(nothing_can_be_changed_through_it),
	UNIT(words_files_of_a_root_are_not_ours),
	UNIT(programs_are_found_beside_this_one),
};

UNIT_MAIN(tests)
