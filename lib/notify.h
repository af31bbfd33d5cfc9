/*
 * sd_notify(3) out of a new root. The socket that NOTIFY_SOCKET names cannot be seen
 * there. So volt-ns connects to it first and passes the descriptor in VOLT_NOTIFY to
 * volt-init ready=. Messages are filtered: process IDs and descriptors mean something
 * else outside, and systemd would believe them.
 *
 * A process that takes over volt-init also has its socket. So a volt-ns that waits
 * passes one end of a socket pair instead, and filters the messages again.
 *
 * For a command that does not notify, VOLT_READY asks the chain to do it: the last link
 * sends READY=1 when it starts the command (chain_prepare()), and volt-kvm when the
 * command starts in the guest.
 */
#ifndef VOLT_NOTIFY_H
#define VOLT_NOTIFY_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>

#include "must.h"

#define NOTIFY_VARIABLE "VOLT_NOTIFY"
#define NOTIFY_READY "VOLT_READY"
#define NOTIFY_MOST 4096	/* bytes of a message; systemd has this limit, too */

/* Passes on the lines that are allowed, one message after the other. */
struct notify_relay {
	int in, out;
	size_t len;	/* of a message that waits for room in out; or 0 */
	char buf[NOTIFY_MOST];
};

void notify_hand_on(void);
MUST_CHECK int notify_handed(void);
MUST_CHECK int notify_is_ours(int fd);
MUST_CHECK int notify_split(struct notify_relay *r);
MUST_CHECK bool notify_is_wanted(void);
MUST_CHECK int notify_open(void);
MUST_CHECK int notify_ready(int fd);

size_t notify_filter(const char *message, size_t len, char *out);
struct pollfd notify_wants(const struct notify_relay *r);
MUST_CHECK bool notify_move(struct notify_relay *r);

#endif
