/*
 * One PCI bus, by ECAM. Each function has at most one memory BAR, of
 * PCI_BAR_SIZE bytes. It is enabled at the start, as after a firmware. The
 * guest may move it or disable it.
 */
#ifndef VOLT_KVM_PCI_H
#define VOLT_KVM_PCI_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "must.h"

#define PCI_SLOTS 32
#define PCI_BAR_BASE UINT64_C(0xc0000000)
#define PCI_BAR_SIZE UINT64_C(0x8000)
#define PCI_WINDOW_SIZE UINT64_C(0x20000000)
#define PCI_ECAM_BASE UINT64_C(0xe0000000)
#define PCI_ECAM_SIZE UINT64_C(0x100000)	/* one bus */
#define PCI_CONFIG 256

struct pci_fn {
	uint8_t config[PCI_CONFIG];
	uint8_t writable[PCI_CONFIG];	/* a mask */
	pthread_mutex_t *lock;
	void *dev;
	void (*before_read)(struct pci_fn *fn, unsigned int off,
	    unsigned int len);
	void (*written)(struct pci_fn *fn, unsigned int off, unsigned int len);
	void (*mmio)(struct pci_fn *fn, uint32_t off, void *data,
	    unsigned int len, bool write);
	/* Move what KVM handles in the BAR to this address; 0: nowhere. */
	void (*place)(struct pci_fn *fn, uint32_t bar);
	_Atomic uint32_t bar;	/* where the BAR is decoded; 0: nowhere */
	uint32_t placed;	/* the last argument of place() */
	unsigned int cap_end;	/* where the next capability goes */
	unsigned int cap_last;	/* the register that will point to it */
};

struct pci {
	pthread_mutex_t moving;	/* held while a BAR changes; before fn's lock */
	struct pci_fn *fn[PCI_SLOTS];
	unsigned int n;
};

void pci_init(struct pci *p);
uint32_t pci_add(struct pci *p, struct pci_fn *fn);
MUST_CHECK bool pci_master(const struct pci_fn *fn);
void pci_ids(struct pci_fn *fn, uint16_t vendor, uint16_t device,
    uint32_t class);
unsigned int pci_cap(struct pci_fn *fn, uint8_t id, unsigned int len);
void pci_put16(struct pci_fn *fn, unsigned int off, uint16_t v);
void pci_put32(struct pci_fn *fn, unsigned int off, uint32_t v);
uint16_t pci_get16(const struct pci_fn *fn, unsigned int off);
uint32_t pci_get32(const struct pci_fn *fn, unsigned int off);

bool pci_mmio(struct pci *p, uint64_t gpa, void *data, unsigned int
    len, bool write);

#endif
