/*
 * The front-end of vhost-user (QEMU's docs/interop/vhost-user.rst), as far as a device
 * with shadow queues needs it: the daemon gets the memory and the queues once, at
 * start-up, and keeps them. Each answer is of a known size and must come in time.
 */
#ifndef VOLT_KVM_VHOST_USER_H
#define VOLT_KVM_VHOST_USER_H

#include <sys/types.h>

#include <stdint.h>

#include "must.h"
#include "shadow.h"

MUST_CHECK int vhost_user_begin(int sock, const struct shadow *s, int64_t end,
    pid_t *daemon);

#endif
