/*
 * vhost-net: the kernel moves the packets between a tap and the queues, and
 * nobody here is woken for them. Notifications go straight to it, and its own
 * straight to the guest; to the I/O thread only while they are masked.
 */
#ifndef VOLT_KVM_VHOST_H
#define VOLT_KVM_VHOST_H

#include <stdbool.h>

#include "must.h"
#include "vio.h"

struct vhost {
	int fd;	/* or -1: there is none */
	int call[2];	/* eventfds: interrupt the driver for this queue */
	int error;	/* eventfd: the driver broke a rule */
	bool running;
};

MUST_CHECK bool vhost_open(struct vhost *h, struct vio *v);
MUST_CHECK int vhost_start(struct vhost *h, struct vio *v, int tap);
void vhost_stop(struct vhost *h, struct vio *v);

#endif
