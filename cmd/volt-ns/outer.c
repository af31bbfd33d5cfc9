/* The outer actor: what only the caller's own privileges can do (ns.h). */
#include <sys/socket.h>

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "chain.h"
#include "ns.h"
#include "sys.h"

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

/* Send one descriptor, or with fd -1 just a byte, over the socket pair. */
void
outer_send_fd(int sock, int fd)
{
	char byte = 0;
	struct iovec iov = { &byte, 1 };
	union {
		struct cmsghdr align;
		char buf[CMSG_SPACE(sizeof(int))];
	} control = { .buf = { 0 } };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct cmsghdr *cmsg;

	if (fd != -1) {
		msg.msg_control = control.buf;
		msg.msg_controllen = sizeof(control.buf);
		cmsg = CMSG_FIRSTHDR(&msg);
		cmsg->cmsg_level = SOL_SOCKET;
		cmsg->cmsg_type = SCM_RIGHTS;
		cmsg->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(cmsg), &fd, sizeof(fd));
	}
	/* The other side may be dead; whoever waits for it finds out. */
	while (sendmsg(sock, &msg, MSG_NOSIGNAL) == -1 && errno == EINTR)
		;
}

/*
 * Receive one descriptor, or -1 if the other side sent none or is gone. What
 * went wrong there it has said itself.
 */
int
outer_recv_fd(int sock)
{
	char byte;
	struct iovec iov = { &byte, 1 };
	union {
		struct cmsghdr align;
		char buf[CMSG_SPACE(sizeof(int))];
	} control;
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.buf,
		.msg_controllen = sizeof(control.buf),
	};
	struct cmsghdr *cmsg;
	ssize_t n;
	int fd;

	while ((n = recvmsg(sock, &msg, MSG_CMSG_CLOEXEC)) == -1 &&
	    errno == EINTR)
		;
	if (n != 1 || (cmsg = CMSG_FIRSTHDR(&msg)) == NULL ||
	    cmsg->cmsg_type != SCM_RIGHTS ||
	    cmsg->cmsg_len != CMSG_LEN(sizeof(int)))
		return -1;
	memcpy(&fd, CMSG_DATA(cmsg), sizeof(fd));
	return fd;
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
	outer_send_fd(sock, -1);
	if (next_outer(ns, NULL) == NULL)
		return;
	snprintf(path, sizeof(path), "/proc/%d/ns/user", (int)inner);
	if ((userns = open(path, O_RDONLY | O_CLOEXEC)) == -1)
		err(EXIT_LINK, "%s", path);
	while ((m = next_outer(ns, m)) != NULL) {
		fd = mount_source(m, userns);
		outer_send_fd(sock, fd);
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
		if ((m->fd = outer_recv_fd(ns->outer)) == -1)
			exit(EXIT_LINK);
		m->detached = true;
	}
}
