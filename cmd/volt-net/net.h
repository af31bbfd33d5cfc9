/*
 * volt-net: a network for the chain. Theory of operation:
 *
 * On the host stands a bridge with the subnet's first address; its rules are in
 * one nftables table, volt-BRIDGE, that stays. A chain's end is a veth pair or
 * a tap on that bridge. Everything about one follows from its IPv4 address
 * 10.88.1.2: the host end's name volt0a580102, of which the kernel permits one,
 * so that it is the lease; the hardware address 02:76:0a:58:01:02; the IPv6
 * address PREFIX::102; the table of its forwards volt0a580102. Two BPF programs
 * on the host end let nothing through that claims to be somebody else, and with
 * isolate=yes nothing from or to other chains. All of that goes with the
 * namespace or the tap's descriptor.
 *
 * Forwards are in a table that belongs to a socket, and each port is bound on
 * the host by a socket that never listens: both are held by a helper that
 * watches the chain's process by a pidfd. The same helper serves a deferred
 * network (lib/plug.h). Without either there is none.
 */
#ifndef VOLT_NET_NET_H
#define VOLT_NET_NET_H

#include <sys/resource.h>

#include <net/if.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "plug.h"
#include "tap.h"
#include "words.h"

#include "nl.h"

#define NET_ALIAS "volt-net"	/* of bridges; of leases followed by the PID */
#define NET_FORWARDS 64
#define NET_TEXT 512
#define NET_GOING 10000	/* ms to wait for what is going away for certain */
#define NET_PERHAPS 1000	/* ... and for what may be */

enum net_mode { MODE_PRIVATE, MODE_HOST, MODE_NONE };

/* port=: count ports from host on, to as many from guest on. */
struct forward {
	const char *text;	/* the word's value */
	int family;	/* of addr; AF_UNSPEC: any address of either */
	struct in_addr addr;
	struct in6_addr addr6;
	uint16_t host, guest;
	uint32_t count;
	uint8_t proto;	/* IPPROTO_TCP, IPPROTO_UDP */
};

/* The bridge and its subnets. Addresses here are in host byte order. */
struct bridge {
	char name[IFNAMSIZ];
	int index;
	uint8_t mac[6];
	bool given, given6;	/* subnet=, subnet6= */
	uint32_t net, mask, gw;
	unsigned int len;
	bool has6, no6;	/* no6: subnet6=none */
	struct in6_addr net6, gw6;
	unsigned int len6;
	unsigned int mtu;
};

/* What one chain has. */
struct lease {
	uint32_t addr;	/* 0: not yet */
	char name[IFNAMSIZ];	/* the host end's */
	int index;
	uint8_t mac[6];
	struct in6_addr addr6, link6;	/* link6: what the MAC makes of fe80:: */
};

struct net {
	bool dry, json, defer, tap, remove;
	enum net_mode mode;
	bool isolate;
	struct bridge bridge;
	struct lease lease;
	uint32_t asked;	/* ip=, or 0 */
	unsigned int mtu;	/* mtu=, or 0 */
	unsigned int queues;
	uint64_t rate_in, rate_out;	/* bytes a second, or 0 */
	struct forward forward[NET_FORWARDS];
	size_t nforwards;
	struct rlimit files;	/* the caller's limit on descriptors */
	const char *private_word;	/* one that only mode=private has */
	bool dns_given;
	char dns[NET_TEXT], search[NET_TEXT];	/* comma lists */
	char options[NET_TEXT];	/* of the resolvers, likewise */
	char hosts[PLUG_TEXT];	/* lines of /etc/hosts */

	pid_t pid;	/* the chain's process */
	struct nl route, nft, track;	/* sockets of the host's namespace */
	struct tap tap_out;
};

/* What the kernel says of an interface; strings "" if it does not. */
struct link {
	int index, master;
	int peer;	/* the other end, 0: gone */
	bool elsewhere;	/* it is in another namespace, of this number */
	int netnsid;
	unsigned int mtu;
	uint64_t received, sent;	/* bytes */
	uint8_t mac[6];
	char name[IFNAMSIZ], kind[16], alias[64];
};

/* And of an address: network byte order, 4 or 16 bytes. */
struct link_addr {
	int index, family, scope;
	unsigned int len;
	uint8_t addr[16];
};

/* A question to link_overlap(), and its answer. */
struct overlap {
	int family;
	const uint8_t *net;	/* network byte order */
	unsigned int len;
	const char *but;
	bool found;
	uint8_t dst[16];
	unsigned int dst_len;
	char name[IFNAMSIZ];	/* "": by several interfaces */
};

/* addr.c */
const char *ip4_text(uint32_t addr, char buf[static INET_ADDRSTRLEN]);
const char *ip6_text(const struct in6_addr *a,
    char buf[static INET6_ADDRSTRLEN]);
void mac_of(uint32_t addr, uint8_t mac[static 6]);

/* wait.c */
bool wait_more(int64_t *begin, int ms);

/* words.c */
extern const struct grammar net_grammar;
void net_check(struct net *net, bool command);

/* link.c */
bool link_parse(const struct nlmsghdr *msg, struct link *l);
bool link_parse_address(const struct nlmsghdr *msg, struct link_addr *a);
int link_find(struct nl *nl, const char *name, struct link *l);
int link_index(struct nl *nl, const char *name);
bool link_going(struct nl *nl, const struct link *l);
int link_up(struct nl *nl, int index, const char *alias);
int link_delete(struct nl *nl, const char *name);
int link_address(struct nl *nl, int index, int family, const void *addr,
    unsigned int len);
void link_address_remove(struct nl *nl, int index, int family,
    const void *addr, unsigned int len);
int link_route(struct nl *nl, int index, int family, const void *gateway);
unsigned int link_uplink_mtu(struct nl *nl);
bool link_is_local(struct nl *nl, int family, const void *addr);
int link_overlap(struct nl *nl, struct overlap *o);

/* bridge.c */
void bridge_plan(struct net *net);
void bridge_open(struct net *net);
void bridge_remove(struct net *net);

/* lease_name.c */
bool lease_parse(const char *name, struct lease *l);
bool lease_process(const struct link *l, pid_t *pid);
void lease_fill(const struct bridge *b, struct lease *l, uint32_t addr);

/* lease.c */
int lease_patience(struct nl *nl, const struct link *l);
void lease_take(struct net *net, int (*make)(struct net *, void *), void *ctx);
void lease_attach(struct net *net);

/* guard.c */
void guard_attach(const struct net *net, struct nl *nl);

/* veth.c */
void veth_attach(struct net *net, int route);

/* tap.c */
void tap_attach(struct net *net);

/* rate.c */
void rate_attach(struct net *net);

/* rules.c */
void rules_bridge(struct net *net);
void rules_bridge_remove(struct net *net);
void rules_forwards(struct net *net);
typedef void rules_cb(const char *text, void *ctx);
int rules_comments(struct nl *nl, const char *table, rules_cb *cb, void *ctx);

/* foreign.c */
void foreign_tell(struct net *net);

/* forward.c */
void forward_parse(struct net *net, const char *key, const char *value);
void forward_reserve(struct net *net);
void forward_reserved(const struct net *net);
bool forward_from_any(const struct forward *f);
bool forward_from_loopback(const struct net *net);

/* dns.c */
void dns_servers(void *net, const char *key, const char *value);
void dns_search(void *net, const char *key, const char *value);
void dns_hosts(void *net, const char *key, const char *value);
void dns_plan(struct net *net, bool taken);
void dns_offer(const struct net *net, struct plug_offer *o);

/* track.c */
int track_forget(struct net *net, bool ours);

/* outside.c */
pid_t outside_fork(void);

/* helper.c */
void helper_hold(struct net *net);
int helper_defer(struct net *net);

/* print.c */
int print_state(struct net *net);

#endif
