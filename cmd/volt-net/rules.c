/*
 * The rules. Theory of operation:
 *
 * A bridge has one permanent table, volt-BRIDGE. The first volt-net makes it in
 * one transaction, and the others get EEXIST. Its comment names the subnets. If
 * these are not those of the bridge, the table is replaced. The table
 * - masquerades what goes from the bridge to the outside;
 * - drops what comes from outside, except answers and forwards;
 * - drops what chains send to addresses of the host that are not the bridge's,
 *   and all that is for the host's loopback.
 *
 * The forwards of a chain are in a table that has the name of the lease. Our
 * socket owns it (NFT_TABLE_F_OWNER): the kernel removes it when the socket is
 * closed, for whatever reason. Each rule has the word's value as its comment,
 * for print.c and for people who use nft(8).
 */
#include <arpa/inet.h>	/* before the kernel's own <linux/in.h> */

#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/rtnetlink.h>

#include <err.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "chain.h"
#include "say.h"

#include "net.h"
#include "nft.h"

#ifndef NFT_TABLE_F_OWNER
#define NFT_TABLE_F_OWNER 0x2
#endif

#define PRIO_RAW (-300)
#define PRIO_DNAT (-100)
#define PRIO_FILTER 0
#define PRIO_SNAT 100

/*
 * It is a part of the table's comment. So the table of an older one is
 * replaced.
 */
#define VERSION 2

/* Bits of ct state and ct status, <linux/netfilter/nf_conntrack_common.h>. */
#define STATE_KNOWN ((1U << 1) | (1U << 2)) /* established, related */
#define STATUS_DNAT (1U << 5)

/*
 * Rules for packets from the outside to the bridge, and from the bridge to the
 * host's loopback.
 */
static void
bridge_filter(struct nlreq *r, const char *table, const struct bridge *b)
{
	const uint32_t loopback = htonl(0x7f000000);
	struct nlattr *rule;

	nft_chain(r, table, "prerouting", "filter", NF_INET_PRE_ROUTING,
	    PRIO_RAW);
	rule = nft_rule(r, table, "prerouting");
	nft_interface(r, NFT_META_IIFNAME, NFT_CMP_EQ, b->name);
	nft_destination(r, AF_INET, &loopback, 8);
	nft_verdict(r, NF_DROP);
	nft_rule_end(r, rule, "route_localnet is for forwards");

	nft_chain(r, table, "forward", "filter", NF_INET_FORWARD, PRIO_FILTER);
	rule = nft_rule(r, table, "forward");
	nft_interface(r, NFT_META_OIFNAME, NFT_CMP_EQ, b->name);
	nft_ct(r, NFT_CT_STATE, STATE_KNOWN);
	nft_verdict(r, NF_ACCEPT);
	nft_rule_end(r, rule, "answers");
	rule = nft_rule(r, table, "forward");
	nft_interface(r, NFT_META_OIFNAME, NFT_CMP_EQ, b->name);
	nft_ct(r, NFT_CT_STATUS, STATUS_DNAT);
	nft_verdict(r, NF_ACCEPT);
	nft_rule_end(r, rule, "forwards");
	rule = nft_rule(r, table, "forward");
	nft_interface(r, NFT_META_OIFNAME, NFT_CMP_EQ, b->name);
	nft_interface(r, NFT_META_IIFNAME, NFT_CMP_NEQ, b->name);
	nft_verdict(r, NF_DROP);
	nft_rule_end(r, rule, "nothing else from outside");
}

/*
 * Of the host's addresses, chains reach only those of the bridge. A service
 * that listens on another address is not meant for them, but the kernel accepts
 * its packets by any interface. The rule recognizes chains by their hardware
 * addresses, which the guard enforces. A bridge that volt-net did not make may
 * have ports that are no chains. The rule does not apply to those.
 */
static void
bridge_input(struct nlreq *r, const char *table, const struct bridge *b)
{
	static const uint32_t types[] = { RTN_LOCAL, RTN_BROADCAST };
	const uint32_t multicast = htonl(0xe0000000);
	const struct in6_addr multicast6 = { .s6_addr = { 0xff } };
	struct nlattr *rule;
	uint8_t mac[6];
	size_t i;

	mac_of(b->gw, mac);
	nft_chain(r, table, "input", "filter", NF_INET_LOCAL_IN, PRIO_FILTER);
	rule = nft_rule(r, table, "input");
	nft_interface(r, NFT_META_IIFNAME, NFT_CMP_EQ, b->name);
	nft_ct(r, NFT_CT_STATE, STATE_KNOWN);
	nft_verdict(r, NF_ACCEPT);
	nft_rule_end(r, rule, "answers");
	for (i = 0; i < 2; i++) {
		rule = nft_rule(r, table, "input");
		nft_interface(r, NFT_META_IIFNAME, NFT_CMP_EQ, b->name);
		nft_local_here(r, types[i]);
		nft_verdict(r, NF_ACCEPT);
		nft_rule_end(r, rule, "the bridge's own addresses");
		rule = nft_rule(r, table, "input");
		nft_interface(r, NFT_META_IIFNAME, NFT_CMP_EQ, b->name);
		nft_destination(r, i == 0 ? AF_INET : AF_INET6, i == 0 ?
		    (const void *)&multicast : &multicast6, i == 0 ? 4 : 8);
		nft_verdict(r, NF_ACCEPT);
		nft_rule_end(r, rule, "multicast");
	}
	rule = nft_rule(r, table, "input");
	nft_interface(r, NFT_META_IIFNAME, NFT_CMP_EQ, b->name);
	nft_ether_source(r, mac);
	nft_verdict(r, NF_DROP);
	nft_rule_end(r, rule, "no other address of the host");
}

/*
 * The host's address becomes the source of what leaves the bridge, and of
 * forwards that come from the host's loopback or from another chain.
 */
static void
bridge_nat(struct nlreq *r, const char *table, const struct bridge *b)
{
	const uint32_t net = htonl(b->net), loopback = htonl(0x7f000000);
	const int families[] = { AF_INET, AF_INET6 };
	struct nlattr *rule;
	size_t i;

	nft_chain(r, table, "postrouting", "nat", NF_INET_POST_ROUTING,
	    PRIO_SNAT);
	rule = nft_rule(r, table, "postrouting");
	nft_interface(r, NFT_META_OIFNAME, NFT_CMP_EQ, b->name);
	nft_source(r, AF_INET, &loopback, 8);
	nft_masquerade(r);
	nft_rule_end(r, rule, "forwards from the host itself");
	for (i = 0; i < (b->has6 ? 2 : 1); i++) {
		const void *from = i == 0 ? (const void *)&net : &b->net6;
		unsigned int len = i == 0 ? b->len : b->len6;

		rule = nft_rule(r, table, "postrouting");
		nft_interface(r, NFT_META_OIFNAME, NFT_CMP_EQ, b->name);
		nft_ct(r, NFT_CT_STATUS, STATUS_DNAT);
		nft_source(r, families[i], from, len);
		nft_masquerade(r);
		nft_rule_end(r, rule, "forwards from other chains");
		rule = nft_rule(r, table, "postrouting");
		nft_interface(r, NFT_META_OIFNAME, NFT_CMP_NEQ, b->name);
		/* The host may connect to itself by the bridge's address. */
		nft_interface(r, NFT_META_OIFNAME, NFT_CMP_NEQ, "lo");
		nft_source(r, families[i], from, len);
		nft_masquerade(r);
		nft_rule_end(r, rule, "to the outside");
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
		nl_string(text + 2, len - 2, ctx, NFT_COMMENT_LEN);
}

/* Does the table exist, with this comment? */
static bool
table_is(struct nl *nl, const char *table, const char *text)
{
	char have[NFT_COMMENT_LEN] = "";
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
bridge_table(const char *bridge, char name[static NFT_NAME_LEN])
{
	snprintf(name, NFT_NAME_LEN, "volt-%s", bridge);
}

/* Make the bridge's table, unless it exists with the right comment. */
void
rules_bridge(const struct bridge *b, struct nl *nft)
{
	char table[NFT_NAME_LEN], text[NFT_COMMENT_LEN];
	char ip[INET_ADDRSTRLEN], ip6[INET6_ADDRSTRLEN] = "-";
	struct nlreq r;
	int try;

	bridge_table(b->name, table);
	if (b->has6)
		ip6_text(&b->net6, ip6);
	snprintf(text, sizeof(text), "volt-net %d %s/%u %s/%u", VERSION,
	    ip4_text(b->net, ip), b->len, ip6, b->has6 ? b->len6 : 0);
	if (table_is(nft, table, text))
		return;
	for (try = 0; try < 2; try++) {
		nft_begin(&r);
		if (try == 1) { /* there is one with another comment */
			nft_next(&r, NFT_MSG_DELTABLE, 0);
			nlreq_str(&r, NFTA_TABLE_NAME, table);
		}
		nft_table(&r, table, 0, text);
		bridge_filter(&r, table, b);
		bridge_input(&r, table, b);
		bridge_nat(&r, table, b);
		if (nft_commit(nft, &r) == 0) {
			say("nftables table inet %s", table);
			return;
		}
		if (errno != EEXIST && errno != ENOENT)
			break;
		if (table_is(nft, table, text))
			return; /* another volt-net made it */
	}
	nl_fail(nft, "nftables table inet %s", table);
}

void
rules_bridge_remove(const char *bridge, struct nl *nft)
{
	char table[NFT_NAME_LEN];
	struct nlreq r;

	bridge_table(bridge, table);
	nft_begin(&r);
	nft_next(&r, NFT_MSG_DELTABLE, 0);
	nlreq_str(&r, NFTA_TABLE_NAME, table);
	if (nft_commit(nft, &r) == -1 && errno != ENOENT)
		nl_fail(nft, "nftables table inet %s", table);
}

/* Match what is for count ports of a forward, after the first skip ports. */
static void
forward_match(struct nlreq *r, const struct forward *f, int family,
    uint32_t skip, uint32_t count)
{
	if (forward_from_any(f)) {
		nft_family(r, family == AF_INET ? NFPROTO_IPV4 :
		    NFPROTO_IPV6);
		nft_local(r);
	} else {
		nft_destination(r, family, family == AF_INET ?
		    (const void *)&f->addr : &f->addr6, family == AF_INET ?
		    32 : 128);
	}
	nft_ports(r, f->proto, (uint16_t)(f->host + skip), count);
}

/*
 * Forward to the chain. One rule is enough if the ports have the same numbers
 * there. Otherwise each port needs its own rule.
 */
static void
forward_dnat(struct nlreq *r, const struct lease *l, const struct forward *f,
    const char *nft_chain, int family)
{
	const uint32_t addr = htonl(l->addr);
	bool same = f->host == f->guest;
	struct nlattr *rule;
	uint32_t i;

	for (i = 0; i < (same ? 1 : f->count); i++) {
		rule = nft_rule(r, l->name, nft_chain);
		forward_match(r, f, family, i, same ? f->count : 1);
		nft_dnat(r, family, family == AF_INET ? (const void *)&addr :
		    &l->addr6, same ? 0 : (uint16_t)(f->guest + i));
		nft_rule_end(r, rule, f->text);
	}
}

/*
 * Do not forward packets that the kernel would drop later: it accepts ::1 only
 * on the loopback interface, and does not route link-local addresses.
 */
static void
forward_not_local6(struct nlreq *r, const char *table, const char *nft_chain)
{
	static const struct {
		struct in6_addr net;
		unsigned int len;
	} local[] = {
		{ IN6ADDR_LOOPBACK_INIT, 128 },
		{ { .s6_addr = { 0xfe, 0x80 } }, 10 },
	};
	struct nlattr *rule;
	size_t i;

	for (i = 0; i < 2; i++) {
		rule = nft_rule(r, table, nft_chain);
		nft_source(r, AF_INET6, &local[i].net, local[i].len);
		nft_verdict(r, NF_ACCEPT);
		nft_rule_end(r, rule, NULL);
		rule = nft_rule(r, table, nft_chain);
		nft_destination(r, AF_INET6, &local[i].net, local[i].len);
		nft_verdict(r, NF_ACCEPT);
		nft_rule_end(r, rule, NULL);
	}
}

/*
 * Refuse packets that were not forwarded. For TCP the kernel does so, because
 * the socket that reserves the port does not listen. A UDP socket would receive
 * them.
 */
static void
forward_refuse(struct nlreq *r, const struct lease *l, const struct forward *f,
    const char *nft_chain, int family)
{
	struct nlattr *rule;

	if (f->proto != IPPROTO_UDP)
		return;
	rule = nft_rule(r, l->name, nft_chain);
	forward_match(r, f, family, 0, f->count);
	nft_reject(r);
	nft_rule_end(r, rule, f->text);
}

/* Make the lease's table, which our socket owns. Returns 0, or -1 and errno. */
static int
make_forwards(const struct forwards *fs, const struct lease *l, bool has6,
    struct nl *nft)
{
	static const struct {
		const char *name, *type;
		uint32_t hook;
		int priority;
		void (*rules)(struct nlreq *r, const struct lease *l,
		    const struct forward *f, const char *nft_chain,
		    int family);
	} nft_chains[] = {
		{ "prerouting", "nat", NF_INET_PRE_ROUTING, PRIO_DNAT,
		    forward_dnat },
		{ "output", "nat", NF_INET_LOCAL_OUT, PRIO_DNAT,
		    forward_dnat },
		{ "input", "filter", NF_INET_LOCAL_IN, PRIO_FILTER,
		    forward_refuse },
	};
	static const int families[] = { AF_INET, AF_INET6 };
	const struct forward *f;
	struct nlreq r;
	size_t i, k, v;

	nft_begin(&r);
	nft_table(&r, l->name, NFT_TABLE_F_OWNER, NULL);
	for (k = 0; k < sizeof(nft_chains) / sizeof(nft_chains[0]); k++) {
		nft_chain(&r, l->name, nft_chains[k].name, nft_chains[k].type,
		    nft_chains[k].hook, nft_chains[k].priority);
		if (nft_chains[k].rules == forward_dnat)
			forward_not_local6(&r, l->name, nft_chains[k].name);
		for (i = 0; i < fs->n; i++) {
			f = &fs->item[i];
			for (v = 0; v < 2; v++)
				if (forward_has(f, families[v], has6))
					nft_chains[k].rules(&r, l, f,
					    nft_chains[k].name, families[v]);
		}
	}
	return nft_commit(nft, &r);
}

/*
 * Make the lease's table. If another chain had the lease before, its helper may
 * keep the table for a moment. The kernel then returns EPERM.
 */
void
rules_forwards(const struct forwards *fs, const struct lease *l, bool has6,
    struct nl *nft)
{
	int64_t begin = 0;
	size_t i;
	int rc;

	do
		rc = make_forwards(fs, l, has6, nft);
	while (rc == -1 && (errno == EPERM || errno == EEXIST) &&
	    wait_more(&begin, NET_PERHAPS));
	if (rc == -1 && errno == EMSGSIZE)
		errx(EXIT_LINK, "port=: more rules than fit in one "
		    "transaction; use ranges of the same numbers");
	if (rc == -1)
		nl_fail(nft, "forwards: nftables table inet %s", l->name);
	for (i = 0; i < fs->n; i++)
		say("forward %s", fs->item[i].text);
}

/* For see_rule(): what to call, and for which table. */
struct looking {
	rules_cb *cb;
	void *ctx;
	const char *table;
};

static void
see_rule(const struct nlmsghdr *msg, void *ctx)
{
	const struct looking *l = ctx;
	char table[NFT_NAME_LEN], name[NFT_NAME_LEN], text[NFT_COMMENT_LEN];
	const char *data;
	size_t len;

	data = nl_find(msg, sizeof(struct nfgenmsg), NFTA_RULE_TABLE, &len);
	if (data == NULL ||
	    strcmp(nl_string(data, len, table, sizeof(table)), l->table) != 0)
		return;
	data = nl_find(msg, sizeof(struct nfgenmsg), NFTA_RULE_CHAIN, &len);
	if (data == NULL ||
	    strcmp(nl_string(data, len, name, sizeof(name)), "prerouting") !=
	    0)
		return;
	data = nl_find(msg, sizeof(struct nfgenmsg), NFTA_RULE_USERDATA, &len);
	if (data != NULL && len > 2 && data[0] == 0)
		l->cb(nl_string(data + 2, len - 2, text, sizeof(text)), l->ctx);
}

/* Call cb with the comment of each rule of the table that forwards. */
int
rules_comments(struct nl *nft, const char *table, rules_cb *cb, void *ctx)
{
	struct looking l = { cb, ctx, table };

	return nft_dump_rules(nft, NFPROTO_INET, table, NULL, see_rule, &l);
}
