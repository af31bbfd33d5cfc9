/* See iface.h. */
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>

#include <arpa/inet.h>
#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "iface.h"

#define LOOPBACK 1	/* its index, in every namespace */

/* Read an RTM_NEWLINK. Returns whether msg is one. */
bool
iface_parse(const struct nlmsghdr *msg, struct iface *i)
{
	const struct ifinfomsg *ifi = nl_header(msg, sizeof(*ifi));
	const size_t known = offsetof(struct rtnl_link_stats64, rx_errors);
	struct rtnl_link_stats64 stats;
	const void *info;
	size_t len;

	*i = (struct iface){ 0 };
	if (msg->nlmsg_type != RTM_NEWLINK || ifi == NULL)
		return false;
	i->index = ifi->ifi_index;
	nl_copy(msg, sizeof(*ifi), IFLA_MASTER, &i->master, sizeof(i->master));
	nl_copy(msg, sizeof(*ifi), IFLA_MTU, &i->mtu, sizeof(i->mtu));
	nl_copy(msg, sizeof(*ifi), IFLA_LINK, &i->peer, sizeof(i->peer));
	i->elsewhere = nl_find(msg, sizeof(*ifi), IFLA_LINK_NETNSID, &len) !=
	    NULL;
	nl_copy(msg, sizeof(*ifi), IFLA_LINK_NETNSID, &i->netnsid,
	    sizeof(i->netnsid));
	nl_copy(msg, sizeof(*ifi), IFLA_ADDRESS, i->mac, sizeof(i->mac));
	nl_copy_string(msg, sizeof(*ifi), IFLA_IFNAME, i->name,
	    sizeof(i->name));
	nl_copy_string(msg, sizeof(*ifi), IFLA_IFALIAS, i->alias,
	    sizeof(i->alias));
	/* Newer kernels have a longer one. What we need is at its beginning. */
	info = nl_find(msg, sizeof(*ifi), IFLA_STATS64, &len);
	if (info != NULL && len >= known) {
		memcpy(&stats, info, known);
		i->received = stats.rx_bytes;
		i->sent = stats.tx_bytes;
	}
	info = nl_find(msg, sizeof(*ifi), IFLA_LINKINFO, &len);
	if (info != NULL &&
	    (info = nl_inside(info, len, IFLA_INFO_KIND, &len)) != NULL)
		nl_string(info, len, i->kind, sizeof(i->kind));
	return true;
}

/* Read an RTM_NEWADDR of IPv4 or IPv6. Returns whether msg is one. */
bool
iface_parse_address(const struct nlmsghdr *msg, struct iface_addr *a)
{
	const struct ifaddrmsg *ifa = nl_header(msg, sizeof(*ifa));
	bool v4 = ifa != NULL && ifa->ifa_family == AF_INET;
	const void *addr;
	size_t len;

	if (msg->nlmsg_type != RTM_NEWADDR || ifa == NULL ||
	    (!v4 && ifa->ifa_family != AF_INET6))
		return false;
	*a = (struct iface_addr){ .index = (int)ifa->ifa_index,
		.family = ifa->ifa_family, .scope = ifa->ifa_scope,
		.len = ifa->ifa_prefixlen };
	addr = nl_find(msg, sizeof(*ifa), v4 ? IFA_LOCAL : IFA_ADDRESS, &len);
	if (addr == NULL || len != (v4 ? 4 : 16))
		return false;
	memcpy(a->addr, addr, len);
	return true;
}

static void
take_iface(const struct nlmsghdr *msg, void *ctx)
{
	struct iface found, *i = ctx;

	if (iface_parse(msg, &found))
		*i = found;
}

/* Look it up by its index, or by its name if index is 0. */
static int
find(struct nl *nl, const char *name, int index, struct iface *i)
{
	struct ifinfomsg *ifi;
	struct nlreq r;

	*i = (struct iface){ 0 };
	ifi = nlreq_init(&r, RTM_GETLINK, 0, sizeof(*ifi));
	ifi->ifi_index = index;
	if (name != NULL)
		nlreq_str(&r, IFLA_IFNAME, name);
	if (nl_run(nl, &r, take_iface, i) == -1)
		return -1;
	if (i->index == 0) {
		errno = ENODEV;
		return -1;
	}
	return 0;
}

/*
 * Fill in i. Returns 0, or -1 and errno: ENODEV if there is no such interface.
 */
int
iface_find(struct nl *nl, const char *name, struct iface *i)
{
	return find(nl, name, 0, i);
}

int
iface_find_index(struct nl *nl, int index, struct iface *i)
{
	return find(nl, NULL, index, i);
}

/* The index of an interface; or -1 and errno: ENODEV if there is none. */
int
iface_index(struct nl *nl, const char *name)
{
	struct iface i;

	return iface_find(nl, name, &i) == -1 ? -1 : i.index;
}

/*
 * Is it one end of a veth pair whose other end is gone, or is in a namespace
 * without processes? The kernel removes such an interface soon. Until then the
 * number of that namespace is -1, or a query by that number fails.
 */
bool
iface_going(struct nl *nl, const struct iface *i)
{
	struct ifinfomsg *ifi;
	struct nlreq r;

	if (strcmp(i->kind, "veth") != 0)
		return false;
	if (!i->elsewhere || i->netnsid < 0)
		return i->elsewhere || i->peer == 0;
	ifi = nlreq_init(&r, RTM_GETLINK, 0, sizeof(*ifi));
	ifi->ifi_index = LOOPBACK;
	nlreq_u32(&r, IFLA_TARGET_NETNSID, (uint32_t)i->netnsid);
	return nl_talk(nl, &r) == -1 && errno == EINVAL;
}

/* Bring the interface up. Give it the alias, unless that is NULL. */
int
iface_up(struct nl *nl, int index, const char *alias)
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
iface_delete(struct nl *nl, const char *name)
{
	struct nlreq r;

	nlreq_init(&r, RTM_DELLINK, 0, sizeof(struct ifinfomsg));
	nlreq_str(&r, IFLA_IFNAME, name);
	return nl_talk(nl, &r);
}

/* Begin a message about an address (network byte order) of an interface. */
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
 * Give the interface an address (network byte order). It is no error if the
 * interface has that address already. There is no duplicate address detection,
 * because only volt-net assigns addresses here.
 */
int
iface_add_address(struct nl *nl, int index, int family, const void *addr,
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

/* Remove an address. It is no error if the interface does not have it. */
void
iface_remove_address(struct nl *nl, int index, int family, const void *addr,
    unsigned int len)
{
	struct nlreq r;

	address_begin(&r, RTM_DELADDR, 0, index, family, addr, len);
	may_fail(nl_talk(nl, &r));
}
