/*
 * The plug: how a network reaches a namespace that a later link makes.
 *
 * volt-net names one end of a socket pair (SOCK_SEQPACKET) in VOLT_PLUG, with an offer
 * queued in it: the contents of /etc/resolv.conf and /etc/hosts for the new root, and
 * whether the network is made already or deferred. volt-ns takes the offer. If the
 * network is deferred volt-ns sends a NETLINK_ROUTE socket of the namespace that it
 * has made, and the host side answers once both ends are configured.
 *
 * Neither side trusts the other. Messages have a type and a maximum size. The host
 * side checks the kind of the descriptor that it gets and the owner of its namespace.
 * volt-ns checks who made the socket pair.
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
	PLUG_DEFERRED,	/* offer: ask for the network */
	PLUG_ASK,	/* volt-ns: with a socket of its namespace */
	PLUG_DONE,	/* host side: the network is configured */
};

#define PLUG_FILES 0x1	/* the caller asked for the files: use them or fail */

struct plug_message {
	uint32_t magic;
	uint16_t kind, flags;
	uint32_t resolv, hosts;	/* bytes of each file; 0: do not change it */
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
