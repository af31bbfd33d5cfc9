/*
 * The rules. Theory of operation:
 *
 * A bridge has one table for good, volt-BRIDGE: made in one transaction by the
 * first, EEXIST for the others; its comment says for which subnets, and where
 * they differ it is replaced. It masquerades what leaves the bridge, lets
 * nothing in but answers and forwards, lets the chains reach no address of the
 * host but those of the bridge, and nothing at all that claims to go to the
 * host's loopback.
 *
 * A chain's forwards are in a table of the lease's name that is owned by our
 * socket (NFT_TABLE_F_OWNER): it goes when the socket does, by whatever death.
 * Each of its rules has the word's value as comment, for print.c and nft(8).
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

/* Part of the table's comment: one that an older volt-net made is replaced. */
#define VERSION 2

/* Bits of ct state and ct status, <linux/netfilter/nf_conntrack_common.h>. */
#define STATE_KNOWN ((1U << 1) | (1U << 2)) /* established, related */
#define STATUS_DNAT (1U << 5)

/* What may reach the bridge from elsewhere. */
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
 * Of the host's addresses the chains have those of the bridge: a service that
 * listens on another one is not meant for them, though the kernel would take
 * what comes for it by any interface. What is no chain's is left alone: on a
 * bridge that is not ours there may be others. (For the guard a chain has no
 * other hardware address.)
 */
static void
bridge_input(struct nlreq *r, const char *table, const struct bridge *b)
{
	static const uint32_t types[] = { RTN_LOCAL, RTN_BROADCAST };
	const uint32_t group = htonl(0xe0000000);
	const struct in6_addr group6 = { .s6_addr = { 0xff } };
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
		    (const void *)&group : &group6, i == 0 ? 4 : 8);
		nft_verdict(r, NF_ACCEPT);
		nft_rule_end(r, rule, "groups");
	}
	rule = nft_rule(r, table, "input");
	nft_interface(r, NFT_META_IIFNAME, NFT_CMP_EQ, b->name);
	nft_ether_source(r, mac);
	nft_verdict(r, NF_DROP);
	nft_rule_end(r, rule, "no other address of the host");
}

/* Source addresses: of the host for what leaves, and for hairpins. */
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
		/* The host may talk to itself by the bridge's address. */
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

/* Has the table this comment? */
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
bridge_table(const struct net *net, char name[static NFT_NAME_LEN])
{
	snprintf(name, NFT_NAME_LEN, "volt-%s", net->bridge.name);
}

/* Make the bridge's table, or find that it is as it should be. */
void
rules_bridge(struct net *net)
{
	const struct bridge *b = &net->bridge;
	char table[NFT_NAME_LEN], text[NFT_COMMENT_LEN];
	char ip[INET_ADDRSTRLEN], ip6[INET6_ADDRSTRLEN] = "-";
	struct nlreq r;
	int try;

	bridge_table(net, table);
	if (b->has6)
		ip6_text(&b->net6, ip6);
	snprintf(text, sizeof(text), "volt-net %d %s/%u %s/%u", VERSION,
	    ip4_text(b->net, ip), b->len, ip6, b->has6 ? b->len6 : 0);
	if (table_is(&net->nft, table, text))
		return;
	for (try = 0; try < 2; try++) {
		nft_begin(&r);
		if (try == 1) { /* one of other subnets, or older */
			nft_next(&r, NFT_MSG_DELTABLE, 0);
			nlreq_str(&r, NFTA_TABLE_NAME, table);
		}
		nft_table(&r, table, 0, text);
		bridge_filter(&r, table, b);
		bridge_input(&r, table, b);
		bridge_nat(&r, table, b);
		if (nft_commit(&net->nft, &r) == 0) {
			say("nftables table inet %s", table);
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
rules_bridge_remove(struct net *net)
{
	char table[NFT_NAME_LEN];
	struct nlreq r;

	bridge_table(net, table);
	nft_begin(&r);
	nft_next(&r, NFT_MSG_DELTABLE, 0);
	nlreq_str(&r, NFTA_TABLE_NAME, table);
	if (nft_commit(&net->nft, &r) == -1 && errno != ENOENT)
		nl_fail(&net->nft, "nftables table inet %s", table);
}

/* What comes for count ports of a forward, from the one at skip on. */
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

/* Send it on: to the same ports in one rule, to others in one for each. */
static void
forward_rules(struct nlreq *r, const struct net *net, const struct forward *f,
    const char *chain, int family)
{
	const struct lease *l = &net->lease;
	const uint32_t addr = htonl(l->addr);
	bool same = f->host == f->guest;
	struct nlattr *rule;
	uint32_t i;

	for (i = 0; i < (same ? 1 : f->count); i++) {
		rule = nft_rule(r, l->name, chain);
		forward_match(r, f, family, i, same ? f->count : 1);
		nft_dnat(r, family, family == AF_INET ? (const void *)&addr :
		    &l->addr6, same ? 0 : (uint16_t)(f->guest + i));
		nft_rule_end(r, rule, f->text);
	}
}

/*
 * What the kernel would lose on its way is not sent on: it takes nothing for
 * ::1 from another interface, and forwards nothing of a link-local address.
 */
static void
forward_not_local6(struct nlreq *r, const char *table, const char *chain)
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
		rule = nft_rule(r, table, chain);
		nft_source(r, AF_INET6, &local[i].net, local[i].len);
		nft_verdict(r, NF_ACCEPT);
		nft_rule_end(r, rule, NULL);
		rule = nft_rule(r, table, chain);
		nft_destination(r, AF_INET6, &local[i].net, local[i].len);
		nft_verdict(r, NF_ACCEPT);
		nft_rule_end(r, rule, NULL);
	}
}

/*
 * What was not sent on is refused: of TCP by the socket that reserves the port,
 * which does not listen, but that of UDP would take it for good.
 */
static void
forward_refuse(struct nlreq *r, const struct net *net, const struct forward *f,
    const char *chain, int family)
{
	struct nlattr *rule;

	if (f->proto != IPPROTO_UDP)
		return;
	rule = nft_rule(r, net->lease.name, chain);
	forward_match(r, f, family, 0, f->count);
	nft_reject(r);
	nft_rule_end(r, rule, f->text);
}

/* Make the lease's table, owned by our socket. Returns 0, or -1 and errno. */
static int
make_forwards(struct net *net)
{
	static const struct {
		const char *name, *type;
		uint32_t hook;
		int priority;
		void (*rules)(struct nlreq *r, const struct net *net,
		    const struct forward *f, const char *chain, int family);
	} chains[] = {
		{ "prerouting", "nat", NF_INET_PRE_ROUTING, PRIO_DNAT,
		    forward_rules },
		{ "output", "nat", NF_INET_LOCAL_OUT, PRIO_DNAT,
		    forward_rules },
		{ "input", "filter", NF_INET_LOCAL_IN, PRIO_FILTER,
		    forward_refuse },
	};
	const char *table = net->lease.name;
	const struct forward *f;
	struct nlreq r;
	size_t i, k;

	nft_begin(&r);
	nft_table(&r, table, NFT_TABLE_F_OWNER, NULL);
	for (k = 0; k < sizeof(chains) / sizeof(chains[0]); k++) {
		nft_chain(&r, table, chains[k].name, chains[k].type,
		    chains[k].hook, chains[k].priority);
		if (chains[k].rules == forward_rules)
			forward_not_local6(&r, table, chains[k].name);
		for (i = 0; i < net->nforwards; i++) {
			f = &net->forward[i];
			if (f->family != AF_INET6)
				chains[k].rules(&r, net, f, chains[k].name,
				    AF_INET);
			if (f->family == AF_INET6 ||
			    (f->family == AF_UNSPEC && net->bridge.has6))
				chains[k].rules(&r, net, f, chains[k].name,
				    AF_INET6);
		}
	}
	return nft_commit(&net->nft, &r);
}

/*
 * The lease's table. The helper of the chain that had the lease before us has
 * it for a moment yet, which for another's socket is EPERM.
 */
void
rules_forwards(struct net *net)
{
	int64_t begin = 0;
	size_t i;
	int rc;

	do
		rc = make_forwards(net);
	while (rc == -1 && (errno == EPERM || errno == EEXIST) &&
	    wait_more(&begin, NET_PERHAPS));
	if (rc == -1 && errno == EMSGSIZE)
		errx(EXIT_LINK, "port=: more rules than fit in one "
		    "transaction; use ranges of the same numbers");
	if (rc == -1)
		nl_fail(&net->nft, "forwards: nftables table inet %s",
		    net->lease.name);
	for (i = 0; i < net->nforwards; i++)
		say("forward %s", net->forward[i].text);
}

struct looking {
	rules_cb *cb;
	void *ctx;
	const char *table;
};

static void
see_rule(const struct nlmsghdr *msg, void *ctx)
{
	const struct looking *l = ctx;
	char table[NFT_NAME_LEN], chain[NFT_NAME_LEN], text[NFT_COMMENT_LEN];
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
		l->cb(nl_string(data + 2, len - 2, text, sizeof(text)), l->ctx);
}

/* Call cb with the comment of each forward's rule of the table. */
int
rules_comments(struct nl *nl, const char *table, rules_cb *cb, void *ctx)
{
	struct looking l = { cb, ctx, table };

	return nft_dump_rules(nl, NFPROTO_INET, table, NULL, see_rule, &l);
}
