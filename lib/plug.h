/*
 * The plug: how a network reaches a namespace that a later link makes.
 *
 * volt-net leaves one end of a socket pair (SOCK_SEQPACKET) behind in VOLT_PLUG,
 * with an offer queued in it: what is to become of /etc/resolv.conf and
 * /etc/hosts in the new root, and whether the network is made already or
 * deferred. volt-ns takes it. A deferred network it asks for: it sends a
 * NETLINK_ROUTE socket of the namespace that it has made, and the host side
 * answers once both ends are configured.
 *
 * Nobody believes the other side: messages have a type and a bound, the host
 * side checks what kind of descriptor it is sent and whose namespace it is, and
 * volt-ns who made the socket pair.
 */
#ifndef VOLT_PLUG_H
#define VOLT_PLUG_H

#include <stdbool.h>
#include <stdint.h>

#include "must.h"

#define PLUG_VARIABLE "VOLT_PLUG"
#define PLUG_TEXT 8192	/* bytes of one file */

enum plug_kind {
	PLUG_MADE = 1,	/* offer: the network is made, or is the host's */
	PLUG_DEFERRED,	/* offer: ask for it */
	PLUG_ASK,	/* volt-ns: here is a socket of my namespace */
	PLUG_DONE,	/* host side: configured */
};

#define PLUG_FILES 0x1	/* somebody asked for the files: take them, or fail */

struct plug_message {
	uint32_t magic;
	uint16_t kind, flags;
	uint32_t resolv, hosts;	/* bytes of each file; 0: leave it alone */
};

struct plug_offer {
	enum plug_kind kind;
	unsigned int flags;
	char resolv[PLUG_TEXT], hosts[PLUG_TEXT];
};

MUST_CHECK int plug_offer(int sock, const struct plug_offer *o);
MUST_CHECK int plug_announce(int sock);
MUST_CHECK int plug_is_ours(int fd);
MUST_CHECK int plug_find(void);
MUST_CHECK int plug_peek(int sock, struct plug_offer *o);
void plug_close(int sock);

MUST_CHECK int plug_ask(int sock, int route);
MUST_CHECK int plug_answer(int sock);
MUST_CHECK int plug_accept(int sock, int home);
MUST_CHECK int plug_namespace(int route);

#endif
