/*
 * Interrupts that KVM raises when another process or the kernel writes to an
 * eventfd (irqfd). Each is a message (MSI) with a line of its own. These lines
 * come after those of the interrupt controllers.
 */
#ifndef VOLT_KVM_IRQ_H
#define VOLT_KVM_IRQ_H

#include <linux/kvm.h>

#include <pthread.h>
#include <stdbool.h>

#include "must.h"

#define IRQ_LINES 32u	/* a network card with all its pairs of queues has these */

/* The lines of a machine. */
struct irqs {
	pthread_mutex_t lock;
	int vmfd;
	struct kvm_irq_routing_entry line[IRQ_LINES];
	unsigned int n;	/* lines in use */
};

/* One of them; zeroed at the start. */
struct irq {
	unsigned int line;	/* its index in irqs, plus one; 0: none yet */
	bool attached;
};

void irqs_init(struct irqs *all, int vmfd);
MUST_CHECK int irq_attach(struct irqs *all, struct irq *irq, int fd, const
    struct kvm_msi *msg);
void irq_detach(struct irqs *all, struct irq *irq, int fd);

#endif
