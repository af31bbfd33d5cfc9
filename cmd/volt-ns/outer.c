/* The outer actor: what only the caller's own privileges can do (ns.h). */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
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
	if (found && m != &ns->overlay && outer_mount(&ns->overlay))
		return &ns->overlay;
	found = found || m == &ns->overlay;
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
outer_serve(struct ns *ns, int sock)
{
	struct mount *m = NULL;
	char pid[16], path[64];
	int userns, fd;
	ssize_t n;

	/* Until inner says so it may still be in our namespaces. */
	if ((n = read(sock, pid, sizeof(pid) - 1)) < 1)
		return;
	pid[n] = '\0';
	idmap_write(ns, pid);
	fdpass_send(sock, -1);
	if (next_outer(ns, NULL) == NULL)
		return;
	snprintf(path, sizeof(path), "/proc/%s/ns/user", pid);
	if ((userns = open(path, O_RDONLY | O_CLOEXEC)) == -1)
		err(EXIT_LINK, "%s", path);
	while ((m = next_outer(ns, m)) != NULL) {
		fd = apply_source(m, userns);
		fdpass_send(sock, fd);
		close(fd);
	}
	close(userns);
}

/*
 * The inner side of outer_serve(). We tell our process ID as the /proc that both
 * see has it, which may be another PID namespace's than ours.
 */
void
outer_ask(struct ns *ns)
{
	struct mount *m = NULL;
	char pid[16];
	ssize_t n;

	if ((n = readlink("/proc/self", pid, sizeof(pid))) == -1)
		err(EXIT_LINK, "/proc/self");
	if (write(ns->outer, pid, (size_t)n) != n ||
	    read(ns->outer, pid, 1) != 1)
		exit(EXIT_LINK); /* the outer actor has said why */
	while ((m = next_outer(ns, m)) != NULL) {
		if ((m->fd = fdpass_recv(ns->outer)) == -1)
			exit(EXIT_LINK);
		m->detached = true;
	}
}
