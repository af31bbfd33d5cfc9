/* A virtio device on the PCI bus (vio_pci.c). */
#ifndef VOLT_KVM_VIO_PCI_H
#define VOLT_KVM_VIO_PCI_H

#include "irq.h"
#include "must.h"
#include "pci.h"
#include "vio.h"

/*
 * The MSI-X table has a vector for each queue and one for the configuration: that is
 * enough for a network card with all its pairs of queues. The queues of a device that
 * has more share one vector.
 */
#define VIO_PCI_VECTORS 34

struct vio_pci {
	struct pci_fn fn;
	struct vio *vio;
	struct irqs *irqs;
	uint32_t notified_at;	/* the BAR at which KVM has its ioeventfds; or 0 */
	unsigned int msix, window;	/* offsets of these capabilities */
	uint32_t feature_select, driver_feature_select;
	uint16_t queue_select;
	uint32_t table[VIO_PCI_VECTORS][4];	/* the MSI-X table */
	uint64_t pending;	/* its pending bits */
	int wire[VIO_PCI_VECTORS];	/* an eventfd; or 0 */
	struct irq irq[VIO_PCI_VECTORS];
};

MUST_CHECK int vio_pci_init(struct vio_pci *p, struct pci *bus, struct irqs
    *irqs, struct vio *v);

#endif
