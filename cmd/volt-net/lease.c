/*
 * The lease: a link whose name is the address. The kernel gives a name once, so
 * whoever makes the link has the address, for as long as the link lives.
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
 * How long to wait for a link to go, in ms; 0 if somebody has it. A namespace
 * outlives its last process by the sockets that this one closed, for some
 * milliseconds; but if that process was not the last one it goes on to live.
 */
int
lease_patience(struct nl *nl, const struct link *l)
{
	struct pollfd p = { .events = POLLIN };
	bool ended;
	pid_t pid;

	if (link_going(nl, l))
		return NET_GOING;
	if (!lease_process(l, &pid))
		return 0;
	if ((p.fd = sys_pidfd_open(pid, 0)) == -1)
		return errno == ESRCH ? NET_PERHAPS : 0;
	ended = poll(&p, 1, 0) == 1;
	close(p.fd);
	return ended ? NET_PERHAPS : 0;
}

/*
 * Try one address. Returns false if somebody has it, and then puts *patience up
 * to how long to wait for that one.
 */
static bool
try(struct net *net, uint32_t addr, int (*make)(struct net *, void *),
    void *ctx, int *patience)
{
	struct lease *l = &net->lease;
	struct link holder;
	int ms = NET_GOING;

	lease_fill(&net->bridge, l, addr);
	if (make(net, ctx) == 0)
		return true;
	if (errno != EEXIST && errno != EBUSY)
		nl_fail(&net->route, "%s", l->name);
	if (link_find(&net->route, l->name, &holder) == 0)
		ms = lease_patience(&net->route, &holder);
	else if (errno != ENODEV)
		nl_fail(&net->route, "%s", l->name);
	if (ms > *patience)
		*patience = ms;
	return false;
}

/*
 * Take an address: the one asked for, or a free one. The search begins at one
 * that depends on our PID, so that many at once do not meet, and an address
 * just given up is not at once another's. make returns -1 and EEXIST or EBUSY
 * for a name that is taken. What a chain had that is gone is waited for.
 */
void
lease_take(struct net *net, int (*make)(struct net *, void *), void *ctx)
{
	const struct bridge *b = &net->bridge;
	uint32_t i, addr, n = ~b->mask;	/* 1 to n-1 are for hosts */
	char ip[INET_ADDRSTRLEN];
	int64_t begin = 0;
	int patience;

	do {
		patience = 0;
		if (net->asked != 0 &&
		    try(net, net->asked, make, ctx, &patience))
			return;
		for (i = 0; i < n - 1 && net->asked == 0; i++) {
			addr = b->net + 1 + ((uint32_t)net->pid + i) % (n - 1);
			if (addr != b->gw &&
			    try(net, addr, make, ctx, &patience))
				return;
		}
	} while (wait_more(&begin, patience));
	if (net->asked != 0)
		errx(EXIT_LINK, "ip=%s: in use", ip4_text(net->asked, ip));
	errx(EXIT_LINK, "subnet %s/%u is full: %u addresses are in use",
	    ip4_text(b->net, ip), b->len, n - 2);
}

/*
 * Put the host end, made and still down, on the bridge: guarded first, then
 * isolated, then up. It needs no IPv6 address of its own.
 */
void
lease_attach(struct net *net)
{
	struct lease *l = &net->lease;
	struct nl *nl = &net->route;
	struct ifinfomsg *ifi;
	struct ndmsg *ndm;
	struct nlattr *spec, *family;
	struct nlreq r;
	char alias[64];

	if ((l->index = link_index(nl, l->name)) == -1)
		nl_fail(nl, "%s", l->name);
	guard_attach(net, nl);
	rate_attach(net);

	snprintf(alias, sizeof(alias), NET_ALIAS " %d", (int)net->pid);
	ifi = nlreq_init(&r, RTM_NEWLINK, 0, sizeof(*ifi));
	ifi->ifi_index = l->index;
	nlreq_u32(&r, IFLA_MASTER, (uint32_t)net->bridge.index);
	nlreq_u32(&r, IFLA_MTU, net->bridge.mtu);
	nlreq_str(&r, IFLA_IFALIAS, alias);
	if (net->bridge.has6) {
		spec = nlreq_nest(&r, IFLA_AF_SPEC);
		family = nlreq_nest(&r, AF_INET6);
		nlreq_u8(&r, IFLA_INET6_ADDR_GEN_MODE,
		    IN6_ADDR_GEN_MODE_NONE);
		nlreq_end(&r, family);
		nlreq_end(&r, spec);
	}
	if (nl_talk(nl, &r) == -1)
		nl_fail(nl, "%s: onto %s", l->name, net->bridge.name);

	ifi = nlreq_init(&r, RTM_SETLINK, 0, sizeof(*ifi));
	ifi->ifi_family = AF_BRIDGE;
	ifi->ifi_index = l->index;
	spec = nlreq_nest(&r, IFLA_PROTINFO | NLA_F_NESTED);
	nlreq_u8(&r, IFLA_BRPORT_ISOLATED, net->isolate);
	/* Who is here is known: nothing to learn, and nothing for others. */
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
	if (nl_talk(nl, &r) == -1)
		nl_fail(nl, "%s: port of %s", l->name, net->bridge.name);
}
