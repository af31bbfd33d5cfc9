/* See nft.h. */
#include <arpa/inet.h>	/* before the kernel's own <linux/in.h> */
#include <net/if.h>

#include <linux/netfilter.h>
#include <linux/netfilter/nf_nat.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/rtnetlink.h>

#include <err.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "chain.h"
#include "cidr.h"

#include "nft.h"

void
nft_next(struct nlreq *r, int type, int flags)
{
	struct nfgenmsg *nf;

	nf = nlreq_next(r, NFNL_SUBSYS_NFTABLES << 8 | type, flags |
	    NLM_F_ACK, sizeof(*nf));
	nf->nfgen_family = NFPROTO_INET;
}

/*
 * A transaction begins and ends with such a message. The kernel does not answer
 * it.
 */
static void
batch_mark(struct nlreq *r, int type)
{
	struct nfgenmsg *nf;

	nf = nlreq_next(r, type, 0, sizeof(*nf));
	nf->res_id = htons(NFNL_SUBSYS_NFTABLES);
}

void
nft_begin(struct nlreq *r)
{
	if (nlreq_batch(r) == -1)
		err(EXIT_LINK, "nftables");
	batch_mark(r, NFNL_MSG_BATCH_BEGIN);
}

int
nft_commit(struct nl *nl, struct nlreq *r)
{
	int rc, saved;

	batch_mark(r, NFNL_MSG_BATCH_END);
	rc = nl_talk(nl, r);
	saved = errno;
	free(r->buf);
	errno = saved;
	return rc;
}

/* A comment, as nft(8) stores it: type 0, length, string. */
static void
comment(struct nlreq *r, int attr, const char *text)
{
	char buf[NFT_COMMENT_LEN + 3] = "";
	size_t len = strnlen(text, NFT_COMMENT_LEN) + 1;

	buf[1] = (char)len;
	memcpy(buf + 2, text, len - 1);
	nlreq_put(r, attr, buf, len + 2);
}

void
nft_table(struct nlreq *r, const char *table, uint32_t flags, const char *text)
{
	nft_next(r, NFT_MSG_NEWTABLE, NLM_F_CREATE | NLM_F_EXCL);
	nlreq_str(r, NFTA_TABLE_NAME, table);
	nlreq_be32(r, NFTA_TABLE_FLAGS, flags);
	if (text != NULL)
		comment(r, NFTA_TABLE_USERDATA, text);
}

void
nft_chain(struct nlreq *r, const char *table, const char *chain,
    const char *type, uint32_t hook, int priority)
{
	struct nlattr *nest;

	nft_next(r, NFT_MSG_NEWCHAIN, NLM_F_CREATE);
	nlreq_str(r, NFTA_CHAIN_TABLE, table);
	nlreq_str(r, NFTA_CHAIN_NAME, chain);
	nest = nlreq_nest(r, NFTA_CHAIN_HOOK);
	nlreq_be32(r, NFTA_HOOK_HOOKNUM, hook);
	nlreq_be32(r, NFTA_HOOK_PRIORITY, (uint32_t)priority);
	nlreq_end(r, nest);
	nlreq_str(r, NFTA_CHAIN_TYPE, type);
	nlreq_be32(r, NFTA_CHAIN_POLICY, NF_ACCEPT);
}

struct nlattr *
nft_rule(struct nlreq *r, const char *table, const char *chain)
{
	nft_next(r, NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND);
	nlreq_str(r, NFTA_RULE_TABLE, table);
	nlreq_str(r, NFTA_RULE_CHAIN, chain);
	return nlreq_nest(r, NFTA_RULE_EXPRESSIONS);
}

void
nft_rule_end(struct nlreq *r, struct nlattr *rule, const char *text)
{
	nlreq_end(r, rule);
	if (text != NULL)
		comment(r, NFTA_RULE_USERDATA, text);
}

/* An expression: its attributes stand between expr_begin() and expr_end(). */
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

/* An attribute that contains a value. */
static void
put_value(struct nlreq *r, int attr, const void *value, size_t len)
{
	struct nlattr *nest = nlreq_nest(r, attr);

	nlreq_put(r, NFTA_DATA_VALUE, value, len);
	nlreq_end(r, nest);
}

/* Compare what the last expression loaded. */
static void
compare(struct nlreq *r, uint32_t op, const void *value, size_t len)
{
	struct expr e = expr_begin(r, "cmp");

	nlreq_be32(r, NFTA_CMP_SREG, NFT_REG_1);
	nlreq_be32(r, NFTA_CMP_OP, op);
	put_value(r, NFTA_CMP_DATA, value, len);
	expr_end(r, e);
}

/* Clear all other bits of what was loaded. */
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

void
nft_interface(struct nlreq *r, uint32_t key, uint32_t op, const char *name)
{
	char buf[IFNAMSIZ] = "";

	memcpy(buf, name, strnlen(name, IFNAMSIZ - 1));
	load_meta(r, key);
	compare(r, op, buf, sizeof(buf));
}

void
nft_family(struct nlreq *r, uint8_t family)
{
	load_meta(r, NFT_META_NFPROTO);
	compare(r, NFT_CMP_EQ, &family, 1);
}

/* Match a packet whose address at offset is in the network. */
static void
match_address(struct nlreq *r, int family, uint32_t offset, const void *net,
    unsigned int len)
{
	uint32_t size = family == AF_INET ? 4 : 16;
	uint8_t bits[16];

	cidr_mask(len, bits);
	nft_family(r, family == AF_INET ? NFPROTO_IPV4 : NFPROTO_IPV6);
	load_payload(r, NFT_PAYLOAD_NETWORK_HEADER, offset, size);
	if (len < size * 8)
		mask(r, bits, size);
	compare(r, NFT_CMP_EQ, net, size);
}

void
nft_source(struct nlreq *r, int family, const void *net, unsigned int len)
{
	match_address(r, family, family == AF_INET ? 12 : 8, net, len);
}

void
nft_destination(struct nlreq *r, int family, const void *net,
    unsigned int len)
{
	match_address(r, family, family == AF_INET ? 16 : 24, net, len);
}

void
nft_ct(struct nlreq *r, uint32_t key, uint32_t bits)
{
	const uint32_t zero = 0;
	struct expr e = expr_begin(r, "ct");

	nlreq_be32(r, NFTA_CT_DREG, NFT_REG_1);
	nlreq_be32(r, NFTA_CT_KEY, key);
	expr_end(r, e);
	mask(r, &bits, sizeof(bits));
	compare(r, NFT_CMP_NEQ, &zero, sizeof(zero));
}

/* Match a packet whose destination has this type in the routing table. */
static void
match_type(struct nlreq *r, uint32_t flags, uint32_t type)
{
	struct expr e = expr_begin(r, "fib");

	nlreq_be32(r, NFTA_FIB_DREG, NFT_REG_1);
	nlreq_be32(r, NFTA_FIB_RESULT, NFT_FIB_RESULT_ADDRTYPE);
	nlreq_be32(r, NFTA_FIB_FLAGS, NFTA_FIB_F_DADDR | flags);
	expr_end(r, e);
	compare(r, NFT_CMP_EQ, &type, sizeof(type));
}

void
nft_local(struct nlreq *r)
{
	match_type(r, 0, RTN_LOCAL);
}

void
nft_local_here(struct nlreq *r, uint32_t type)
{
	match_type(r, NFTA_FIB_F_IIF, type);
}

void
nft_ether_source(struct nlreq *r, const uint8_t prefix[static 2])
{
	load_payload(r, NFT_PAYLOAD_LL_HEADER, 6, 2);
	compare(r, NFT_CMP_EQ, prefix, 2);
}

void
nft_ports(struct nlreq *r, uint8_t proto, uint16_t first, uint32_t count)
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

void
nft_verdict(struct nlreq *r, uint32_t code)
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

void
nft_reject(struct nlreq *r)
{
	struct expr e = expr_begin(r, "reject");

	nlreq_be32(r, NFTA_REJECT_TYPE, NFT_REJECT_ICMPX_UNREACH);
	nlreq_u8(r, NFTA_REJECT_ICMP_CODE, NFT_REJECT_ICMPX_PORT_UNREACH);
	expr_end(r, e);
}

void
nft_masquerade(struct nlreq *r)
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

void
nft_dnat(struct nlreq *r, int family, const void *addr, uint16_t port)
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

int
nft_dump_rules(struct nl *nl, uint8_t family, const char *table,
    const char *chain, nl_cb *cb, void *ctx)
{
	struct nfgenmsg *nf;
	struct nlreq r;

	nf = nlreq_init(&r, NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETRULE,
	    NLM_F_DUMP, sizeof(*nf));
	nf->nfgen_family = family;
	nlreq_str(&r, NFTA_RULE_TABLE, table);
	if (chain != NULL)
		nlreq_str(&r, NFTA_RULE_CHAIN, chain);
	return nl_dump(nl, &r, cb, ctx);
}
