/*
 * The bridge. The first volt-net makes it, and it stays for later ones. Several
 * may do each step at the same time. Then one succeeds, and the others get
 * EEXIST from the kernel and use what that one has made.
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

/* The ports of a bridge, for see_port(). */
struct ports {
	int bridge;
	struct iface *item;
	size_t n;
	bool failed;	/* out of memory */
};

/* An existing bridge, as the kernel has it. */
struct present {
	int index;
	uint32_t addr;	/* host byte order; 0: none */
	unsigned int len;
	bool has6;
	struct in6_addr addr6;	/* the first one of global scope */
	unsigned int len6;
	unsigned int global6;	/* how many such addresses there are */
	uint8_t mac[6];
	bool ours;	/* volt-net made it */
};

static int
sysctl_read(const char *dir, const char *name, const char *leaf, char *buf,
    size_t size)
{
	char path[128];

	snprintf(path, sizeof(path), "/proc/sys/net/%s/%s/%s", dir, name, leaf);
	return kfile_read(AT_FDCWD, path, buf, size) == -1 ? -1 : 0;
}

/* Set net/DIR/NAME/LEAF to value, or end. Returns whether that changed it. */
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

/*
 * Is IPv6 disabled for NAME? Returns -1 if there is no such interface, or if
 * the kernel has no IPv6.
 */
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

/* Can a chain have IPv6? The host must have it, and so must the bridge. */
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
	struct iface_addr a;
	uint32_t v4;

	if (!iface_parse_address(msg, &a) || a.index != p->index)
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

/* Look at the bridge. Returns whether it exists, or ends. */
static bool
look(const char *name, struct nl *route, struct present *p)
{
	struct ifaddrmsg *ifa;
	struct iface i;
	struct nlreq r;

	*p = (struct present){ 0 };
	if (iface_find(route, name, &i) == -1) {
		if (errno != ENODEV)
			nl_fail(route, "bridge %s", name);
		return false;
	}
	if (strcmp(i.kind, "bridge") != 0)
		errx(EXIT_LINK, "bridge=%s: an interface that is no bridge",
		    name);
	p->index = i.index;
	memcpy(p->mac, i.mac, sizeof(p->mac));
	p->ours = strcmp(i.alias, NET_ALIAS) == 0;
	ifa = nlreq_init(&r, RTM_GETADDR, NLM_F_DUMP, sizeof(*ifa));
	ifa->ifa_index = (uint32_t)i.index;
	if (nl_dump(route, &r, see_address, p) == -1)
		nl_fail(route, "bridge %s: addresses", name);
	return true;
}

/* The default: fd76:6f6c:AABB:CCDD::/64 for the IPv4 network AA.BB.CC.DD. */
static void
default6(struct bridge *b)
{
	b->net6 = (struct in6_addr){ .s6_addr = { 0xfd, 0x76, 0x6f, 0x6c,
	    (uint8_t)(b->net >> 24), (uint8_t)(b->net >> 16),
	    (uint8_t)(b->net >> 8), (uint8_t)b->net } };
	b->len6 = 64;
}

/*
 * Choose the IPv4 subnet: that of the bridge if it has an address, or the
 * words'.
 */
static void
choose4(struct bridge *b, const struct subnets *s, const struct present *p)
{
	char have[INET_ADDRSTRLEN];

	b->len = s->len;
	b->net = s->net;
	b->gw = b->net + 1;
	if (p->addr != 0) {
		if (s->given && (p->addr != b->gw || p->len != b->len))
			errx(EXIT_LINK, "subnet=: bridge %s has %s/%u already",
			    b->name, ip4_text(p->addr, have), p->len);
		if (p->len < 8 || p->len > 30)
			errx(EXIT_LINK, "bridge %s: %s/%u is no network from "
			    "/8 to /30", b->name, ip4_text(p->addr, have),
			    p->len);
		b->len = p->len;
		b->net = p->addr & ~(UINT32_MAX >> b->len);
		b->gw = p->addr;
	}
	b->mask = ~(UINT32_MAX >> b->len);
}

/* The same for IPv6. The chain may have no IPv6. */
static void
choose6(struct bridge *b, const struct subnets *s, const struct present *p)
{
	char have[INET6_ADDRSTRLEN];
	uint8_t mask[16];
	unsigned int i;

	b->has6 = b->has6 && !s->no6;
	b->net6 = s->net6;
	b->len6 = s->len6;
	if (!s->given6)
		default6(b);
	b->gw6 = b->net6;
	b->gw6.s6_addr[15] |= 1;
	if (p->has6) {
		if (s->given6 && (s->no6 || p->len6 != b->len6 ||
		    memcmp(&p->addr6, &b->gw6, sizeof(p->addr6)) != 0))
			errx(EXIT_LINK, "subnet6=: bridge %s has %s/%u already",
			    b->name, ip6_text(&p->addr6, have), p->len6);
		b->gw6 = p->addr6;
		b->len6 = p->len6;
		if (b->len6 < 8 || b->len6 > 96)
			b->has6 = false; /* no room for our addresses */
	} else if (p->addr != 0) {
		if (s->given6 && !s->no6)
			errx(EXIT_LINK, "subnet6=: bridge %s has no IPv6",
			    b->name);
		b->has6 = false;
	}
	b->net6 = b->gw6;
	cidr_mask(b->len6, mask);
	for (i = 0; i < sizeof(mask); i++)
		b->net6.s6_addr[i] &= mask[i];
}

/* End if the host has a route to the subnet already. */
static void
refuse_overlap(const char *bridge, struct nl *route, int family,
    const void *addr, unsigned int len)
{
	const char *word = family == AF_INET ? "subnet" : "subnet6";
	struct overlap o = { .family = family, .net = addr, .len = len,
		.except = bridge };
	char ip[INET6_ADDRSTRLEN], dst[INET6_ADDRSTRLEN];

	if (route_overlap(route, &o) == -1)
		nl_fail(route, "routes");
	if (o.found)
		errx(EXIT_LINK, "%s=%s/%u: the host has a route to %s/%u%s%s; "
		    "name another by %s=", word,
		    inet_ntop(family, addr, ip, sizeof(ip)), len,
		    inet_ntop(family, o.dst, dst, sizeof(dst)), o.dst_len,
		    *o.name != '\0' ? " by " : "", o.name, word);
}

/* Is it an address that a chain on the bridge can have? */
static bool
is_for_chain(const struct bridge *b, uint32_t addr)
{
	return (addr & b->mask) == b->net && addr != b->net && addr != b->gw &&
	    addr != (b->net | ~b->mask);
}

/* Fill in b from the words and from what exists, before anything is made. */
void
bridge_plan(struct bridge *b, const struct plan *plan, struct nl *route)
{
	const struct subnets *s = &plan->subnets;
	char ip[INET_ADDRSTRLEN], ip6[INET6_ADDRSTRLEN];
	struct in_addr net4;
	struct present p;

	*b = (struct bridge){ 0 };
	memcpy(b->name, s->bridge, sizeof(b->name));
	b->has6 = host_has6(b->name);
	if (s->given6 && !s->no6 && !b->has6)
		errx(EXIT_LINK, "subnet6=: the host has no IPv6");
	if (!look(b->name, route, &p))
		p = (struct present){ 0 };
	choose4(b, s, &p);
	choose6(b, s, &p);
	if (p.addr == 0) {
		net4.s_addr = htonl(b->net);
		refuse_overlap(b->name, route, AF_INET, &net4, b->len);
		if (b->has6 && !p.has6)
			refuse_overlap(b->name, route, AF_INET6, &b->net6,
			    b->len6);
	}
	b->mtu = plan->mtu != 0 ? plan->mtu : route_uplink_mtu(route);
	if (plan->ip != 0 && !is_for_chain(b, plan->ip))
		errx(EXIT_LINK, "ip=%s: no address for a chain in %s/%u",
		    ip4_text(plan->ip, ip6), ip4_text(b->net, ip), b->len);
	say("bridge %s %s/%u%s%s, mtu %u", b->name, ip4_text(b->gw, ip),
	    b->len, b->has6 ? " " : "", b->has6 ? ip6_text(&b->gw6, ip6) : "",
	    b->mtu);
}

/*
 * Make the bridge. Its hardware address does not change with its ports. There
 * is no multicast snooping, because the guard drops the reports that it needs.
 */
static int
make(const struct bridge *b, struct nl *route)
{
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
	return nl_talk(route, &r);
}

/*
 * A host that forwards IPv6 ignores router advertisements, except on interfaces
 * with accept_ra=2. Set that where accept_ra is 1, before the host forwards. If
 * it cannot be set, that is an error: the host could lose its default route. An
 * interface may go away meanwhile.
 */
static void
keep_routers(const char *bridge)
{
	struct dirent *e;
	char path[512], buf[16];
	ssize_t n;
	DIR *dir;

	if ((dir = opendir("/proc/sys/net/ipv6/conf")) == NULL)
		err(EXIT_LINK, "/proc/sys/net/ipv6/conf");
	while ((errno = 0, e = readdir(dir)) != NULL) {
		if (e->d_name[0] == '.' || strcmp(e->d_name, "all") == 0 ||
		    strcmp(e->d_name, bridge) == 0)
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

/*
 * Let the host forward packets, and if needed let the bridge accept packets
 * from 127.0.0.1.
 */
static void
forwarding(const struct bridge *b, bool from_loopback)
{
	char name[IFNAMSIZ + 8], buf[16];

	if (sysctl_set("ipv4", ".", "ip_forward", "1"))
		say("the host forwards IPv4 now");
	snprintf(name, sizeof(name), "conf/%s", b->name);
	if (from_loopback &&
	    sysctl_set("ipv4", name, "route_localnet", "1"))
		say("%s route_localnet=1", b->name);
	if (!b->has6)
		return;
	sysctl_set("ipv6", name, "accept_ra", "0");
	if (sysctl_read("ipv6", "conf/all", "forwarding", buf,
	    sizeof(buf)) == 0 && buf[0] == '1')
		return;
	keep_routers(b->name);
	if (sysctl_set("ipv6", "conf/all", "forwarding", "1"))
		say("the host forwards IPv6 now");
}

/* Let the host accept no routes from machines on the bridge. */
static void
refuse_routes(const struct bridge *b)
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
 * Another volt-net gave the bridge another subnet before us, and the first IPv4
 * address counts. Remove our addresses, but the one of IPv6 only if the bridge
 * has another.
 */
static void
withdraw(const struct bridge *b, const struct present *p, struct nl *route)
{
	struct in_addr gw = { htonl(b->gw) };

	iface_remove_address(route, b->index, AF_INET, &gw, b->len);
	if (b->has6 && p->global6 > 1)
		iface_remove_address(route, b->index, AF_INET6, &b->gw6,
		    b->len6);
}

/* Make the bridge, or what it lacks, and check that it is as planned. */
void
bridge_open(struct bridge *b, bool from_loopback, struct nl *route)
{
	struct in_addr gw = { htonl(b->gw) };
	struct present p;
	uint8_t mac[6];
	bool ours = true;

	if (make(b, route) == -1) {
		if (errno == EPERM)
			errx(EXIT_LINK, "bridge %s: Operation not permitted; "
			    "without root, use pasta(1) in place of volt-net",
			    b->name);
		if (errno != EEXIST)
			nl_fail(route, "bridge %s", b->name);
		ours = false;
	}
	if ((b->index = iface_index(route, b->name)) == -1)
		nl_fail(route, "bridge %s", b->name);
	if (ours)
		refuse_routes(b);
	if (iface_up(route, b->index, ours ? NET_ALIAS : NULL) == -1)
		nl_fail(route, "bridge %s", b->name);
	/*
	 * IPv4 last: a volt-net that finds that address finds the other one,
	 * too.
	 */
	if ((b->has6 && iface_add_address(route, b->index, AF_INET6, &b->gw6,
	    b->len6) == -1) ||
	    iface_add_address(route, b->index, AF_INET, &gw, b->len) == -1)
		nl_fail(route, "bridge %s: address", b->name);
	if (!look(b->name, route, &p))
		errx(EXIT_LINK, "bridge %s: removed while in use", b->name);
	if (p.addr != b->gw || p.len != b->len) {
		withdraw(b, &p, route);
		errx(EXIT_LINK, "bridge %s: another subnet was given to it at "
		    "the same time", b->name);
	}
	memcpy(b->mac, p.mac, sizeof(b->mac));
	mac_of(b->gw, mac);
	/* The volt-net that made it was killed, or has not finished it yet. */
	if (!p.ours && memcmp(p.mac, mac, sizeof(mac)) == 0) {
		refuse_routes(b);
		if (iface_up(route, b->index, NET_ALIAS) == -1)
			nl_fail(route, "bridge %s", b->name);
	}
	forwarding(b, from_loopback);
}

static void
see_port(const struct nlmsghdr *msg, void *ctx)
{
	struct ports *p = ctx;
	struct iface i, *grown;

	if (!iface_parse(msg, &i) || i.master != p->bridge)
		return;
	grown = realloc(p->item, (p->n + 1) * sizeof(i));
	if (grown == NULL) {
		p->failed = true;
		return;
	}
	p->item = grown;
	p->item[p->n++] = i;
}

/*
 * Count the ports of the bridge, or end. Ports that will certainly go away are
 * not counted. *patience becomes the time to wait, in ms, for those that may go
 * away.
 */
static unsigned int
count_ports(const char *name, int bridge, struct nl *route, int *patience)
{
	struct ports p = { .bridge = bridge };
	unsigned int living = 0;
	struct nlreq r;
	size_t i;
	int ms;

	nlreq_init(&r, RTM_GETLINK, NLM_F_DUMP, sizeof(struct ifinfomsg));
	nlreq_u32(&r, IFLA_MASTER, (uint32_t)bridge);
	if (nl_dump(route, &r, see_port, &p) == -1)
		nl_fail(route, "bridge %s: ports", name);
	if (p.failed)
		errx(EXIT_LINK, "bridge %s: out of memory", name);
	*patience = NET_PERHAPS;
	for (i = 0; i < p.n; i++) {
		ms = lease_patience(route, &p.item[i]);
		living += ms != NET_GOING;
		if (ms < *patience)
			*patience = ms;
	}
	free(p.item);
	return living;
}

/* -r: remove the bridge and its table, if it has no ports. */
void
bridge_remove(const char *name, struct nl *route, struct nl *nft)
{
	struct present p;
	int64_t begin = 0;
	unsigned int n;
	int patience;

	if (!look(name, route, &p))
		errx(EXIT_LINK, "bridge %s: there is none", name);
	if (!p.ours)
		errx(EXIT_LINK, "bridge %s: not made by volt-net", name);
	do
		n = count_ports(name, p.index, route, &patience);
	while (n > 0 && wait_more(&begin, patience));
	if (n > 0)
		errx(EXIT_LINK, "bridge %s: in use by %u", name, n);
	/*
	 * Remove the rules first: if another volt-net makes the bridge again,
	 * it makes its own rules.
	 */
	rules_bridge_remove(name, nft);
	if (iface_delete(route, name) == -1)
		nl_fail(route, "bridge %s", name);
	say("bridge %s removed", name);
}
