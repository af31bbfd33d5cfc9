/*
 * Enter the namespaces of a running process, by one setns(2) with its pidfd. So
 * we enter all of them or none, and never those of a process that reuses the
 * PID.
 */
#include <linux/nsfs.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "chain.h"
#include "death.h"
#include "ns.h"
#include "say.h"
#include "sys.h"
#include "toolbox.h"
#include "value.h"

static const struct {
	const char *name;	/* in the word and in /proc/PID/ns */
	int flag;
} kinds[] = {
	{ "user", CLONE_NEWUSER }, { "mnt", CLONE_NEWNS },
	{ "pid", CLONE_NEWPID }, { "net", CLONE_NEWNET },
	{ "uts", CLONE_NEWUTS }, { "ipc", CLONE_NEWIPC },
	{ "cgroup", CLONE_NEWCGROUP }, { "time", CLONE_NEWTIME },
};

#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

static const char *
name_of(int flag)
{
	size_t i;

	for (i = 0; i < KINDS - 1 && kinds[i].flag != flag; i++)
		;
	return kinds[i].name;
}

/* join=fd:N or join=PATH: the file of a namespace. */
static void
parse_file(struct ns *ns, const char *value)
{
	int fd, flag;

	if (ns->njoins == NS_JOINS)
		word_bad("join", value, "too many namespaces");
	fd = *value == '/' ? open(value, O_RDONLY | O_CLOEXEC) :
	    word_fd("join", value + strlen("fd:"));
	if (fd == -1 || (flag = ioctl(fd, NS_GET_NSTYPE)) == -1) {
		if (errno == ENOTTY)
			word_bad("join", value, "not a namespace");
		err(EXIT_LINK, "join=%s", value);
	}
	ns->joins[ns->njoins].fd = fd;
	ns->joins[ns->njoins++].flag = flag;
}

/* join=PID[:NS,NS...] */
void
join_parse(void *ctx, const char *key, const char *value)
{
	struct ns *ns = ctx;
	const char *cursor = value;
	char field[16];
	uint64_t pid;
	size_t i;

	(void)key;
	if (*value == '/' || strncmp(value, "fd:", 3) == 0) {
		parse_file(ns, value);
		return;
	}
	if (value_field(&cursor, ':', field, sizeof(field)) != 1 ||
	    value_uint(field, INT_MAX, &pid) == -1 || pid == 0)
		word_bad("join", value, "not a process ID");
	ns->join = (pid_t)pid;
	while (value_field(&cursor, ',', field, sizeof(field)) == 1) {
		for (i = 0; i < KINDS; i++)
			if (strcmp(kinds[i].name, field) == 0)
				break;
		if (i == KINDS)
			word_bad("join", value, "not a namespace: user mnt pid "
			    "net uts ipc cgroup time");
		ns->join_flags |= kinds[i].flag;
	}
	if (errno != 0)
		word_bad("join", value, "not a namespace");
}

/*
 * Read /proc/PID/NAME as a string, cut to size. Returns -1 and errno on error.
 */
static ssize_t
look(pid_t pid, const char *name, char *buf, size_t size)
{
	char path[64];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	if ((fd = open(path, O_RDONLY | O_CLOEXEC)) == -1)
		return -1;
	n = read(fd, buf, size - 1);
	close(fd);
	buf[n > 0 ? n : 0] = '\0';
	return n;
}

/*
 * Is child the container of the volt-ns pid? If not, it is one of volt-ns's own
 * processes. Those have the parent's arguments, or none if they have ended.
 */
static bool
is_container(pid_t pid, pid_t child)
{
	char ours[4096], its[4096];
	ssize_t n = look(pid, "cmdline", ours, sizeof(ours));
	ssize_t m = look(child, "cmdline", its, sizeof(its));

	return n > 0 && m > 0 && (n != m || memcmp(ours, its, (size_t)n) != 0);
}

/* The child of a link that waits. Ends if no child is another program yet. */
static pid_t
waited_for(pid_t pid)
{
	char buf[4096], name[64], field[16];
	const char *cursor = buf;
	uint64_t child;

	snprintf(name, sizeof(name), "task/%d/children", (int)pid);
	if (look(pid, name, buf, sizeof(buf)) == -1)
		err(EXIT_LINK, "join=%d: its children", (int)pid);
	while (value_field(&cursor, ' ', field, sizeof(field)) == 1)
		if (value_uint(field, INT_MAX, &child) == 0 &&
		    is_container(pid, (pid_t)child))
			return (pid_t)child;
	errx(EXIT_LINK, "join=%d: its container has not started yet", (int)pid);
}

/*
 * Find the process that join=pid means. A volt-ns that waits is outside of its
 * container, so its child is meant: a shell or systemd knows only the PID of
 * the parent that waits. The volt-ns may itself be the child of a volt-cg that
 * waits.
 */
static pid_t
resolve(pid_t pid)
{
	char comm[32];

	while (look(pid, "comm", comm, sizeof(comm)) != -1) {
		if (strcmp(comm, "volt-ns\n") == 0)
			return waited_for(pid);
		if (strcmp(comm, "volt-cg\n") != 0)
			break;
		pid = waited_for(pid);
	}
	return pid;
}

#define WHO_MAY "only the user who made a container, and the host's root, " \
	"may enter it"

/*
 * The namespaces of pid that are not ours. If wanted is not 0, only those in
 * it.
 */
static int
differing(pid_t pid, int wanted)
{
	struct stat its, ours;
	char path[64];
	int flags = 0;
	size_t i;

	for (i = 0; i < KINDS; i++) {
		if (wanted != 0 && (wanted & kinds[i].flag) == 0)
			continue;
		snprintf(path, sizeof(path), "/proc/%d/ns/%s", (int)pid,
		    kinds[i].name);
		if (stat(path, &its) == -1) {
			if (errno == ENOENT && wanted == 0 &&
			    kinds[i].flag == CLONE_NEWTIME)
				continue; /* the kernel has none */
			fail(EACCES, WHO_MAY, "join: %s", path);
		}
		snprintf(path, sizeof(path), "/proc/self/ns/%s", kinds[i].name);
		if (stat(path, &ours) == -1)
			err(EXIT_LINK, "join: %s", path);
		if (its.st_ino != ours.st_ino || its.st_dev != ours.st_dev)
			flags |= kinds[i].flag;
	}
	return flags;
}

/* Does a word join a namespace? */
bool
join_wanted(const struct ns *ns)
{
	return ns->join != 0 || ns->njoins > 0;
}

/*
 * Open the process of ns->join. Returns a descriptor for setns(2). flags has the
 * namespaces that the word names, or 0 for all, and gets those of them that differ from
 * ours.
 */
static int
open_process(const struct ns *ns, int *flags)
{
	pid_t pid = resolve(ns->join);
	int pidfd;

	if ((pidfd = sys_pidfd_open(pid, 0)) == -1)
		err(EXIT_LINK, "join=%d", (int)ns->join);
	if (resolve(ns->join) != pid)
		errx(EXIT_LINK, "join=%d: it has ended", (int)ns->join);
	*flags = differing(pid, *flags);
	if (*flags == 0)
		errx(EXIT_LINK, "join=%d: process %d is in the same namespaces "
		    "as we are", (int)ns->join, (int)pid);
	say("join the namespaces of process %d", (int)pid);
	return pidfd;
}

/* Enter the namespaces that are joined by their files, the user namespace first. */
static void
enter_files(struct ns *ns)
{
	bool user;
	size_t i;

	for (user = true;; user = false) {
		for (i = 0; i < ns->njoins; i++) {
			if ((ns->joins[i].flag == CLONE_NEWUSER) != user)
				continue;
			if (setns(ns->joins[i].fd, ns->joins[i].flag) == -1)
				fail(EPERM, WHO_MAY, "join=: %s", name_of(
				    ns->joins[i].flag));
			close(ns->joins[i].fd);
		}
		if (!user)
			return;
	}
}

/*
 * Could root in the namespaces that we join change our toolbox, from a mount namespace
 * of its own?
 */
static bool
needs_lock(const struct ns *ns, bool here)
{
	return here || (ns->join_flags & CLONE_NEWNS) != 0 ||
	    ((ns->join_flags & CLONE_NEWUSER) != 0 &&
		(ns->flags & CLONE_NEWNS) != 0);
}

/* Enter the namespaces that join= names. toolbox says that a link comes after us. */
void
join_enter(struct ns *ns, bool toolbox)
{
	/* A process with a second thread cannot enter a user namespace. */
	struct death death = { .alone = true };
	int pidfd = -1, here, flags = ns->join_flags;
	size_t i;

	if (ns->join != 0)
		pidfd = open_process(ns, &flags);
	ns->join_flags = flags;
	for (i = 0; i < ns->njoins; i++) {
		ns->join_flags |= ns->joins[i].flag;
		say("join the %s namespace of a file", name_of(ns->joins[i].flag));
	}
	if (has_root(ns) && (ns->join_flags & CLONE_NEWNS) != 0)
		errx(EXIT_LINK, "join= of a mount namespace cannot be used with root=");
	if (ns->dry)
		return;
	if (toolbox && ((here = toolbox_here()) == -1 ||
		(needs_lock(ns, here == 1) && toolbox_lock() == -1)))
		err(EXIT_LINK, "toolbox");
	/* From here on, processes inside see us. They must not ptrace us. */
	if (prctl(PR_SET_DUMPABLE, 0) == -1 || death_hold(&death, -1) == -1)
		err(EXIT_LINK, "join=");
	enter_files(ns);
	if (pidfd != -1) {
		if (setns(pidfd, flags) == -1)
			fail(EPERM, WHO_MAY, "join=%d", (int)ns->join);
		close(pidfd);
	}
	if ((ns->join_flags & CLONE_NEWUSER) != 0) {
		if (setresgid(0, 0, 0) == -1 && errno != EINVAL)
			err(EXIT_LINK, "join: setresgid");
		if (setresuid(0, 0, 0) == -1 && errno != EINVAL)
			err(EXIT_LINK, "join: setresuid");
	}
	if (death_release(&death) == -1)
		err(EXIT_LINK, "death signal");
}
