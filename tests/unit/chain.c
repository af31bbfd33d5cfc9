/* chain.c: how a link becomes the next command. */
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "chain.h"
#include "status.h"
#include "unit.h"

static struct unit_result r;

static void
child(void *ctx)
{
	chain_exec(ctx);
}

#define ARGV(...) ((void *)(const char *[]){ __VA_ARGS__ })
#define RUN(...) unit_run(&r, child, ARGV(__VA_ARGS__))
#define FAILS(code, text, ...) \
	do { \
		RUN(__VA_ARGS__); \
		CHECK(strchr(r.err, ' ') != NULL); \
		CHECK_STR(strchr(r.err, ' ') + 1, text "\n"); \
		CHECK(WIFEXITED(r.wstatus)); \
		CHECK_INT(WEXITSTATUS(r.wstatus), code); \
	} while (0)

static void
becomes_the_command(void)
{
	RUN("sh", "-c", "echo \"$@\"; echo e >&2; exit 7", "sh", "a b", "", "c",
	    NULL);
	CHECK_STR(r.out, "a b  c\n");
	CHECK_STR(r.err, "e\n");
	CHECK_INT(WEXITSTATUS(r.wstatus), 7);
	RUN("sh", "-c", "kill -KILL $$", NULL);
	CHECK(WIFSIGNALED(r.wstatus));
}

static void
not_found_is_127(void)
{
	/* A directory of PATH that cannot be searched would make it 126. */
	setenv("PATH", "/usr/bin:/bin", 1);
	CHECK_INT(chdir(unit_tmpdir()), 0);
	unit_write("file", "");
	FAILS(127, "exec ./none: No such file or directory", "./none", NULL);
	FAILS(127, "exec none-such: No such file or directory", "none-such",
	    NULL);
	FAILS(127, "exec : No such file or directory", "", NULL);
	FAILS(127, "exec ./file/x: Not a directory", "./file/x", NULL);
	FAILS(127, "exec volt-none: No such file or directory", "volt-none",
	    NULL);
	FAILS(127, "exec ./two?lines?: No such file or directory",
	    "./two\nlines\x1b", NULL);
}

static void
not_executable_is_126(void)
{
	CHECK_INT(chdir(unit_tmpdir()), 0);
	unit_write("file", "");
	CHECK_INT(symlink("loop", "loop"), 0);
	FAILS(126, "exec ./file: Permission denied", "./file", NULL);
	FAILS(126, "exec /etc: Permission denied", "/etc", NULL);
	RUN("./loop", NULL);
	CHECK_INT(WEXITSTATUS(r.wstatus), 126);
	setenv("PATH", unit_tmpdir(), 1);
	FAILS(126, "exec file: Permission denied", "file", NULL);
	/* What exec(2) does not know no shell runs in its stead. */
	CHECK_INT(chmod("file", 0755), 0);
	unit_write("file", "exit 42\n");
	FAILS(126, "exec file: Exec format error", "file", NULL);
	FAILS(126, "exec ./file: Exec format error", "./file", NULL);
}

/* As execvp(3): a directory that is missing, or has no such file, is passed. */
static void
looks_along_path(void)
{
	char path[PATH_MAX];

	CHECK_INT(chdir(unit_tmpdir()), 0);
	unit_write("here", "#!/bin/sh\nexit 7\n");
	CHECK_INT(chmod("here", 0755), 0);
	snprintf(path, sizeof(path), "/nonexistent:here:/etc:%s", unit_tmpdir());
	setenv("PATH", path, 1);
	RUN("here", NULL);
	CHECK_INT(WEXITSTATUS(r.wstatus), 7);
	setenv("PATH", "/nonexistent:", 1); /* an empty one is "." */
	RUN("here", NULL);
	CHECK_INT(WEXITSTATUS(r.wstatus), 7);
	unsetenv("PATH");
	RUN("true", NULL);
	CHECK_INT(WEXITSTATUS(r.wstatus), 0);
	RUN("here", NULL);
	CHECK_INT(WEXITSTATUS(r.wstatus), 127);
}

/* The command finds nothing of the chain's own, and all of its caller's. */
static void
the_chain_leaves_no_trace(void)
{
	static const char script[] = "env | grep VOLT_;"
	    "for f in /proc/self/fd/*; do readlink $f; done | grep -c eventfd;"
	    "readlink /proc/$$/fd/$0";
	int counter, foreign;
	char number[16];
	eventfd_t n;

	CHECK((foreign = open("/dev/null", O_RDONLY)) != -1);
	setenv("VOLT_ANYTHING", "x", 1);
	setenv("NOT_VOLT_", "kept", 1);
	CHECK((counter = status_watch()) != -1);
	snprintf(number, sizeof(number), "%d", foreign);
	RUN("sh", "-c", script, number, NULL);
	CHECK_STR(r.out, "NOT_VOLT_=kept\n0\n/dev/null\n");
	CHECK_INT(eventfd_read(counter, &n), 0);
	CHECK_INT(n, 1);
	close(foreign);
	close(counter);
}

static void
a_command_that_cannot_run_has_not_started(void)
{
	int counter;
	eventfd_t n;

	unsetenv("VOLT_STATUS");
	CHECK((counter = status_watch()) != -1);
	RUN("./none", NULL);
	CHECK_ERRNO(eventfd_read(counter, &n), EAGAIN);
	close(counter);
}

/* Stdin, stdout and stderr are never taken by what a link opens. */
static void
closed_stdio(void *ctx)
{
	int fd, out;

	(void)ctx;
	out = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 10);
	for (fd = 0; fd <= 2; fd++)
		close(fd);
	chain_begin();
	dprintf(out, "%d\n", open("/dev/null", O_RDONLY) > 2);
	for (fd = 0; fd <= 2; fd++)
		dprintf(out, "%d\n", fcntl(fd, F_GETFD));
}

static void
fills_holes_in_stdio(void)
{
	unit_run(&r, closed_stdio, NULL);
	CHECK_STR(r.out, "1\n1\n1\n1\n");
	CHECK_INT(r.wstatus, 0);
}

static const struct unit tests[] = {
	UNIT(becomes_the_command),
	UNIT(not_found_is_127),
	UNIT(not_executable_is_126),
	UNIT(looks_along_path),
	UNIT(the_chain_leaves_no_trace),
	UNIT(a_command_that_cannot_run_has_not_started),
	UNIT(fills_holes_in_stdio),
};

UNIT_MAIN(tests)
