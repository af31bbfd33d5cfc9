#include <linux/pci_regs.h>

#include <err.h>
#include <string.h>

#include "chain.h"
#include "pci.h"


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
	pci_put16(fn, PCI_VENDOR_ID, vendor);
	pci_put16(fn, PCI_DEVICE_ID, device);
	pci_put16(fn, PCI_COMMAND, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
	fn->writable[PCI_COMMAND] = PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER;
	fn->writable[PCI_COMMAND + 1] = PCI_COMMAND_INTX_DISABLE >> 8;
	/* Revision 1: the device has no legacy interface (4.1.2.1). */
	pci_put32(fn, PCI_CLASS_REVISION, class << 8 | 1);
	pci_put16(fn, PCI_SUBSYSTEM_VENDOR_ID, vendor);
	pci_put16(fn, PCI_SUBSYSTEM_ID, device);
	fn->cap_end = PCI_STD_HEADER_SIZEOF;
	fn->cap_last = PCI_CAPABILITY_LIST;
}

/* May the function access memory and send interrupts? */
bool
pci_master(const struct pci_fn *fn)
{
	return (fn->config[PCI_COMMAND] & PCI_COMMAND_MASTER) != 0;
}

void
pci_init(struct pci *p)
{
	pthread_mutex_init(&p->moving, NULL);
}

/*
 * Put the function on the bus, at start-up. A function with an mmio() gets a
 * BAR. Returns the address that it has, or would have.
 */
uint32_t
pci_add(struct pci *p, struct pci_fn *fn)
{
	uint32_t bar = (uint32_t)(PCI_BAR_BASE + p->n * PCI_BAR_SIZE);

	if (p->n == PCI_SLOTS)
		errx(EXIT_LINK, "too many devices");
	if (fn->mmio != NULL) {
		pci_put32(fn, PCI_BASE_ADDRESS_0, bar);
		memset(fn->writable + PCI_BASE_ADDRESS_0 + 2, 0xff, 2);
		fn->writable[PCI_BASE_ADDRESS_0 + 1] = PCI_BAR_SIZE >> 8;
		atomic_store(&fn->bar, bar);
		fn->placed = bar;
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
	fn->cap_last = off + PCI_CAP_LIST_NEXT;
	fn->cap_end = (off + len + 3) & ~3u;
	pci_put16(fn, PCI_STATUS, PCI_STATUS_CAP_LIST);
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

static void
place(struct pci_fn *fn, uint32_t bar)
{
	fn->placed = bar;
	pthread_mutex_lock(fn->lock);
	fn->place(fn, bar);
	pthread_mutex_unlock(fn->lock);
}

/*
 * The guest wrote the command register or the BAR. From now on the BAR is
 * decoded where these registers say, or nowhere. What KVM has at the BAR moves
 * only when the BAR is decoded at a new address: to find the size of a BAR, a
 * guest disables it, writes all ones, and restores it.
 */
static void
move(struct pci *p, struct pci_fn *fn)
{
	uint32_t bar = (fn->config[PCI_COMMAND] & PCI_COMMAND_MEMORY) == 0 ? 0 :
	    pci_get32(fn, PCI_BASE_ADDRESS_0);
	unsigned int i;

	atomic_store(&fn->bar, bar);
	if (bar == 0 || bar == fn->placed)
		return;
	for (i = 0; i < p->n; i++)
		if (p->fn[i] != fn && p->fn[i]->placed == bar)
			place(p->fn[i], 0);
	place(fn, bar);
}

static void
config_mmio(struct pci *p, struct pci_fn *fn, unsigned int off, uint8_t *data,
    unsigned int len, bool write)
{
	bool moves = write && fn->mmio != NULL && off < PCI_BASE_ADDRESS_0 + 4 &&
	    off + len > PCI_COMMAND;

	if (moves)
		pthread_mutex_lock(&p->moving);
	pthread_mutex_lock(fn->lock);
	config_access(fn, off, data, len, write);
	pthread_mutex_unlock(fn->lock);
	if (moves) {
		move(p, fn);
		pthread_mutex_unlock(&p->moving);
	}
}

/* The function whose BAR is at gpa, or NULL. */
static struct pci_fn *
decode(const struct pci *p, uint64_t gpa)
{
	uint32_t bar;
	unsigned int i;

	for (i = 0; i < p->n; i++) {
		bar = atomic_load_explicit(&p->fn[i]->bar,
		    memory_order_relaxed);
		if (bar != 0 && gpa - bar < PCI_BAR_SIZE)
			return p->fn[i];
	}
	return NULL;
}

/*
 * A vCPU's access to the bus. Returns false, and does nothing, if no function
 * claims the address, or if the access is not of 1, 2, 4 or 8 bytes, aligned.
 */
bool
pci_mmio(struct pci *p, uint64_t gpa, void *data, unsigned int len, bool write)
{
	uint64_t slot = (gpa - PCI_ECAM_BASE) >> 15; /* bus 0, function 0 */
	uint64_t off = gpa & 0x7fff;
	struct pci_fn *fn;

	if (len == 0 || len > 8 || (len & (len - 1)) != 0 || gpa % len != 0)
		return false;
	if (gpa >= PCI_ECAM_BASE && gpa - PCI_ECAM_BASE < PCI_ECAM_SIZE) {
		if (slot >= p->n || off >= PCI_CONFIG || len > 4)
			return false;
		config_mmio(p, p->fn[slot], (unsigned int)off, data, len,
		    write);
		return true;
	}
	if ((fn = decode(p, gpa)) == NULL)
		return false;
	pthread_mutex_lock(fn->lock);
	fn->mmio(fn, (uint32_t)(gpa % PCI_BAR_SIZE), data, len, write);
	pthread_mutex_unlock(fn->lock);
	return true;
}
