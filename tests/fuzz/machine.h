/*
 * A machine without KVM, for the harnesses of its devices: the input is what its
 * guest does, a call after the other. A call is a byte of enum call and its
 * arguments, little-endian; what the input has no more of is 0. With the highest
 * bit set a call that only writes memory is another vCPU's, and comes while the
 * device looks at the memory.
 *
 * The guest's memory is small, zeroes at first, and ends where ASan sees it; its
 * last page is at 4 GiB. What the harness's device keeps is brought back to its
 * state of after machine_begin() for each input. KVM's calls are answered here:
 * what is to be assigned once is not assigned twice, nor anything taken away
 * that is not there.
 */
#ifndef VOLT_FUZZ_MACHINE_H
#define VOLT_FUZZ_MACHINE_H

#include <linux/kvm.h>
#include <sys/syscall.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "../../cmd/volt-kvm/config.h"
#include "../../cmd/volt-kvm/devices.h"
#include "fuzz.h"

#pragma clang diagnostic ignored "-Wunused-function" /* not all drive all */

#define MEMORY (96u << 10)
#define HIGH 4096u	/* of it */
#define VMFD 9999	/* no descriptor: its calls come to us */
#define STATES 8
#define EVENTS 128
#define STEPS 1024	/* of one input */

/* Where START puts queue i: descriptors, then the rings. */
#define QUEUE_AT(i) (0x1000u + (i) * 0x1c10u)
#define QUEUE_AVAIL 0x1000u
#define QUEUE_USED 0x1400u

/* Registers, vio_pci.c */
enum { R_DRIVER_SELECT = 8, R_DRIVER = 12, R_STATUS = 20, R_SELECT = 22,
	R_SIZE = 24, R_VECTOR = 26, R_ENABLE = 28, R_DESC = 32, R_AVAIL = 40,
	R_USED = 48, R_NOTIFY = 0x3000, R_TABLE = 0x4000 };

enum call {
	WRITE_REG,	/* u16 offset, u8 width, u64: of the device's BAR */
	READ_REG,	/* u16 offset, u8 width */
	WRITE_CONFIG,	/* u8 slot, u8 offset, u8 width, u32 */
	READ_CONFIG,	/* u8 slot, u8 offset, u8 width */
	POKE,	/* u16 address, u8 length, bytes */
	START,	/* u8 log2 of the queues' size, u8 features: as a driver does */
	DESC,	/* u8 queue, u8 index, u8 kind, u16 address, u16 length, u8 next */
	AVAIL,	/* u8 queue, u8 head: and the index goes up by one */
	KICK,	/* u8 queue */
	STEP,	/* the I/O thread goes round once */
	PORT,	/* u16 port, u8 width, u32; the highest bit of width: write */
	HOST,	/* u8 length, bytes: the harness's own, of the world outside */
	CALLS,
};

/* Of DESC's kind, beside the flags of a descriptor */
#define KIND_HIGH 0x10	/* the address is above 4 GiB */
#define KIND_HUGE 0x20	/* the length is in units of 64 KiB */
#define KIND_FAR 0x40	/* the address is in units of 4 GiB */

long __wrap_syscall(long number, ...);
void *__wrap_ram_at(const struct ram *r, uint64_t gpa, uint64_t len);
void *__real_ram_at(const struct ram *r, uint64_t gpa, uint64_t len);
int __wrap_timer_settime(timer_t timer, int flags, const struct itimerspec *new,
    struct itimerspec *old);

static struct vm vm;
static struct {
	const unsigned char *at;
	size_t left;
	unsigned int steps;
} machine_in;
static struct vio *device;	/* whose registers are written */
static void (*machine_host)(const uint8_t *data, size_t len);
static void (*machine_step)(void);	/* beside the I/O thread */

static struct {
	void *at, *copy;
	size_t size;
} states[STATES];
static unsigned int nstates;

static struct {
	uint64_t addr;
	int fd;
} events[EVENTS], first_events[EVENTS];

/* --- KVM ------------------------------------------------------------------- */

static int
ioeventfd(const struct kvm_ioeventfd *n)
{
	bool gone = (n->flags & KVM_IOEVENTFD_FLAG_DEASSIGN) != 0;
	unsigned int i;

	for (i = 0; i < EVENTS; i++) {
		if (events[i].addr != (gone ? n->addr : 0) &&
		    events[i].addr != n->addr)
			continue;
		if (events[i].addr == n->addr && !gone)
			abort(); /* two at one address */
		if (gone && events[i].fd != n->fd)
			abort();
		events[i].addr = gone ? 0 : n->addr;
		events[i].fd = n->fd;
		return 0;
	}
	abort();
}

long
__wrap_syscall(long number, ...)
{
	unsigned long request;
	const void *arg;
	va_list ap;
	int fd;

	va_start(ap, number);
	fd = va_arg(ap, int);
	request = va_arg(ap, unsigned long);
	arg = va_arg(ap, const void *);
	va_end(ap);
	if (number == SYS_pidfd_send_signal) /* to the daemon of a share */
		return 0;
	if (number != SYS_ioctl || fd != VMFD)
		abort();
	if (request == KVM_IOEVENTFD)
		return ioeventfd(arg);
	return 0;
}

/* Nothing here waits. */
int
__wrap_timer_settime(timer_t timer, int flags, const struct itimerspec *new,
    struct itimerspec *old)
{
	(void)timer;
	(void)flags;
	(void)new;
	(void)old;
	return 0;
}

static void machine_meanwhile(void);

/* The two parts of the memory lie side by side here: ASan sees no border. */
void *
__wrap_ram_at(const struct ram *r, uint64_t gpa, uint64_t len)
{
	uint8_t *p = __real_ram_at(r, gpa, len);
	size_t at;

	if (p == NULL)
		return NULL;
	at = (size_t)(p - r->base);
	if (len > r->size || at > r->size - len ||
	    (at < r->low ? gpa != at || at + len > r->low :
	    gpa - RAM_HIGH != at - r->low))
		abort();
	machine_meanwhile();
	return p;
}

/* --- the machine ----------------------------------------------------------- */

/* Remember size bytes at this place, to bring them back. */
static void
machine_keep(void *at, size_t size)
{
	if (nstates == STATES || (states[nstates].copy = malloc(size)) == NULL)
		abort();
	memcpy(states[nstates].copy, at, size);
	states[nstates].at = at;
	states[nstates++].size = size;
}

/* Once: the machine before its devices, which are behind a bridge. */
static void
machine_begin(void)
{
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	static struct pci_fn bridge = { .lock = &lock };

	if ((vm.ram.base = malloc(MEMORY)) == NULL || io_init(&vm.io) == -1)
		abort();
	vm.ram.size = MEMORY;
	vm.ram.low = MEMORY - HIGH;
	vm.fd = VMFD;
	irqs_init(&vm.irqs, VMFD);
	vm.io.timeout = 0;
	uart_init(&vm.uart, VMFD, -1, false);
	pci_init(&vm.pci);
	pci_ids(&bridge, 0x8086, 0x0d57, 0x060000);
	(void)pci_add(&vm.pci, &bridge);
	machine_keep(&bridge, sizeof(bridge));
	machine_keep(&vm.uart, sizeof(vm.uart));
}

/* What a device in that slot keeps, of size bytes; kept. */
static void *
machine_device(unsigned int slot, size_t size)
{
	const struct vio_pci *p = vm.pci.fn[slot]->dev;

	machine_keep(p->vio->dev, size);
	return p->vio->dev;
}

/* Once, behind the devices: v is the one that is driven. */
static void
machine_ready(struct vio *v)
{
	device = v;
	memcpy(first_events, events, sizeof(events));
}

static uint64_t
machine_get(size_t n)
{
	uint64_t v = 0;

	if (n > machine_in.left)
		n = machine_in.left;
	memcpy(&v, machine_in.at, n);
	machine_in.at += n;
	machine_in.left -= n;
	return v;
}

/* A register of the device's, wherever the guest has put it. */
static void
machine_reg(uint64_t off, uint64_t *v, unsigned int width, bool write)
{
	const struct vio_pci *p = device->transport;

	(void)pci_mmio(&vm.pci, atomic_load(&p->fn.bar) + off, v, width, write);
}

static void
machine_set(uint64_t off, uint64_t v, unsigned int width)
{
	machine_reg(off, &v, width, true);
}

/* A pointer that is the guest's own: it may write all of its memory. */
static void
poke(uint64_t gpa, const void *data, size_t len)
{
	void *p = __real_ram_at(&vm.ram, gpa, len);

	if (p != NULL)
		memcpy(p, data, len);
}

static void
machine_start(unsigned int order, unsigned int refused)
{
	/* Of queues two, and some of the device's. */
	uint64_t no = (uint64_t)(refused & 3) << 28 | (refused >> 2) << 12;
	uint64_t features = device->offered & ~no;
	unsigned int i;

	machine_set(R_STATUS, 0, 1);
	machine_set(R_STATUS, 3, 1);
	machine_set(R_DRIVER_SELECT, 0, 4);
	machine_set(R_DRIVER, features & UINT32_MAX, 4);
	machine_set(R_DRIVER_SELECT, 1, 4);
	machine_set(R_DRIVER, features >> 32, 4);
	machine_set(R_STATUS, 11, 1);
	for (i = 0; i < device->nqueues; i++) {
		machine_set(R_SELECT, i, 2);
		machine_set(R_SIZE, 1u << order, 2);
		machine_set(R_VECTOR, i, 2);
		machine_set(R_DESC, QUEUE_AT(i), 4);
		machine_set(R_AVAIL, QUEUE_AT(i) + QUEUE_AVAIL, 4);
		machine_set(R_USED, QUEUE_AT(i) + QUEUE_USED, 4);
		machine_set(R_ENABLE, 1, 2);
	}
	machine_set(R_STATUS, 15, 1);
}

/* Of a descriptor: some are far outside. */
static uint16_t
machine_index(void)
{
	uint16_t i = (uint16_t)machine_get(1);

	return i >= 0xf0 ? (uint16_t)(i << 8) : i;
}

static void
machine_desc(void)
{
	unsigned int queue = (unsigned int)machine_get(1), i = (unsigned int)machine_get(1);
	unsigned int kind = (unsigned int)machine_get(1);
	struct vdesc d = { .flags = kind & 7 };

	d.addr = machine_get(2);
	d.len = (uint32_t)machine_get(2);
	d.next = machine_index();
	if ((kind & KIND_HIGH) != 0)
		d.addr += RAM_HIGH;
	if ((kind & KIND_FAR) != 0)
		d.addr <<= 32;
	if ((kind & KIND_HUGE) != 0)
		d.len = d.len << 16 | 0xffff;
	poke(QUEUE_AT(queue % VIO_QUEUES) + i * sizeof(d), &d, sizeof(d));
}

static void
machine_avail(void)
{
	uint64_t at = QUEUE_AT(machine_get(1) % VIO_QUEUES) + QUEUE_AVAIL;
	uint16_t head = machine_index(), idx = 0, size, *p;

	if ((p = __real_ram_at(&vm.ram, at, 4)) == NULL)
		return;
	memcpy(&idx, p + 1, sizeof(idx));
	size = device->q[0].size == 0 ? 1 : device->q[0].size;
	poke(at + 4 + 2 * (idx % size), &head, sizeof(head));
	idx++;
	poke(at + 2, &idx, sizeof(idx));
}

static void
machine_config(bool write)
{
	uint64_t gpa = PCI_ECAM_BASE + (machine_get(1) % 32 << 15), v = 0;
	unsigned int width;

	gpa += machine_get(1);
	width = (unsigned int)machine_get(1) % 9;
	if (write)
		v = machine_get(4);
	(void)pci_mmio(&vm.pci, gpa, &v, width, write);
}

/* One call of the guest's. Returns false at the end of the input. */
static bool
machine_call(void)
{
	uint8_t bytes[256];
	uint64_t at, v = 0;
	unsigned int width, i;

	if (machine_in.left == 0 || machine_in.steps++ == STEPS)
		return false;
	switch ((machine_get(1) & 0x7f) % CALLS) {
	case WRITE_REG:
		at = machine_get(2);
		width = (unsigned int)machine_get(1) % 9;
		machine_set(at, machine_get(width), width);
		break;
	case READ_REG:
		at = machine_get(2);
		width = (unsigned int)machine_get(1) % 9;
		machine_reg(at, &v, width, false);
		break;
	case WRITE_CONFIG:
		machine_config(true);
		break;
	case READ_CONFIG:
		machine_config(false);
		break;
	case POKE:
		at = machine_get(2);
		width = (unsigned int)machine_get(1);
		for (i = 0; i < width; i++)
			bytes[i] = (uint8_t)machine_get(1);
		poke(at, bytes, width);
		break;
	case START:
		width = (unsigned int)machine_get(1) % 9;
		machine_start(width, (unsigned int)machine_get(1));
		break;
	case DESC:
		machine_desc();
		break;
	case AVAIL:
		machine_avail();
		break;
	case KICK:
		at = machine_get(1);
		if (at < device->nqueues)
			(void)eventfd_write(vio_notified(device, (unsigned int)at), 1);
		break;
	case STEP:
		io_step(&vm.io);
		if (machine_step != NULL)
			machine_step();
		break;
	case PORT:
		at = machine_get(2);
		width = (unsigned int)machine_get(1);
		v = machine_get(4);
		devices_pio(&vm, (uint16_t)at, (uint8_t *)&v,
		    1u << width % 3, (width & 0x80) != 0);
		break;
	default:
		width = (unsigned int)machine_get(1);
		for (i = 0; i < width; i++)
			bytes[i] = (uint8_t)machine_get(1);
		if (machine_host != NULL)
			machine_host(bytes, width);
	}
	return true;
}

/* A call of another vCPU's, that needs no lock. */
static void
machine_meanwhile(void)
{
	unsigned int call;

	if (machine_in.left == 0 || (*machine_in.at & 0x80) == 0)
		return;
	call = (*machine_in.at & 0x7fu) % CALLS;
	if (call == POKE || call == DESC || call == AVAIL)
		(void)machine_call();
}

/* A queue has given back no more than it took, and no lock is held. */
static void
check_device(const struct vio *v)
{
	const struct virtq *q;
	unsigned int i;

	if (v->nqueues > VIO_QUEUES || v->config_len > VIO_CONFIG)
		abort();
	for (i = 0; i < v->nqueues; i++) {
		q = &v->q[i];
		if (q->ready && (q->size == 0 || q->size > VIRTQ_MAX ||
		    (int16_t)(q->next_avail - q->next_used) < 0))
			abort();
	}
}

static void
check_lock(pthread_mutex_t *lock)
{
	if (pthread_mutex_trylock(lock) != 0)
		abort();
	pthread_mutex_unlock(lock);
}

static void
machine_drain(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	eventfd_t n;

	if (fd > 0 && poll(&p, 1, 0) == 1)
		(void)eventfd_read(fd, &n);
}

/* Run an input from its beginning. */
static void
machine_run(const unsigned char *data, size_t size)
{
	uint8_t none[4] = { 0 };
	unsigned int i;

	for (i = 0; i < nstates; i++)
		memcpy(states[i].at, states[i].copy, states[i].size);
	memcpy(events, first_events, sizeof(events));
	memset(vm.ram.base, 0, MEMORY);
	devices_pio(&vm, 0xcf8, none, 4, true);
	for (i = 0; i < device->nqueues; i++)
		machine_drain(vio_notified(device, i));
	machine_in.at = data;
	machine_in.left = size;
	machine_in.steps = 0;
	while (machine_call()) {
		check_lock(&device->lock);
		check_lock(&vm.pci.moving);
		check_device(device);
	}
}

#endif
