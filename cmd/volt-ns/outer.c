/* The outer actor: what only the caller's own privileges can do (ns.h). */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "chain.h"
#include "fdpass.h"
#include "sys.h"

#include "ns.h"

/* Must the outer actor make this mount? Never without a user namespace. */
static bool
outer_mount(const struct mount *m)
{
	return m->what != NULL && (m->idmap || m->kind == MOUNT_IMAGE);
}

/*
 * The next mount after m that is the outer actor's, the first for NULL; NULL at
 * the end. Both actors walk in the same order.
 */
static struct mount *
next_outer(struct ns *ns, const struct mount *m)
{
	bool found = m == NULL;
	size_t i;

	if (found && outer_mount(&ns->root))
		return &ns->root;
	found = found || m == &ns->root;
	for (i = 0; i < ns->nlower; i++) {
		if (found && outer_mount(&ns->lower[i]))
			return &ns->lower[i];
		found = found || m == &ns->lower[i];
	}
	for (i = 0; i < ns->nmounts; i++) {
		if (found && outer_mount(&ns->mounts[i]))
			return &ns->mounts[i];
		found = found || m == &ns->mounts[i];
	}
	return NULL;
}

bool
outer_needed(struct ns *ns)
{
	return (ns->flags & CLONE_NEWUSER) != 0 &&
	    (idmap_needs_outer(ns) || next_outer(ns, NULL) != NULL);
}

/*
 * Serve inner, which has its namespaces or is about to: write the maps, make
 * the mounts. Errors end this process, and by the closed socket inner too.
 */
void
outer_serve(struct ns *ns, int sock, pid_t inner)
{
	struct mount *m = NULL;
	char path[64], byte;
	int userns, fd;

	/* Until inner says so it may still be in our namespaces. */
	if (read(sock, &byte, 1) != 1)
		return;
	idmap_write(ns, inner);
	fdpass_send(sock, -1);
	if (next_outer(ns, NULL) == NULL)
		return;
	snprintf(path, sizeof(path), "/proc/%d/ns/user", (int)inner);
	if ((userns = open(path, O_RDONLY | O_CLOEXEC)) == -1)
		err(EXIT_LINK, "%s", path);
	while ((m = next_outer(ns, m)) != NULL) {
		fd = apply_source(m, userns);
		fdpass_send(sock, fd);
		close(fd);
	}
	close(userns);
}

/* The inner side of outer_serve(). */
void
outer_ask(struct ns *ns)
{
	struct mount *m = NULL;
	char byte = 0;

	if (write(ns->outer, &byte, 1) != 1 || read(ns->outer, &byte, 1) != 1)
		exit(EXIT_LINK); /* the outer actor has said why */
	while ((m = next_outer(ns, m)) != NULL) {
		if ((m->fd = fdpass_recv(ns->outer)) == -1)
			exit(EXIT_LINK);
		m->detached = true;
	}
}
