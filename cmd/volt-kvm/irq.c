#include <errno.h>
#include <pthread.h>
#include <stdint.h>

#include "irq.h"
#include "kvm.h"
#include "vm.h"

#define LINES 8u

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct kvm_irq_routing_entry line[LINES];
static unsigned int lines;	/* taken */

/* Tell KVM all routes: it forgets what it is not told. */
static int
set_routes(int vmfd)
{
	static union {
		struct kvm_irq_routing r;
		uint8_t room[sizeof(struct kvm_irq_routing) +
		    (ARCH_IRQ_ROUTES + LINES) *
		    sizeof(struct kvm_irq_routing_entry)];
	} table;
	unsigned int i;

	table.r.nr = arch_irq_routes(table.r.entries);
	for (i = 0; i < lines; i++)
		table.r.entries[table.r.nr++] = line[i];
	return kvm_call(vmfd, KVM_SET_GSI_ROUTING, &table);
}

/*
 * From now on a write to the eventfd fd sends the message msg, or another one
 * than it did. Returns 0, or -1 where KVM cannot; the line is detached then.
 */
int
irq_attach(struct irq *irq, int vmfd, int fd, const struct kvm_msi *msg)
{
	struct kvm_irqfd irqfd = { .fd = (uint32_t)fd };
	struct kvm_irq_routing_entry *e;
	int rc = -1;

	pthread_mutex_lock(&lock);
	if (irq->line == 0 && lines < LINES)
		irq->line = ++lines;
	if (irq->line != 0) {
		e = &line[irq->line - 1];
		*e = (struct kvm_irq_routing_entry){
			.gsi = ARCH_IRQ_LINES + irq->line - 1,
			.type = KVM_IRQ_ROUTING_MSI,
			.u.msi = { .address_lo = msg->address_lo,
				.address_hi = msg->address_hi,
				.data = msg->data },
		};
		irqfd.gsi = e->gsi;
		rc = set_routes(vmfd);
	}
	if (rc == 0 && !irq->attached)
		rc = kvm_call(vmfd, KVM_IRQFD, &irqfd);
	pthread_mutex_unlock(&lock);
	if (rc == -1)
		irq_detach(irq, vmfd, fd);
	else
		irq->attached = true;
	return rc;
}

/* Whoever polls the eventfd is told of writes to it again. */
void
irq_detach(struct irq *irq, int vmfd, int fd)
{
	struct kvm_irqfd irqfd = {
		.fd = (uint32_t)fd,
		.gsi = ARCH_IRQ_LINES + irq->line - 1,
		.flags = KVM_IRQFD_FLAG_DEASSIGN,
	};

	if (irq->attached)
		(void)kvm_call(vmfd, KVM_IRQFD, &irqfd);
	irq->attached = false;
}
