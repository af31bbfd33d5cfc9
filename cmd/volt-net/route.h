/* Routes: the verbs of rtnetlink(7) that we need. */
#ifndef VOLT_NET_ROUTE_H
#define VOLT_NET_ROUTE_H

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

#include "must.h"
#include "nl.h"

/* A question to route_overlap(), and its answer. */
struct overlap {
	int family;
	const uint8_t *net;	/* network byte order */
	unsigned int len;
	const char *except;	/* an interface whose routes do not count */

	bool found;
	uint8_t dst[16];
	unsigned int dst_len;
	char name[IFNAMSIZ];	/* "": the route has several interfaces */
};

MUST_CHECK int route_default(struct nl *nl, int index, int family, const void
    *gateway);
unsigned int route_uplink_mtu(struct nl *nl);
MUST_CHECK bool route_is_local(struct nl *nl, int family, const void *addr);
MUST_CHECK int route_overlap(struct nl *nl, struct overlap *o);

#endif
