/*
 * nf_tables' netlink: what a transaction says, message by message, in the terms
 * of <linux/netfilter/nf_tables.h>. A rule is nft_rule(), expressions in the
 * order of nft(8), nft_rule_end(). Everything is of the family inet.
 */
#ifndef VOLT_NET_NFT_H
#define VOLT_NET_NFT_H

#include <stdint.h>

#include "must.h"
#include "nl.h"

#define NFT_NAME_LEN 64
#define NFT_COMMENT_LEN 160

/* A transaction; nft_commit() sends it whole, or returns -1 with errno set. */
void nft_begin(struct nlreq *r);
MUST_CHECK int nft_commit(struct nl *nl, struct nlreq *r);

void nft_next(struct nlreq *r, int type, int flags);
void nft_table(struct nlreq *r, const char *table, uint32_t flags,
    const char *text);
void nft_chain(struct nlreq *r, const char *table, const char *chain,
    const char *type, uint32_t hook, int priority);
struct nlattr *nft_rule(struct nlreq *r, const char *table, const char *chain);
void nft_rule_end(struct nlreq *r, struct nlattr *rule, const char *text);

/* Matches: the rule goes on if ... iifname or oifname, the key, is (not) this. */
void nft_interface(struct nlreq *r, uint32_t key, uint32_t op,
    const char *name);
/* ... the packet is of this family, NFPROTO_. */
void nft_family(struct nlreq *r, uint8_t family);
/* ... its address is in the network of len bits; family AF_INET, AF_INET6. */
void nft_source(struct nlreq *r, int family, const void *net,
    unsigned int len);
void nft_destination(struct nlreq *r, int family, const void *net,
    unsigned int len);
/* ... any of these bits of ct's key are set. */
void nft_ct(struct nlreq *r, uint32_t key, uint32_t bits);
/* ... it is for an address of this host. */
void nft_local(struct nlreq *r);
/* ... for one of this type, RTN_, on the interface that it came by. */
void nft_local_here(struct nlreq *r, uint32_t type);
/* ... its sender's hardware address begins with these two bytes. */
void nft_ether_source(struct nlreq *r, const uint8_t prefix[static 2]);
/* ... it is for one of count ports from first on. */
void nft_ports(struct nlreq *r, uint8_t proto, uint16_t first, uint32_t count);

void nft_verdict(struct nlreq *r, uint32_t code);
/* Drop, and answer that there is nobody at the port. */
void nft_reject(struct nlreq *r);
void nft_masquerade(struct nlreq *r);
/* To addr; to port, unless that is 0 and stays as it is. */
void nft_dnat(struct nlreq *r, int family, const void *addr, uint16_t port);

/* Call cb with each rule of the table, or of one of its chains. */
MUST_CHECK int nft_dump_rules(struct nl *nl, uint8_t family, const char *table,
    const char *chain, nl_cb *cb, void *ctx);

#endif
