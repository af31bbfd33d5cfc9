/* See route.h. */
#include <linux/rtnetlink.h>

#include <arpa/inet.h>
#include <string.h>

#include "cidr.h"

#include "iface.h"
#include "route.h"

#define PROBE 0xcb007101	/* 203.0.113.1: nothing is sent there */

/* Make a default route to the gateway (network byte order). */
int
route_default(struct nl *nl, int index, int family, const void *gateway)
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
take_interface(const struct nlmsghdr *msg, void *index)
{
	nl_copy(msg, sizeof(struct rtmsg), RTA_OIF, index, sizeof(int));
}

/* The MTU of the interface that leads to the outside; 1500 if there is none. */
unsigned int
route_uplink_mtu(struct nl *nl)
{
	uint32_t probe = htonl(PROBE);
	struct iface i;
	struct rtmsg *rt;
	struct nlreq r;
	int index = 0;

	rt = nlreq_init(&r, RTM_GETROUTE, 0, sizeof(*rt));
	rt->rtm_family = AF_INET;
	rt->rtm_dst_len = 32;
	nlreq_u32(&r, RTA_DST, probe);
	if (nl_run(nl, &r, take_interface, &index) == -1 || index <= 0 ||
	    iface_find_index(nl, index, &i) == -1 || i.mtu < 1280 ||
	    i.mtu > 65535)
		return 1500;
	return i.mtu;
}

static void
take_type(const struct nlmsghdr *msg, void *type)
{
	const struct rtmsg *rt = nl_header(msg, sizeof(*rt));

	if (msg->nlmsg_type == RTM_NEWROUTE && rt != NULL)
		*(int *)type = rt->rtm_type;
}

/* Is this (network byte order) an address of the host itself? */
bool
route_is_local(struct nl *nl, int family, const void *addr)
{
	size_t size = family == AF_INET ? 4 : 16;
	int type = RTN_UNSPEC;
	struct rtmsg *rt;
	struct nlreq r;

	rt = nlreq_init(&r, RTM_GETROUTE, 0, sizeof(*rt));
	rt->rtm_family = (uint8_t)family;
	rt->rtm_dst_len = (uint8_t)(8 * size);
	nlreq_put(&r, RTA_DST, addr, size);
	return nl_run(nl, &r, take_type, &type) == 0 && type == RTN_LOCAL;
}

/* If the route leads to the network or to a part of it, it is the answer. */
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
	nl_copy(msg, sizeof(*rt), RTA_OIF, &oif, sizeof(oif));
	(void)if_indextoname(oif, o->name);
	if (strcmp(o->name, o->except) == 0)
		return;
	memcpy(o->dst, dst, size);
	o->dst_len = rt->rtm_dst_len;
	o->found = true;
}

/*
 * Does the host have a route to the network, or to a part of it, by another
 * interface than o->except? A route to a wider network does not count: the
 * route to ours is more specific, and takes precedence. Returns 0 and sets
 * o->found, or -1 and errno.
 */
int
route_overlap(struct nl *nl, struct overlap *o)
{
	struct rtmsg *rt;
	struct nlreq r;

	o->found = false;
	rt = nlreq_init(&r, RTM_GETROUTE, NLM_F_DUMP, sizeof(*rt));
	rt->rtm_family = (uint8_t)o->family;
	return nl_dump(nl, &r, see_route, o);
}
