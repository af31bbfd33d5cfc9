#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "carry.h"
#include "chain.h"
#include "interp.h"
#include "notify.h"
#include "plug.h"
#include "say.h"
#include "status.h"
#include "sys.h"
#include "tap.h"
#include "toolbox.h"

extern char **environ;

/* The variables that name the chain's own descriptors (carry.h). */
static const struct {
	const char *name;
	int (*is_ours)(int fd);
	bool needed;	/* a link that finds a wrong one fails */
} variables[] = {
	{ TOOLBOX_VARIABLE, toolbox_is_ours, false },
	{ STATUS_VARIABLE, status_is_ours, false },
	{ NOTIFY_VARIABLE, notify_is_ours, false },
	{ PLUG_VARIABLE, plug_is_ours, true },
	{ TAP_VARIABLE, tap_is_ours, true },
};

/* Call a function for each descriptor in a variable. An error ends the program. */
static void
each(const char *name, int (*is_ours)(int fd), int (*deed)(int fd))
{
	const char *cursor = getenv(name);
	int fd, ours;

	while (carry_next(&cursor, &fd))
		if (fd > 2 && ((ours = is_ours(fd)) == -1 ||
			(ours == 1 && deed(fd) == -1)))
			err(EXIT_LINK, "%s", name);
}

static void
each_variable(int (*deed)(int fd))
{
	size_t i;

	for (i = 0; i < sizeof(variables) / sizeof(variables[0]); i++)
		each(variables[i].name, variables[i].is_ours, deed);
}

static int
keep(int fd)
{
	return fcntl(fd, F_SETFD, 0);
}

static int
close_on_exec(int fd)
{
	return fcntl(fd, F_SETFD, FD_CLOEXEC);
}

#define OWN_MOST 32

/* The chain's own descriptors but for those of status=, as chain_find_own() saw them. */
static int own[OWN_MOST];
static size_t own_count;

static int
note_own(int fd)
{
	if (own_count == OWN_MOST) {
		errno = E2BIG;
		return -1;
	}
	own[own_count++] = fd;
	return 0;
}

/* Keep the chain's own descriptors open over exec, even if they were marked. */
void
chain_keep(void)
{
	each_variable(keep);
}

/*
 * Before the fork of a parent that waits: find what chain_let_go() closes. After the
 * fork it would be too late to fail, as the command may already run.
 */
void
chain_find_own(void)
{
	size_t i;

	own_count = 0;
	for (i = 0; i < sizeof(variables) / sizeof(variables[0]); i++)
		if (strcmp(variables[i].name, STATUS_VARIABLE) != 0)
			each(variables[i].name, variables[i].is_ours, note_own);
}

/*
 * In a parent that waits: close what belongs to the rest of the chain, which the child
 * has. The parent keeps TOLD (status.h) for its own report.
 */
void
chain_let_go(void)
{
	size_t i;

	for (i = 0; i < own_count; i++)
		close(own[i]);
	own_count = 0;
	if (status_let_go() == -1)
		err(EXIT_LINK, STATUS_VARIABLE);
}

/*
 * A command that is not a link gets no VOLT_ variable, and no descriptor that such a
 * variable names. The descriptors are marked close-on-exec and not closed, since
 * exec(2) may still fail.
 */
static void
scrub(void)
{
	char **in, **out;

	each_variable(close_on_exec);
	for (in = out = environ; in != NULL && *in != NULL; in++)
		if (!carry_is_variable(*in))
			*out++ = *in;
	if (out != NULL)
		*out = NULL;
}

/* It is an error if volt-net offered a network and no link took it. */
void
chain_refuse_waste(void)
{
	struct plug_offer o;
	int sock = plug_find();

	/* There is no plug, or volt-net did not make it. */
	if (sock == -1 && carry_is_none(errno))
		return;
	if (sock == -1 || plug_peek(sock, &o) == -1) {
		/* The offer is taken, or there was none. */
		if (sock != -1 && (errno == EAGAIN || errno == EPROTO))
			return;
		err(EXIT_LINK, PLUG_VARIABLE);
	}
	if (o.kind == PLUG_DEFERRED)
		errx(EXIT_LINK, "no volt-ns -n took the network of volt-net -d");
	if ((o.flags & PLUG_FILES) != 0)
		errx(EXIT_LINK, "dns=, search= and hosts= of volt-net need a "
		    "volt-ns with a root");
}

/*
 * Open something to fill a hole with: /dev/null; or, if the root has none or
 * Landlock denies it, another descriptor that takes no bytes.
 */
static int
placeholder(void)
{
	int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (fd == -1)
		fd = open("/", O_PATH | O_CLOEXEC);
	return fd;
}

/*
 * Does a variable name a standard stream, or a descriptor that is closed? An error
 * ends the program.
 */
static bool
is_forged(const char *name)
{
	const char *cursor = getenv(name);
	int fd;

	while (carry_next(&cursor, &fd)) {
		if (fd == -1 || (fd > 2 && fcntl(fd, F_GETFD) != -1))
			continue;
		if (fd <= 2 || errno == EBADF)
			return true;
		err(EXIT_LINK, "%s", name);
	}
	return false;
}

/*
 * Remove such a variable, because a descriptor that we open may get the number. Of an
 * open one is_ours() tells later. A variable that a link may need stays, and names
 * nothing: the network that was asked for is not just forgotten.
 */
static void
drop_forged(void)
{
	const char *name;
	size_t i;

	for (i = 0; i < sizeof(variables) / sizeof(variables[0]); i++) {
		name = variables[i].name;
		if (!is_forged(name))
			continue;
		if ((variables[i].needed ? setenv(name, "-", 1) :
			unsetenv(name)) == -1)
			err(EXIT_LINK, "%s", name);
	}
}

/*
 * Before anything is opened: fill holes among stdin, stdout and stderr, so that no
 * descriptor of ours gets their number. They close on exec: the command finds them
 * closed, like the caller.
 */
void
chain_begin(void)
{
	static char line[1024];
	int fd;

	drop_forged();
	say_levels = getenv(SAY_LEVELS) != NULL;
	/* A message is one write(2), as others may write there, too. */
	setvbuf(stderr, line, _IOLBF, sizeof(line));
	for (fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) == -1 && placeholder() != fd)
			err(EXIT_LINK, "/dev/null");
	if (toolbox_begin() == -1)
		err(EXIT_LINK, "/proc/self/exe");
}

/* What chain_prepare() found. */
static struct {
	bool done, tool;
	struct toolbox_program program;	/* a volt program */
	struct status_ends ends;
} next;

static void
take_back_start(void)
{
	status_failed(&next.ends);
}

static const char *
last_part(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash != NULL ? slash + 1 : path;
}

/*
 * May this command be a link, by its name or its path? With a toolbox only a name can
 * be one: see chain_prepare().
 */
bool
chain_may_be_link(const char *command)
{
	return strncmp(last_part(command), "volt-", 5) == 0;
}

/* The command's arguments, if chain_name() gives it another argument 0. */
static char **renamed;

/*
 * Give the command this argument 0. A link keeps its own. Call it before
 * chain_prepare(). name stays the caller's. An error ends the program.
 */
void
chain_name(char *const argv[], const char *name)
{
	size_t n;

	for (n = 0; argv[n] != NULL; n++)
		;
	if ((renamed = malloc((n + 1) * sizeof(*renamed))) == NULL)
		err(EXIT_LINK, "arguments");
	memcpy(renamed, argv, (n + 1) * sizeof(*renamed));
	renamed[0] = (char *)(uintptr_t)name;
}

/* Is this command the plain name of a volt program, to be looked up in the toolbox? */
bool
chain_is_name(const char *command)
{
	return chain_may_be_link(command) && strchr(command, '/') == NULL;
}

/*
 * Look up a command that is such a name. Returns whether there is that program. An
 * error ends the program.
 */
static bool
find_program(const char *command, struct toolbox_program *p)
{
	int found = 0;

	if (chain_is_name(command) && (found = toolbox_find(command, p)) == -1)
		err(EXIT_LINK, "look for %s", command);
	return found == 1;
}

/* Tell systemd that the command starts, if that is wanted. An error ends the program. */
static void
say_ready(void)
{
	int fd = notify_open();

	if (fd == -1 && errno == ENOENT)
		return;
	if (fd == -1 || notify_ready(fd) == -1)
		err(EXIT_LINK, NOTIFY_READY);
	close(fd);
}

/*
 * Do all that the exec of this command needs, except the exec. So chain_exec() needs
 * no other system call, and volt-lock can forbid the others in between. A link that
 * exits after this has not started the command.
 *
 * A name that begins with "volt-" is looked up in the toolbox, or without a toolbox
 * beside this program, and then like any other name along PATH. With a toolbox only
 * its programs are links: a program of the root named volt-x is a command like any
 * other.
 */
void
chain_prepare(char *const argv[])
{
	int here;

	next.done = true;
	next.tool = find_program(argv[0], &next.program);
	if (next.tool)
		return;
	if (chain_may_be_link(argv[0]) && (here = toolbox_here()) != 1) {
		if (here == -1)
			err(EXIT_LINK, TOOLBOX_VARIABLE);
		return;
	}
	chain_refuse_waste();
	if (status_find(&next.ends) == -1)
		err(EXIT_LINK, STATUS_VARIABLE);
	/* Before the first report, so that none is left where a later one fails. */
	if (next.ends.n > 0 && atexit(take_back_start) != 0)
		err(EXIT_LINK, STATUS_VARIABLE);
	if (status_started(&next.ends) == -1)
		err(EXIT_LINK, STATUS_VARIABLE);
	say_ready();
	scrub();
}

/* A filter may allow little more than exec(2) and a message. */
static bool sealed;

void
chain_seal(void)
{
	sealed = true;
}

/* Advice for a command that exists and cannot be run. */
static const char *advice;

void
chain_advise(const char *line)
{
	advice = line;
}

/* Where a command is looked up without PATH. */
#define USUAL_PATH "/usr/local/bin:/bin:/usr/bin"

/*
 * execvp(3), the same with each C library: glibc's runs a file that exec(2) refuses
 * by a shell. Returns only on failure, with errno.
 */
static void
exec_along_path(char *const argv[], char *const given[])
{
	const char *dir = getenv("PATH"), *end;
	char path[PATH_MAX];
	bool denied = false;

	if (strchr(argv[0], '/') != NULL || argv[0][0] == '\0') {
		execve(argv[0], given, environ);
		return;
	}
	for (dir = dir != NULL ? dir : USUAL_PATH; dir != NULL;
	     dir = *end == ':' ? end + 1 : NULL) {
		end = dir + strcspn(dir, ":");
		if (snprintf(path, sizeof(path), "%.*s%s%s", (int)(end - dir),
			dir, end == dir ? "" : "/", argv[0]) >=
		    (int)sizeof(path)) {
			errno = ENAMETOOLONG;
			return;
		}
		execve(path, given, environ);
		if (errno == EACCES)
			denied = true;
		else if (errno != ENOENT && errno != ENOTDIR)
			return;
	}
	errno = denied ? EACCES : ENOENT;
}

#define DRY_VARIABLE "VOLT_DRY"

/* In a dry run: would a link in front of us have done this? */
bool
chain_is_to(char what)
{
	const char *value = getenv(DRY_VARIABLE);

	return value != NULL && strchr(value, what) != NULL;
}

/* What a link ends with when exec failed so. */
static int
exec_status(int error)
{
	return error == ENOENT || error == ENOTDIR ? EXIT_NOTFOUND :
	    EXIT_CANTEXEC;
}

/*
 * The end of a dry run: exec the next link, if there is one, with -N. Tell it what a
 * real run would have changed by then.
 */
_Noreturn void
chain_dry(char *const argv[], bool root, bool init)
{
	static char dry[] = "-N";
	struct toolbox_program program;
	char state[3] = "", **with, name[SAY_NAME];
	size_t n;

	if (argv[0] == NULL || !find_program(argv[0], &program))
		exit(0);
	if (root || chain_is_to(CHAIN_ROOT))
		state[0] = CHAIN_ROOT;
	if (init)
		state[strlen(state)] = CHAIN_INIT;
	for (n = 0; argv[n] != NULL; n++)
		;
	if ((with = malloc((n + 2) * sizeof(*with))) == NULL ||
	    setenv(DRY_VARIABLE, state, 1) == -1)
		err(EXIT_LINK, "%s", argv[0]);
	with[0] = argv[0];
	with[1] = dry;
	memcpy(with + 2, argv + 1, n * sizeof(*with));
	toolbox_exec(&program, with);
	err(exec_status(errno), "exec %s", say_name(argv[0], name));
}

/* Become the next command of the chain, or print an error and exit with 126 or 127. */
_Noreturn void
chain_exec(char *const argv[])
{
	char name[SAY_NAME], interp[PATH_MAX];
	int saved;

	if (!next.done)
		chain_prepare(argv);
	if (next.tool)
		toolbox_exec(&next.program, argv);
	else
		exec_along_path(argv, renamed != NULL ? renamed : argv);
	saved = errno;
	if (saved == ENOENT && !next.tool && !sealed &&
	    interp_missing(argv[0], interp))
		errx(EXIT_CANTEXEC, "exec %s: its interpreter is missing: %s",
		    say_name(argv[0], name), interp);
	errno = saved;
	warn_last("exec %s", say_name(argv[0], name));
	if (saved == EACCES && advice != NULL)
		warnx("%s", advice);
	exit(exec_status(saved));
}
