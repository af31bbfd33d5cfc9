/*
 * userns=: the user namespaces that the command may make, and the one that it is in at
 * last. The kernel counts the namespaces below a user namespace, and only who has
 * rights over it sets how many there may be: the builder does, in the one between the
 * caller's and the container's, where the container's own is the only one.
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

/* With userns=none: will there be a user namespace between, and can there be? */
void
userns_check(const struct ns *ns)
{
	if (!ns->staged)
		errx(EXIT_LINK, "userns=none needs -Um, and a new root or a mount");
	/* Only the host's root maps the IDs of mounts, and it is not root in there. */
	if (geteuid() == 0 && (ns->root.idmap || (ns->nlower > 0 && ns->lower[0].idmap)))
		errx(EXIT_LINK, "userns=none: the host's root must give uidmap=, too");
}

/* In the user namespace between: the next one is the last. */
void
userns_limit(const struct ns *ns)
{
	static const char path[] = "/proc/sys/user/max_user_namespaces";

	if (ns->userns_none && kfile_write(AT_FDCWD, path, "1") == -1)
		err(EXIT_LINK, "userns=none: %s", path);
}

/* In the container, when it is set up: enter the last one, and see that it is. */
void
userns_finish(const struct ns *ns)
{
	/* setns(2) takes no second thread into a user namespace. */
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
