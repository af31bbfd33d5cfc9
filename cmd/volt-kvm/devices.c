/* The devices of the machine, and which I/O ports are theirs. */

#include <err.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "blk.h"
#include "chain.h"
#include "config.h"
#include "devices.h"
#include "net.h"
#include "x86.h"

#define SLP_EN 0x20
#define SLP_TYP 0x1c
#define SLP_TYP_SHIFT 2

static struct pci_fn bridge;
static pthread_mutex_t bridge_lock = PTHREAD_MUTEX_INITIALIZER;

static void
bridge_init(struct vm *vm, const struct config *cfg)
{
	(void)cfg;
	pci_init(&vm->pci);
	bridge.lock = &bridge_lock;
	pci_ids(&bridge, 0x8086, 0x0d57, 0x060000);
	(void)pci_add(&vm->pci, &bridge);
}

static short
com1_wants(struct io_source *s)
{
	return uart_sent(s->arg) != uart_logged(s->arg) ? POLLOUT : 0;
}

static void
com1_ready(struct io_source *s, short revents)
{
	(void)revents;
	uart_send(s->arg);
}

/* COM1 is the machine's output, or with -c a copy of the kernel's messages. */
static void
com1_init(struct vm *vm, const struct config *cfg)
{
	bool plain = *cfg->argv == NULL;
	int out = plain ? STDOUT_FILENO : cfg->console ? STDERR_FILENO : -1;

	uart_init(&vm->uart, vm->fd, out, plain);
	if (out != -1)
		io_add(&vm->io, &(struct io_source){ .fd = out,
		    .wants = com1_wants, .ready = com1_ready,
		    .arg = &vm->uart });
}

static void
com1_pio(struct vm *vm, uint16_t reg, uint8_t *data, unsigned int width,
    bool write)
{
	(void)width;
	if (uart_pio(&vm->uart, reg, data, write))
		io_wake(&vm->io);
}

/* The keyboard controller: only its pulse on the reset line is emulated. */
static void
reset_pio(struct vm *vm, uint16_t reg, uint8_t *data, unsigned int width,
    bool write)
{
	(void)reg;
	(void)width;
	if (!write)
		*data = 0xff;
	else if (*data == 0xfe)
		vm_end(vm, VM_RESET);
}

/*
 * PCI configuration mechanism #1: the address at 0xcf8, the data at 0xcfc. Linux
 * uses it until it has read the ACPI tables.
 */
static void
pci_pio(struct vm *vm, uint16_t reg, uint8_t *data, unsigned int width,
    bool write)
{
	static _Atomic uint32_t address;
	uint32_t a = atomic_load(&address);

	if (reg == 0 && width == 4) {
		if (write) {
			memcpy(&a, data, sizeof(a));
			atomic_store(&address, a & 0x80fffffc);
		} else {
			memcpy(data, &a, sizeof(a));
		}
	} else if (reg < 4 || reg - 4u + width > 4 || a >> 31 == 0 ||
	    (a & 0xff0000) != 0 ||
	    !pci_mmio(&vm->pci, PCI_ECAM_BASE + ((a & 0xff00) << 4) +
		(a & 0xfc) + (reg - 4u), data, width, write)) {
		if (!write)
			memset(data, 0xff, width);
	}
}

/* pvpanic (QEMU's docs/specs/pvpanic.rst): the guest's kernel reports a panic. */
static void
panic_pio(struct vm *vm, uint16_t reg, uint8_t *data, unsigned int width,
    bool write)
{
	(void)reg;
	(void)width;
	if (!write)
		*data = X86_PANICKED;
	else if ((*data & X86_PANICKED) != 0)
		vm_panic(vm);
}

/* ACPI's sleep control register (4.8.3.7), and the reset register. */
static void
acpi_pio(struct vm *vm, uint16_t reg, uint8_t *data, unsigned int width,
    bool write)
{
	(void)width;
	if (!write)
		*data = 0;
	else if (reg + X86_SLEEP_CONTROL == X86_RESET)
		vm_end(vm, VM_RESET);
	else if (reg == 0 && (*data & (SLP_EN | SLP_TYP)) ==
	    (SLP_EN | X86_S5 << SLP_TYP_SHIFT))
		vm_end(vm, VM_POWEROFF);
}

static const struct {
	const char *name;
	void (*init)(struct vm *vm, const struct config *cfg);
	uint16_t port, nports;
	unsigned int widest;	/* bytes of an access */
	void (*pio)(struct vm *vm, uint16_t reg, uint8_t *data,
	    unsigned int width, bool write);
} devices[] = {
	{ "com1", com1_init, UART_PORT, UART_PORTS, 1, com1_pio },
	{ "reset", NULL, 0x64, 1, 1, reset_pio },
	{ "acpi", NULL, X86_SLEEP_CONTROL, 3, 1, acpi_pio },
	{ "pvpanic", NULL, X86_PANIC, 1, 1, panic_pio },
	{ "pci", bridge_init, 0xcf8, 8, 4, pci_pio },
	{ "console", console_init, 0, 0, 0, NULL },
	{ "rng", rng_init, 0, 0, 0, NULL },
	{ "balloon", balloon_init, 0, 0, 0, NULL },
	{ "blk", blk_init, 0, 0, 0, NULL },
	{ "pmem", pmem_init, 0, 0, 0, NULL },
	{ "fs", fs_init, 0, 0, 0, NULL },
	{ "net", net_init, 0, 0, 0, NULL },
	{ "vsock", vsock_init, 0, 0, 0, NULL },
};

#define NDEVICES (sizeof(devices) / sizeof(devices[0]))

void
devices_init(struct vm *vm, const struct config *cfg)
{
	size_t i;

	for (i = 0; i < NDEVICES; i++)
		if (devices[i].init != NULL)
			devices[i].init(vm, cfg);
}

/* Put a virtio device on the bus, or end the program. */
void
devices_plug(struct vm *vm, struct vio_pci *p, struct vio *v,
    const struct vio_ops *ops, void *dev)
{
	v->ram = &vm->ram;
	v->io = &vm->io;
	if (vio_init(v, ops, dev) == -1 ||
	    vio_pci_init(p, &vm->pci, &vm->irqs, v) == -1)
		err(EXIT_LINK, "device %s", ops->name);
}

/* A vCPU's access to an I/O port. An unclaimed port reads as all ones. */
void
devices_pio(struct vm *vm, uint16_t port, uint8_t *data, unsigned int width,
    bool write)
{
	size_t i;

	for (i = 0; i < NDEVICES; i++)
		if (devices[i].pio != NULL && port >= devices[i].port &&
		    port - devices[i].port < devices[i].nports &&
		    width <= devices[i].widest) {
			devices[i].pio(vm, (uint16_t)(port - devices[i].port),
			    data, width, write);
			return;
		}
	if (!write)
		memset(data, 0xff, width);
}

bool
devices_mmio(struct vm *vm, uint64_t gpa, void *data, unsigned int len,
    bool write)
{
	return pci_mmio(&vm->pci, gpa, data, len, write);
}

/* The disk of that name, such as vda, or NULL. */
struct blk *
devices_disk(const struct vm *vm, const char *name)
{
	if (strlen(name) != 3 || strncmp(name, "vd", 2) != 0 || name[2] < 'a' ||
	    name[2] >= 'a' + (int)vm->ndisks)
		return NULL;
	return vm->disk[name[2] - 'a'];
}

/* Limit a device. Returns NULL, or why that cannot be. */
const char *
devices_limit(struct vm *vm, const struct rate_word *w)
{
	struct blk *disk = devices_disk(vm, w->device);

	if (disk != NULL) {
		blk_limit(disk, w);
		return NULL;
	}
	if (strcmp(w->device, "net") != 0 || vm->net == NULL)
		return "no such device";
	return net_limit(vm->net, w) ? NULL : "vhost-net moves the packets, which "
	    "has no limits; with rate=net: at the start it does not";
}
