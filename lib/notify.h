/*
 * sd_notify(3) across a new root: the socket that NOTIFY_SOCKET names is out of
 * sight then, so volt-ns connects one before and hands it on in VOLT_NOTIFY, for
 * volt-init ready=.
 */
#ifndef VOLT_NOTIFY_H
#define VOLT_NOTIFY_H

#include <stdbool.h>

void notify_hand_on(void);
int notify_handed(void);
bool notify_is_ours(int fd);

#endif
