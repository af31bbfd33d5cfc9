/*
 * The lease: an interface whose name encodes the address. The kernel permits
 * only one interface of a name. So the chain that makes the interface has the
 * address, as long as the interface exists.
 */
#include <linux/if_bridge.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>

#include <err.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "chain.h"
#include "sys.h"

#include "net.h"

/*
 * How long to wait for an interface to go away, in ms; 0 if it is in use. After
 * the chain's process has ended, its namespace goes away some milliseconds
 * later, because the kernel closes sockets first. But if another process is in
 * the namespace, the namespace stays.
 */
int
lease_patience(struct nl *route, const struct iface *i)
{
	struct pollfd p = { .events = POLLIN };
	bool ended;
	pid_t pid;

	if (iface_going(route, i))
		return NET_GOING;
	if (!lease_process(i, &pid))
		return 0;
	if ((p.fd = sys_pidfd_open(pid, 0)) == -1)
		return errno == ESRCH ? NET_PERHAPS : 0;
	ended = poll(&p, 1, 0) == 1;
	close(p.fd);
	return ended ? NET_PERHAPS : 0;
}

/*
 * Try to take one address. If it is in use, returns false, and raises *patience
 * to the time, in ms, that it is worth waiting for.
 */
static bool
try(struct net *net, uint32_t addr, lease_make *make, void *ctx, int *patience)
{
	struct lease *l = &net->lease;
	struct nl *route = &net->route;
	struct iface holder;
	int ms = NET_GOING;

	lease_fill(&net->bridge, l, addr);
	if (make(net, ctx) == 0)
		return true;
	if (errno != EEXIST && errno != EBUSY)
		nl_fail(route, "%s", l->name);
	if (iface_find(route, l->name, &holder) == 0)
		ms = lease_patience(route, &holder);
	else if (errno != ENODEV)
		nl_fail(route, "%s", l->name);
	if (ms > *patience)
		*patience = ms;
	return false;
}

/*
 * Take an address: that of ip=, or a free one. The search for a free one begins
 * at an address that depends on our PID. So volt-nets that start together do
 * not try the same ones, and an address that was just released is not used
 * again at once. make must return -1 and EEXIST or EBUSY if the name is in use.
 * If the chain that had an address has ended, wait for the address.
 */
void
lease_take(struct net *net, lease_make *make, void *ctx)
{
	const struct bridge *b = &net->bridge;
	uint32_t ip = net->plan->ip;
	uint32_t i, addr, n = ~b->mask;	/* 1 to n-1 are for hosts */
	char text[INET_ADDRSTRLEN];
	int64_t begin = 0;
	int patience;

	do {
		patience = 0;
		if (ip != 0 && try(net, ip, make, ctx, &patience))
			return;
		for (i = 0; i < n - 1 && ip == 0; i++) {
			addr = b->net + 1 + ((uint32_t)net->pid + i) % (n - 1);
			if (addr != b->gw &&
			    try(net, addr, make, ctx, &patience))
				return;
		}
	} while (wait_more(&begin, patience));
	if (ip != 0)
		errx(EXIT_LINK, "ip=%s: in use", ip4_text(ip, text));
	errx(EXIT_LINK, "subnet %s/%u is full: addresses in use: %u",
	    ip4_text(b->net, text), b->len, n - 2);
}

/*
 * Make the interface a port of the bridge. It needs no IPv6 address of its own.
 */
static void
join_bridge(const struct lease *l, const struct bridge *b, pid_t pid,
    struct nl *route)
{
	struct ifinfomsg *ifi;
	struct nlattr *spec, *family;
	struct nlreq r;
	char alias[64];

	snprintf(alias, sizeof(alias), NET_ALIAS " %d", (int)pid);
	ifi = nlreq_init(&r, RTM_NEWLINK, 0, sizeof(*ifi));
	ifi->ifi_index = l->index;
	nlreq_u32(&r, IFLA_MASTER, (uint32_t)b->index);
	nlreq_u32(&r, IFLA_MTU, b->mtu);
	nlreq_str(&r, IFLA_IFALIAS, alias);
	if (b->has6) {
		spec = nlreq_nest(&r, IFLA_AF_SPEC);
		family = nlreq_nest(&r, AF_INET6);
		nlreq_u8(&r, IFLA_INET6_ADDR_GEN_MODE,
		    IN6_ADDR_GEN_MODE_NONE);
		nlreq_end(&r, family);
		nlreq_end(&r, spec);
	}
	if (nl_talk(route, &r) == -1)
		nl_fail(route, "%s: onto %s", l->name, b->name);
}

/*
 * Set up the port, and bring it up. Its hardware address is known. So the
 * bridge need not learn addresses from it, nor send it frames for unknown
 * addresses.
 */
static void
open_port(const struct lease *l, const char *bridge, bool isolate,
    struct nl *route)
{
	struct ifinfomsg *ifi;
	struct ndmsg *ndm;
	struct nlattr *spec;
	struct nlreq r;

	ifi = nlreq_init(&r, RTM_SETLINK, 0, sizeof(*ifi));
	ifi->ifi_family = AF_BRIDGE;
	ifi->ifi_index = l->index;
	spec = nlreq_nest(&r, IFLA_PROTINFO | NLA_F_NESTED);
	nlreq_u8(&r, IFLA_BRPORT_ISOLATED, isolate);
	nlreq_u8(&r, IFLA_BRPORT_LEARNING, 0);
	nlreq_u8(&r, IFLA_BRPORT_UNICAST_FLOOD, 0);
	nlreq_end(&r, spec);
	ndm = nlreq_next(&r, RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE |
	    NLM_F_ACK, sizeof(*ndm));
	ndm->ndm_family = AF_BRIDGE;
	ndm->ndm_ifindex = l->index;
	ndm->ndm_state = NUD_NOARP;
	ndm->ndm_flags = NTF_MASTER;
	nlreq_put(&r, NDA_LLADDR, l->mac, sizeof(l->mac));
	ifi = nlreq_next(&r, RTM_NEWLINK, NLM_F_ACK, sizeof(*ifi));
	ifi->ifi_index = l->index;
	ifi->ifi_flags = IFF_UP;
	ifi->ifi_change = IFF_UP;
	if (nl_talk(route, &r) == -1)
		nl_fail(route, "%s: port of %s", l->name, bridge);
}

/*
 * Connect the interface, which is still down, to the bridge. The guard comes
 * first, and the port is isolated before it is up.
 */
void
lease_attach(struct net *net)
{
	const struct plan *plan = net->plan;
	const struct bridge *b = &net->bridge;
	struct lease *l = &net->lease;
	struct nl *route = &net->route;

	if ((l->index = iface_index(route, l->name)) == -1)
		nl_fail(route, "%s", l->name);
	guard_attach(l, b, plan->isolate, plan->rate_out, route);
	rate_attach(l->index, plan->rate_in, route);
	join_bridge(l, b, net->pid, route);
	open_port(l, b->name, plan->isolate, route);
}
