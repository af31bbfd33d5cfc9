/*
 * volt-net: a network for the chain. Theory of operation:
 *
 * On the host is a bridge. It has the first address of its subnet, and its
 * rules are in one nftables table, volt-BRIDGE, which stays. The chain is
 * connected to the bridge by a veth pair or a tap. What the chain has follows
 * from its IPv4 address. If that is 10.88.1.2:
 *
 *	volt0a580102		the lease: the interface at the host's end
 *	02:76:0a:58:01:02	the hardware address
 *	PREFIX::102		the IPv6 address
 *	volt0a580102		the nftables table of the forwards
 *
 * The kernel permits only one interface of a name, so no two chains have the
 * same address. The guard, two BPF programs at the host's end, drops frames
 * that do not come from these addresses, and with isolate=yes all frames from
 * or to other chains. The kernel removes all of this with the namespace or with
 * the tap's descriptor.
 *
 * The table of the forwards belongs to a socket, and each forwarded port is
 * bound by a socket that never listens. A helper on the host holds these
 * sockets while the chain's process, which it watches by a pidfd, is alive.
 * With -d the helper also makes the network, when volt-ns asks for it
 * (lib/plug.h). Without port= and -d there is no helper.
 *
 * The words make a plan, to which dns_plan() adds what the host's files say.
 * What volt-net makes from the plan is in struct net.
 */
#ifndef VOLT_NET_NET_H
#define VOLT_NET_NET_H

#include <sys/resource.h>

#include <net/if.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "must.h"
#include "plug.h"
#include "words.h"

#include "iface.h"
#include "nl.h"
#include "route.h"

#define NET_ALIAS "volt-net"	/* of bridges; of leases, with the PID */
#define NET_FORWARDS 64
#define NET_TEXT 512
#define NET_GOING 10000	/* ms to wait for what will certainly go away */
#define NET_PERHAPS 1000	/* ms to wait for what may go away */

enum net_mode { MODE_PRIVATE, MODE_HOST, MODE_NONE };

/* port=: count ports from host on, to the chain's ports from guest on. */
struct forward {
	const char *text;	/* the word's value */
	int family;	/* of the address; AF_UNSPEC: any address of both */
	struct in_addr addr;
	struct in6_addr addr6;
	uint16_t host, guest;
	uint32_t count;
	uint8_t proto;	/* IPPROTO_TCP, IPPROTO_UDP */
};

struct forwards {
	struct forward item[NET_FORWARDS];
	size_t n;
};

/*
 * bridge=, subnet=, subnet6=. All IPv4 addresses here are in host byte order.
 */
struct subnets {
	char bridge[IFNAMSIZ];
	bool given, given6;	/* there was a subnet=, a subnet6= */
	bool no6;	/* subnet6=none */
	uint32_t net;
	unsigned int len;
	struct in6_addr net6;
	unsigned int len6;
};

/* What the chain's resolv.conf and hosts say. */
struct names {
	bool given;	/* there was a dns=, search= or hosts= */
	/* Comma lists. */
	char dns[NET_TEXT], search[NET_TEXT], options[NET_TEXT];
	char hosts[PLUG_TEXT];	/* lines of /etc/hosts */
};

/* What the words ask for. */
struct plan {
	bool dry, json, defer, tap, remove;
	enum net_mode mode;
	struct subnets subnets;
	uint32_t ip;	/* ip=; 0: any */
	bool isolate;
	unsigned int mtu;	/* mtu=; 0: that of the uplink */
	unsigned int queues;
	uint64_t rate_in, rate_out;	/* bytes a second; 0: no limit */
	struct forwards forwards;
	struct names names;
	const char *private_word;	/* one that needs mode=private */
};

/* The bridge, its addresses and its subnets. */
struct bridge {
	char name[IFNAMSIZ];
	int index;
	uint8_t mac[6];
	unsigned int mtu;
	uint32_t net, mask, gw;
	unsigned int len;
	bool has6;	/* the chain has IPv6: */
	struct in6_addr net6, gw6;
	unsigned int len6;
};

/* The address of this chain, and the interface at the host's end. */
struct lease {
	uint32_t addr;
	char name[IFNAMSIZ];
	int index;
	uint8_t mac[6];
	struct in6_addr addr6;
	struct in6_addr link6;	/* the link-local address that the MAC makes */
};

/* What volt-net has made. */
struct net {
	const struct plan *plan;
	pid_t pid;	/* the chain's process */
	struct nl route, nft, track;	/* sockets of the host's namespace */
	struct bridge bridge;
	struct lease lease;
};

/* addr.c */
const char *ip4_text(uint32_t addr, char buf[static INET_ADDRSTRLEN]);
const char *ip6_text(const struct in6_addr *a,
    char buf[static INET6_ADDRSTRLEN]);
void mac_of(uint32_t addr, uint8_t mac[static 6]);

/* wait.c */
MUST_CHECK bool wait_more(int64_t *begin, int ms);

/* words.c */
extern const struct grammar net_grammar;
void net_check(const struct plan *plan, bool command);

/* bridge.c */
void bridge_plan(struct bridge *b, const struct plan *plan, struct nl *route);
void bridge_open(struct bridge *b, bool from_loopback, struct nl *route);
void bridge_remove(const char *name, struct nl *route, struct nl *nft);

/* lease_name.c */
MUST_CHECK bool lease_parse(const char *name, struct lease *l);
MUST_CHECK bool lease_process(const struct iface *i, pid_t *pid);
void lease_fill(const struct bridge *b, struct lease *l, uint32_t addr);

/* lease.c */
typedef int lease_make(struct net *net, void *ctx);
MUST_CHECK int lease_patience(struct nl *route, const struct iface *i);
void lease_take(struct net *net, lease_make *make, void *ctx);
void lease_attach(struct net *net);

/* guard.c */
void guard_attach(const struct lease *l, const struct bridge *b, bool isolate,
    uint64_t rate_out, struct nl *route);

/* veth.c */
void veth_attach(struct net *net, int inner);

/* tap.c */
void tap_attach(struct net *net);

/* rate.c */
void rate_attach(int index, uint64_t rate_in, struct nl *route);

/* rules.c */
void rules_bridge(const struct bridge *b, struct nl *nft);
void rules_bridge_remove(const char *bridge, struct nl *nft);
void rules_forwards(const struct forwards *fs, const struct lease *l, bool has6,
    struct nl *nft);
typedef void rules_cb(const char *text, void *ctx);
MUST_CHECK int rules_comments(struct nl *nft, const char *table, rules_cb *cb,
    void *ctx);

/* foreign.c */
void foreign_tell(const char *bridge, struct nl *nft);

/* forward.c */
void forward_parse(struct forwards *fs, const char *key, const char *value);
MUST_CHECK bool forward_from_any(const struct forward *f);
MUST_CHECK bool forward_from_loopback(const struct forwards *fs);
MUST_CHECK bool forward_has(const struct forward *f, int family, bool has6);
void forward_reserve(const struct forwards *fs, bool has6);
void forward_reserved(const struct forwards *fs);

/* dns.c */
void dns_servers(void *plan, const char *key, const char *value);
void dns_search(void *plan, const char *key, const char *value);
void dns_hosts(void *plan, const char *key, const char *value);
void dns_plan(struct plan *plan, const struct bridge *b, struct nl *route,
    bool taken);
void dns_offer(const struct plan *plan, struct plug_offer *o);

/* track.c */
MUST_CHECK int track_forget(const struct forwards *fs, const struct lease *l,
    bool ours, struct nl *track, struct nl *route);

/* outside.c */
MUST_CHECK pid_t outside_fork(void);

/* helper.c */
void helper_hold(struct net *net);
MUST_CHECK int helper_defer(struct net *net);

/* print.c */
MUST_CHECK int print_state(struct nl *route, struct nl *nft, bool json);

#endif
