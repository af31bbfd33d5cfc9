/* Links, addresses and routes: the verbs of rtnetlink(7) that we need. */
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "cidr.h"

#include "net.h"

#define LOOPBACK 1	/* the index that it has in every namespace */
#define PROBE 0xcb007101	/* 203.0.113.1: looked up, never sent to */

/* Copy an attribute of that size, if msg has it. */
static void
copy(const struct nlmsghdr *msg, size_t extra, int attr, void *to, size_t size)
{
	size_t len;
	const void *data = nl_find(msg, extra, attr, &len);

	if (data != NULL && len == size)
		memcpy(to, data, size);
}

static void
copy_string(const struct nlmsghdr *msg, size_t extra, int attr, char *to,
    size_t size)
{
	size_t len = 0;
	const void *data = nl_find(msg, extra, attr, &len);

	nl_string(data, len, to, size);
}

/* Read an RTM_NEWLINK; returns whether msg is one. */
bool
link_parse(const struct nlmsghdr *msg, struct link *l)
{
	const struct ifinfomsg *ifi = nl_header(msg, sizeof(*ifi));
	struct rtnl_link_stats64 stats;
	const void *info;
	size_t len;

	*l = (struct link){ 0 };
	if (msg->nlmsg_type != RTM_NEWLINK || ifi == NULL)
		return false;
	l->index = ifi->ifi_index;
	copy(msg, sizeof(*ifi), IFLA_MASTER, &l->master, sizeof(l->master));
	copy(msg, sizeof(*ifi), IFLA_MTU, &l->mtu, sizeof(l->mtu));
	copy(msg, sizeof(*ifi), IFLA_LINK, &l->peer, sizeof(l->peer));
	l->elsewhere = nl_find(msg, sizeof(*ifi), IFLA_LINK_NETNSID, &len) !=
	    NULL;
	copy(msg, sizeof(*ifi), IFLA_LINK_NETNSID, &l->netnsid,
	    sizeof(l->netnsid));
	copy(msg, sizeof(*ifi), IFLA_ADDRESS, l->mac, sizeof(l->mac));
	copy_string(msg, sizeof(*ifi), IFLA_IFNAME, l->name, sizeof(l->name));
	copy_string(msg, sizeof(*ifi), IFLA_IFALIAS, l->alias,
	    sizeof(l->alias));
	/* It grows with the kernel: what we want stands at its beginning. */
	info = nl_find(msg, sizeof(*ifi), IFLA_STATS64, &len);
	if (info != NULL && len >= offsetof(struct rtnl_link_stats64, rx_errors)) {
		memcpy(&stats, info, offsetof(struct rtnl_link_stats64, rx_errors));
		l->received = stats.rx_bytes;
		l->sent = stats.tx_bytes;
	}
	info = nl_find(msg, sizeof(*ifi), IFLA_LINKINFO, &len);
	if (info != NULL &&
	    (info = nl_inside(info, len, IFLA_INFO_KIND, &len)) != NULL)
		nl_string(info, len, l->kind, sizeof(l->kind));
	return true;
}

/* Read an RTM_NEWADDR of IPv4 or IPv6; returns whether msg is one. */
bool
link_parse_address(const struct nlmsghdr *msg, struct link_addr *a)
{
	const struct ifaddrmsg *ifa = nl_header(msg, sizeof(*ifa));
	bool v4 = ifa != NULL && ifa->ifa_family == AF_INET;
	const void *addr;
	size_t len;

	if (msg->nlmsg_type != RTM_NEWADDR || ifa == NULL ||
	    (!v4 && ifa->ifa_family != AF_INET6))
		return false;
	*a = (struct link_addr){ .index = (int)ifa->ifa_index,
		.family = ifa->ifa_family, .scope = ifa->ifa_scope,
		.len = ifa->ifa_prefixlen };
	addr = nl_find(msg, sizeof(*ifa), v4 ? IFA_LOCAL : IFA_ADDRESS, &len);
	if (addr == NULL || len != (v4 ? 4 : 16))
		return false;
	memcpy(a->addr, addr, len);
	return true;
}

static void
found_link(const struct nlmsghdr *msg, void *ctx)
{
	struct link found, *l = ctx;

	if (link_parse(msg, &found))
		*l = found;
}

/* By index, or with 0 by name. */
static int
find(struct nl *nl, const char *name, int index, struct link *l)
{
	struct ifinfomsg *ifi;
	struct nlreq r;

	*l = (struct link){ 0 };
	ifi = nlreq_init(&r, RTM_GETLINK, 0, sizeof(*ifi));
	ifi->ifi_index = index;
	if (name != NULL)
		nlreq_str(&r, IFLA_IFNAME, name);
	if (nl_run(nl, &r, found_link, l) == -1)
		return -1;
	if (l->index == 0) {
		errno = ENODEV;
		return -1;
	}
	return 0;
}

/* Fill in l. Returns 0, or -1 and errno, ENODEV if there is no such link. */
int
link_find(struct nl *nl, const char *name, struct link *l)
{
	return find(nl, name, 0, l);
}

/* The index of an interface, or -1 and errno, ENODEV if there is none. */
int
link_index(struct nl *nl, const char *name)
{
	struct link l;

	return link_find(nl, name, &l) == -1 ? -1 : l.index;
}

/*
 * Is it half of a pair whose other end is gone, or in a namespace that no
 * process is in any more? Such a one goes when the kernel comes to it. Until
 * then the namespace has its number, or -1, but is not to be asked by it.
 */
bool
link_going(struct nl *nl, const struct link *l)
{
	struct ifinfomsg *ifi;
	struct nlreq r;

	if (strcmp(l->kind, "veth") != 0)
		return false;
	if (!l->elsewhere || l->netnsid < 0)
		return l->elsewhere || l->peer == 0;
	ifi = nlreq_init(&r, RTM_GETLINK, 0, sizeof(*ifi));
	ifi->ifi_index = LOOPBACK;
	nlreq_u32(&r, IFLA_TARGET_NETNSID, (uint32_t)l->netnsid);
	return nl_talk(nl, &r) == -1 && errno == EINVAL;
}

/* Bring it up, and give it an alias unless that is NULL. */
int
link_up(struct nl *nl, int index, const char *alias)
{
	struct ifinfomsg *ifi;
	struct nlreq r;

	ifi = nlreq_init(&r, RTM_NEWLINK, 0, sizeof(*ifi));
	ifi->ifi_index = index;
	ifi->ifi_flags = IFF_UP;
	ifi->ifi_change = IFF_UP;
	if (alias != NULL)
		nlreq_str(&r, IFLA_IFALIAS, alias);
	return nl_talk(nl, &r);
}

int
link_delete(struct nl *nl, const char *name)
{
	struct nlreq r;

	nlreq_init(&r, RTM_DELLINK, 0, sizeof(struct ifinfomsg));
	nlreq_str(&r, IFLA_IFNAME, name);
	return nl_talk(nl, &r);
}

/* Begin a message about an interface's address (network byte order). */
static void
address_begin(struct nlreq *r, int type, int flags, int index, int family,
    const void *addr, unsigned int len)
{
	size_t size = family == AF_INET ? 4 : 16;
	struct ifaddrmsg *ifa;

	ifa = nlreq_init(r, type, flags, sizeof(*ifa));
	ifa->ifa_family = (uint8_t)family;
	ifa->ifa_prefixlen = (uint8_t)len;
	ifa->ifa_index = (uint32_t)index;
	nlreq_put(r, IFA_LOCAL, addr, size);
	nlreq_put(r, IFA_ADDRESS, addr, size);
}

/*
 * Give the interface an address (network byte order). One that it has already
 * is no error; duplicate address detection is left out, since all addresses
 * here are ours to give.
 */
int
link_address(struct nl *nl, int index, int family, const void *addr,
    unsigned int len)
{
	struct nlreq r;
	uint32_t broadcast;

	address_begin(&r, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, index,
	    family, addr, len);
	if (family == AF_INET) {
		memcpy(&broadcast, addr, sizeof(broadcast));
		broadcast |= htonl(UINT32_MAX >> len);
		nlreq_u32(&r, IFA_BROADCAST, broadcast);
	} else {
		nlreq_u32(&r, IFA_FLAGS, IFA_F_NODAD);
	}
	return nl_talk(nl, &r) == -1 && errno != EEXIST ? -1 : 0;
}

/* Take an address away again; that it is gone already is no matter. */
void
link_address_remove(struct nl *nl, int index, int family, const void *addr,
    unsigned int len)
{
	struct nlreq r;

	address_begin(&r, RTM_DELADDR, 0, index, family, addr, len);
	(void)nl_talk(nl, &r);
}

/* The default route, by way of gateway (network byte order). */
int
link_route(struct nl *nl, int index, int family, const void *gateway)
{
	struct rtmsg *rt;
	struct nlreq r;

	rt = nlreq_init(&r, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL,
	    sizeof(*rt));
	rt->rtm_family = (uint8_t)family;
	rt->rtm_table = RT_TABLE_MAIN;
	rt->rtm_protocol = RTPROT_BOOT;
	rt->rtm_scope = RT_SCOPE_UNIVERSE;
	rt->rtm_type = RTN_UNICAST;
	nlreq_put(&r, RTA_GATEWAY, gateway, family == AF_INET ? 4 : 16);
	nlreq_u32(&r, RTA_OIF, (uint32_t)index);
	return nl_talk(nl, &r);
}

static void
found_route(const struct nlmsghdr *msg, void *index)
{
	copy(msg, sizeof(struct rtmsg), RTA_OIF, index, sizeof(int));
}

/* The MTU of the interface that leads to the outside; 1500 without one. */
unsigned int
link_uplink_mtu(struct nl *nl)
{
	uint32_t probe = htonl(PROBE);
	struct link l;
	struct rtmsg *rt;
	struct nlreq r;
	int index = 0;

	rt = nlreq_init(&r, RTM_GETROUTE, 0, sizeof(*rt));
	rt->rtm_family = AF_INET;
	rt->rtm_dst_len = 32;
	nlreq_u32(&r, RTA_DST, probe);
	if (nl_run(nl, &r, found_route, &index) == -1 || index <= 0 ||
	    find(nl, NULL, index, &l) == -1 || l.mtu < 1280 || l.mtu > 65535)
		return 1500;
	return l.mtu;
}

static void
found_type(const struct nlmsghdr *msg, void *type)
{
	const struct rtmsg *rt = nl_header(msg, sizeof(*rt));

	if (msg->nlmsg_type == RTM_NEWROUTE && rt != NULL)
		*(int *)type = rt->rtm_type;
}

/* Is that an address (network byte order) of the host's own? */
bool
link_is_local(struct nl *nl, int family, const void *addr)
{
	size_t size = family == AF_INET ? 4 : 16;
	int type = RTN_UNSPEC;
	struct rtmsg *rt;
	struct nlreq r;

	rt = nlreq_init(&r, RTM_GETROUTE, 0, sizeof(*rt));
	rt->rtm_family = (uint8_t)family;
	rt->rtm_dst_len = (uint8_t)(8 * size);
	nlreq_put(&r, RTA_DST, addr, size);
	return nl_run(nl, &r, found_type, &type) == 0 && type == RTN_LOCAL;
}

static void
see_route(const struct nlmsghdr *msg, void *ctx)
{
	const struct rtmsg *rt = nl_header(msg, sizeof(*rt));
	struct overlap *o = ctx;
	size_t len, size = o->family == AF_INET ? 4 : 16;
	const uint8_t *dst;
	unsigned int oif = 0;
	uint8_t mask[16];
	size_t i;

	if (msg->nlmsg_type != RTM_NEWROUTE || rt == NULL || o->found ||
	    rt->rtm_family != o->family || rt->rtm_table != RT_TABLE_MAIN ||
	    rt->rtm_type != RTN_UNICAST || rt->rtm_dst_len < o->len)
		return;
	dst = nl_find(msg, sizeof(*rt), RTA_DST, &len);
	if (dst == NULL || len != size)
		return;
	cidr_mask(o->len, mask);
	for (i = 0; i < size; i++)
		if (((dst[i] ^ o->net[i]) & mask[i]) != 0)
			return;
	o->name[0] = '\0';
	copy(msg, sizeof(*rt), RTA_OIF, &oif, sizeof(oif));
	(void)if_indextoname(oif, o->name);
	if (strcmp(o->name, o->but) == 0)
		return;
	memcpy(o->dst, dst, size);
	o->dst_len = rt->rtm_dst_len;
	o->found = true;
}

/*
 * Has the host a route to the network, or to a part of it, that is not by the
 * interface o->but? A route to more than the network is none: ours will be the
 * one that counts. Returns 0 and o->found, or -1 and errno.
 */
int
link_overlap(struct nl *nl, struct overlap *o)
{
	struct rtmsg *rt;
	struct nlreq r;

	o->found = false;
	rt = nlreq_init(&r, RTM_GETROUTE, NLM_F_DUMP, sizeof(*rt));
	rt->rtm_family = (uint8_t)o->family;
	return nl_dump(nl, &r, see_route, o);
}
