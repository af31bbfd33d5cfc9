/* Bubblewrap's options: their table, and which of them cannot be combined. */
#include <err.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kfile.h"
#include "say.h"
#include "value.h"

#include "bwrap.h"

#define VERSION "0.11.1"	/* of the bubblewrap that has these options */
#define ARGS_MAX ((size_t)16 << 20)	/* bytes of --args */

enum kind { OPT_STEP, OPT_UNSHARE, OPT_TRY, OPT_ALL, OPT_SHARE_NET, OPT_FLAG, OPT_FD,
	OPT_TEXT, OPT_ID, OPT_LIST, OPT_ENV, OPT_PERMS, OPT_SIZE, OPT_ARGS, OPT_FILTER,
	OPT_LABEL, OPT_LEVEL, OPT_HELP, OPT_VERSION };

struct option {
	const char *name;
	int nargs;
	enum kind kind;
	size_t at;	/* a bit, an index, or an offset into struct bwrap */
	const char *args, *help;
	void (*step)(struct bwrap *b, const char *name, char *arg[]);
};

#define STEP(name, nargs, set, args, help) { name, nargs, OPT_STEP, 0, args, help, set }
#define FLAG(name, m, help) \
	{ name, 0, OPT_FLAG, offsetof(struct bwrap, m), "", help, NULL }
#define FD(name, which, help) { name, 1, OPT_FD, which, "FD", help, NULL }
#define TEXT(name, which, args, help) { name, 1, OPT_TEXT, which, args, help, NULL }
#define ID(name, which, args, help) { name, 1, OPT_ID, which, args, help, NULL }

static const struct option options[] = {
	{ "--help", 0, OPT_HELP, 0, "", "this help", NULL },
	{ "--version", 0, OPT_VERSION, 0, "", "the version", NULL },
	FLAG("--print-chain", print, "print the chain, and do not run it"),
	{ "--level-prefix", 0, OPT_LEVEL, 0, "", "begin messages with their level, as <4>",
	    NULL },
	{ "--args", 1, OPT_ARGS, 0, "FD", "more options, with a NUL after each", NULL },
	TEXT("--argv0", TEXT_ARGV0, "NAME", "the command's argument 0"),
	{ "--unshare-all", 0, OPT_ALL, 0, "", "all namespaces but time", NULL },
	{ "--share-net", 0, OPT_SHARE_NET, 0, "", "but the caller's network", NULL },
	{ "--unshare-user", 0, OPT_UNSHARE, UNSHARE(USER), "", "a user namespace", NULL },
	{ "--unshare-user-try", 0, OPT_TRY, UNSHARE(USER), "", "if it can be made", NULL },
	{ "--unshare-ipc", 0, OPT_UNSHARE, UNSHARE(IPC), "", "an IPC namespace", NULL },
	{ "--unshare-pid", 0, OPT_UNSHARE, UNSHARE(PID), "", "a PID namespace", NULL },
	{ "--unshare-net", 0, OPT_UNSHARE, UNSHARE(NET), "", "a network namespace", NULL },
	{ "--unshare-uts", 0, OPT_UNSHARE, UNSHARE(UTS), "", "a UTS namespace", NULL },
	{ "--unshare-cgroup", 0, OPT_UNSHARE, UNSHARE(CGROUP), "", "a cgroup namespace",
	    NULL },
	{ "--unshare-cgroup-try", 0, OPT_TRY, UNSHARE(CGROUP), "", "if it can be made",
	    NULL },
	FD("--userns", FD_USERNS, "enter this user namespace"),
	FD("--userns2", FD_USERNS2, "enter this one when all is set up"),
	FD("--pidns", FD_PIDNS, "enter this PID namespace"),
	FLAG("--disable-userns", disable_userns, "no further user namespaces"),
	FLAG("--assert-userns-disabled", assert_userns, "fail if there can be any"),
	ID("--uid", TEXT_UID, "UID", "the command's user ID"),
	ID("--gid", TEXT_GID, "GID", "the command's group ID"),
	TEXT("--hostname", TEXT_HOSTNAME, "NAME", "the host name"),
	TEXT("--chdir", TEXT_CHDIR, "DIR", "the working directory"),
	{ "--setenv", 2, OPT_ENV, 0, "VAR VALUE", "set a variable", NULL },
	{ "--unsetenv", 1, OPT_ENV, 0, "VAR", "remove a variable", NULL },
	{ "--clearenv", 0, OPT_ENV, 0, "", "remove all variables but PWD", NULL },
	{ "--lock-file", 1, OPT_LIST, offsetof(struct bwrap, locks), "DEST",
	    "hold a lock of a file in the new root", NULL },
	FD("--sync-fd", FD_SYNC, "keep this open while the command runs"),
	STEP("--bind", 2, step_bind, "SRC DEST", "show SRC at DEST"),
	STEP("--bind-try", 2, step_bind, "SRC DEST", "if there is one"),
	STEP("--dev-bind", 2, step_bind, "SRC DEST", "with its devices"),
	STEP("--dev-bind-try", 2, step_bind, "SRC DEST", "if there is one"),
	STEP("--ro-bind", 2, step_bind, "SRC DEST", "read-only"),
	STEP("--ro-bind-try", 2, step_bind, "SRC DEST", "if there is one"),
	STEP("--bind-fd", 2, step_bind_fd, "FD DEST", "what FD is"),
	STEP("--ro-bind-fd", 2, step_bind_fd, "FD DEST", "read-only"),
	STEP("--remount-ro", 1, step_remount_ro, "DEST", "make the mount at DEST read-only"),
	STEP("--overlay-src", 1, step_overlay_src, "SRC", "a layer for what follows"),
	STEP("--overlay", 3, step_overlay, "RWSRC WORKDIR DEST", "changes go to RWSRC"),
	STEP("--tmp-overlay", 1, step_overlay, "DEST", "changes go to memory"),
	STEP("--ro-overlay", 1, step_overlay, "DEST", "there are no changes"),
	STEP("--proc", 1, step_proc, "DEST", "a proc"),
	STEP("--dev", 1, step_dev, "DEST", "a minimal dev"),
	STEP("--tmpfs", 1, step_tmpfs, "DEST", "an empty file system in memory"),
	STEP("--mqueue", 1, step_mqueue, "DEST", "POSIX message queues"),
	STEP("--dir", 1, step_dir, "DEST", "a directory"),
	STEP("--file", 2, step_file, "FD DEST", "a file with what FD holds"),
	STEP("--bind-data", 2, step_file, "FD DEST", "the same, mounted"),
	STEP("--ro-bind-data", 2, step_file, "FD DEST", "the same, read-only"),
	STEP("--symlink", 2, step_symlink, "SRC DEST", "a symbolic link to SRC"),
	STEP("--chmod", 2, step_chmod, "OCTAL PATH", "the mode of what is there"),
	{ "--perms", 1, OPT_PERMS, 0, "OCTAL", "the mode of what is made next", NULL },
	{ "--size", 1, OPT_SIZE, 0, "BYTES", "the size of the tmpfs that is next", NULL },
	FD("--seccomp", FD_SECCOMP, "a filter of system calls"),
	{ "--add-seccomp-fd", 1, OPT_FILTER, 0, "FD", "one more", NULL },
	FD("--block-fd", FD_BLOCK, "start the command once this can be read"),
	FD("--userns-block-fd", FD_USERNS_BLOCK, "go on once the ID maps are written"),
	FD("--info-fd", FD_INFO, "write there who the command is"),
	FD("--json-status-fd", FD_JSON_STATUS, "and how it ends"),
	FLAG("--new-session", new_session, "a session of the command's own"),
	FLAG("--die-with-parent", die_with_parent, "end with the caller"),
	FLAG("--as-pid-1", as_pid_1, "the command is PID 1 itself"),
	STEP("--cap-add", 1, caps_change, "CAP", "keep a capability, or ALL"),
	STEP("--cap-drop", 1, caps_change, "CAP", "drop a capability, or ALL"),
	{ "--exec-label", 1, OPT_LABEL, 0, "LABEL", "not to be had", NULL },
	{ "--file-label", 1, OPT_LABEL, 0, "LABEL", "not to be had", NULL },
	{ NULL, 0, OPT_HELP, 0, NULL, NULL, NULL },
};

static void
usage(FILE *f, const char *program)
{
	const struct option *o;
	char label[64];

	fprintf(f, "usage: %s [OPTION...] [--] COMMAND [ARG...]\n"
	    "Run a command in a sandbox: bubblewrap's options, as a chain of volt's.\n\n",
	    program);
	for (o = options; o->name != NULL; o++) {
		snprintf(label, sizeof(label), "%s %s", o->name, o->args);
		fprintf(f, "  %-34s %s\n", label, o->help);
	}
	if (fflush(f) == EOF)
		err(EXIT_WRONG, "write");
	exit(f == stdout ? 0 : EXIT_WRONG);
}

static char **parse(struct bwrap *b, char *argv[], const char *program);

/*
 * Apply the options in the contents of a descriptor. Each ends with a NUL, except that
 * the last may not.
 */
static void
parse_file(struct bwrap *b, const char *value)
{
	struct words args = { 0 };
	int fd = step_fd(value);
	char *data, **rest;
	ssize_t len;
	size_t i;

	/* Pages of it that are never touched cost nothing. */
	if ((data = malloc(ARGS_MAX)) == NULL ||
	    (len = kfile_slurp(fd, data, ARGS_MAX)) == -1)
		err(EXIT_WRONG, "Can't read --args data");
	close(fd);
	for (i = 0; i < (size_t)len; i += strlen(data + i) + 1)
		words_add(&args, "%s", data + i);
	free(data);
	if (args.n == 0)
		return;
	rest = parse(b, args.word, NULL);
	if (*rest != NULL)
		errx(EXIT_WRONG, "--args: %s is not an option", *rest);
}

/* If an option was given before, warn that only the last one counts. */
static void
warn_again(bool again, const char *name)
{
	if (again)
		warnx("Only the last %s option will take effect", name);
}

static void
set_size(struct bwrap *b, const char *value)
{
	unsigned long long size;
	char *end;

	if (b->size != 0)
		errx(EXIT_WRONG, "--size given twice for the same action");
	errno = 0;
	size = strtoull(value, &end, 0);
	if (errno != 0 || *value < '0' || *value > '9' || *end != '\0' || size == 0)
		errx(EXIT_WRONG, "--size takes a non-zero number of bytes");
	if (size > SIZE_MAX / 2)
		errx(EXIT_WRONG, "--size (for tmpfs) is limited to %zu", SIZE_MAX / 2);
	b->size = size;
}

static void
set_environment(struct bwrap *b, const char *name, char *arg[])
{
	if (strcmp(name, "--clearenv") == 0)
		words_add(&b->env, "env=none");
	else if (*arg[0] == '\0' || strchr(arg[0], '=') != NULL)
		errx(EXIT_WRONG, "%s: not the name of a variable: %s", name, arg[0]);
	else if (strcmp(name, "--setenv") == 0)
		words_add(&b->env, "env=%s=%s", arg[0], arg[1]);
	else
		words_add(&b->env, "unset=%s", arg[0]);
}

/* Check a filter as far as is possible here. volt-lock reads it. */
static void
check_filter(const struct bwrap *b, int fd)
{
	off_t at = lseek(fd, 0, SEEK_CUR);
	struct stat st;
	size_t i;

	for (i = 0; i < b->filters.n; i++)
		if (atoi(b->filters.word[i]) == fd)
			errno = EBADF;
	if (fstat(fd, &st) == -1 || errno == EBADF)
		err(EXIT_WRONG, "Can't read seccomp data");
	if (at != -1 && S_ISREG(st.st_mode) && st.st_size > at &&
	    (st.st_size - at) % 8 != 0)
		errx(EXIT_WRONG, "Invalid seccomp data, must be multiple of 8");
}

static void
add_filter(struct bwrap *b, const char *value)
{
	int fd;

	if (b->fd[FD_SECCOMP] != -1)
		errx(EXIT_WRONG, "--add-seccomp-fd cannot be combined with --seccomp");
	fd = step_fd(value);
	errno = 0;
	check_filter(b, fd);
	words_add(&b->filters, "%d", fd);
}

static void
set_fd(struct bwrap *b, const struct option *o, const char *value)
{
	if (o->at == FD_SECCOMP && b->filters.n > 0)
		errx(EXIT_WRONG, "--seccomp cannot be combined with --add-seccomp-fd");
	warn_again(b->fd[o->at] != -1, o->name);
	b->fd[o->at] = step_fd(value);
}

static void
set_text(struct bwrap *b, const struct option *o, const char *value)
{
	uint64_t n;

	if (o->kind == OPT_ID && value_uint(value, UINT32_MAX - 1, &n) == -1)
		errx(EXIT_WRONG, "Invalid %s: %s", o->name + 2, value);
	if (o->at == TEXT_ARGV0 && b->text[o->at] != NULL)
		errx(EXIT_WRONG, "--argv0 used multiple times");
	if (*value == '\0')
		errx(EXIT_WRONG, "%s: empty", o->name);
	warn_again(b->text[o->at] != NULL, o->name);
	b->text[o->at] = value;
}

static void
set_perms(struct bwrap *b, const struct option *o, const char *value)
{
	if (b->perms != -1)
		errx(EXIT_WRONG, "--perms given twice for the same action");
	b->perms = step_mode(o->name, value);
}

static void
unshare_all(struct bwrap *b)
{
	b->unshare_try |= UNSHARE(USER) | UNSHARE(CGROUP);
	b->unshare |= UNSHARE(IPC) | UNSHARE(PID) | UNSHARE(NET) | UNSHARE(UTS);
}

static void
apply(struct bwrap *b, const struct option *o, char *arg[], const char *program)
{
	switch (o->kind) {
	case OPT_STEP:
		o->step(b, o->name, arg);
		return;
	case OPT_UNSHARE:
		b->unshare |= (unsigned int)o->at;
		return;
	case OPT_TRY:
		b->unshare_try |= (unsigned int)o->at;
		return;
	case OPT_ALL:
		unshare_all(b);
		return;
	case OPT_SHARE_NET:
		b->unshare &= ~UNSHARE(NET);
		return;
	case OPT_FLAG:
		*(bool *)((char *)b + o->at) = true;
		return;
	case OPT_FD:
		set_fd(b, o, arg[0]);
		return;
	case OPT_TEXT:
	case OPT_ID:
		set_text(b, o, arg[0]);
		return;
	case OPT_LIST:
		words_add((struct words *)(void *)((char *)b + o->at), "%s", arg[0]);
		return;
	case OPT_ENV:
		set_environment(b, o->name, arg);
		return;
	case OPT_PERMS:
		set_perms(b, o, arg[0]);
		return;
	case OPT_SIZE:
		set_size(b, arg[0]);
		return;
	case OPT_ARGS:
		if (program == NULL)
			errx(EXIT_WRONG, "--args not supported in arguments file");
		parse_file(b, arg[0]);
		return;
	case OPT_FILTER:
		add_filter(b, arg[0]);
		return;
	case OPT_LABEL:
		errx(EXIT_WRONG, "%s: labels are SELinux's, which volt does not speak; "
		    "runcon(1) in front sets one", o->name);
	case OPT_LEVEL:
		if (setenv(SAY_LEVELS, "1", 1) == -1)
			err(EXIT_WRONG, "%s", o->name);
		say_levels = true;
		return;
	case OPT_VERSION:
		printf("bubblewrap %s (volt-bwrap %s)\n", VERSION, VOLT_VERSION);
		exit(fflush(stdout) == EOF ? EXIT_WRONG : 0);
	case OPT_HELP:
		usage(stdout, program);
	}
}

/* --perms, --size and --overlay-src must be followed by an option that they are for. */
static void
check_pending(const struct bwrap *b, const struct option *last)
{
	bool modifies = last != NULL &&
	    (last->kind == OPT_PERMS || last->kind == OPT_SIZE);

	if (!modifies && b->perms != -1)
		errx(EXIT_WRONG, "--perms must be followed by an option that creates a file");
	if (!modifies && b->size != 0)
		errx(EXIT_WRONG, "--size must be followed by --tmpfs");
	if (b->layers.n > 0 && (last == NULL || last->step != step_overlay_src))
		errx(EXIT_WRONG, "--overlay-src must be followed by another --overlay-src "
		    "or one of --overlay, --tmp-overlay, or --ro-overlay");
}

static const struct option *
find(const char *name)
{
	const struct option *o;
	char buf[SAY_NAME];

	for (o = options; o->name != NULL; o++)
		if (strcmp(o->name, name) == 0)
			return o;
	errx(EXIT_WRONG, "Unknown option %s", say_name(name, buf));
}

/* Apply the options. Returns the arguments after them. program is NULL within --args. */
static char **
parse(struct bwrap *b, char *argv[], const char *program)
{
	static const char *const numbers[] = { "no argument", "an argument",
		"two arguments", "three arguments" };
	const struct option *o;
	int i;

	for (; *argv != NULL && **argv == '-'; argv += 1 + o->nargs) {
		if (strcmp(*argv, "--") == 0)
			return argv + 1;
		o = find(*argv);
		for (i = 1; i <= o->nargs; i++)
			if (argv[i] == NULL)
				errx(EXIT_WRONG, "%s takes %s", o->name,
				    numbers[o->nargs]);
		apply(b, o, argv + 1, program);
		check_pending(b, o);
	}
	return argv;
}

/* Refuse options that contradict each other. */
static void
check(const struct bwrap *b)
{
	const struct {
		bool wrong;
		const char *why;
	} rules[] = {
		{ b->fd[FD_USERNS_BLOCK] != -1 && (b->unshare & UNSHARE(USER)) == 0,
		    "--userns-block-fd requires --unshare-user" },
		{ b->fd[FD_USERNS_BLOCK] != -1 && b->fd[FD_INFO] == -1,
		    "--userns-block-fd requires --info-fd" },
		{ b->fd[FD_USERNS] != -1 && (b->unshare & UNSHARE(USER)) != 0,
		    "--userns not compatible --unshare-user" },
		{ b->fd[FD_USERNS] != -1 && (b->unshare_try & UNSHARE(USER)) != 0,
		    "--userns not compatible --unshare-user-try" },
		{ b->disable_userns && (b->unshare & UNSHARE(USER)) == 0,
		    "--disable-userns requires --unshare-user" },
		{ b->disable_userns && b->fd[FD_USERNS_BLOCK] != -1,
		    "--disable-userns is not compatible with --userns-block-fd" },
		{ b->text[TEXT_HOSTNAME] != NULL && (b->unshare & UNSHARE(UTS)) == 0,
		    "Specifying --hostname requires --unshare-uts" },
		{ b->as_pid_1 && (b->unshare & UNSHARE(PID)) == 0,
		    "Specifying --as-pid-1 requires --unshare-pid" },
		{ b->as_pid_1 && b->locks.n > 0,
		    "Specifying --as-pid-1 and --lock-file is not permitted" },
	};
	size_t i;

	for (i = 0; i < sizeof(rules) / sizeof(rules[0]); i++)
		if (rules[i].wrong)
			errx(EXIT_WRONG, "%s", rules[i].why);
}

/* Other IDs than the caller's need a user namespace. */
static void
check_ids(const struct bwrap *b)
{
	const char *uid = b->text[TEXT_UID], *gid = b->text[TEXT_GID];

	if (getuid() != 0 || b->fd[FD_USERNS] != -1 ||
	    ((b->unshare | b->unshare_try) & UNSHARE(USER)) != 0)
		return;
	if (uid != NULL && strtoul(uid, NULL, 10) != getuid())
		errx(EXIT_WRONG, "Specifying --uid requires --unshare-user or --userns");
	if (gid != NULL && strtoul(gid, NULL, 10) != getgid())
		errx(EXIT_WRONG, "Specifying --gid requires --unshare-user or --userns");
}

/* Fill in b from the options. Returns the command. */
char **
options_parse(struct bwrap *b, char *argv[])
{
	char **rest = parse(b, argv + 1, argv[0]);

	check_pending(b, NULL);
	check(b);
	check_ids(b);
	if (b->fd[FD_SECCOMP] != -1) {
		errno = 0;
		check_filter(b, b->fd[FD_SECCOMP]);
	}
	if (*rest == NULL)
		usage(stderr, argv[0]);
	return rest;
}
