#include <err.h>
#include <string.h>

#include "chain.h"
#include "pci.h"

#define CAP_FIRST 0x40
#define CAP_POINTER 0x34
#define BAR0 0x10

void
pci_put16(struct pci_fn *fn, unsigned int off, uint16_t v)
{
	memcpy(fn->config + off, &v, sizeof(v));
}

void
pci_put32(struct pci_fn *fn, unsigned int off, uint32_t v)
{
	memcpy(fn->config + off, &v, sizeof(v));
}

uint16_t
pci_get16(const struct pci_fn *fn, unsigned int off)
{
	uint16_t v;

	memcpy(&v, fn->config + off, sizeof(v));
	return v;
}

uint32_t
pci_get32(const struct pci_fn *fn, unsigned int off)
{
	uint32_t v;

	memcpy(&v, fn->config + off, sizeof(v));
	return v;
}

void
pci_ids(struct pci_fn *fn, uint16_t vendor, uint16_t device, uint32_t class)
{
	pci_put16(fn, 0x00, vendor);
	pci_put16(fn, 0x02, device);
	pci_put16(fn, 0x04, 0x0006); /* memory, bus master */
	fn->writable[0x04] = 0x06;
	fn->writable[0x05] = 0x04; /* INTx disabled */
	pci_put32(fn, 0x08, class << 8 | 1); /* revision 1: modern */
	pci_put16(fn, 0x2c, vendor);
	pci_put16(fn, 0x2e, device);
	fn->cap_end = CAP_FIRST;
	fn->cap_last = CAP_POINTER;
}

/*
 * Put the function on the bus, at start-up. Returns the address of its BAR,
 * which it has if it has an mmio().
 */
uint64_t
pci_add(struct pci *p, struct pci_fn *fn)
{
	uint64_t bar = PCI_BAR_BASE + p->n * PCI_BAR_SIZE;

	if (p->n == PCI_SLOTS)
		errx(EXIT_LINK, "too many devices");
	if (fn->mmio != NULL) {
		pci_put32(fn, BAR0, (uint32_t)bar);
		memset(fn->writable + BAR0 + 2, 0xff, 2);
		fn->writable[BAR0 + 1] = 0x80; /* 32 KiB */
	}
	p->fn[p->n++] = fn;
	return bar;
}

/* Make room for a capability of len bytes. Returns its offset. */
unsigned int
pci_cap(struct pci_fn *fn, uint8_t id, unsigned int len)
{
	unsigned int off = fn->cap_end;

	fn->config[off] = id;
	fn->config[fn->cap_last] = (uint8_t)off;
	fn->cap_last = off + 1;
	fn->cap_end = (off + len + 3) & ~3u;
	pci_put16(fn, 0x06, 0x0010); /* there are capabilities */
	return off;
}

static void
config_access(struct pci_fn *fn, unsigned int off, uint8_t *data,
    unsigned int len, bool write)
{
	unsigned int i;

	if (!write) {
		if (fn->before_read != NULL)
			fn->before_read(fn, off, len);
		memcpy(data, fn->config + off, len);
		return;
	}
	for (i = 0; i < len; i++)
		fn->config[off + i] = (uint8_t)(
		    (fn->config[off + i] & ~fn->writable[off + i]) |
		    (data[i] & fn->writable[off + i]));
	if (fn->written != NULL)
		fn->written(fn, off, len);
}

/*
 * A vCPU's access to the bus. Returns false, and does nothing, if nobody is
 * there, or if it is not a whole, aligned 1, 2, 4 or 8 bytes.
 */
bool
pci_mmio(struct pci *p, uint64_t gpa, void *data, unsigned int len, bool write)
{
	struct pci_fn *fn;
	uint64_t slot, off;
	bool config = gpa >= PCI_ECAM_BASE;

	if (len == 0 || len > 8 || (len & (len - 1)) != 0 || gpa % len != 0)
		return false;
	if (config) {
		slot = (gpa - PCI_ECAM_BASE) >> 15; /* bus 0, function 0 */
		off = gpa & 0x7fff;
	} else {
		slot = (gpa - PCI_BAR_BASE) / PCI_BAR_SIZE;
		off = gpa % PCI_BAR_SIZE;
	}
	if (gpa < PCI_BAR_BASE || slot >= p->n ||
	    (config && (off >= PCI_CONFIG || len > 4)))
		return false;
	fn = p->fn[slot];
	if (!config && fn->mmio == NULL)
		return false;
	pthread_mutex_lock(fn->lock);
	if (config)
		config_access(fn, (unsigned int)off, data, len, write);
	else
		fn->mmio(fn, (uint32_t)off, data, len, write);
	pthread_mutex_unlock(fn->lock);
	return true;
}
