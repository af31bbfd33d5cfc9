#include <errno.h>
#include <pthread.h>
#include <stdint.h>

#include "arch.h"
#include "irq.h"
#include "kvm.h"
#include "vm.h"

void
irqs_init(struct irqs *all, int vmfd)
{
	pthread_mutex_init(&all->lock, NULL);
	all->vmfd = vmfd;
}

/* Tell KVM all routes: a call replaces the whole table. */
static int
set_routes(const struct irqs *all)
{
	union {
		struct kvm_irq_routing r;
		uint8_t room[sizeof(struct kvm_irq_routing) +
		    (ARCH_IRQ_ROUTES + IRQ_LINES) *
		    sizeof(struct kvm_irq_routing_entry)];
	} table = { .room = { 0 } };
	unsigned int i;

	table.r.nr = arch_irq_routes(table.r.entries);
	for (i = 0; i < all->n; i++)
		table.r.entries[table.r.nr++] = all->line[i];
	return kvm_call(all->vmfd, KVM_SET_GSI_ROUTING, &table);
}

/*
 * From now on a write to the eventfd fd sends the message msg. Another message
 * may be attached already. Returns 0, or -1 if KVM cannot; then the line is
 * detached.
 */
int
irq_attach(struct irqs *all, struct irq *irq, int fd,
    const struct kvm_msi *msg)
{
	struct kvm_irqfd irqfd = { .fd = (uint32_t)fd };
	struct kvm_irq_routing_entry *e;
	int rc = -1;

	pthread_mutex_lock(&all->lock);
	if (irq->line == 0 && all->n < IRQ_LINES)
		irq->line = ++all->n;
	if (irq->line != 0) {
		e = &all->line[irq->line - 1];
		*e = (struct kvm_irq_routing_entry){
			.gsi = ARCH_IRQ_LINES + irq->line - 1,
			.type = KVM_IRQ_ROUTING_MSI,
			.u.msi = { .address_lo = msg->address_lo,
				.address_hi = msg->address_hi,
				.data = msg->data },
		};
		irqfd.gsi = e->gsi;
		rc = set_routes(all);
	}
	if (rc == 0 && !irq->attached)
		rc = kvm_call(all->vmfd, KVM_IRQFD, &irqfd);
	pthread_mutex_unlock(&all->lock);
	if (rc == -1)
		irq_detach(all, irq, fd);
	else
		irq->attached = true;
	return rc;
}

/* From now on KVM leaves the eventfd to those who poll it. */
void
irq_detach(struct irqs *all, struct irq *irq, int fd)
{
	struct kvm_irqfd irqfd = {
		.fd = (uint32_t)fd,
		.gsi = ARCH_IRQ_LINES + irq->line - 1,
		.flags = KVM_IRQFD_FLAG_DEASSIGN,
	};

	if (irq->attached)
		(void)kvm_call(all->vmfd, KVM_IRQFD, &irqfd);
	irq->attached = false;
}
