/*
 * Interrupts that KVM raises by itself when an eventfd is written (irqfd), for
 * those who are not in this process. Each is a message (MSI) on a line of its
 * own behind those of the interrupt controllers.
 */
#ifndef VOLT_KVM_IRQ_H
#define VOLT_KVM_IRQ_H

#include <stdbool.h>

#include "must.h"

struct kvm_msi;

/* A line that no one has; the start of each is 0. */
struct irq {
	unsigned int line;	/* one more than its place among ours */
	bool attached;
};

MUST_CHECK int irq_attach(struct irq *irq, int vmfd, int fd, const struct
    kvm_msi *msg);
void irq_detach(struct irq *irq, int vmfd, int fd);

#endif
