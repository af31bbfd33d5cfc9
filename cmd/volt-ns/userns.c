/*
 * userns=: may the command make user namespaces, and which one is it in? The kernel
 * limits how many namespaces a user namespace may have below it. Only a process with
 * rights over a user namespace can set that limit. So the builder sets it to one in the
 * user namespace between the caller's and the container's. The container's own is that
 * one.
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

/* Check that userns=none is possible: there must be a user namespace between. */
void
userns_check(const struct ns *ns)
{
	if (!ns->staged)
		errx(EXIT_LINK, "userns=none needs -Um, and a new root or a mount");
	/* Only the host's root can map the IDs of mounts, and between it is not root. */
	if (geteuid() == 0 && (ns->root.idmap || (ns->nlower > 0 && ns->lower[0].idmap)))
		errx(EXIT_LINK, "userns=none: the host's root must give uidmap=, too");
}

/* In the user namespace between: allow one more, which is the last. */
void
userns_limit(const struct ns *ns)
{
	static const char path[] = "/proc/sys/user/max_user_namespaces";

	if (ns->userns_none && kfile_write(AT_FDCWD, path, "1") == -1)
		err(EXIT_LINK, "userns=none: %s", path);
}

/* In the container, when it is set up: enter userns=, and check that it is the last. */
void
userns_finish(const struct ns *ns)
{
	/* A process with a second thread cannot enter a user namespace. */
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
