/* The network card of the guest, for control= (vio_net.c). */
#ifndef VOLT_KVM_NET_H
#define VOLT_KVM_NET_H

#include <stdbool.h>
#include <stdint.h>

#include "must.h"
#include "rate.h"

struct net;

/* What has moved, in packets and in bytes with virtio's headers. */
struct net_counts {
	uint64_t received, received_bytes, sent, sent_bytes;
};

MUST_CHECK bool net_limit(struct net *net, const struct rate_word *w);
MUST_CHECK bool net_counted(struct net *net, struct net_counts *c);

#endif
