#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <linux/netlink.h>

#include "carry.h"
#include "fdpass.h"
#include "plug.h"
#include "sock.h"

#ifndef SIOCGSKNS
#define SIOCGSKNS 0x894C
#endif

#define MAGIC 0x67756c70	/* "plug" */
#define UNMAPPED 65534	/* a user that our user namespace does not map */

/* Queue an offer for the reader of the other end. Returns 0, or -1 and errno. */
int
plug_offer(int sock, const struct plug_offer *o)
{
	struct plug_message m = { .magic = MAGIC,
		.kind = (uint16_t)o->kind, .flags = (uint16_t)o->flags,
		.resolv = (uint32_t)strnlen(o->resolv, PLUG_TEXT - 1),
		.hosts = (uint32_t)strnlen(o->hosts, PLUG_TEXT - 1) };
	char buf[sizeof(struct plug_message) + 2 * PLUG_TEXT];

	memcpy(buf, &m, sizeof(m));
	memcpy(buf + sizeof(m), o->resolv, m.resolv);
	memcpy(buf + sizeof(m) + m.resolv, o->hosts, m.hosts);
	return fdpass_send_with(sock, -1, buf, sizeof(m) + m.resolv + m.hosts);
}

/* Name sock in VOLT_PLUG and leave it open over exec. */
int
plug_announce(int sock)
{
	return carry_announce(PLUG_VARIABLE, &sock, 1, NULL);
}

/*
 * Is fd a plug's? Believed is only a SOCK_SEQPACKET socket that we or root
 * made: the variable may come from anywhere.
 */
int
plug_is_ours(int fd)
{
	struct ucred made_by;
	socklen_t len = sizeof(made_by);
	int domain = sock_option(fd, SO_DOMAIN);
	int type = sock_option(fd, SO_TYPE);

	if (domain == -1 || type == -1)
		return carry_unlike();
	if (domain != AF_UNIX || type != SOCK_SEQPACKET)
		return 0;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &made_by, &len) == -1)
		return carry_unlike();
	return made_by.uid == 0 || made_by.uid == geteuid() ||
	    made_by.uid == UNMAPPED;
}

/* The plug in VOLT_PLUG, as carry_find() finds it. */
int
plug_find(void)
{
	return carry_find(PLUG_VARIABLE, plug_is_ours);
}

/*
 * Read the offer and leave it in the queue. Returns 0, or -1 and errno: EPROTO if the
 * message is not an offer.
 */
int
plug_peek(int sock, struct plug_offer *o)
{
	char buf[sizeof(struct plug_message) + 2 * PLUG_TEXT];
	struct plug_message m;
	ssize_t n;

	n = recv(sock, buf, sizeof(buf), MSG_PEEK | MSG_DONTWAIT | MSG_TRUNC);
	if (n == -1)
		return -1;
	memcpy(&m, buf, sizeof(m));
	if ((size_t)n < sizeof(m) || (size_t)n > sizeof(buf) ||
	    m.magic != MAGIC || m.resolv >= PLUG_TEXT ||
	    m.hosts >= PLUG_TEXT ||
	    (m.kind != PLUG_MADE && m.kind != PLUG_DEFERRED) ||
	    (size_t)n != sizeof(m) + m.resolv + m.hosts) {
		errno = EPROTO;
		return -1;
	}
	*o = (struct plug_offer){ .kind = m.kind, .flags = m.flags };
	memcpy(o->resolv, buf + sizeof(m), m.resolv);
	memcpy(o->hosts, buf + sizeof(m) + m.resolv, m.hosts);
	return 0;
}

/* Close the plug: later links must not see it. */
void
plug_close(int sock)
{
	close(sock);
	unsetenv(PLUG_VARIABLE);
}

/*
 * Ask for the deferred network: take the offer, send route, a netlink socket of our
 * namespace, and wait for the answer. Returns 0, or -1 and errno; ECONNRESET if the
 * host side failed and has printed why.
 */
int
plug_ask(int sock, int route)
{
	struct plug_message m;
	ssize_t n;

	if (recv(sock, &m, sizeof(m), MSG_DONTWAIT) == -1)
		return -1; /* the offer */
	m = (struct plug_message){ .magic = MAGIC, .kind = PLUG_ASK };
	if (fdpass_send_with(sock, route, &m, sizeof(m)) == -1) {
		if (errno == EPIPE)
			errno = ECONNRESET;
		return -1;
	}
	while ((n = recv(sock, &m, sizeof(m), 0)) == -1 && errno == EINTR)
		;
	if (n == (ssize_t)sizeof(m) && m.magic == MAGIC && m.kind == PLUG_DONE)
		return 0;
	if (n != -1)
		errno = n == 0 ? ECONNRESET : EPROTO;
	return -1;
}

/* The host side: report that the network is configured. */
int
plug_answer(int sock)
{
	struct plug_message m = { .magic = MAGIC, .kind = PLUG_DONE };

	return fdpass_send_with(sock, -1, &m, sizeof(m));
}

/*
 * A descriptor of the network namespace of a socket; or -1 and errno if it is no
 * NETLINK_ROUTE socket, or we have no rights over its namespace.
 */
int
plug_namespace(int route)
{
	int domain = sock_option(route, SO_DOMAIN);
	int protocol = sock_option(route, SO_PROTOCOL);
	int ns;

	if ((domain == -1 || protocol == -1) && carry_unlike() == -1)
		return -1;
	if (domain != AF_NETLINK || protocol != NETLINK_ROUTE) {
		errno = EPROTOTYPE;
		return -1;
	}
	/* The ioctl(2) requires CAP_NET_ADMIN over that namespace. */
	if ((ns = ioctl(route, SIOCGSKNS)) != -1)
		(void)fcntl(ns, F_SETFD, FD_CLOEXEC);
	return ns;
}

/*
 * The host side: receive the socket that volt-ns sent. It must be one descriptor, of a
 * NETLINK_ROUTE socket, in another namespace than home. Returns it, or -1 and errno;
 * ECONNRESET if the other end is closed.
 */
int
plug_accept(int sock, int home)
{
	struct plug_message m = { 0 };
	struct stat theirs, ours;
	int fd, ns = -1, saved;
	ssize_t n;

	if ((n = fdpass_recv_with(sock, &fd, &m, sizeof(m))) == -1)
		return -1;
	errno = n == 0 ? ECONNRESET : EPROTO;
	if (n != (ssize_t)sizeof(m) || m.magic != MAGIC ||
	    m.kind != PLUG_ASK || fd == -1)
		goto fail;
	if ((ns = plug_namespace(fd)) == -1 || fstat(ns, &theirs) == -1 ||
	    fstat(home, &ours) == -1)
		goto fail;
	if (theirs.st_dev == ours.st_dev && theirs.st_ino == ours.st_ino) {
		errno = EEXIST;
		goto fail;
	}
	close(ns);
	return fd;

fail:
	saved = errno;
	if (fd != -1)
		close(fd);
	if (ns != -1)
		close(ns);
	errno = saved;
	return -1;
}
