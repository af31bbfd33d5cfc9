/*
 * nftables transactions, in the terms of <linux/netfilter/nf_tables.h>. A rule
 * is nft_rule(), its expressions in the order of nft(8), and nft_rule_end().
 * All tables are of the family inet.
 *
 * We do not use libnftnl for this. volt-net would need one more shared library
 * on each host, of 200 KB, and load it at each start. Of nftables we use four
 * messages that change something and ten kinds of expression, and the kernel's
 * ABI fixes their numbers. The code would not be shorter: libnftnl wants an
 * object on the heap for each table, nftables chain, rule and expression, and a
 * call for each attribute.
 */
#ifndef VOLT_NET_NFT_H
#define VOLT_NET_NFT_H

#include <stdint.h>

#include "must.h"
#include "nl.h"

#define NFT_NAME_LEN 64
#define NFT_COMMENT_LEN 160

/*
 * A transaction. nft_commit() sends it. The kernel does all of it and
 * nft_commit() returns 0, or it does nothing and nft_commit() returns -1 and
 * errno.
 */
void nft_begin(struct nlreq *r);
MUST_CHECK int nft_commit(struct nl *nl, struct nlreq *r);

void nft_next(struct nlreq *r, int type, int flags);
void nft_table(struct nlreq *r, const char *table, uint32_t flags,
    const char *text);
void nft_chain(struct nlreq *r, const char *table, const char *chain,
    const char *type, uint32_t hook, int priority);
struct nlattr *nft_rule(struct nlreq *r, const char *table, const char *chain);
void nft_rule_end(struct nlreq *r, struct nlattr *rule, const char *text);

/* Matches. The rule goes on if ... */
/*
 * ... the interface (key: NFT_META_IIFNAME or _OIFNAME) is, or is not, this
 * one.
 */
void nft_interface(struct nlreq *r, uint32_t key, uint32_t op,
    const char *name);
/* ... the packet is of this family, NFPROTO_. */
void nft_family(struct nlreq *r, uint8_t family);
/* ... its source or destination is in this network; AF_INET or AF_INET6. */
void nft_source(struct nlreq *r, int family, const void *net,
    unsigned int len);
void nft_destination(struct nlreq *r, int family, const void *net,
    unsigned int len);
/* ... any of these bits is set in the key of its conntrack entry. */
void nft_ct(struct nlreq *r, uint32_t key, uint32_t bits);
/* ... its destination is an address of this host. */
void nft_local(struct nlreq *r);
/*
 * ... its destination has this type, RTN_, on the interface by which it came.
 */
void nft_local_here(struct nlreq *r, uint32_t type);
/* ... the hardware address of its sender begins with these two bytes. */
void nft_ether_source(struct nlreq *r, const uint8_t prefix[static 2]);
/* ... its destination is one of count ports, from first on. */
void nft_ports(struct nlreq *r, uint8_t proto, uint16_t first, uint32_t count);

void nft_verdict(struct nlreq *r, uint32_t code);
/* Drop the packet, and answer that the port is unreachable. */
void nft_reject(struct nlreq *r);
void nft_masquerade(struct nlreq *r);
/* Change the destination to addr, and to port unless that is 0. */
void nft_dnat(struct nlreq *r, int family, const void *addr, uint16_t port);

/* Call cb with each rule of the table, or of one nftables chain of it. */
MUST_CHECK int nft_dump_rules(struct nl *nl, uint8_t family, const char *table,
    const char *chain, nl_cb *cb, void *ctx);

#endif
