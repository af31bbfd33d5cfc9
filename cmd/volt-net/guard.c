/*
 * The guard: two small BPF programs on the host end of a chain's link, which go
 * with it. Theory of operation:
 *
 * From the chain (tc's ingress) passes only what comes from its hardware
 * address and is ARP or IPv4 from its address, or IPv6 from its address or its
 * link-local one; no router advertisements or redirects, no neighbour
 * advertisements for others, also not in fragments, no extension headers that
 * such could hide behind, no VLAN tags, nothing to the host's loopback, nothing else. With isolate=yes
 * nothing goes to an address of the subnet but the host's, nor to the hardware
 * address of another chain, whatever the addresses above it, and what is for a
 * group is for the host alone; the programs on the way to the chain (egress)
 * see to the same for what comes from there, so that both must have said no.
 *
 * What is for the host goes to it straight, past the bridge. Where br_netfilter
 * is loaded, as container engines do, that would otherwise take a forward from
 * one chain to another for a frame to be bridged, which isolated ports refuse.
 *
 * A program copies the frame's first bytes to its stack, at an offset that
 * aligns all the fields in it: FRAME bytes that end at the frame pointer. What
 * is shorter than the field that is looked at is dropped.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <sys/syscall.h>

#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include "chain.h"
#include "cidr.h"

#include "net.h"

#define FRAME 78	/* up to the target of a neighbour advertisement */
#define INSNS 512

/* Offsets in a frame. */
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
#define FRAG_NEXT 54	/* behind a fragment header */
#define FRAG_OFFSET 56
#define FRAG_ICMP6_TYPE 62
#define ND_TARGET 62
#define ND_END 78

#define ND_ROUTER_ADVERT_TYPE 134
#define ND_NEIGHBOR_ADVERT_TYPE 136
#define ND_REDIRECT_TYPE 137

struct prog {
	struct bpf_insn insn[INSNS];
	size_t n;
	bool full;
};

static void
emit(struct prog *p, uint8_t code, uint8_t dst, uint8_t src, int16_t off,
    int32_t imm)
{
	if (p->n == INSNS) {
		p->full = true;
		return;
	}
	p->insn[p->n++] = (struct bpf_insn){ .code = code, .dst_reg = dst & 0xfU,
		.src_reg = src & 0xfU, .off = off, .imm = imm };
}

static void
emit_imm64(struct prog *p, uint8_t dst, uint8_t src, uint64_t v)
{
	emit(p, BPF_LD | BPF_DW, dst, src, 0, (int32_t)(uint32_t)v);
	emit(p, 0, 0, 0, 0, (int32_t)(uint32_t)(v >> 32));
}

static void
leave(struct prog *p, int verdict)
{
	emit(p, BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_0, 0, 0, verdict);
	emit(p, BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
}

/* Jump if register 2 compares so with v; returns what lands() is told. */
static size_t
jump(struct prog *p, uint8_t op, uint32_t v)
{
	emit(p, BPF_JMP32 | op | BPF_K, BPF_REG_2, 0, 0, (int32_t)v);
	return p->n;
}

static void
lands(struct prog *p, size_t from)
{
	if (!p->full)
		p->insn[from - 1].off = (int16_t)(p->n - from);
}

/* The field at off of the frame into register 2, in host byte order of C. */
static void
load(struct prog *p, uint8_t size, int off)
{
	emit(p, (uint8_t)(BPF_LDX | size | BPF_MEM), BPF_REG_2, BPF_REG_10,
	    (int16_t)(off - FRAME), 0);
}

/* Have the first len bytes on the stack, or drop. */
static void
need(struct prog *p, int len)
{
	emit(p, BPF_ALU64 | BPF_MOV | BPF_X, BPF_REG_1, BPF_REG_6, 0, 0);
	emit(p, BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_2, 0, 0, 0);
	emit(p, BPF_ALU64 | BPF_MOV | BPF_X, BPF_REG_3, BPF_REG_10, 0, 0);
	emit(p, BPF_ALU64 | BPF_ADD, BPF_REG_3, 0, 0, -FRAME);
	emit(p, BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_4, 0, 0, len);
	emit(p, BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_skb_load_bytes);
	emit(p, BPF_JMP | BPF_JEQ | BPF_K, BPF_REG_0, 0, 2, 0);
	leave(p, TC_ACT_SHOT);
}

/* size bytes, 2 or 4, as the program loads them. */
static uint32_t
word_at(const void *bytes, size_t size)
{
	uint16_t h;
	uint32_t w;

	if (size == 2) {
		memcpy(&h, bytes, sizeof(h));
		return h;
	}
	memcpy(&w, bytes, sizeof(w));
	return w;
}

/* Drop unless the len bytes at off are these; 16 bits at a time or 32. */
static void
expect(struct prog *p, int off, const void *bytes, size_t len)
{
	const uint8_t *b = bytes;
	size_t i, step;

	for (i = 0; i < len; i += step) {
		/* FRAME is 2 more than a multiple of 4. */
		step = (off + (int)i) % 4 == 2 && len - i >= 4 ? 4 : 2;
		load(p, step == 4 ? BPF_W : BPF_H, off + (int)i);
		emit(p, BPF_JMP32 | BPF_JEQ | BPF_K, BPF_REG_2, 0, 2,
		    (int32_t)word_at(b + i, step));
		leave(p, TC_ACT_SHOT);
	}
}

/*
 * Jump if the 16 bytes at off are not these, or not so far as the prefix of len
 * bits goes. At most 4 jumps, in out.
 */
static size_t
jump_unless6(struct prog *p, int off, const struct in6_addr *a,
    unsigned int len, size_t out[4])
{
	uint8_t mask[16];
	unsigned int i;
	uint32_t m;
	size_t n = 0;

	cidr_mask(len, mask);
	for (i = 0; i < 16; i += 4) {
		if ((m = word_at(mask + i, 4)) == 0)
			break;
		load(p, BPF_W, off + (int)i);
		emit(p, BPF_ALU | BPF_AND | BPF_K, BPF_REG_2, 0, 0, (int32_t)m);
		out[n++] = jump(p, BPF_JNE, word_at(a->s6_addr + i, 4) & m);
	}
	return n;
}

/* Drop unless the address at off is one of these. */
static void
expect6(struct prog *p, int off, const struct in6_addr *const any[], size_t n)
{
	size_t i, k, m, fails[4], good[3];

	for (i = 0; i < n; i++) {
		m = jump_unless6(p, off, any[i], 128, fails);
		emit(p, BPF_JMP | BPF_JA, 0, 0, 0, 0);
		good[i] = p->n;
		for (k = 0; k < m; k++)
			lands(p, fails[k]);
	}
	leave(p, TC_ACT_SHOT);
	for (i = 0; i < n; i++)
		lands(p, good[i]);
}

/* Drop what has at off an address of the subnet that is not the gateway's. */
static void
refuse_subnet4(struct prog *p, const struct bridge *b, int off)
{
	uint32_t gw = htonl(b->gw), net = htonl(b->net), mask = htonl(b->mask);
	size_t is_gw, outside;

	load(p, BPF_W, off);
	is_gw = jump(p, BPF_JEQ, gw);
	emit(p, BPF_ALU | BPF_AND | BPF_K, BPF_REG_2, 0, 0, (int32_t)mask);
	outside = jump(p, BPF_JNE, net);
	leave(p, TC_ACT_SHOT);
	lands(p, is_gw);
	lands(p, outside);
}

static void
refuse_subnet6(struct prog *p, const struct bridge *b, int off)
{
	size_t other[4], outside[4], n, m, i, is_gw;

	n = jump_unless6(p, off, &b->gw6, 128, other);
	emit(p, BPF_JMP | BPF_JA, 0, 0, 0, 0);
	is_gw = p->n;
	for (i = 0; i < n; i++)
		lands(p, other[i]);
	m = jump_unless6(p, off, &b->net6, b->len6, outside);
	leave(p, TC_ACT_SHOT);
	for (i = 0; i < m; i++)
		lands(p, outside[i]);
	lands(p, is_gw);
}

/*
 * Drop what has at off the hardware address of a chain on the bridge. The
 * bridge's own is like them, and may have been made for another subnet.
 */
static void
refuse_chain(struct prog *p, const struct bridge *b, int off)
{
	const uint32_t net = htonl(b->net), mask = htonl(b->mask);
	const char *n = (const char *)&net, *m = (const char *)&mask;
	uint8_t gw[6];
	size_t outside[3], other, is_gw;
	int i;

	mac_of(b->gw, gw);
	if (memcmp(b->mac, gw, 2) == 0)
		memcpy(gw, b->mac, sizeof(gw));
	load(p, BPF_H, off);
	outside[0] = jump(p, BPF_JNE, word_at(gw, 2));
	load(p, BPF_H, off + 2);
	other = jump(p, BPF_JNE, word_at(gw + 2, 2));
	load(p, BPF_H, off + 4);
	is_gw = jump(p, BPF_JEQ, word_at(gw + 4, 2));
	lands(p, other);
	for (i = 0; i < 2; i++) {
		load(p, BPF_H, off + 2 + 2 * i);
		emit(p, BPF_ALU | BPF_AND | BPF_K, BPF_REG_2, 0, 0,
		    (int32_t)word_at(m + 2 * i, 2));
		outside[1 + i] = jump(p, BPF_JNE, word_at(n + 2 * i, 2));
	}
	leave(p, TC_ACT_SHOT);
	for (i = 0; i < 3; i++)
		lands(p, outside[i]);
	lands(p, is_gw);
}

/*
 * Drop what is for 127.0.0.0/8. A rule does so as well (rules.c), but whoever
 * flushes the host's rules leaves route_localnet on.
 */
static void
refuse_loopback(struct prog *p)
{
	size_t other;

	load(p, BPF_W, IP4_DST);
	emit(p, BPF_ALU | BPF_AND | BPF_K, BPF_REG_2, 0, 0,
	    (int32_t)htonl(0xff000000));
	other = jump(p, BPF_JNE, htonl(0x7f000000));
	leave(p, TC_ACT_SHOT);
	lands(p, other);
}

/* Jump unless the frame is of this type. */
static size_t
unless_type(struct prog *p, uint16_t type)
{
	load(p, BPF_H, ETH_TYPE);
	return jump(p, BPF_JNE, htons(type));
}

/* Drop if the byte at off has this value. */
static void
refuse_byte(struct prog *p, int off, uint8_t v)
{
	size_t other;

	load(p, BPF_B, off);
	other = jump(p, BPF_JNE, v);
	leave(p, TC_ACT_SHOT);
	lands(p, other);
}

/*
 * Let it pass: to the host, if that is whom it is for, or to the bridge. What
 * an isolated chain sends to a group is for the host: a port that is not
 * isolated would get it otherwise.
 */
static void
pass(struct prog *p, const struct net *net)
{
	const struct bridge *b = &net->bridge;
	size_t other[2], group = 0;

	if (net->isolate) {
		load(p, BPF_B, ETH_DST);
		group = jump(p, BPF_JSET, 1);
	}
	load(p, BPF_H, ETH_DST);
	other[0] = jump(p, BPF_JNE, word_at(b->mac, 2));
	load(p, BPF_W, ETH_DST + 2);
	other[1] = jump(p, BPF_JNE, word_at(b->mac + 2, 4));
	if (net->isolate)
		lands(p, group);
	emit(p, BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_1, 0, 0, b->index);
	emit(p, BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_2, 0, 0, BPF_F_INGRESS);
	emit(p, BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_redirect);
	emit(p, BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
	lands(p, other[0]);
	lands(p, other[1]);
	leave(p, TC_ACT_OK);
}

/* No header that another could hide behind is next, by the byte at off. */
static void
refuse_headers(struct prog *p, int off)
{
	/* Hop-by-hop, routing, destination, mobility, HIP, shim6. */
	static const uint8_t headers[] = { 0, 43, 60, 135, 139, 140 };
	size_t i;

	for (i = 0; i < sizeof(headers); i++)
		refuse_byte(p, off, headers[i]);
}

/*
 * A fragment: large messages are sent so. The type of an ICMPv6 one is in the
 * first, and of those that are for the link none is sent so (RFC 6980).
 */
static void
refuse_fragment(struct prog *p)
{
	size_t whole, no_icmp, later;

	load(p, BPF_B, IP6_NEXT);
	whole = jump(p, BPF_JNE, IPPROTO_FRAGMENT);
	need(p, FRAG_ICMP6_TYPE + 1);
	refuse_headers(p, FRAG_NEXT);
	refuse_byte(p, FRAG_NEXT, IPPROTO_FRAGMENT);
	load(p, BPF_B, FRAG_NEXT);
	no_icmp = jump(p, BPF_JNE, IPPROTO_ICMPV6);
	load(p, BPF_H, FRAG_OFFSET);
	later = jump(p, BPF_JSET, htons(0xfff8));
	refuse_byte(p, FRAG_ICMP6_TYPE, ND_ROUTER_ADVERT_TYPE);
	refuse_byte(p, FRAG_ICMP6_TYPE, ND_NEIGHBOR_ADVERT_TYPE);
	refuse_byte(p, FRAG_ICMP6_TYPE, ND_REDIRECT_TYPE);
	lands(p, later);
	lands(p, no_icmp);
	lands(p, whole);
}

static void
from_chain6(struct prog *p, const struct net *net)
{
	const struct lease *l = &net->lease;
	const struct in6_addr *const own[] = { &l->addr6, &l->link6,
		&in6addr_any };
	size_t other, no_icmp;

	need(p, IP6_END);
	expect6(p, IP6_SRC, own, 3);
	refuse_headers(p, IP6_NEXT);
	refuse_fragment(p);
	if (net->isolate)
		refuse_subnet6(p, &net->bridge, IP6_DST);
	load(p, BPF_B, IP6_NEXT);
	no_icmp = jump(p, BPF_JNE, IPPROTO_ICMPV6);
	need(p, ICMP6_TYPE + 1);
	refuse_byte(p, ICMP6_TYPE, ND_ROUTER_ADVERT_TYPE);
	refuse_byte(p, ICMP6_TYPE, ND_REDIRECT_TYPE);
	load(p, BPF_B, ICMP6_TYPE);
	other = jump(p, BPF_JNE, ND_NEIGHBOR_ADVERT_TYPE);
	need(p, ND_END);
	expect6(p, ND_TARGET, own, 2);
	lands(p, other);
	lands(p, no_icmp);
	pass(p, net);
}

/*
 * The rate, by a virtual clock in a map: each byte advances it by the time that
 * it takes, and it is never further behind the real one than a burst.
 */
static void
police(struct prog *p, uint64_t rate, int map)
{
	uint64_t burst = rate / 20 > 262144 ? rate / 20 : 262144;

	emit(p, BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_ktime_get_ns);
	emit(p, BPF_ALU64 | BPF_MOV | BPF_X, BPF_REG_7, BPF_REG_0, 0, 0);
	emit_imm64(p, BPF_REG_8, BPF_PSEUDO_MAP_VALUE, (uint32_t)map);
	emit(p, BPF_LDX | BPF_DW | BPF_MEM, BPF_REG_9, BPF_REG_8, 0, 0);
	emit_imm64(p, BPF_REG_1, 0, burst * 1000000000 / rate);
	emit(p, BPF_ALU64 | BPF_MOV | BPF_X, BPF_REG_2, BPF_REG_7, 0, 0);
	emit(p, BPF_ALU64 | BPF_SUB | BPF_X, BPF_REG_2, BPF_REG_1, 0, 0);
	emit(p, BPF_JMP | BPF_JSGE | BPF_X, BPF_REG_9, BPF_REG_2, 1, 0);
	emit(p, BPF_ALU64 | BPF_MOV | BPF_X, BPF_REG_9, BPF_REG_2, 0, 0);
	emit(p, BPF_LDX | BPF_W | BPF_MEM, BPF_REG_2, BPF_REG_6,
	    offsetof(struct __sk_buff, len), 0);
	emit(p, BPF_ALU64 | BPF_MUL | BPF_K, BPF_REG_2, 0, 0, 1000000000);
	emit_imm64(p, BPF_REG_1, 0, rate);
	emit(p, BPF_ALU64 | BPF_DIV | BPF_X, BPF_REG_2, BPF_REG_1, 0, 0);
	emit(p, BPF_ALU64 | BPF_ADD | BPF_X, BPF_REG_9, BPF_REG_2, 0, 0);
	emit(p, BPF_JMP | BPF_JSLE | BPF_X, BPF_REG_9, BPF_REG_7, 2, 0);
	leave(p, TC_ACT_SHOT);
	emit(p, BPF_STX | BPF_DW | BPF_MEM, BPF_REG_8, BPF_REG_9, 0, 0);
}

static void
begin(struct prog *p)
{
	emit(p, BPF_ALU64 | BPF_MOV | BPF_X, BPF_REG_6, BPF_REG_1, 0, 0);
}

static void
from_chain(struct prog *p, const struct net *net, int map)
{
	const struct lease *l = &net->lease;
	uint32_t addr = htonl(l->addr);
	size_t other;

	begin(p);
	emit(p, BPF_LDX | BPF_W | BPF_MEM, BPF_REG_2, BPF_REG_6,
	    offsetof(struct __sk_buff, vlan_present), 0);
	other = jump(p, BPF_JEQ, 0);
	leave(p, TC_ACT_SHOT);
	lands(p, other);
	if (map != -1)
		police(p, net->rate_out, map);
	need(p, IP4_END);
	expect(p, ETH_SRC, l->mac, sizeof(l->mac));
	if (net->isolate)
		refuse_chain(p, &net->bridge, ETH_DST);

	other = unless_type(p, ETH_P_IP);
	expect(p, IP4_SRC, &addr, sizeof(addr));
	refuse_loopback(p);
	if (net->isolate)
		refuse_subnet4(p, &net->bridge, IP4_DST);
	pass(p, net);
	lands(p, other);

	other = unless_type(p, ETH_P_ARP);
	need(p, ARP_END);
	expect(p, ARP_SENDER_MAC, l->mac, sizeof(l->mac));
	expect(p, ARP_SENDER_IP, &addr, sizeof(addr));
	pass(p, net);
	lands(p, other);

	if (net->bridge.has6) {
		other = unless_type(p, ETH_P_IPV6);
		from_chain6(p, net);
		lands(p, other);
	}
	leave(p, TC_ACT_SHOT);
}

static void
to_chain(struct prog *p, const struct net *net)
{
	size_t other;

	begin(p);
	need(p, IP4_END);
	refuse_chain(p, &net->bridge, ETH_SRC);
	other = unless_type(p, ETH_P_IP);
	refuse_subnet4(p, &net->bridge, IP4_SRC);
	leave(p, TC_ACT_OK);
	lands(p, other);
	other = unless_type(p, ETH_P_IPV6);
	need(p, IP6_END);
	if (net->bridge.has6)
		refuse_subnet6(p, &net->bridge, IP6_SRC);
	leave(p, TC_ACT_OK);
	lands(p, other);
	leave(p, TC_ACT_OK);
}

static int
bpf(int cmd, union bpf_attr *attr)
{
	return (int)syscall(SYS_bpf, cmd, attr, sizeof(*attr));
}

static int
make_map(void)
{
	union bpf_attr attr = { .map_type = BPF_MAP_TYPE_ARRAY, .key_size = 4,
		.value_size = 8, .max_entries = 1 };
	int fd;

	if ((fd = bpf(BPF_MAP_CREATE, &attr)) == -1)
		err(EXIT_LINK, "rate=: BPF map");
	return fd;
}

static int
load_prog(const struct prog *p)
{
	union bpf_attr attr = { .prog_type = BPF_PROG_TYPE_SCHED_CLS };
	int fd;

	attr.insns = (uint64_t)(uintptr_t)p->insn;
	attr.insn_cnt = (uint32_t)p->n;
	attr.license = (uint64_t)(uintptr_t)"ISC";
	if (p->full)
		errno = E2BIG;
	if (p->full || (fd = bpf(BPF_PROG_LOAD, &attr)) == -1)
		err(EXIT_LINK, "guard: BPF program");
	return fd;
}

/* Put a program on one side of the link's clsact queue. Takes fd. */
static void
attach(const struct lease *l, struct nl *nl, uint32_t side, int fd)
{
	struct nlattr *options;
	struct tcmsg *tc;
	struct nlreq r;

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
	if (nl_talk(nl, &r) == -1)
		nl_fail(nl, "%s: guard", l->name);
	close(fd);
}

/* Put the guard on the host end, before it is on the bridge. */
void
guard_attach(const struct net *net, struct nl *nl)
{
	const struct lease *l = &net->lease;
	struct prog p = { .n = 0 };
	struct tcmsg *tc;
	struct nlreq r;
	int map = -1;

	tc = nlreq_init(&r, RTM_NEWQDISC, NLM_F_CREATE | NLM_F_EXCL,
	    sizeof(*tc));
	tc->tcm_ifindex = l->index;
	tc->tcm_parent = TC_H_CLSACT;
	tc->tcm_handle = TC_H_MAKE(TC_H_CLSACT, 0);
	nlreq_str(&r, TCA_KIND, "clsact");
	if (nl_talk(nl, &r) == -1)
		nl_fail(nl, "%s: clsact", l->name);
	if (net->rate_out != 0)
		map = make_map();
	from_chain(&p, net, map);
	attach(l, nl, TC_H_MIN_INGRESS, load_prog(&p));
	if (map != -1)
		close(map);
	if (!net->isolate)
		return;
	p.n = 0;
	to_chain(&p, net);
	attach(l, nl, TC_H_MIN_EGRESS, load_prog(&p));
}
