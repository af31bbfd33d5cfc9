/*
 * A veth pair: one end is a port of the bridge, the other is the chain's eth0.
 */
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>

#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <unistd.h>

#include "chain.h"
#include "plug.h"
#include "say.h"

#include "net.h"

#define INNER "eth0"

/*
 * Make the pair. ctx points to a descriptor of the namespace for the peer. Do
 * not ask for a peer that is up: the kernel would undo the whole request.
 */
static int
make(struct net *net, void *ctx)
{
	const struct lease *l = &net->lease;
	struct nlattr *info, *data, *peer;
	struct nlreq r;

	nlreq_init(&r, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL,
	    sizeof(struct ifinfomsg));
	nlreq_str(&r, IFLA_IFNAME, l->name);
	nlreq_u32(&r, IFLA_MTU, net->bridge.mtu);
	info = nlreq_nest(&r, IFLA_LINKINFO);
	nlreq_str(&r, IFLA_INFO_KIND, "veth");
	data = nlreq_nest(&r, IFLA_INFO_DATA);
	peer = nlreq_nest(&r, VETH_INFO_PEER);
	nlreq_extra(&r, sizeof(struct ifinfomsg));
	nlreq_str(&r, IFLA_IFNAME, INNER);
	nlreq_put(&r, IFLA_ADDRESS, l->mac, sizeof(l->mac));
	nlreq_u32(&r, IFLA_MTU, net->bridge.mtu);
	nlreq_u32(&r, IFLA_NET_NS_FD, (uint32_t)*(int *)ctx);
	nlreq_end(&r, peer);
	nlreq_end(&r, data);
	nlreq_end(&r, info);
	return nl_talk(&net->route, &r);
}

/* Configure the chain's end by inner, a socket of its namespace. */
static void
configure(const struct lease *l, const struct bridge *b, struct nl *inner)
{
	struct in_addr addr = { htonl(l->addr) }, gw = { htonl(b->gw) };
	int index;

	if ((index = iface_index(inner, INNER)) == -1)
		nl_fail(inner, "%s in the chain", INNER);
	if (iface_up(inner, index, NULL) == -1 ||
	    iface_add_address(inner, index, AF_INET, &addr, b->len) == -1 ||
	    route_default(inner, index, AF_INET, &gw) == -1)
		nl_fail(inner, "%s in the chain", INNER);
	if (b->has6 && (iface_add_address(inner, index, AF_INET6, &l->addr6,
	    b->len6) == -1 || route_default(inner, index, AF_INET6, &b->gw6) ==
	    -1))
		nl_fail(inner, "%s in the chain: IPv6", INNER);
}

/*
 * Give a lease to the namespace of inner, which is a route netlink socket.
 * Closes inner.
 */
void
veth_attach(struct net *net, int inner)
{
	const struct bridge *b = &net->bridge;
	char ip[INET_ADDRSTRLEN], ip6[INET6_ADDRSTRLEN];
	const struct lease *l = &net->lease;
	struct nl nl;
	int ns;

	nl_use(&nl, inner);
	if ((ns = plug_namespace(inner)) == -1)
		err(EXIT_LINK, "network namespace");
	/*
	 * Check this first: then EEXIST can only mean that the lease is in use.
	 */
	if (iface_index(&nl, INNER) != -1)
		errx(EXIT_LINK, "the namespace has an %s already", INNER);
	if (errno != ENODEV)
		nl_fail(&nl, "%s in the chain", INNER);
	lease_take(net, make, &ns);
	close(ns);
	lease_attach(net);
	configure(l, b, &nl);
	close(inner);
	say("%s %s%s%s on %s as %s", INNER, ip4_text(l->addr, ip),
	    b->has6 ? " " : "", b->has6 ? ip6_text(&l->addr6, ip6) : "",
	    b->name, l->name);
}
