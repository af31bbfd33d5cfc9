/* Links, addresses and routes: the verbs of rtnetlink(7) that we need. */
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include <libmnl/libmnl.h>

#include "net.h"

#define PROBE 0xcb007101	/* 203.0.113.1: looked up, never sent to */

struct found {
	int index;
	unsigned int mtu;
};

static void
found_link(const struct nlmsghdr *msg, void *ctx)
{
	const struct ifinfomsg *ifi = mnl_nlmsg_get_payload(msg);
	struct found *f = ctx;
	const void *mtu;
	size_t len;

	if (msg->nlmsg_type != RTM_NEWLINK)
		return;
	f->index = ifi->ifi_index;
	mtu = nl_find(msg, sizeof(*ifi), IFLA_MTU, &len);
	if (mtu != NULL && len == sizeof(f->mtu))
		memcpy(&f->mtu, mtu, sizeof(f->mtu));
}

static int
find(struct nl *nl, const char *name, int index, struct found *f)
{
	struct ifinfomsg *ifi;
	struct nlreq r;

	*f = (struct found){ 0 };
	ifi = nlreq_init(&r, RTM_GETLINK, 0, sizeof(*ifi));
	ifi->ifi_index = index;
	if (name != NULL)
		nlreq_str(&r, IFLA_IFNAME, name);
	if (nl_run(nl, &r, found_link, f) == -1)
		return -1;
	if (f->index == 0) {
		errno = ENODEV;
		return -1;
	}
	return 0;
}

/* The index of an interface, or -1 and errno, ENODEV if there is none. */
int
link_index(struct nl *nl, const char *name)
{
	struct found f;

	return find(nl, name, 0, &f) == -1 ? -1 : f.index;
}

int
link_delete(struct nl *nl, const char *name)
{
	struct nlreq r;

	nlreq_init(&r, RTM_DELLINK, 0, sizeof(struct ifinfomsg));
	nlreq_str(&r, IFLA_IFNAME, name);
	return nl_talk(nl, &r);
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
	size_t size = family == AF_INET ? 4 : 16;
	struct ifaddrmsg *ifa;
	struct nlreq r;
	uint32_t broadcast;

	ifa = nlreq_init(&r, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL,
	    sizeof(*ifa));
	ifa->ifa_family = (uint8_t)family;
	ifa->ifa_prefixlen = (uint8_t)len;
	ifa->ifa_index = (uint32_t)index;
	nlreq_put(&r, IFA_LOCAL, addr, size);
	nlreq_put(&r, IFA_ADDRESS, addr, size);
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
	size_t size = family == AF_INET ? 4 : 16;
	struct ifaddrmsg *ifa;
	struct nlreq r;

	ifa = nlreq_init(&r, RTM_DELADDR, 0, sizeof(*ifa));
	ifa->ifa_family = (uint8_t)family;
	ifa->ifa_prefixlen = (uint8_t)len;
	ifa->ifa_index = (uint32_t)index;
	nlreq_put(&r, IFA_LOCAL, addr, size);
	nlreq_put(&r, IFA_ADDRESS, addr, size);
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
found_route(const struct nlmsghdr *msg, void *ctx)
{
	const void *oif;
	int *index = ctx;
	size_t len;

	oif = nl_find(msg, sizeof(struct rtmsg), RTA_OIF, &len);
	if (oif != NULL && len == sizeof(*index))
		memcpy(index, oif, sizeof(*index));
}

/* The MTU of the interface that leads to the outside; 1500 without one. */
unsigned int
link_uplink_mtu(struct nl *nl)
{
	uint32_t probe = htonl(PROBE);
	struct found f;
	struct rtmsg *rt;
	struct nlreq r;
	int index = 0;

	rt = nlreq_init(&r, RTM_GETROUTE, 0, sizeof(*rt));
	rt->rtm_family = AF_INET;
	rt->rtm_dst_len = 32;
	nlreq_u32(&r, RTA_DST, probe);
	if (nl_run(nl, &r, found_route, &index) == -1 || index <= 0 ||
	    find(nl, NULL, index, &f) == -1 || f.mtu < 1280 || f.mtu > 65535)
		return 1500;
	return f.mtu;
}

static void
see_route(const struct nlmsghdr *msg, void *ctx)
{
	const struct rtmsg *rt = mnl_nlmsg_get_payload(msg);
	size_t len, size = rt->rtm_family == AF_INET ? 4 : 16;
	struct overlap *o = ctx;
	const uint8_t *dst;
	const void *oif;
	unsigned int i;

	if (msg->nlmsg_type != RTM_NEWROUTE || o->found ||
	    rt->rtm_family != o->family || rt->rtm_table != RT_TABLE_MAIN ||
	    rt->rtm_type != RTN_UNICAST || rt->rtm_dst_len < o->len)
		return;
	dst = nl_find(msg, sizeof(*rt), RTA_DST, &len);
	if (dst == NULL || len != size)
		return;
	for (i = 0; i < o->len; i++)
		if (((dst[i / 8] ^ o->net[i / 8]) & (0x80 >> i % 8)) != 0)
			return;
	o->name[0] = '\0';
	oif = nl_find(msg, sizeof(*rt), RTA_OIF, &len);
	if (oif != NULL && len == sizeof(i)) {
		memcpy(&i, oif, sizeof(i));
		(void)if_indextoname(i, o->name);
	}
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
	return nl_run(nl, &r, see_route, o);
}
