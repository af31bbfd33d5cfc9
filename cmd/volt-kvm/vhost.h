/*
 * vhost-net: the kernel moves the packets between a tap and the queues, and wakes
 * no thread of ours. The driver's notifications go to the kernel's thread by
 * ioeventfds. That thread interrupts the guest by irqfds; while a vector is
 * masked the I/O thread gets the interrupt.
 */
#ifndef VOLT_KVM_VHOST_H
#define VOLT_KVM_VHOST_H

#include <stdbool.h>

#include "must.h"
#include "vio.h"

struct vhost {
	int fd;	/* or -1: there is no vhost-net */
	int call[2];	/* eventfds: interrupt the driver, for each queue */
	int error;	/* eventfd: the driver broke a rule */
	bool running;
};

MUST_CHECK bool vhost_open(struct vhost *h, struct vio *v);
MUST_CHECK int vhost_start(struct vhost *h, struct vio *v, int tap);
void vhost_stop(struct vhost *h, struct vio *v);

#endif
