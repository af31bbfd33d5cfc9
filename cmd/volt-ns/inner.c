/* The inner actor: in the new namespaces, about to become the command. */
#include <sys/resource.h>
#include <sys/stat.h>

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "chain.h"
#include "kfile.h"
#include "ns.h"
#include "path.h"
#include "say.h"
#include "sys.h"
#include "toolbox.h"

/*
 * unshare(2) makes a time namespace for our children. Set its offsets, and then
 * enter it ourselves.
 */
static void
enter_time(const struct ns *ns)
{
	const struct {
		const char *name, *seconds;
	} clocks[] = {
		{ "monotonic", ns->monotonic }, { "boottime", ns->boottime },
	};
	char line[64];
	size_t i;
	int fd;

	if (unshare(CLONE_NEWTIME) == -1)
		err(EXIT_LINK, "time namespace");
	for (i = 0; i < sizeof(clocks) / sizeof(clocks[0]); i++) {
		if (clocks[i].seconds == NULL)
			continue;
		say("clock %s %s", clocks[i].name, clocks[i].seconds);
		snprintf(line, sizeof(line), "%s %s 0", clocks[i].name,
		    clocks[i].seconds);
		if (kfile_write(AT_FDCWD, "/proc/self/timens_offsets", line) ==
		    -1)
			err(EXIT_LINK, "%s=%s", clocks[i].name,
			    clocks[i].seconds);
	}
	fd = open("/proc/self/ns/time_for_children", O_RDONLY | O_CLOEXEC);
	if (fd == -1 || setns(fd, CLONE_NEWTIME) == -1)
		err(EXIT_LINK, "time namespace");
	close(fd);
}

static void
set_names(const struct ns *ns)
{
	if (ns->hostname != NULL) {
		say("host name %s", ns->hostname);
		if (sethostname(ns->hostname, strlen(ns->hostname)) == -1)
			err(EXIT_LINK, "hostname=%s", ns->hostname);
	}
	if (ns->domainname != NULL) {
		say("domain name %s", ns->domainname);
		if (setdomainname(ns->domainname, strlen(ns->domainname)) == -1)
			err(EXIT_LINK, "domainname=%s", ns->domainname);
	}
}

/*
 * chdir=keep: change to the caller's directory if the new root has it; else to HOME, if
 * the root has that; else to the root. Set PWD to the directory.
 */
static void
keep_directory(const struct ns *ns)
{
	const char *const wish[] = { ns->cwd, getenv("HOME") };
	const char *found = "/";
	int root, fd = -1;
	size_t i;

	if ((root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC)) == -1)
		err(EXIT_LINK, "chdir=keep");
	for (i = 0; i < 2 && fd == -1; i++) {
		if (wish[i] == NULL || (fd = path_open(root, wish[i],
			O_PATH | O_DIRECTORY)) == -1)
			continue;
		if (fchdir(fd) == 0) {
			found = wish[i];
		} else {
			close(fd);
			fd = -1;
		}
	}
	if (setenv("PWD", found, 1) == -1)
		err(EXIT_LINK, "chdir=keep");
	if (fd != -1)
		close(fd);
	close(root);
}

/*
 * Change the working directory. In a root of its own, look it up inside that.
 */
static void
change_directory(const struct ns *ns)
{
	int root, fd;

	if (ns->chdir == NULL)
		return;
	if (strcmp(ns->chdir, "keep") == 0) {
		keep_directory(ns);
		return;
	}
	if (!has_root(ns) && (ns->join_flags & CLONE_NEWNS) == 0) {
		if (chdir(ns->chdir) == -1)
			err(EXIT_LINK, "chdir=%s", ns->chdir);
		return;
	}
	root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	fd = path_open(root, ns->chdir, O_PATH | O_DIRECTORY);
	if (fd == -1)
		fail(ELOOP, "the path leads through a symlink of /proc/PID, or "
		    "a loop of symlinks", "chdir=%s", ns->chdir);
	if (fchdir(fd) == -1)
		err(EXIT_LINK, "chdir=%s", ns->chdir);
	close(fd);
	close(root);
}

_Noreturn void
inner_run(struct ns *ns, char *const argv[])
{
	struct build b = { .root = -1, .empty = -1, .inner = -1, .stage = -1 };
	bool mounts = (ns->flags & CLONE_NEWNS) != 0;
	char found[REPORT_MAX];

	if (ns->staged) {
		stage_take(ns);
	} else if (mounts) {
		/* A mount may hide the directory of the next link. */
		if (ns->link && !root_is_plain(ns) && toolbox_pack() == -1)
			err(EXIT_LINK, "toolbox");
		root_open(ns, &b);
	}
	/* Before the ID changes: then our files in /proc are no longer ours. */
	if ((ns->flags & CLONE_NEWTIME) != 0)
		enter_time(ns);
	if ((ns->flags & CLONE_NEWUSER) != 0)
		ids_become_root(ns);
	if (ns->late_cgroup && unshare(CLONE_NEWCGROUP) == -1)
		err(EXIT_LINK, "cgroup namespace");
	if (report_wanted(ns))
		report_look(ns, "self", found);
	set_names(ns);
	if ((ns->flags & CLONE_NEWNET) != 0)
		net_plug(ns);
	if (ns->staged)
		stage_fill(ns);
	else if (mounts)
		root_build(ns, &b);
	if (env_apply(&ns->env) == -1)
		err(EXIT_LINK, "environment");
	change_directory(ns);
	identity_resolve(&ns->id);
	if (ns->console != CONSOLE_NONE)
		console_open(ns);
	/* Because of must_wait() we lead no process group. */
	if (ns->console != CONSOLE_PTY && ns->new_session && setsid() == -1)
		err(EXIT_LINK, "a session of its own");
	userns_finish(ns);
	ids_set(ns);
	if (ns->umask != -1)
		umask((mode_t)ns->umask);
	if (ns->nofile.rlim_max != 0 &&
	    setrlimit(RLIMIT_NOFILE, &ns->nofile) == -1)
		err(EXIT_LINK, "limit of descriptors");
	if (report_wanted(ns))
		report_ready(ns, found);
	if (ns->wait_fd != -1)
		report_await(ns->wait_fd, "wait=");
	chain_exec(argv);
}
