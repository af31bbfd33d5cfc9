/* A veth pair: one end on the bridge, the other, eth0, in the chain. */
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
 * Make the pair, with the peer born in the namespace that ctx, a descriptor,
 * is. The peer must not be up yet: the kernel undoes all of it then.
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

/* The chain's end, through the socket in its namespace. */
static void
configure(const struct net *net, struct nl *inner)
{
	const struct bridge *b = &net->bridge;
	const struct lease *l = &net->lease;
	struct in_addr addr = { htonl(l->addr) }, gw = { htonl(b->gw) };
	int index;

	if ((index = link_index(inner, INNER)) == -1)
		nl_fail(inner, "%s in the chain", INNER);
	if (link_up(inner, index, NULL) == -1 ||
	    link_address(inner, index, AF_INET, &addr, b->len) == -1 ||
	    link_route(inner, index, AF_INET, &gw) == -1)
		nl_fail(inner, "%s in the chain", INNER);
	if (b->has6 && (link_address(inner, index, AF_INET6, &l->addr6,
	    b->len6) == -1 || link_route(inner, index, AF_INET6, &b->gw6) ==
	    -1))
		nl_fail(inner, "%s in the chain: IPv6", INNER);
}

/* Give the namespace of route, a netlink socket, a lease. Takes route. */
void
veth_attach(struct net *net, int route)
{
	char ip[INET_ADDRSTRLEN], ip6[INET6_ADDRSTRLEN];
	const struct lease *l = &net->lease;
	struct nl inner;
	int ns;

	nl_use(&inner, route);
	if ((ns = plug_namespace(route)) == -1)
		err(EXIT_LINK, "network namespace");
	/* EEXIST is to mean that the host end's name is taken. */
	if (link_index(&inner, INNER) != -1)
		errx(EXIT_LINK, "the namespace has an %s already", INNER);
	if (errno != ENODEV)
		nl_fail(&inner, "%s in the chain", INNER);
	lease_take(net, make, &ns);
	close(ns);
	lease_attach(net);
	configure(net, &inner);
	close(route);
	say("%s %s%s%s on %s as %s", INNER, ip4_text(l->addr, ip),
	    net->bridge.has6 ? " " : "", net->bridge.has6 ?
	    ip6_text(&l->addr6, ip6) : "", net->bridge.name, l->name);
}
