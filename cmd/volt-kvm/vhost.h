/*
 * vhost-net: the kernel moves the packets between a tap and the queues, and wakes
 * no thread of ours. The driver's notifications go to the kernel's thread by
 * ioeventfds. That thread interrupts the guest by irqfds; while a vector is
 * masked the I/O thread gets the interrupt.
 *
 * vhost_open(), then vhost_plug(), are called before the guest runs. vhost_start()
 * hands over the queues, and vhost_stop() takes them back. Between these, packets
 * move while a queue of the tap is attached.
 */
#ifndef VOLT_KVM_VHOST_H
#define VOLT_KVM_VHOST_H

#include <stdbool.h>

#include "must.h"
#include "vio.h"

#define VHOST_QUEUES 2u	/* of a pair */

/* A pair of queues, which has a thread of the kernel's. */
struct vhost {
	int fd;	/* or -1: there is no vhost-net */
	uint64_t features;
	struct vio *vio;
	unsigned int first;	/* the receive queue; the next one transmits */
	int call[VHOST_QUEUES];	/* eventfds: interrupt the driver, for each queue */
	int error;	/* eventfd: the driver broke a rule */
	bool running;	/* the kernel knows the queues */
};

MUST_CHECK bool vhost_open(struct vhost *h);
void vhost_close(struct vhost *h);
void vhost_plug(struct vhost *h, struct vio *v, unsigned int first);
MUST_CHECK int vhost_start(struct vhost *h);
MUST_CHECK int vhost_attach(struct vhost *h, int tap);
void vhost_detach(struct vhost *h);
void vhost_stop(struct vhost *h);

#endif
