#include <err.h>
#include <string.h>

#include "chain.h"
#include "pci.h"

#define CAP_FIRST 0x40
#define CAP_POINTER 0x34
#define COMMAND 0x04
#define COMMAND_MEMORY 0x2
#define COMMAND_MASTER 0x4
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
	pci_put16(fn, COMMAND, COMMAND_MEMORY | COMMAND_MASTER);
	fn->writable[COMMAND] = COMMAND_MEMORY | COMMAND_MASTER;
	fn->writable[COMMAND + 1] = 0x04; /* INTx disabled */
	pci_put32(fn, 0x08, class << 8 | 1); /* revision 1: modern */
	pci_put16(fn, 0x2c, vendor);
	pci_put16(fn, 0x2e, device);
	fn->cap_end = CAP_FIRST;
	fn->cap_last = CAP_POINTER;
}

/* May the function access memory, and send interrupts? */
bool
pci_master(const struct pci_fn *fn)
{
	return (fn->config[COMMAND] & COMMAND_MASTER) != 0;
}

void
pci_init(struct pci *p)
{
	pthread_mutex_init(&p->moving, NULL);
}

/*
 * Put the function on the bus, at start-up. Returns the address of its BAR,
 * which it has if it has an mmio().
 */
uint32_t
pci_add(struct pci *p, struct pci_fn *fn)
{
	uint32_t bar = (uint32_t)(PCI_BAR_BASE + p->n * PCI_BAR_SIZE);

	if (p->n == PCI_SLOTS)
		errx(EXIT_LINK, "too many devices");
	if (fn->mmio != NULL) {
		pci_put32(fn, BAR0, bar);
		memset(fn->writable + BAR0 + 2, 0xff, 2);
		fn->writable[BAR0 + 1] = 0x80; /* 32 KiB */
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

static void
place(struct pci_fn *fn, uint32_t bar)
{
	fn->placed = bar;
	pthread_mutex_lock(fn->lock);
	fn->place(fn, bar);
	pthread_mutex_unlock(fn->lock);
}

/*
 * The command or the BAR was written: from now on the BAR is where these say,
 * or nowhere. What KVM does at it follows only once it is in force elsewhere: a
 * system that asks for its size turns it off, writes ones, and puts all back.
 */
static void
move(struct pci *p, struct pci_fn *fn)
{
	uint32_t bar = (fn->config[COMMAND] & COMMAND_MEMORY) == 0 ? 0 :
	    pci_get32(fn, BAR0);
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
	bool moves = write && fn->mmio != NULL && off < BAR0 + 4 &&
	    off + len > COMMAND;

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

/* Whose BAR is at gpa? Or NULL. */
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
 * A vCPU's access to the bus. Returns false, and does nothing, if nobody is
 * there, or if it is not a whole, aligned 1, 2, 4 or 8 bytes.
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
