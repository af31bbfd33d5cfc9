/* chain.c: how a link becomes the next command. */
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
	FAILS(127, "exec ./two\\012lines\\033: No such file or directory",
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
	    "for f in /proc/self/fd/*; do readlink $f; done | grep -c socket;"
	    "readlink /proc/$$/fd/$0";
	struct status_ends ends;
	struct status st;
	char number[16];
	char c;
	int foreign;

	CHECK((foreign = open("/dev/null", O_RDONLY)) != -1);
	setenv("VOLT_ANYTHING", "x", 1);
	setenv("NOT_VOLT_", "kept", 1);
	CHECK_INT(status_watch(&st), 0);
	snprintf(number, sizeof(number), "%d", foreign);
	RUN("sh", "-c", script, number, NULL);
	CHECK_STR(r.out, "NOT_VOLT_=kept\n0\n/dev/null\n");
	CHECK_INT(read(st.start, &c, 1), 1);
	CHECK_INT(c, 'S');
	CHECK_INT(status_find(&ends), 0);
	CHECK_INT(status_let_go(), 0);
	CHECK_INT(read(st.start, &c, 1), 0); /* nobody can say more */
	close(foreign), close(st.start), close(st.told), close(ends.told);
}

static void
a_command_that_cannot_run_has_not_started(void)
{
	struct status_ends ends;
	struct status st;
	char s[2];

	unsetenv("VOLT_STATUS");
	CHECK_INT(status_watch(&st), 0);
	RUN("./none", NULL);
	CHECK_INT(status_find(&ends), 0);
	CHECK_INT(status_let_go(), 0);
	CHECK_INT(read(st.start, &s[0], 1), 1);
	CHECK_INT(read(st.start, &s[1], 1), 1);
	CHECK(s[0] == 'S' && s[1] == 'F');
	close(st.start), close(st.told), close(ends.told);
}

/* What a parent that waits holds is closed; what cannot be the chain's is not. */
static void
is_let_go_of(void)
{
	struct status_ends ends;
	struct status st;
	char value[16];
	int foreign;

	CHECK((foreign = open("/dev/null", O_RDWR | O_CLOEXEC)) > 2);
	snprintf(value, sizeof(value), "%d", foreign);
	setenv("VOLT_TOOLBOX", value, 1);
	setenv("VOLT_PLUG", value, 1);
	unsetenv("VOLT_STATUS");
	CHECK_INT(status_watch(&st), 0);
	CHECK_INT(status_find(&ends), 0);
	chain_find_own();
	chain_let_go();
	CHECK_INT(fcntl(foreign, F_GETFD), FD_CLOEXEC);
	CHECK_ERRNO(fcntl(ends.start[0], F_GETFD), EBADF);
	CHECK_INT(fcntl(ends.told, F_GETFD), 0);
	close(foreign), close(st.start), close(st.told), close(ends.told);
}

static void
which_command_is_a_link(void)
{
	CHECK(chain_is_name("volt-ns") && chain_may_be_link("volt-ns"));
	CHECK(!chain_is_name("/x/volt-ns") && chain_may_be_link("/x/volt-ns"));
	CHECK(!chain_is_name("volt-x/y") && !chain_may_be_link("volt-x/y"));
	CHECK(!chain_is_name("volt") && !chain_may_be_link("volt"));
	CHECK(!chain_is_name("") && !chain_may_be_link(""));
}

static void
dry_child(void *ctx)
{
	chain_dry(ctx, false, false);
}

/* A link that cannot be looked for is an error, and not the end of the chain. */
static void
a_dry_run_ends_with_the_chain(void)
{
	static char name[PATH_MAX + 8] = "volt-";

	unit_run(&r, dry_child, ARGV("true", NULL));
	CHECK_INT(r.wstatus, 0);
	unit_run(&r, dry_child, ARGV("volt-none", NULL));
	CHECK_INT(r.wstatus, 0);
	CHECK_STR(r.err, "");
	memset(name + 5, 'x', PATH_MAX);
	unit_run(&r, dry_child, ARGV(name, NULL));
	CHECK_INT(r.wstatus, UNIT_WAIT(125, 0));
	CHECK(strstr(r.err, ": look for volt-xxx") != NULL);
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
	UNIT(is_let_go_of),
	UNIT(which_command_is_a_link),
	UNIT(a_dry_run_ends_with_the_chain),
	UNIT(fills_holes_in_stdio),
};

UNIT_MAIN(tests)
