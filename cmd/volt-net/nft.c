/*
 * The rules, by nf_tables' own netlink. Theory of operation:
 *
 * A bridge has one table for good, volt-BRIDGE: made in one transaction by the
 * first, EEXIST for the others; its comment says for which subnets, and where
 * they differ it is replaced. It masquerades what leaves the bridge, lets
 * nothing in but answers and forwards, and nothing at all that claims to go to
 * the host's loopback.
 *
 * A chain's forwards are in a table of the lease's name that is owned by our
 * socket (NFT_TABLE_F_OWNER): it goes when the socket does, by whatever death.
 * Each of its rules has the word's value as comment, for print.c and nft(8).
 */
#include <arpa/inet.h>	/* before the kernel's own <linux/in.h> */

#include <linux/netfilter.h>
#include <linux/netfilter/nf_nat.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/rtnetlink.h>

#include <err.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libmnl/libmnl.h>

#include "chain.h"

#include "net.h"

#ifndef NFT_TABLE_F_OWNER
#define NFT_TABLE_F_OWNER 0x2
#endif

#define NAME_LEN 64
#define COMMENT_LEN 160
#define FOREIGN 32

#define PRIO_RAW (-300)
#define PRIO_DNAT (-100)
#define PRIO_FILTER 0
#define PRIO_SNAT 100

/* Bits of ct state and ct status, <linux/netfilter/nf_conntrack_common.h>. */
#define STATE_KNOWN ((1U << 1) | (1U << 2)) /* established, related */
#define STATUS_DNAT (1U << 5)

static void
next(struct nlreq *r, int type, int flags)
{
	struct nfgenmsg *nf;

	nf = nlreq_next(r, NFNL_SUBSYS_NFTABLES << 8 | type, flags |
	    NLM_F_ACK, sizeof(*nf));
	nf->nfgen_family = NFPROTO_INET;
}

/* The marks around a transaction; they are not acknowledged. */
static void
bracket(struct nlreq *r, int type)
{
	struct nfgenmsg *nf;

	nf = nlreq_next(r, type, 0, sizeof(*nf));
	nf->res_id = htons(NFNL_SUBSYS_NFTABLES);
}

static void
transaction(struct nlreq *r)
{
	if (nlreq_batch(r) == -1)
		err(EXIT_LINK, "nftables");
	bracket(r, NFNL_MSG_BATCH_BEGIN);
}

static int
commit(struct nl *nl, struct nlreq *r)
{
	int rc, saved;

	bracket(r, NFNL_MSG_BATCH_END);
	rc = nl_talk(nl, r);
	saved = errno;
	free(r->buf);
	errno = saved;
	return rc;
}

/* A comment as nft(8) shows it: type 0, length, string. */
static void
comment(struct nlreq *r, int attr, const char *text)
{
	char buf[COMMENT_LEN + 3] = "";
	size_t len = strnlen(text, COMMENT_LEN) + 1;

	buf[1] = (char)len;
	memcpy(buf + 2, text, len - 1);
	nlreq_put(r, attr, buf, len + 2);
}

static void
add_table(struct nlreq *r, const char *table, uint32_t flags, const char *text)
{
	next(r, NFT_MSG_NEWTABLE, NLM_F_CREATE | NLM_F_EXCL);
	nlreq_str(r, NFTA_TABLE_NAME, table);
	nlreq_be32(r, NFTA_TABLE_FLAGS, flags);
	if (text != NULL)
		comment(r, NFTA_TABLE_USERDATA, text);
}

static void
add_chain(struct nlreq *r, const char *table, const char *chain,
    const char *type, uint32_t hook, int priority)
{
	struct nlattr *nest;

	next(r, NFT_MSG_NEWCHAIN, NLM_F_CREATE);
	nlreq_str(r, NFTA_CHAIN_TABLE, table);
	nlreq_str(r, NFTA_CHAIN_NAME, chain);
	nest = nlreq_nest(r, NFTA_CHAIN_HOOK);
	nlreq_be32(r, NFTA_HOOK_HOOKNUM, hook);
	nlreq_be32(r, NFTA_HOOK_PRIORITY, (uint32_t)priority);
	nlreq_end(r, nest);
	nlreq_str(r, NFTA_CHAIN_TYPE, type);
	nlreq_be32(r, NFTA_CHAIN_POLICY, NF_ACCEPT);
}

static struct nlattr *
rule_begin(struct nlreq *r, const char *table, const char *chain)
{
	next(r, NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND);
	nlreq_str(r, NFTA_RULE_TABLE, table);
	nlreq_str(r, NFTA_RULE_CHAIN, chain);
	return nlreq_nest(r, NFTA_RULE_EXPRESSIONS);
}

static void
rule_end(struct nlreq *r, struct nlattr *rule, const char *text)
{
	nlreq_end(r, rule);
	if (text != NULL)
		comment(r, NFTA_RULE_USERDATA, text);
}

/* An expression: open it, put its attributes, close it. */
struct expr {
	struct nlattr *elem, *data;
};

static struct expr
expr_begin(struct nlreq *r, const char *name)
{
	struct expr e;

	e.elem = nlreq_nest(r, NFTA_LIST_ELEM);
	nlreq_str(r, NFTA_EXPR_NAME, name);
	e.data = nlreq_nest(r, NFTA_EXPR_DATA);
	return e;
}

static void
expr_end(struct nlreq *r, struct expr e)
{
	nlreq_end(r, e.data);
	nlreq_end(r, e.elem);
}

static void
put_value(struct nlreq *r, int attr, const void *value, size_t len)
{
	struct nlattr *nest = nlreq_nest(r, attr);

	nlreq_put(r, NFTA_DATA_VALUE, value, len);
	nlreq_end(r, nest);
}

static void
compare(struct nlreq *r, uint32_t op, const void *value, size_t len)
{
	struct expr e = expr_begin(r, "cmp");

	nlreq_be32(r, NFTA_CMP_SREG, NFT_REG_1);
	nlreq_be32(r, NFTA_CMP_OP, op);
	put_value(r, NFTA_CMP_DATA, value, len);
	expr_end(r, e);
}

static void
mask(struct nlreq *r, const void *bits, size_t len)
{
	static const char zero[16];
	struct expr e = expr_begin(r, "bitwise");

	nlreq_be32(r, NFTA_BITWISE_SREG, NFT_REG_1);
	nlreq_be32(r, NFTA_BITWISE_DREG, NFT_REG_1);
	nlreq_be32(r, NFTA_BITWISE_LEN, (uint32_t)len);
	put_value(r, NFTA_BITWISE_MASK, bits, len);
	put_value(r, NFTA_BITWISE_XOR, zero, len);
	expr_end(r, e);
}

static void
load_meta(struct nlreq *r, uint32_t key)
{
	struct expr e = expr_begin(r, "meta");

	nlreq_be32(r, NFTA_META_DREG, NFT_REG_1);
	nlreq_be32(r, NFTA_META_KEY, key);
	expr_end(r, e);
}

static void
load_payload(struct nlreq *r, uint32_t base, uint32_t offset, uint32_t len)
{
	struct expr e = expr_begin(r, "payload");

	nlreq_be32(r, NFTA_PAYLOAD_DREG, NFT_REG_1);
	nlreq_be32(r, NFTA_PAYLOAD_BASE, base);
	nlreq_be32(r, NFTA_PAYLOAD_OFFSET, offset);
	nlreq_be32(r, NFTA_PAYLOAD_LEN, len);
	expr_end(r, e);
}

/* ... iifname or oifname is (not) this. */
static void
match_interface(struct nlreq *r, uint32_t key, uint32_t op, const char *name)
{
	char buf[IFNAMSIZ] = "";

	memcpy(buf, name, strnlen(name, IFNAMSIZ - 1));
	load_meta(r, key);
	compare(r, op, buf, sizeof(buf));
}

/* ... the packet is of this family. */
static void
match_family(struct nlreq *r, uint8_t family)
{
	load_meta(r, NFT_META_NFPROTO);
	compare(r, NFT_CMP_EQ, &family, 1);
}

/* ... its address at offset is in the network; family AF_INET or AF_INET6. */
static void
match_address(struct nlreq *r, int family, uint32_t offset, const void *net,
    unsigned int len)
{
	uint32_t size = family == AF_INET ? 4 : 16;
	uint8_t bits[16] = { 0 };
	unsigned int i;

	for (i = 0; i < len; i++)
		bits[i / 8] |= (uint8_t)(0x80 >> i % 8);
	match_family(r, family == AF_INET ? NFPROTO_IPV4 : NFPROTO_IPV6);
	load_payload(r, NFT_PAYLOAD_NETWORK_HEADER, offset, size);
	if (len < size * 8)
		mask(r, bits, size);
	compare(r, NFT_CMP_EQ, net, size);
}

static void
match_source(struct nlreq *r, int family, const void *net, unsigned int len)
{
	match_address(r, family, family == AF_INET ? 12 : 8, net, len);
}

static void
match_destination(struct nlreq *r, int family, const void *net,
    unsigned int len)
{
	match_address(r, family, family == AF_INET ? 16 : 24, net, len);
}

/* ... any of these bits of ct's key are set. */
static void
match_ct(struct nlreq *r, uint32_t key, uint32_t bits)
{
	const uint32_t zero = 0;
	struct expr e = expr_begin(r, "ct");

	nlreq_be32(r, NFTA_CT_DREG, NFT_REG_1);
	nlreq_be32(r, NFTA_CT_KEY, key);
	expr_end(r, e);
	mask(r, &bits, sizeof(bits));
	compare(r, NFT_CMP_NEQ, &zero, sizeof(zero));
}

/* ... it is for an address of this host. */
static void
match_local(struct nlreq *r)
{
	const uint32_t local = RTN_LOCAL;
	struct expr e = expr_begin(r, "fib");

	nlreq_be32(r, NFTA_FIB_DREG, NFT_REG_1);
	nlreq_be32(r, NFTA_FIB_RESULT, NFT_FIB_RESULT_ADDRTYPE);
	nlreq_be32(r, NFTA_FIB_FLAGS, NFTA_FIB_F_DADDR);
	expr_end(r, e);
	compare(r, NFT_CMP_EQ, &local, sizeof(local));
}

static void
match_ports(struct nlreq *r, uint8_t proto, uint16_t first, uint32_t count)
{
	uint16_t low = htons(first);
	uint16_t high = htons((uint16_t)(first + count - 1));

	load_meta(r, NFT_META_L4PROTO);
	compare(r, NFT_CMP_EQ, &proto, 1);
	load_payload(r, NFT_PAYLOAD_TRANSPORT_HEADER, 2, 2);
	compare(r, count == 1 ? NFT_CMP_EQ : NFT_CMP_GTE, &low, 2);
	if (count > 1)
		compare(r, NFT_CMP_LTE, &high, 2);
}

static void
verdict(struct nlreq *r, uint32_t code)
{
	struct nlattr *data, *nest;
	struct expr e = expr_begin(r, "immediate");

	nlreq_be32(r, NFTA_IMMEDIATE_DREG, NFT_REG_VERDICT);
	data = nlreq_nest(r, NFTA_IMMEDIATE_DATA);
	nest = nlreq_nest(r, NFTA_DATA_VERDICT);
	nlreq_be32(r, NFTA_VERDICT_CODE, code);
	nlreq_end(r, nest);
	nlreq_end(r, data);
	expr_end(r, e);
}

static void
masquerade(struct nlreq *r)
{
	expr_end(r, expr_begin(r, "masq"));
}

static void
immediate(struct nlreq *r, uint32_t reg, const void *value, size_t len)
{
	struct expr e = expr_begin(r, "immediate");

	nlreq_be32(r, NFTA_IMMEDIATE_DREG, reg);
	put_value(r, NFTA_IMMEDIATE_DATA, value, len);
	expr_end(r, e);
}

/* To addr; to port, unless that is 0 and stays as it is. */
static void
dnat(struct nlreq *r, int family, const void *addr, uint16_t port)
{
	uint16_t be = htons(port);
	struct expr e;

	immediate(r, NFT_REG_1, addr, family == AF_INET ? 4 : 16);
	if (port != 0)
		immediate(r, NFT_REG_2, &be, sizeof(be));
	e = expr_begin(r, "nat");
	nlreq_be32(r, NFTA_NAT_TYPE, NFT_NAT_DNAT);
	nlreq_be32(r, NFTA_NAT_FAMILY, family == AF_INET ? NFPROTO_IPV4 :
	    NFPROTO_IPV6);
	nlreq_be32(r, NFTA_NAT_REG_ADDR_MIN, NFT_REG_1);
	if (port != 0)
		nlreq_be32(r, NFTA_NAT_REG_PROTO_MIN, NFT_REG_2);
	expr_end(r, e);
}

/* What may reach the bridge from elsewhere. */
static void
bridge_filter(struct nlreq *r, const char *table, const struct bridge *b)
{
	const uint32_t loopback = htonl(0x7f000000);
	struct nlattr *rule;

	add_chain(r, table, "prerouting", "filter", NF_INET_PRE_ROUTING,
	    PRIO_RAW);
	rule = rule_begin(r, table, "prerouting");
	match_interface(r, NFT_META_IIFNAME, NFT_CMP_EQ, b->name);
	match_destination(r, AF_INET, &loopback, 8);
	verdict(r, NF_DROP);
	rule_end(r, rule, "route_localnet is for forwards");

	add_chain(r, table, "forward", "filter", NF_INET_FORWARD, PRIO_FILTER);
	rule = rule_begin(r, table, "forward");
	match_interface(r, NFT_META_OIFNAME, NFT_CMP_EQ, b->name);
	match_ct(r, NFT_CT_STATE, STATE_KNOWN);
	verdict(r, NF_ACCEPT);
	rule_end(r, rule, "answers");
	rule = rule_begin(r, table, "forward");
	match_interface(r, NFT_META_OIFNAME, NFT_CMP_EQ, b->name);
	match_ct(r, NFT_CT_STATUS, STATUS_DNAT);
	verdict(r, NF_ACCEPT);
	rule_end(r, rule, "forwards");
	rule = rule_begin(r, table, "forward");
	match_interface(r, NFT_META_OIFNAME, NFT_CMP_EQ, b->name);
	match_interface(r, NFT_META_IIFNAME, NFT_CMP_NEQ, b->name);
	verdict(r, NF_DROP);
	rule_end(r, rule, "nothing else from outside");
}

/* Source addresses: of the host for what leaves, and for hairpins. */
static void
bridge_nat(struct nlreq *r, const char *table, const struct bridge *b)
{
	const uint32_t net = htonl(b->net), loopback = htonl(0x7f000000);
	const int families[] = { AF_INET, AF_INET6 };
	struct nlattr *rule;
	size_t i;

	add_chain(r, table, "postrouting", "nat", NF_INET_POST_ROUTING,
	    PRIO_SNAT);
	rule = rule_begin(r, table, "postrouting");
	match_interface(r, NFT_META_OIFNAME, NFT_CMP_EQ, b->name);
	match_source(r, AF_INET, &loopback, 8);
	masquerade(r);
	rule_end(r, rule, "forwards from the host itself");
	for (i = 0; i < (b->has6 ? 2 : 1); i++) {
		const void *from = i == 0 ? (const void *)&net : &b->net6;
		unsigned int len = i == 0 ? b->len : b->len6;

		rule = rule_begin(r, table, "postrouting");
		match_interface(r, NFT_META_OIFNAME, NFT_CMP_EQ, b->name);
		match_ct(r, NFT_CT_STATUS, STATUS_DNAT);
		match_source(r, families[i], from, len);
		masquerade(r);
		rule_end(r, rule, "forwards from other chains");
		rule = rule_begin(r, table, "postrouting");
		match_interface(r, NFT_META_OIFNAME, NFT_CMP_NEQ, b->name);
		match_source(r, families[i], from, len);
		masquerade(r);
		rule_end(r, rule, "to the outside");
	}
}

static void
see_comment(const struct nlmsghdr *msg, void *ctx)
{
	const char *text;
	size_t len;

	text = nl_find(msg, sizeof(struct nfgenmsg), NFTA_TABLE_USERDATA,
	    &len);
	if (text != NULL && len > 2 && text[0] == 0)
		nl_string(text + 2, len - 2, ctx, COMMENT_LEN);
}

/* Has the table this comment? */
static bool
table_is(struct nl *nl, const char *table, const char *text)
{
	char have[COMMENT_LEN] = "";
	struct nfgenmsg *nf;
	struct nlreq r;

	nf = nlreq_init(&r, NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETTABLE, 0,
	    sizeof(*nf));
	nf->nfgen_family = NFPROTO_INET;
	nlreq_str(&r, NFTA_TABLE_NAME, table);
	return nl_run(nl, &r, see_comment, have) == 0 &&
	    strcmp(have, text) == 0;
}

static void
bridge_table(const struct net *net, char name[static NAME_LEN])
{
	snprintf(name, NAME_LEN, "volt-%s", net->bridge.name);
}

/* Make the bridge's table, or find that it is as it should be. */
void
nft_bridge(struct net *net)
{
	const struct bridge *b = &net->bridge;
	char table[NAME_LEN], text[COMMENT_LEN];
	char ip[INET_ADDRSTRLEN], ip6[INET6_ADDRSTRLEN] = "-";
	struct nlreq r;
	int try;

	bridge_table(net, table);
	if (b->has6)
		ip6_text(&b->net6, ip6);
	snprintf(text, sizeof(text), "volt-net %s/%u %s/%u",
	    ip4_text(b->net, ip), b->len, ip6, b->has6 ? b->len6 : 0);
	if (table_is(&net->nft, table, text))
		return;
	for (try = 0; try < 2; try++) {
		transaction(&r);
		if (try == 1) { /* one of other subnets */
			next(&r, NFT_MSG_DELTABLE, 0);
			nlreq_str(&r, NFTA_TABLE_NAME, table);
		}
		add_table(&r, table, 0, text);
		bridge_filter(&r, table, b);
		bridge_nat(&r, table, b);
		if (commit(&net->nft, &r) == 0) {
			say(net, "nftables table inet %s", table);
			return;
		}
		if (errno != EEXIST && errno != ENOENT)
			break;
		if (table_is(&net->nft, table, text))
			return; /* somebody was quicker */
	}
	nl_fail(&net->nft, "nftables table inet %s", table);
}

void
nft_bridge_remove(struct net *net)
{
	char table[NAME_LEN];
	struct nlreq r;

	bridge_table(net, table);
	transaction(&r);
	next(&r, NFT_MSG_DELTABLE, 0);
	nlreq_str(&r, NFTA_TABLE_NAME, table);
	if (commit(&net->nft, &r) == -1 && errno != ENOENT)
		nl_fail(&net->nft, "nftables table inet %s", table);
}

/* One rule of a forward: count ports from host on, to guest on. */
static void
forward_rule(struct nlreq *r, const struct net *net, const struct forward *f,
    const char *chain, int family, uint32_t skip, uint32_t count)
{
	const struct lease *l = &net->lease;
	const uint32_t addr = htonl(l->addr);
	uint16_t port = (uint16_t)(f->guest + skip);
	struct nlattr *rule = rule_begin(r, l->name, chain);

	if (f->family == AF_UNSPEC) {
		match_family(r, family == AF_INET ? NFPROTO_IPV4 :
		    NFPROTO_IPV6);
		match_local(r);
	} else {
		match_destination(r, family, family == AF_INET ?
		    (const void *)&f->addr : &f->addr6, family == AF_INET ?
		    32 : 128);
	}
	match_ports(r, f->proto, (uint16_t)(f->host + skip), count);
	dnat(r, family, family == AF_INET ? (const void *)&addr : &l->addr6,
	    f->host == f->guest ? 0 : port);
	rule_end(r, rule, f->text);
}

static void
forward_rules(struct nlreq *r, const struct net *net, const struct forward *f,
    const char *chain, int family)
{
	uint32_t i;

	if (f->host == f->guest) {
		forward_rule(r, net, f, chain, family, 0, f->count);
		return;
	}
	for (i = 0; i < f->count; i++)
		forward_rule(r, net, f, chain, family, i, 1);
}

/* The lease's table, owned by our socket. */
void
nft_forwards(struct net *net)
{
	static const struct {
		const char *name;
		uint32_t hook;
	} chains[] = {
		{ "prerouting", NF_INET_PRE_ROUTING },
		{ "output", NF_INET_LOCAL_OUT },
	};
	const char *table = net->lease.name;
	const struct forward *f;
	struct nlreq r;
	size_t i, k;

	transaction(&r);
	add_table(&r, table, NFT_TABLE_F_OWNER, NULL);
	for (k = 0; k < 2; k++) {
		add_chain(&r, table, chains[k].name, "nat", chains[k].hook,
		    PRIO_DNAT);
		for (i = 0; i < net->nforwards; i++) {
			f = &net->forward[i];
			if (f->family != AF_INET6)
				forward_rules(&r, net, f, chains[k].name,
				    AF_INET);
			if (f->family == AF_INET6 ||
			    (f->family == AF_UNSPEC && net->bridge.has6))
				forward_rules(&r, net, f, chains[k].name,
				    AF_INET6);
		}
	}
	if (commit(&net->nft, &r) == -1) {
		if (errno == EMSGSIZE)
			errx(EXIT_LINK, "port=: more rules than fit in one "
			    "transaction; use ranges of the same numbers");
		nl_fail(&net->nft, "forwards: nftables table inet %s", table);
	}
	for (i = 0; i < net->nforwards; i++)
		say(net, "forward %s", net->forward[i].text);
}

/* --- looking ------------------------------------------------------------- */

struct looking {
	nft_text_cb *cb;
	void *ctx;
	const char *table;
};

static void
see_rule(const struct nlmsghdr *msg, void *ctx)
{
	const struct looking *l = ctx;
	char table[NAME_LEN], chain[NAME_LEN], text[COMMENT_LEN];
	const char *data;
	size_t len;

	data = nl_find(msg, sizeof(struct nfgenmsg), NFTA_RULE_TABLE, &len);
	if (data == NULL ||
	    strcmp(nl_string(data, len, table, sizeof(table)), l->table) != 0)
		return;
	data = nl_find(msg, sizeof(struct nfgenmsg), NFTA_RULE_CHAIN, &len);
	if (data == NULL ||
	    strcmp(nl_string(data, len, chain, sizeof(chain)), "prerouting") !=
	    0)
		return;
	data = nl_find(msg, sizeof(struct nfgenmsg), NFTA_RULE_USERDATA, &len);
	if (data != NULL && len > 2 && data[0] == 0)
		l->cb(table, nl_string(data + 2, len - 2, text, sizeof(text)),
		    l->ctx);
}

static int
dump_rules(struct nl *nl, uint8_t family, const char *table, const char *chain,
    nl_cb *cb, void *ctx)
{
	struct nfgenmsg *nf;
	struct nlreq r;

	nf = nlreq_init(&r, NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETRULE,
	    NLM_F_DUMP, sizeof(*nf));
	nf->nfgen_family = family;
	nlreq_str(&r, NFTA_RULE_TABLE, table);
	if (chain != NULL)
		nlreq_str(&r, NFTA_RULE_CHAIN, chain);
	return nl_run(nl, &r, cb, ctx);
}

/* Call cb with the comment of each forward's rule of the table. */
int
nft_comments(struct nl *nl, const char *table, nft_text_cb *cb, void *ctx)
{
	struct looking l = { cb, ctx, table };

	return dump_rules(nl, NFPROTO_INET, table, NULL, see_rule, &l);
}

/* Chains that others hang into the way from the bridge to the outside. */
struct foreign {
	struct {
		uint8_t family;
		char table[NAME_LEN], chain[NAME_LEN];
		bool drops;
	} chain[FOREIGN];
	size_t n;
	bool last;	/* of a chain's rules seen: drops or rejects all */
};

static void
see_chain(const struct nlmsghdr *msg, void *ctx)
{
	const struct nfgenmsg *nf = mnl_nlmsg_get_payload(msg);
	const void *hook, *num, *name, *table, *policy;
	struct foreign *f = ctx;
	size_t hlen, len, nlen, tlen;
	uint32_t n, p = htonl(NF_ACCEPT);

	hook = nl_find(msg, sizeof(*nf), NFTA_CHAIN_HOOK, &hlen);
	name = nl_find(msg, sizeof(*nf), NFTA_CHAIN_NAME, &nlen);
	table = nl_find(msg, sizeof(*nf), NFTA_CHAIN_TABLE, &tlen);
	if (hook == NULL || name == NULL || table == NULL || f->n == FOREIGN ||
	    (nf->nfgen_family != NFPROTO_INET &&
	    nf->nfgen_family != NFPROTO_IPV4 &&
	    nf->nfgen_family != NFPROTO_IPV6))
		return;
	num = nl_inside(hook, hlen, NFTA_HOOK_HOOKNUM, &len);
	if (num == NULL || len != sizeof(n))
		return;
	memcpy(&n, num, sizeof(n));
	if (ntohl(n) != NF_INET_FORWARD)
		return;
	policy = nl_find(msg, sizeof(*nf), NFTA_CHAIN_POLICY, &len);
	if (policy != NULL && len == sizeof(p))
		memcpy(&p, policy, sizeof(p));
	f->chain[f->n].family = nf->nfgen_family;
	f->chain[f->n].drops = ntohl(p) == NF_DROP;
	nl_string(table, tlen, f->chain[f->n].table, NAME_LEN);
	nl_string(name, nlen, f->chain[f->n].chain, NAME_LEN);
	if (strncmp(f->chain[f->n].table, "volt", 4) != 0)
		f->n++;
}

/* Does an immediate's data say drop? */
static bool
is_drop(const void *data, size_t len)
{
	uint32_t code;

	data = nl_inside(data, len, NFTA_IMMEDIATE_DATA, &len);
	if (data != NULL)
		data = nl_inside(data, len, NFTA_DATA_VERDICT, &len);
	if (data != NULL)
		data = nl_inside(data, len, NFTA_VERDICT_CODE, &len);
	if (data == NULL || len != sizeof(code))
		return false;
	memcpy(&code, data, sizeof(code));
	return ntohl(code) == NF_DROP;
}

/* Does a rule end everything that reaches it? The last one seen counts. */
static void
see_verdict(const struct nlmsghdr *msg, void *ctx)
{
	struct foreign *f = ctx;
	const struct nlattr *a;
	const void *name, *data;
	char buf[32];
	size_t size, nlen, dlen;
	int left;

	f->last = false;
	a = nl_find(msg, sizeof(struct nfgenmsg), NFTA_RULE_EXPRESSIONS, &size);
	if (a == NULL)
		return;
	for (left = (int)size; mnl_attr_ok(a, left);
	    left -= (int)MNL_ALIGN(a->nla_len), a = mnl_attr_next(a)) {
		name = nl_inside(mnl_attr_get_payload(a),
		    mnl_attr_get_payload_len(a), NFTA_EXPR_NAME, &nlen);
		data = nl_inside(mnl_attr_get_payload(a),
		    mnl_attr_get_payload_len(a), NFTA_EXPR_DATA, &dlen);
		nl_string(name, name == NULL ? 0 : nlen, buf, sizeof(buf));
		if (strcmp(buf, "counter") == 0 || strcmp(buf, "log") == 0)
			continue;
		f->last = strcmp(buf, "reject") == 0 ||
		    (strcmp(buf, "immediate") == 0 && data != NULL &&
		    is_drop(data, dlen));
		return;
	}
}

/*
 * Say which of the host's other rule sets drops or rejects what it does not
 * know: the common reason why a chain reaches the host and nobody else.
 */
void
nft_foreign(struct net *net)
{
	static struct foreign f;
	struct nfgenmsg *nf;
	struct nlreq r;
	size_t i;

	if (!net->verbose)
		return;
	nf = nlreq_init(&r, NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETCHAIN,
	    NLM_F_DUMP, sizeof(*nf));
	nf->nfgen_family = NFPROTO_UNSPEC;
	if (nl_run(&net->nft, &r, see_chain, &f) == -1)
		return;
	for (i = 0; i < f.n; i++) {
		f.last = false;
		if (!f.chain[i].drops && dump_rules(&net->nft,
		    f.chain[i].family, f.chain[i].table, f.chain[i].chain,
		    see_verdict, &f) == -1)
			continue;
		if (!f.chain[i].drops && !f.last)
			continue;
		say(net, "chain %s %s %s %s what it does not know: it must "
		    "accept iifname and oifname %s", f.chain[i].family ==
		    NFPROTO_INET ? "inet" : f.chain[i].family ==
		    NFPROTO_IPV4 ? "ip" : "ip6", f.chain[i].table,
		    f.chain[i].chain, f.chain[i].drops ? "drops" :
		    "refuses", net->bridge.name);
	}
}
