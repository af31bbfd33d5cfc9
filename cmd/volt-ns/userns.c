/*
 * userns=: whether the command may make user namespaces, and the one that it enters
 * last. The kernel limits the number of namespaces below a user namespace, and only a
 * process with privileges in that one can set the limit. The builder does, in the user
 * namespace between the caller's and the container's: it allows only the container's.
 */
#include <err.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <unistd.h>

#include "chain.h"
#include "death.h"
#include "kfile.h"
#include "ns.h"

/* userns=any|none|check|fd:N|PATH */
void
userns_parse(void *ctx, const char *key, const char *value)
{
	struct ns *ns = ctx;

	if (strcmp(value, "any") == 0)
		ns->userns_none = ns->userns_check = false;
	else if (strcmp(value, "none") == 0)
		ns->userns_none = ns->userns_check = true;
	else if (strcmp(value, "check") == 0)
		ns->userns_check = true;
	else if (strncmp(value, "fd:", 3) == 0)
		ns->userns_fd = word_fd(key, value + 3);
	else if (*value != '/')
		word_bad(key, value, "not any, none, check, fd:N or a path");
	else if ((ns->userns_fd = open(value, O_RDONLY | O_CLOEXEC)) == -1)
		err(EXIT_LINK, "%s=%s", key, value);
}

/* With userns=none: check that there can be a user namespace between, or end. */
void
userns_check(const struct ns *ns)
{
	if (!ns->staged)
		errx(EXIT_LINK, "userns=none needs -Um, and a new root or a mount");
	/* Only the host's root makes ID-mapped mounts; it is not root in that one. */
	if (geteuid() == 0 && (ns->root.idmap || (ns->nlower > 0 && ns->lower[0].idmap)))
		errx(EXIT_LINK, "userns=none: the host's root must give uidmap=, too");
}

/* In the user namespace between: allow one more, the container's. */
void
userns_limit(const struct ns *ns)
{
	static const char path[] = "/proc/sys/user/max_user_namespaces";

	if (ns->userns_none && kfile_write(AT_FDCWD, path, "1") == -1)
		err(EXIT_LINK, "userns=none: %s", path);
}

/*
 * In the container, when it is set up: enter the user namespace of fd:N or of a path. For
 * none and check, make sure that no other can be made.
 */
void
userns_finish(const struct ns *ns)
{
	/* A process with two threads cannot enter a user namespace by setns(2). */
	struct death death = { .alone = true };

	if (ns->userns_fd != -1) {
		if (death_hold(&death, ns->parent) == -1 ||
		    setns(ns->userns_fd, CLONE_NEWUSER) == -1 ||
		    death_release(&death) == -1)
			err(EXIT_LINK, "userns=: enter");
		close(ns->userns_fd);
	}
	if (ns->userns_check && unshare(CLONE_NEWUSER) == 0)
		errx(EXIT_LINK, "userns=: user namespaces can be made here");
}
