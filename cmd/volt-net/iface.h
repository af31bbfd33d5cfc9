/*
 * Network interfaces and their addresses: the verbs of rtnetlink(7) that we
 * need.
 */
#ifndef VOLT_NET_IFACE_H
#define VOLT_NET_IFACE_H

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

#include "must.h"
#include "nl.h"

/*
 * What the kernel says of an interface. A string that it does not give is "".
 */
struct iface {
	int index;
	int master;	/* the bridge that it is a port of, or 0 */
	int peer;	/* the other end of a veth pair; 0: it is gone */
	bool elsewhere;	/* the peer is in another namespace, of this number: */
	int netnsid;
	unsigned int mtu;
	uint64_t received, sent;	/* bytes, at this end */
	uint8_t mac[6];
	char name[IFNAMSIZ], kind[16], alias[64];
};

/* What the kernel says of an address: 4 or 16 bytes in network byte order. */
struct iface_addr {
	int index, family, scope;
	unsigned int len;
	uint8_t addr[16];
};

MUST_CHECK bool iface_parse(const struct nlmsghdr *msg, struct iface *i);
MUST_CHECK bool iface_parse_address(const struct nlmsghdr *msg, struct
    iface_addr *a);
MUST_CHECK int iface_find(struct nl *nl, const char *name, struct iface *i);
MUST_CHECK int iface_find_index(struct nl *nl, int index, struct iface *i);
MUST_CHECK int iface_index(struct nl *nl, const char *name);
MUST_CHECK bool iface_going(struct nl *nl, const struct iface *i);
MUST_CHECK int iface_up(struct nl *nl, int index, const char *alias);
MUST_CHECK int iface_delete(struct nl *nl, const char *name);
MUST_CHECK int iface_add_address(struct nl *nl, int index, int family, const
    void *addr, unsigned int len);
void iface_remove_address(struct nl *nl, int index, int family,
    const void *addr, unsigned int len);

#endif
