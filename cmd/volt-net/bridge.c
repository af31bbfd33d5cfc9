/*
 * The bridge: made once, by whoever comes first, and left for those who follow.
 * Every step may be done by a hundred at once: the kernel says EEXIST to all
 * but one, and the others find what they would have made.
 */
#include <linux/if_addr.h>
#include <linux/if_bridge.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>

#include <arpa/inet.h>
#include <dirent.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <libmnl/libmnl.h>

#include "chain.h"
#include "cidr.h"
#include "kfile.h"
#include "say.h"

#include "net.h"

/* What see_port() finds on a bridge. */
struct ports {
	int bridge;
	struct link *link;
	size_t n;
	bool failed;	/* out of memory */
};

/* What is on a bridge that is there. */
struct present {
	int index;
	uint32_t addr;	/* host byte order; 0: none */
	unsigned int len;
	bool has6;
	struct in6_addr addr6;
	unsigned int len6;
	unsigned int global6;	/* addresses, addr6 the first seen */
	uint8_t mac[6];
	bool ours;
};

static int
sysctl_read(const char *dir, const char *name, const char *leaf, char *buf,
    size_t size)
{
	char path[128];

	snprintf(path, sizeof(path), "/proc/sys/net/%s/%s/%s", dir, name, leaf);
	return kfile_read(AT_FDCWD, path, buf, size) == -1 ? -1 : 0;
}

/* Set net/DIR/NAME/LEAF unless it is so; returns whether it had to, or ends. */
static bool
sysctl_set(const char *dir, const char *name, const char *leaf,
    const char *value)
{
	char path[128], now[32];

	if (sysctl_read(dir, name, leaf, now, sizeof(now)) == 0 &&
	    strncmp(now, value, strlen(value)) == 0 &&
	    now[strlen(value)] == '\n')
		return false;
	snprintf(path, sizeof(path), "/proc/sys/net/%s/%s/%s", dir, name, leaf);
	if (kfile_write(AT_FDCWD, path, value) == -1)
		err(EXIT_LINK, "%s", path);
	return true;
}

/* Is IPv6 disabled for NAME? -1: there is no such, or no IPv6 at all. */
static int
disabled6(const char *name)
{
	char dir[IFNAMSIZ + 8], buf[16];

	snprintf(dir, sizeof(dir), "conf/%s", name);
	if (sysctl_read("ipv6", dir, "disable_ipv6", buf, sizeof(buf)) == 0)
		return buf[0] != '0';
	if (errno != ENOENT)
		err(EXIT_LINK, "net.ipv6.conf.%s.disable_ipv6", name);
	return -1;
}

/* Does the host have IPv6, and the bridge or a new one, so that a chain can? */
static bool
host_has6(const char *bridge)
{
	int disabled;

	if (disabled6("all") != 0)
		return false;
	if ((disabled = disabled6(bridge)) == -1)
		disabled = disabled6("default");
	return disabled == 0;
}

static void
see_address(const struct nlmsghdr *msg, void *ctx)
{
	struct present *p = ctx;
	struct link_addr a;
	uint32_t v4;

	if (!link_parse_address(msg, &a) || a.index != p->index)
		return;
	if (a.family == AF_INET && p->addr == 0) {
		memcpy(&v4, a.addr, sizeof(v4));
		p->addr = ntohl(v4);
		p->len = a.len;
	} else if (a.family == AF_INET6 && a.scope == RT_SCOPE_UNIVERSE &&
	    p->global6++ == 0) {
		memcpy(&p->addr6, a.addr, sizeof(p->addr6));
		p->len6 = a.len;
		p->has6 = true;
	}
}

/* Look at the bridge. Returns whether there is one, or ends. */
static bool
look(struct net *net, struct present *p)
{
	const char *name = net->bridge.name;
	struct ifaddrmsg *ifa;
	struct link l;
	struct nlreq r;

	*p = (struct present){ 0 };
	if (link_find(&net->route, name, &l) == -1) {
		if (errno != ENODEV)
			nl_fail(&net->route, "bridge %s", name);
		return false;
	}
	if (strcmp(l.kind, "bridge") != 0)
		errx(EXIT_LINK, "bridge=%s: an interface that is no bridge",
		    name);
	p->index = l.index;
	memcpy(p->mac, l.mac, sizeof(p->mac));
	p->ours = strcmp(l.alias, NET_ALIAS) == 0;
	ifa = nlreq_init(&r, RTM_GETADDR, NLM_F_DUMP, sizeof(*ifa));
	ifa->ifa_index = (uint32_t)l.index;
	if (nl_dump(&net->route, &r, see_address, p) == -1)
		nl_fail(&net->route, "bridge %s: addresses", name);
	return true;
}

/* fd76:6f6c:AABB:CCDD::/64 of the IPv4 network AA.BB.CC.DD, if not told. */
static void
default6(struct bridge *b)
{
	b->net6 = (struct in6_addr){ .s6_addr = { 0xfd, 0x76, 0x6f, 0x6c,
	    (uint8_t)(b->net >> 24), (uint8_t)(b->net >> 16),
	    (uint8_t)(b->net >> 8), (uint8_t)b->net } };
	b->len6 = 64;
}

/* A bridge that has addresses says what the subnets are, unless we do. */
static void
adopt(struct bridge *b, const struct present *p)
{
	char have[INET6_ADDRSTRLEN];
	uint8_t mask[16];
	unsigned int i;

	if (p->addr != 0) {
		if (b->given && (p->addr != b->gw || p->len != b->len))
			errx(EXIT_LINK, "subnet=: bridge %s has %s/%u already",
			    b->name, ip4_text(p->addr, have), p->len);
		if (p->len < 8 || p->len > 30)
			errx(EXIT_LINK, "bridge %s: %s/%u is no network from "
			    "/8 to /30", b->name, ip4_text(p->addr, have),
			    p->len);
		b->len = p->len;
		b->mask = ~(UINT32_MAX >> b->len);
		b->net = p->addr & b->mask;
		b->gw = p->addr;
	}
	if (!b->given6)
		default6(b);
	b->gw6 = b->net6;
	b->gw6.s6_addr[15] |= 1;
	if (p->has6) {
		if (b->given6 && (b->no6 || p->len6 != b->len6 ||
		    memcmp(&p->addr6, &b->gw6, sizeof(p->addr6)) != 0))
			errx(EXIT_LINK, "subnet6=: bridge %s has %s/%u already",
			    b->name, ip6_text(&p->addr6, have), p->len6);
		b->gw6 = p->addr6;
		b->len6 = p->len6;
		if (b->len6 < 8 || b->len6 > 96)
			b->no6 = true; /* no room for our addresses */
	} else if (p->addr != 0) {
		if (b->given6 && !b->no6)
			errx(EXIT_LINK, "subnet6=: bridge %s has no IPv6",
			    b->name);
		b->no6 = true;
	}
	b->net6 = b->gw6;
	cidr_mask(b->len6, mask);
	for (i = 0; i < sizeof(mask); i++)
		b->net6.s6_addr[i] &= mask[i];
}

/* A subnet that the host reaches otherwise is not to be taken from it. */
static void
refuse_overlap(struct net *net, int family, const void *addr, unsigned int len)
{
	const char *word = family == AF_INET ? "subnet" : "subnet6";
	struct overlap o = { .family = family, .net = addr, .len = len,
		.but = net->bridge.name };
	char ip[INET6_ADDRSTRLEN], dst[INET6_ADDRSTRLEN];

	if (link_overlap(&net->route, &o) == -1)
		nl_fail(&net->route, "routes");
	if (o.found)
		errx(EXIT_LINK, "%s=%s/%u: the host has a route to %s/%u%s%s; "
		    "name another by %s=", word,
		    inet_ntop(family, addr, ip, sizeof(ip)), len,
		    inet_ntop(family, o.dst, dst, sizeof(dst)), o.dst_len,
		    *o.name != '\0' ? " by " : "", o.name, word);
}

/* What is there and what is to be: the subnets, before anything is made. */
void
bridge_plan(struct net *net)
{
	struct bridge *b = &net->bridge;
	char ip[INET_ADDRSTRLEN], ip6[INET6_ADDRSTRLEN];
	struct in_addr net4;
	struct present p;

	b->has6 = host_has6(b->name);
	if (b->given6 && !b->no6 && !b->has6)
		errx(EXIT_LINK, "subnet6=: the host has no IPv6");
	if (!look(net, &p))
		p = (struct present){ 0 };
	adopt(b, &p);
	b->has6 = b->has6 && !b->no6;
	if (p.addr == 0) {
		net4.s_addr = htonl(b->net);
		refuse_overlap(net, AF_INET, &net4, b->len);
		if (b->has6 && !p.has6)
			refuse_overlap(net, AF_INET6, &b->net6, b->len6);
	}
	b->mtu = net->mtu != 0 ? net->mtu : link_uplink_mtu(&net->route);
	if (net->asked != 0 && ((net->asked & b->mask) != b->net ||
	    net->asked == b->net || net->asked == b->gw ||
	    net->asked == (b->net | ~b->mask)))
		errx(EXIT_LINK, "ip=%s: no address for a chain in %s/%u",
		    ip4_text(net->asked, ip6), ip4_text(b->net, ip), b->len);
	say("bridge %s %s/%u%s%s, mtu %u", b->name, ip4_text(b->gw, ip),
	    b->len, b->has6 ? " " : "", b->has6 ? ip6_text(&b->gw6, ip6) : "",
	    b->mtu);
}

/*
 * Make the bridge, with a hardware address that does not change with its ports.
 * Multicast is not snooped on: the reports that it would need are among what
 * guard.c does not let through.
 */
static int
make(struct net *net)
{
	struct bridge *b = &net->bridge;
	struct nlattr *info, *data;
	struct nlreq r;
	uint8_t mac[6];

	mac_of(b->gw, mac);
	nlreq_init(&r, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL,
	    sizeof(struct ifinfomsg));
	nlreq_str(&r, IFLA_IFNAME, b->name);
	nlreq_put(&r, IFLA_ADDRESS, mac, sizeof(mac));
	info = nlreq_nest(&r, IFLA_LINKINFO);
	nlreq_str(&r, IFLA_INFO_KIND, "bridge");
	data = nlreq_nest(&r, IFLA_INFO_DATA);
	nlreq_u8(&r, IFLA_BR_MCAST_SNOOPING, 0);
	nlreq_end(&r, data);
	nlreq_end(&r, info);
	return nl_talk(&net->route, &r);
}

/*
 * A host that forwards IPv6 no longer hears routers, unless told to: those of
 * its interfaces that do now are told, before it starts to forward. One that
 * cannot be would lose its way out. Interfaces may go meanwhile.
 */
static void
keep_routers(const struct net *net)
{
	struct dirent *e;
	char path[512], buf[16];
	ssize_t n;
	DIR *dir;

	if ((dir = opendir("/proc/sys/net/ipv6/conf")) == NULL)
		err(EXIT_LINK, "/proc/sys/net/ipv6/conf");
	while ((errno = 0, e = readdir(dir)) != NULL) {
		if (e->d_name[0] == '.' || strcmp(e->d_name, "all") == 0 ||
		    strcmp(e->d_name, net->bridge.name) == 0)
			continue;
		snprintf(path, sizeof(path),
		    "/proc/sys/net/ipv6/conf/%s/accept_ra", e->d_name);
		n = kfile_read(AT_FDCWD, path, buf, sizeof(buf));
		if (n != -1 && strcmp(buf, "1\n") == 0 &&
		    (n = kfile_write(AT_FDCWD, path, "2")) == 0)
			say("%s accept_ra=2", e->d_name);
		if (n == -1 && errno != ENOENT && errno != ENODEV)
			err(EXIT_LINK, "%s", path);
	}
	if (errno != 0)
		err(EXIT_LINK, "/proc/sys/net/ipv6/conf");
	closedir(dir);
}

static void
forwarding(const struct net *net)
{
	const struct bridge *b = &net->bridge;
	char name[IFNAMSIZ + 8], buf[16];

	if (sysctl_set("ipv4", ".", "ip_forward", "1"))
		say("the host forwards IPv4 now");
	snprintf(name, sizeof(name), "conf/%s", b->name);
	if (forward_from_loopback(net) &&
	    sysctl_set("ipv4", name, "route_localnet", "1"))
		say("%s route_localnet=1", b->name);
	if (!b->has6)
		return;
	sysctl_set("ipv6", name, "accept_ra", "0");
	if (sysctl_read("ipv6", "conf/all", "forwarding", buf,
	    sizeof(buf)) == 0 && buf[0] == '1')
		return;
	keep_routers(net);
	if (sysctl_set("ipv6", "conf/all", "forwarding", "1"))
		say("the host forwards IPv6 now");
}

/* The host takes no routes from what is on the bridge. */
static void
believe_nobody(const struct bridge *b)
{
	char name[IFNAMSIZ + 8];

	snprintf(name, sizeof(name), "conf/%s", b->name);
	sysctl_set("ipv4", name, "accept_redirects", "0");
	if (b->has6) {
		sysctl_set("ipv6", name, "accept_ra", "0");
		sysctl_set("ipv6", name, "accept_redirects", "0");
	}
}

/*
 * Somebody was quicker to give the bridge another subnet: the first IPv4
 * address is the one that counts. Ours go again; of IPv6 only one that is not
 * theirs as well.
 */
static void
yield(struct net *net, const struct present *p)
{
	const struct bridge *b = &net->bridge;
	struct in_addr gw = { htonl(b->gw) };

	link_address_remove(&net->route, b->index, AF_INET, &gw, b->len);
	if (b->has6 && p->global6 > 1)
		link_address_remove(&net->route, b->index, AF_INET6, &b->gw6,
		    b->len6);
}

/* Make what is missing of the bridge, and check that nobody made another. */
void
bridge_open(struct net *net)
{
	struct bridge *b = &net->bridge;
	struct in_addr gw = { htonl(b->gw) };
	struct present p;
	uint8_t mac[6];
	bool ours = true;

	if (make(net) == -1) {
		if (errno == EPERM)
			errx(EXIT_LINK, "bridge %s: Operation not permitted; "
			    "without root, pasta(1) takes the place of "
			    "volt-net", b->name);
		if (errno != EEXIST)
			nl_fail(&net->route, "bridge %s", b->name);
		ours = false;
	}
	if ((b->index = link_index(&net->route, b->name)) == -1)
		nl_fail(&net->route, "bridge %s", b->name);
	if (ours)
		believe_nobody(b);
	if (link_up(&net->route, b->index, ours ? NET_ALIAS : NULL) == -1)
		nl_fail(&net->route, "bridge %s", b->name);
	/* Where others find the IPv4 address, all there will be is there. */
	if ((b->has6 && link_address(&net->route, b->index, AF_INET6, &b->gw6,
	    b->len6) == -1) ||
	    link_address(&net->route, b->index, AF_INET, &gw, b->len) == -1)
		nl_fail(&net->route, "bridge %s: address", b->name);
	if (!look(net, &p))
		errx(EXIT_LINK, "bridge %s: removed while in use", b->name);
	if (p.addr != b->gw || p.len != b->len) {
		yield(net, &p);
		errx(EXIT_LINK, "bridge %s: another subnet was given to it at "
		    "the same time", b->name);
	}
	memcpy(b->mac, p.mac, sizeof(b->mac));
	mac_of(b->gw, mac);
	/* Whoever made it was killed before it was done, or is not yet. */
	if (!p.ours && memcmp(p.mac, mac, sizeof(mac)) == 0) {
		believe_nobody(b);
		if (link_up(&net->route, b->index, NET_ALIAS) == -1)
			nl_fail(&net->route, "bridge %s", b->name);
	}
	forwarding(net);
}

static void
see_port(const struct nlmsghdr *msg, void *ctx)
{
	struct ports *p = ctx;
	struct link l, *grown;

	if (!link_parse(msg, &l) || l.master != p->bridge)
		return;
	grown = realloc(p->link, (p->n + 1) * sizeof(l));
	if (grown == NULL) {
		p->failed = true;
		return;
	}
	p->link = grown;
	p->link[p->n++] = l;
}

/*
 * How many are on the bridge, or end; those that are going for certain are not.
 * *patience is how long to wait for those that may be.
 */
static unsigned int
count_ports(struct net *net, int bridge, int *patience)
{
	struct ports p = { .bridge = bridge };
	unsigned int living = 0;
	struct nlreq r;
	size_t i;
	int ms;

	nlreq_init(&r, RTM_GETLINK, NLM_F_DUMP, sizeof(struct ifinfomsg));
	nlreq_u32(&r, IFLA_MASTER, (uint32_t)bridge);
	if (nl_dump(&net->route, &r, see_port, &p) == -1)
		nl_fail(&net->route, "bridge %s: ports", net->bridge.name);
	if (p.failed)
		errx(EXIT_LINK, "bridge %s: out of memory", net->bridge.name);
	*patience = NET_PERHAPS;
	for (i = 0; i < p.n; i++) {
		ms = lease_patience(&net->route, &p.link[i]);
		living += ms != NET_GOING;
		if (ms < *patience)
			*patience = ms;
	}
	free(p.link);
	return living;
}

/* -r: the bridge and its table, if nothing is on it. */
void
bridge_remove(struct net *net)
{
	const char *name = net->bridge.name;
	struct present p;
	int64_t begin = 0;
	unsigned int n;
	int patience;

	if (!look(net, &p))
		errx(EXIT_LINK, "bridge %s: there is none", name);
	if (!p.ours)
		errx(EXIT_LINK, "bridge %s: not made by volt-net", name);
	do
		n = count_ports(net, p.index, &patience);
	while (n > 0 && wait_more(&begin, patience));
	if (n > 0)
		errx(EXIT_LINK, "bridge %s: in use by %u", name, n);
	/* The rules first: a bridge that another makes anew then has its own. */
	rules_bridge_remove(net);
	if (link_delete(&net->route, name) == -1)
		nl_fail(&net->route, "bridge %s", name);
	say("bridge %s removed", name);
}
