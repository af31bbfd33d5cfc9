/*
 * The guard: two BPF programs at the host's end of the lease. They go away with
 * that interface. Theory of operation:
 *
 * The program for frames from the chain (tc's ingress) passes what comes from
 * the chain's hardware address and is one of these:
 * - ARP or IPv4 from the chain's IPv4 address;
 * - IPv6 from the chain's IPv6 address, or from its link-local address.
 *
 * It drops everything else, and of the above these:
 * - frames with a VLAN tag;
 * - IPv4 for the host's loopback;
 * - router advertisements, redirects, and neighbour advertisements for other
 *   addresses, also in fragments;
 * - extension headers behind which such messages could hide.
 *
 * With isolate=yes it also drops what is for an address of the subnet, except
 * the host's, and what is for the hardware address of another chain, whatever
 * its IP address is. It passes multicast and broadcast only to the host. A
 * second program, for frames to the chain (egress), drops what comes from other
 * chains. So two chains reach each other only if both have isolate=no.
 *
 * A frame for the host goes to the host directly, and not by the bridge.
 * Container engines load br_netfilter. With that, the bridge would treat a
 * forward from one chain to another as a bridged frame, and drop it because the
 * ports are isolated.
 */
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>

#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include "chain.h"
#include "cidr.h"

#include "bpf.h"
#include "net.h"

/* Offsets in a frame, in bytes. */
#define ETH_DST 0
#define ETH_SRC 6
#define ETH_TYPE 12
#define ARP_SENDER_MAC 22
#define ARP_SENDER_IP 28
#define ARP_END 42
#define IP4_SRC 26
#define IP4_DST 30
#define IP4_END 34
#define IP6_NEXT 20
#define IP6_SRC 22
#define IP6_DST 38
#define IP6_END 54
#define ICMP6_TYPE 54
#define FRAG_NEXT 54	/* after a fragment header */
#define FRAG_OFFSET 56
#define FRAG_ICMP6_TYPE 62
#define ND_TARGET 62
#define ND_END 78

#define ND_ROUTER_ADVERT_TYPE 134
#define ND_NEIGHBOR_ADVERT_TYPE 136
#define ND_REDIRECT_TYPE 137

/*
 * Jump unless the first len bits of the address at off are those of a. Writes
 * the jumps to out, and returns their number.
 */
static size_t
jump_unless6(struct bpf_prog *p, int off, const struct in6_addr *a,
    unsigned int len, size_t out[4])
{
	uint8_t mask[16];
	unsigned int i;
	uint32_t m;
	size_t n = 0;

	cidr_mask(len, mask);
	for (i = 0; i < 16; i += 4) {
		if ((m = bpf_word(mask + i, 4)) == 0)
			break;
		bpf_field(p, BPF_W, off + (int)i);
		bpf_and(p, m);
		out[n++] = bpf_jump(p, BPF_JNE,
		    bpf_word(a->s6_addr + i, 4) & m);
	}
	return n;
}

/* Drop the frame unless the address at off is one of these. */
static void
expect6(struct bpf_prog *p, int off, const struct in6_addr *const any[],
    size_t n)
{
	size_t i, k, m, fails[4], good[3];

	for (i = 0; i < n; i++) {
		m = jump_unless6(p, off, any[i], 128, fails);
		good[i] = bpf_jump_always(p);
		for (k = 0; k < m; k++)
			bpf_land(p, fails[k]);
	}
	bpf_leave(p, TC_ACT_SHOT);
	for (i = 0; i < n; i++)
		bpf_land(p, good[i]);
}

/*
 * Drop the frame if the address at off is in the subnet, and not the gateway's.
 */
static void
refuse_subnet4(struct bpf_prog *p, const struct bridge *b, int off)
{
	uint32_t gw = htonl(b->gw), net = htonl(b->net), mask = htonl(b->mask);
	size_t is_gw, outside;

	bpf_field(p, BPF_W, off);
	is_gw = bpf_jump(p, BPF_JEQ, gw);
	bpf_and(p, mask);
	outside = bpf_jump(p, BPF_JNE, net);
	bpf_leave(p, TC_ACT_SHOT);
	bpf_land(p, is_gw);
	bpf_land(p, outside);
}

static void
refuse_subnet6(struct bpf_prog *p, const struct bridge *b, int off)
{
	size_t other[4], outside[4], n, m, i, is_gw;

	n = jump_unless6(p, off, &b->gw6, 128, other);
	is_gw = bpf_jump_always(p);
	for (i = 0; i < n; i++)
		bpf_land(p, other[i]);
	m = jump_unless6(p, off, &b->net6, b->len6, outside);
	bpf_leave(p, TC_ACT_SHOT);
	for (i = 0; i < m; i++)
		bpf_land(p, outside[i]);
	bpf_land(p, is_gw);
}

/*
 * Drop the frame if the hardware address at off is that of a chain on the
 * bridge. The bridge's own address looks like one of these, and may belong to
 * another subnet that the bridge had before.
 */
static void
refuse_chain(struct bpf_prog *p, const struct bridge *b, int off)
{
	const uint32_t net = htonl(b->net), mask = htonl(b->mask);
	const char *n = (const char *)&net, *m = (const char *)&mask;
	uint8_t gw[6];
	size_t outside[3], other, is_gw;
	int i;

	mac_of(b->gw, gw);
	if (memcmp(b->mac, gw, 2) == 0)
		memcpy(gw, b->mac, sizeof(gw));
	bpf_field(p, BPF_H, off);
	outside[0] = bpf_jump(p, BPF_JNE, bpf_word(gw, 2));
	bpf_field(p, BPF_H, off + 2);
	other = bpf_jump(p, BPF_JNE, bpf_word(gw + 2, 2));
	bpf_field(p, BPF_H, off + 4);
	is_gw = bpf_jump(p, BPF_JEQ, bpf_word(gw + 4, 2));
	bpf_land(p, other);
	for (i = 0; i < 2; i++) {
		bpf_field(p, BPF_H, off + 2 + 2 * i);
		bpf_and(p, bpf_word(m + 2 * i, 2));
		outside[1 + i] = bpf_jump(p, BPF_JNE, bpf_word(n + 2 * i, 2));
	}
	bpf_leave(p, TC_ACT_SHOT);
	for (i = 0; i < 3; i++)
		bpf_land(p, outside[i]);
	bpf_land(p, is_gw);
}

/*
 * Drop what is for 127.0.0.0/8. A rule drops it, too (rules.c). But
 * route_localnet stays on if the host's rules are flushed.
 */
static void
refuse_loopback(struct bpf_prog *p)
{
	size_t other;

	bpf_field(p, BPF_W, IP4_DST);
	bpf_and(p, htonl(0xff000000));
	other = bpf_jump(p, BPF_JNE, htonl(0x7f000000));
	bpf_leave(p, TC_ACT_SHOT);
	bpf_land(p, other);
}

/* Jump unless the frame has this type. */
static size_t
jump_unless_type(struct bpf_prog *p, uint16_t type)
{
	bpf_field(p, BPF_H, ETH_TYPE);
	return bpf_jump(p, BPF_JNE, htons(type));
}

/* Drop the frame if the byte at off has this value. */
static void
refuse_byte(struct bpf_prog *p, int off, uint8_t v)
{
	size_t other;

	bpf_field(p, BPF_B, off);
	other = bpf_jump(p, BPF_JNE, v);
	bpf_leave(p, TC_ACT_SHOT);
	bpf_land(p, other);
}

/*
 * Pass the frame: to the host if it is for the host, else to the bridge. What
 * an isolated chain sends by multicast or broadcast goes to the host: the
 * bridge would send it to all ports that are not isolated.
 */
static void
pass(struct bpf_prog *p, const struct bridge *b, bool isolate)
{
	size_t other[2], multicast = 0;

	if (isolate) {
		bpf_field(p, BPF_B, ETH_DST);
		multicast = bpf_jump(p, BPF_JSET, 1);
	}
	bpf_field(p, BPF_H, ETH_DST);
	other[0] = bpf_jump(p, BPF_JNE, bpf_word(b->mac, 2));
	bpf_field(p, BPF_W, ETH_DST + 2);
	other[1] = bpf_jump(p, BPF_JNE, bpf_word(b->mac + 2, 4));
	if (isolate)
		bpf_land(p, multicast);
	bpf_set(p, 1, b->index);
	bpf_set(p, 2, BPF_F_INGRESS);
	bpf_call(p, BPF_FUNC_redirect);
	bpf_exit(p);
	bpf_land(p, other[0]);
	bpf_land(p, other[1]);
	bpf_leave(p, TC_ACT_OK);
}

/*
 * The byte at off says which header is next. Drop if that could hide another.
 */
static void
refuse_headers(struct bpf_prog *p, int off)
{
	/* Hop-by-hop, routing, destination, mobility, HIP, shim6. */
	static const uint8_t headers[] = { 0, 43, 60, 135, 139, 140 };
	size_t i;

	for (i = 0; i < sizeof(headers); i++)
		refuse_byte(p, off, headers[i]);
}

/*
 * Drop fragments of the messages that we drop. The first fragment has the type
 * of an ICMPv6 message. Other large messages may come in fragments; messages of
 * neighbour discovery must not (RFC 6980).
 */
static void
refuse_fragment(struct bpf_prog *p)
{
	size_t whole, no_icmp, later;

	bpf_field(p, BPF_B, IP6_NEXT);
	whole = bpf_jump(p, BPF_JNE, IPPROTO_FRAGMENT);
	bpf_need(p, FRAG_ICMP6_TYPE + 1);
	refuse_headers(p, FRAG_NEXT);
	refuse_byte(p, FRAG_NEXT, IPPROTO_FRAGMENT);
	bpf_field(p, BPF_B, FRAG_NEXT);
	no_icmp = bpf_jump(p, BPF_JNE, IPPROTO_ICMPV6);
	bpf_field(p, BPF_H, FRAG_OFFSET);
	later = bpf_jump(p, BPF_JSET, htons(0xfff8));
	refuse_byte(p, FRAG_ICMP6_TYPE, ND_ROUTER_ADVERT_TYPE);
	refuse_byte(p, FRAG_ICMP6_TYPE, ND_NEIGHBOR_ADVERT_TYPE);
	refuse_byte(p, FRAG_ICMP6_TYPE, ND_REDIRECT_TYPE);
	bpf_land(p, later);
	bpf_land(p, no_icmp);
	bpf_land(p, whole);
}

static void
from_chain6(struct bpf_prog *p, const struct lease *l, const struct bridge *b,
    bool isolate)
{
	const struct in6_addr *const own[] = { &l->addr6, &l->link6,
		&in6addr_any };
	size_t other, no_icmp;

	bpf_need(p, IP6_END);
	expect6(p, IP6_SRC, own, 3);
	refuse_headers(p, IP6_NEXT);
	refuse_fragment(p);
	if (isolate)
		refuse_subnet6(p, b, IP6_DST);
	bpf_field(p, BPF_B, IP6_NEXT);
	no_icmp = bpf_jump(p, BPF_JNE, IPPROTO_ICMPV6);
	bpf_need(p, ICMP6_TYPE + 1);
	refuse_byte(p, ICMP6_TYPE, ND_ROUTER_ADVERT_TYPE);
	refuse_byte(p, ICMP6_TYPE, ND_REDIRECT_TYPE);
	bpf_field(p, BPF_B, ICMP6_TYPE);
	other = bpf_jump(p, BPF_JNE, ND_NEIGHBOR_ADVERT_TYPE);
	bpf_need(p, ND_END);
	expect6(p, ND_TARGET, own, 2);
	bpf_land(p, other);
	bpf_land(p, no_icmp);
	pass(p, b, isolate);
}

/*
 * rate=out, by a virtual clock in a map. Each byte advances the clock by the
 * time that it takes at the rate. A frame that would put the clock before the
 * present is dropped. The clock is never more than a burst behind the present.
 */
static void
police(struct bpf_prog *p, uint64_t rate, int map)
{
	uint64_t burst = rate / 20 > 262144 ? rate / 20 : 262144;
	size_t recent, in_time;

	bpf_call(p, BPF_FUNC_ktime_get_ns);
	bpf_move(p, 7, 0);
	bpf_set_map(p, 8, map);
	bpf_read(p, BPF_DW, 9, 8, 0);
	bpf_set64(p, 1, burst * 1000000000 / rate);
	bpf_move(p, 2, 7);
	bpf_math(p, BPF_SUB, 2, 1);
	recent = bpf_jump_regs(p, BPF_JSGE, 9, 2);
	bpf_move(p, 9, 2);
	bpf_land(p, recent);
	bpf_read(p, BPF_W, 2, 6, offsetof(struct __sk_buff, len));
	bpf_math_by(p, BPF_MUL, 2, 1000000000);
	bpf_set64(p, 1, rate);
	bpf_math(p, BPF_DIV, 2, 1);
	bpf_math(p, BPF_ADD, 9, 2);
	in_time = bpf_jump_regs(p, BPF_JSLE, 9, 7);
	bpf_leave(p, TC_ACT_SHOT);
	bpf_land(p, in_time);
	bpf_write(p, BPF_DW, 8, 9, 0);
}

/*
 * The program for frames from the chain. map has the clock of rate=out, or is
 * -1.
 */
static void
from_chain(struct bpf_prog *p, const struct lease *l, const struct bridge *b,
    bool isolate, uint64_t rate_out, int map)
{
	uint32_t addr = htonl(l->addr);
	size_t other;

	bpf_begin(p);
	bpf_read(p, BPF_W, 2, 6, offsetof(struct __sk_buff, vlan_present));
	other = bpf_jump(p, BPF_JEQ, 0);
	bpf_leave(p, TC_ACT_SHOT);
	bpf_land(p, other);
	if (map != -1)
		police(p, rate_out, map);
	bpf_need(p, IP4_END);
	bpf_expect(p, ETH_SRC, l->mac, sizeof(l->mac));
	if (isolate)
		refuse_chain(p, b, ETH_DST);

	other = jump_unless_type(p, ETH_P_IP);
	bpf_expect(p, IP4_SRC, &addr, sizeof(addr));
	refuse_loopback(p);
	if (isolate)
		refuse_subnet4(p, b, IP4_DST);
	pass(p, b, isolate);
	bpf_land(p, other);

	other = jump_unless_type(p, ETH_P_ARP);
	bpf_need(p, ARP_END);
	bpf_expect(p, ARP_SENDER_MAC, l->mac, sizeof(l->mac));
	bpf_expect(p, ARP_SENDER_IP, &addr, sizeof(addr));
	pass(p, b, isolate);
	bpf_land(p, other);

	if (b->has6) {
		other = jump_unless_type(p, ETH_P_IPV6);
		from_chain6(p, l, b, isolate);
		bpf_land(p, other);
	}
	bpf_leave(p, TC_ACT_SHOT);
}

/* The program for frames to a chain with isolate=yes. */
static void
to_chain(struct bpf_prog *p, const struct bridge *b)
{
	size_t other;

	bpf_begin(p);
	bpf_need(p, IP4_END);
	refuse_chain(p, b, ETH_SRC);
	other = jump_unless_type(p, ETH_P_IP);
	refuse_subnet4(p, b, IP4_SRC);
	bpf_leave(p, TC_ACT_OK);
	bpf_land(p, other);
	other = jump_unless_type(p, ETH_P_IPV6);
	bpf_need(p, IP6_END);
	if (b->has6)
		refuse_subnet6(p, b, IP6_SRC);
	bpf_leave(p, TC_ACT_OK);
	bpf_land(p, other);
	bpf_leave(p, TC_ACT_OK);
}

/* Attach a program to one side of the interface's clsact queue. */
static void
attach(const struct lease *l, uint32_t side, const struct bpf_prog *p,
    struct nl *route)
{
	struct nlattr *options;
	struct tcmsg *tc;
	struct nlreq r;
	int fd;

	if ((fd = bpf_load(p)) == -1)
		err(EXIT_LINK, "guard: BPF program");
	tc = nlreq_init(&r, RTM_NEWTFILTER, NLM_F_CREATE | NLM_F_EXCL,
	    sizeof(*tc));
	tc->tcm_ifindex = l->index;
	tc->tcm_parent = TC_H_MAKE(TC_H_CLSACT, side);
	tc->tcm_info = TC_H_MAKE(1U << 16, htons(ETH_P_ALL));
	nlreq_str(&r, TCA_KIND, "bpf");
	options = nlreq_nest(&r, TCA_OPTIONS);
	nlreq_u32(&r, TCA_BPF_FD, (uint32_t)fd);
	nlreq_str(&r, TCA_BPF_NAME, "volt-net");
	nlreq_u32(&r, TCA_BPF_FLAGS, TCA_BPF_FLAG_ACT_DIRECT);
	nlreq_end(&r, options);
	if (nl_talk(route, &r) == -1)
		nl_fail(route, "%s: guard", l->name);
	close(fd);
}

/*
 * Attach the guard to the interface, which is not yet connected to the bridge.
 */
void
guard_attach(const struct lease *l, const struct bridge *b, bool isolate,
    uint64_t rate_out, struct nl *route)
{
	struct bpf_prog p = { .n = 0 };
	struct tcmsg *tc;
	struct nlreq r;
	int map = -1;

	tc = nlreq_init(&r, RTM_NEWQDISC, NLM_F_CREATE | NLM_F_EXCL,
	    sizeof(*tc));
	tc->tcm_ifindex = l->index;
	tc->tcm_parent = TC_H_CLSACT;
	tc->tcm_handle = TC_H_MAKE(TC_H_CLSACT, 0);
	nlreq_str(&r, TCA_KIND, "clsact");
	if (nl_talk(route, &r) == -1)
		nl_fail(route, "%s: clsact", l->name);
	if (rate_out != 0 && (map = bpf_make_map()) == -1)
		err(EXIT_LINK, "rate=: BPF map");
	from_chain(&p, l, b, isolate, rate_out, map);
	attach(l, TC_H_MIN_INGRESS, &p, route);
	if (map != -1)
		close(map);
	if (!isolate)
		return;
	to_chain(&p, b);
	attach(l, TC_H_MIN_EGRESS, &p, route);
}
