/*
 * VOLT_TAP: an open tap device, and the settings for the guest behind it. The value is
 * "FD[:FD...]: key=value ...", with one descriptor for each queue, and the keys
 *
 *	name	the device's name on the host
 *	mac	the guest's hardware address; frames from others are dropped
 *	mtu	bytes
 *	ip, gw	address/prefix length and gateway, IPv4
 *	ip6, gw6	the same, IPv6; missing without IPv6
 *	dns	resolvers, separated by commas
 *	search	domains, likewise
 *	options	options of resolv.conf(5), likewise
 *
 * Each queue expects a struct virtio_net_hdr_v1 (12 bytes) before each frame.
 */
#ifndef VOLT_TAP_H
#define VOLT_TAP_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#include "must.h"

#define TAP_VARIABLE "VOLT_TAP"
#define TAP_QUEUES 16
#define TAP_LIST 512

struct tap {
	int fd[TAP_QUEUES];
	unsigned int nfds;
	char name[16];
	uint8_t mac[6];
	unsigned int mtu;
	struct in_addr ip, gw;
	unsigned int len;	/* the length of the prefix */
	bool has6;
	struct in6_addr ip6, gw6;
	unsigned int len6;
	char dns[TAP_LIST], search[TAP_LIST], options[TAP_LIST];
};

MUST_CHECK int tap_announce(const struct tap *t);
MUST_CHECK int tap_is_ours(int fd);
MUST_CHECK int tap_parse(struct tap *t, const char *value);
MUST_CHECK int tap_find(struct tap *t);

#endif
