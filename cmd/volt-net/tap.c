/* A tap on the bridge for a guest. volt-kvm gets it in VOLT_TAP (lib/tap.h). */
#include <linux/if.h>
#include <linux/if_tun.h>
#include <linux/rtnetlink.h>
#include <linux/virtio_net.h>
#include <sys/ioctl.h>

#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "chain.h"
#include "say.h"
#include "tap.h"

/* <net/if.h> and <linux/if.h> define the same names; we need the second. */
#define _NET_IF_H 1
#include "net.h"

#ifndef TUN_F_USO4
#define TUN_F_USO4 0x20
#define TUN_F_USO6 0x40
#endif

/* Open another queue of the tap. The first one makes the tap. */
static int
open_queue(const char *name, bool multi, struct tap *t, int excl)
{
	struct ifreq ifr = { .ifr_flags = 0 };
	int fd, flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR | excl;

	if (multi)
		flags |= IFF_MULTI_QUEUE;
	ifr.ifr_flags = (short)flags;
	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", name);
	if ((fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC)) == -1)
		err(EXIT_LINK, "/dev/net/tun");
	if (ioctl(fd, TUNSETIFF, &ifr) == -1) {
		close(fd);
		return -1;
	}
	t->fd[t->nfds++] = fd;
	return 0;
}

static int
make(struct net *net, void *ctx)
{
	struct tap *t = ctx;

	t->nfds = 0;
	if (open_queue(net->lease.name, net->plan->queues > 1, t,
	    IFF_TUN_EXCL) == 0)
		return 0;
	/* EINVAL: there is a veth of that name. */
	if (errno == EINVAL && iface_index(&net->route, net->lease.name) != -1)
		errno = EEXIST;
	return -1;
}

/*
 * Set the headers of virtio 1.0 and all offloads, and let no other user attach.
 */
static void
set_up(int fd, bool first)
{
	int size = sizeof(struct virtio_net_hdr_v1);
	unsigned long most = TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 |
	    TUN_F_TSO_ECN;

	if (ioctl(fd, TUNSETVNETHDRSZ, &size) == -1)
		err(EXIT_LINK, "tap: header size");
	if (!first)
		return;
	/* UDP segmentation needs Linux 6.2. */
	if (ioctl(fd, TUNSETOFFLOAD, most | TUN_F_USO4 | TUN_F_USO6) == -1 &&
	    ioctl(fd, TUNSETOFFLOAD, most) == -1)
		err(EXIT_LINK, "tap: offloads");
	if (ioctl(fd, TUNSETOWNER, (unsigned long)getuid()) == -1)
		err(EXIT_LINK, "tap: owner");
}

/* Make the tap, connect it to the bridge, and announce it. */
void
tap_attach(struct net *net)
{
	const struct bridge *b = &net->bridge;
	const struct lease *l = &net->lease;
	const struct names *names = &net->plan->names;
	struct tap tap = { .nfds = 0 }, *t = &tap;
	char ip[INET_ADDRSTRLEN];
	unsigned int i;

	lease_take(net, make, t);
	for (i = 1; i < net->plan->queues; i++)
		if (open_queue(l->name, true, t, 0) == -1)
			err(EXIT_LINK, "%s: queue %u", l->name, i);
	for (i = 0; i < t->nfds; i++)
		set_up(t->fd[i], i == 0);
	lease_attach(net);

	snprintf(t->name, sizeof(t->name), "%s", l->name);
	memcpy(t->mac, l->mac, sizeof(t->mac));
	t->mtu = b->mtu;
	t->ip.s_addr = htonl(l->addr);
	t->gw.s_addr = htonl(b->gw);
	t->len = b->len;
	t->has6 = b->has6;
	t->ip6 = l->addr6;
	t->gw6 = b->gw6;
	t->len6 = b->len6;
	snprintf(t->dns, sizeof(t->dns), "%s", names->dns);
	snprintf(t->search, sizeof(t->search), "%s", names->search);
	snprintf(t->options, sizeof(t->options), "%s", names->options);
	if (tap_announce(t) == -1)
		err(EXIT_LINK, "%s", TAP_VARIABLE);
	say("tap %s for %s on %s, queues %u", l->name,
	    ip4_text(l->addr, ip), b->name, t->nfds);
}
