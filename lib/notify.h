/*
 * sd_notify(3) across a new root: the socket that NOTIFY_SOCKET names is out of
 * sight then, so volt-ns connects one before and hands it on in VOLT_NOTIFY, for
 * volt-init ready=. What comes from inside is not passed on as it is: process
 * IDs and descriptors mean something else outside, and systemd believes them.
 *
 * Who takes over volt-init has its socket as well. So a volt-ns that waits
 * hands on one end of a pair instead, and filters what comes once more.
 */
#ifndef VOLT_NOTIFY_H
#define VOLT_NOTIFY_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>

#include "must.h"

#define NOTIFY_MOST 4096	/* bytes of a message, as with systemd */

/* Passes on what is allowed of what comes, one message after the other. */
struct notify_relay {
	int in, out;
	size_t len;	/* of the message that out has no room for yet */
	char buf[NOTIFY_MOST];
};

void notify_hand_on(void);
MUST_CHECK int notify_handed(void);
MUST_CHECK int notify_is_ours(int fd);
MUST_CHECK int notify_split(struct notify_relay *r);

size_t notify_filter(const char *message, size_t len, char *out);
struct pollfd notify_wants(const struct notify_relay *r);
MUST_CHECK bool notify_move(struct notify_relay *r);

#endif
