/*
 * virtio over PCI (virtio 1.2, 4.1), modern only, interrupts by MSI-X only.
 *
 * BAR 0: common configuration at 0, ISR at 0x1000, the device's configuration
 * at 0x2000, notification at 0x3000 (four bytes a queue), the MSI-X table at
 * 0x4000 and its pending bits at 0x5000. Notifications come here only through
 * the window in configuration space: KVM turns them into an eventfd. Interrupts of this process are KVM_SIGNAL_MSI: as
 * cheap as an irqfd, and no routing table to rebuild while the guest boots.
 * Those of the kernel's own threads are irqfds.
 */

#include <stddef.h>
#include <string.h>
#include <sys/eventfd.h>

#include "kvm.h"
#include "vio_pci.h"

enum { COMMON, ISR = 0x1000, DEVICE = 0x2000, NOTIFY = 0x3000, TABLE = 0x4000,
	PENDING = 0x5000 };

#define NOTIFY_STEP 4u
#define MSIX_ENABLE 0x8000
#define MSIX_MASK 0x4000
#define CAP_VENDOR 9
#define CAP_MSIX 17
#define VENDOR_VIRTIO 0x1af4

/* 4.1.4.3 */
struct common {
	uint32_t device_feature_select;
	uint32_t device_feature;
	uint32_t driver_feature_select;
	uint32_t driver_feature;
	uint16_t config_vector;
	uint16_t num_queues;
	uint8_t device_status;
	uint8_t config_generation;
	uint16_t queue_select;
	uint16_t queue_size;
	uint16_t queue_vector;
	uint16_t queue_enable;
	uint16_t queue_notify_off;
	uint32_t queue_desc[2];
	uint32_t queue_driver[2];
	uint32_t queue_device[2];
};

#define AT(field) offsetof(struct common, field)

static bool
enabled(const struct vio_pci *p)
{
	return (pci_get16(&p->fn, p->msix + 2) & MSIX_ENABLE) != 0;
}

static bool
masked(const struct vio_pci *p, unsigned int i)
{
	return (pci_get16(&p->fn, p->msix + 2) & MSIX_MASK) != 0 ||
	    (p->table[i][3] & 1) != 0;
}

static struct kvm_msi
message(const struct vio_pci *p, unsigned int i)
{
	return (struct kvm_msi){
		.address_lo = p->table[i][0],
		.address_hi = p->table[i][1],
		.data = p->table[i][2],
	};
}

/* Send the message of a vector, or remember it while that is masked. */
static void
signal_vector(struct vio_pci *p, unsigned int i)
{
	struct kvm_msi msi = message(p, i);

	if (!enabled(p))
		return;
	if (masked(p, i) || !pci_master(&p->fn)) {
		p->pending |= 1u << i;
		return;
	}
	p->pending &= ~(1u << i);
	(void)kvm_call(p->vmfd, KVM_SIGNAL_MSI, &msi); /* to nobody, perhaps */
}

/* A vector with an eventfd is KVM's own while it is not masked. */
static void
rewire(struct vio_pci *p, unsigned int i)
{
	struct kvm_msi msi = message(p, i);

	if (p->wire[i] == 0)
		return;
	p->vio->wired[i] = 0;
	if (!enabled(p) || masked(p, i) || !pci_master(&p->fn))
		irq_detach(&p->irq[i], p->vmfd, p->wire[i]);
	else if (irq_attach(&p->irq[i], p->vmfd, p->wire[i], &msi) == 0)
		p->vio->wired[i] = p->wire[i];
	io_wake(p->vio->io); /* who polls it may have to, or not */
}

static void
wire(struct vio *v, uint16_t vector, int fd)
{
	struct vio_pci *p = v->transport;

	if (vector >= VIO_PCI_VECTORS)
		return;
	if (fd != -1 && p->wire[vector] == 0) {
		p->wire[vector] = fd;
		rewire(p, vector);
	} else if (fd == -1 && p->wire[vector] != 0) {
		irq_detach(&p->irq[vector], p->vmfd, p->wire[vector]);
		p->wire[vector] = 0;
		v->wired[vector] = 0;
		io_wake(v->io);
	}
}

static void
interrupt(struct vio *v, uint16_t vector)
{
	if (vector < VIO_PCI_VECTORS)
		signal_vector(v->transport, vector);
}

static void
flush_pending(struct vio_pci *p)
{
	unsigned int i;

	for (i = 0; i < VIO_PCI_VECTORS; i++)
		if ((p->pending & 1u << i) != 0)
			signal_vector(p, i);
}

static struct virtq *
selected(struct vio_pci *p)
{
	return p->queue_select < p->vio->nqueues ?
	    &p->vio->q[p->queue_select] : NULL;
}

/* A vector that the table has, or none. */
static uint16_t
vector_checked(const struct vio_pci *p, uint32_t v)
{
	return v <= p->vio->nqueues ? (uint16_t)v : VIO_NO_VECTOR;
}

static uint32_t
half(const uint64_t *v, bool high)
{
	return (uint32_t)(*v >> (high ? 32 : 0));
}

static void
set_half(uint64_t *v, bool high, uint32_t new)
{
	if (high)
		*v = (*v & UINT32_MAX) | (uint64_t)new << 32;
	else
		*v = (*v & ~(uint64_t)UINT32_MAX) | new;
}

static uint32_t
queue_read(const struct vio_pci *p, const struct virtq *q, uint32_t off)
{
	switch (off) {
	case AT(queue_size):
		return q->size;
	case AT(queue_vector):
		return q->vector;
	case AT(queue_enable):
		return q->ready;
	case AT(queue_notify_off):
		return p->queue_select;
	case AT(queue_desc[0]):
	case AT(queue_desc[1]):
		return half(&q->desc_gpa, off == AT(queue_desc[1]));
	case AT(queue_driver[0]):
	case AT(queue_driver[1]):
		return half(&q->avail_gpa, off == AT(queue_driver[1]));
	case AT(queue_device[0]):
	case AT(queue_device[1]):
		return half(&q->used_gpa, off == AT(queue_device[1]));
	default:
		return 0;
	}
}

static uint32_t
common_read(struct vio_pci *p, uint32_t off)
{
	const struct vio *v = p->vio;
	const struct virtq *q;

	switch (off) {
	case AT(device_feature_select):
		return p->feature_select;
	case AT(device_feature):
		return p->feature_select > 1 ? 0 :
		    half(&v->offered, p->feature_select == 1);
	case AT(driver_feature_select):
		return p->driver_feature_select;
	case AT(driver_feature):
		return p->driver_feature_select > 1 ? 0 :
		    half(&v->accepted, p->driver_feature_select == 1);
	case AT(config_vector):
		return v->config_vector;
	case AT(num_queues):
		return v->nqueues;
	case AT(device_status):
		return v->status;
	case AT(config_generation):
		return v->generation;
	case AT(queue_select):
		return p->queue_select;
	default:
		return (q = selected(p)) == NULL ? 0 : queue_read(p, q, off);
	}
}

/*
 * A queue takes its size and place only between FEATURES_OK and DRIVER_OK, and
 * while it is not enabled. A bad queue breaks the device.
 */
static void
queue_write(struct vio_pci *p, struct virtq *q, uint32_t off, uint32_t val)
{
	if (off == AT(queue_vector)) {
		wire(p->vio, q->vector, -1);
		q->vector = vector_checked(p, val);
		return;
	}
	if (vio_frozen(p->vio) || q->ready)
		return;
	switch (off) {
	case AT(queue_size):
		q->size = (uint16_t)val;
		break;
	case AT(queue_enable):
		if (val == 1 && virtq_enable(q, p->vio->ram,
		p->vio->accepted) == -1)
			vio_break(p->vio);
		break;
	case AT(queue_desc[0]):
	case AT(queue_desc[1]):
		set_half(&q->desc_gpa, off == AT(queue_desc[1]), val);
		break;
	case AT(queue_driver[0]):
	case AT(queue_driver[1]):
		set_half(&q->avail_gpa, off == AT(queue_driver[1]), val);
		break;
	case AT(queue_device[0]):
	case AT(queue_device[1]):
		set_half(&q->used_gpa, off == AT(queue_device[1]), val);
		break;
	default:
		break;
	}
}

static void
common_write(struct vio_pci *p, uint32_t off, uint32_t val)
{
	struct vio *v = p->vio;
	struct virtq *q;

	switch (off) {
	case AT(device_feature_select):
		p->feature_select = val;
		break;
	case AT(driver_feature_select):
		p->driver_feature_select = val;
		break;
	case AT(driver_feature):
		if (p->driver_feature_select <= 1 &&
		    (v->status & VIO_FEATURES_OK) == 0)
			set_half(&v->accepted, p->driver_feature_select == 1,
			    val);
		break;
	case AT(config_vector):
		v->config_vector = vector_checked(p, val);
		break;
	case AT(device_status):
		vio_set_status(v, (uint8_t)val);
		if (!pci_master(&p->fn))
			vio_halt(v);
		if (val == 0)
			p->pending = 0;
		break;
	case AT(queue_select):
		p->queue_select = (uint16_t)val;
		break;
	default:
		if ((q = selected(p)) != NULL)
			queue_write(p, q, off, val);
	}
}

/* Every field has one width; the 64-bit ones are two of 32 (4.1.3.1). */
static unsigned int
common_width(uint32_t off)
{
	if (off < AT(config_vector) || off >= AT(queue_desc))
		return 4;
	return off == AT(device_status) || off == AT(config_generation) ? 1 :
	    2;
}

static void
common_access(struct vio_pci *p, uint32_t off, void *data, unsigned int len,
    bool write)
{
	uint32_t val = UINT32_MAX;

	if (off >= sizeof(struct common) || len != common_width(off)) {
		if (!write)
			memset(data, 0xff, len);
		return;
	}
	if (write) {
		val = 0;
		memcpy(&val, data, len);
		common_write(p, off, val);
	} else {
		val = common_read(p, off);
		memcpy(data, &val, len);
	}
}

static void
table_access(struct vio_pci *p, uint32_t off, void *data, unsigned int len,
    bool write)
{
	unsigned int i = off / 16, word = off % 16 / 4;

	if (i > p->vio->nqueues || (len != 4 && len != 8)) {
		if (!write)
			memset(data, 0xff, len);
		return;
	}
	if (!write) {
		memcpy(data, &p->table[i][word], len);
		return;
	}
	memcpy(&p->table[i][word], data, len);
	p->table[i][3] &= 1;
	rewire(p, i);
	flush_pending(p);
}

/* The device's configuration: read only, nothing beyond its end. */
static void
device_read(const struct vio *v, uint32_t off, void *data, unsigned int len)
{
	memset(data, 0xff, len);
	if (off < v->config_len && len <= v->config_len - off)
		memcpy(data, v->config + off, len);
}

/* A notification: two bytes, the queue's index, at the queue's own place. */
static void
notify(const struct vio_pci *p, uint32_t off, unsigned int len)
{
	const struct vio *v = p->vio;
	uint32_t i = off / NOTIFY_STEP;

	if (len == 2 && off % NOTIFY_STEP == 0 && i < v->nqueues)
		(void)eventfd_write(v->notify[i] != 0 ? v->notify[i] : v->kick,
		    1);
}

static void
mmio(struct pci_fn *fn, uint32_t off, void *data, unsigned int len, bool write)
{
	struct vio_pci *p = fn->dev;

	switch (off & ~0xfffu) {
	case COMMON:
		common_access(p, off, data, len, write);
		break;
	case NOTIFY:
		if (write)
			notify(p, off - NOTIFY, len);
		else
			memset(data, 0, len);
		break;
	case TABLE:
		table_access(p, off - TABLE, data, len, write);
		break;
	case DEVICE:
		if (!write)
			device_read(p->vio, off - DEVICE, data, len);
		break;
	case PENDING:
		if (!write) {
			memset(data, 0, len);
			if (off == PENDING)
				memcpy(data, &p->pending, len > 4 ? 4 : len);
		}
		break;
	default: /* ISR is for INTx */
		if (!write)
			memset(data, 0, len);
	}
}

/*
 * The window through which BAR 0 is reached from configuration space (4.1.4.9):
 * an access to its data is one to the BAR.
 */
static void
window(struct pci_fn *fn, unsigned int off, unsigned int len, bool write)
{
	struct vio_pci *p = fn->dev;
	uint32_t to = pci_get32(fn, p->window + 8);
	uint32_t width = pci_get32(fn, p->window + 12);

	if (off > p->window + 16 || off + len <= p->window + 16)
		return;
	if (fn->config[p->window + 4] != 0 ||
	    (width != 1 && width != 2 && width != 4) || to % width != 0 ||
	    to > PCI_BAR_SIZE - width)
		return;
	mmio(fn, to, fn->config + p->window + 16, width, write);
}

static void
before_read(struct pci_fn *fn, unsigned int off, unsigned int len)
{
	window(fn, off, len, false);
}

static void
written(struct pci_fn *fn, unsigned int off, unsigned int len)
{
	struct vio_pci *p = fn->dev;
	unsigned int i;

	window(fn, off, len, true);
	if (!pci_master(fn))
		vio_halt(p->vio);
	if (off < 8 || (off < p->msix + 4 && off + len > p->msix + 2)) {
		for (i = 0; i < VIO_PCI_VECTORS; i++)
			rewire(p, i);
		flush_pending(p);
	}
}

/* A capability that says where a part of BAR 0 is (4.1.4). */
static unsigned int
structure(struct pci_fn *fn, uint8_t type, uint32_t off, uint32_t size,
    unsigned int caplen)
{
	unsigned int cap = pci_cap(fn, CAP_VENDOR, caplen);

	fn->config[cap + 2] = (uint8_t)caplen;
	fn->config[cap + 3] = type;
	pci_put32(fn, cap + 8, off);
	pci_put32(fn, cap + 12, size);
	return cap;
}

static void
capabilities(struct vio_pci *p)
{
	struct pci_fn *fn = &p->fn;
	unsigned int cap;

	structure(fn, 1, COMMON, sizeof(struct common), 16);
	cap = structure(fn, 2, NOTIFY, NOTIFY_STEP * p->vio->nqueues, 20);
	pci_put32(fn, cap + 16, NOTIFY_STEP);
	structure(fn, 3, ISR, 1, 16);
	if (p->vio->config_len > 0)
		structure(fn, 4, DEVICE, p->vio->config_len, 16);
	p->window = structure(fn, 5, 0, 0, 20);
	fn->writable[p->window + 4] = 0xff;
	memset(fn->writable + p->window + 8, 0xff, 12);

	p->msix = pci_cap(fn, CAP_MSIX, 12);
	pci_put16(fn, p->msix + 2, p->vio->nqueues); /* vectors less one */
	fn->writable[p->msix + 3] = 0xc0;
	pci_put32(fn, p->msix + 4, TABLE);
	pci_put32(fn, p->msix + 8, PENDING);
}

/*
 * Have KVM take the notifications at that BAR, and not where it did. Returns 0,
 * or -1 and errno; those that it does not take come to mmio().
 */
static int
take_notifications(struct vio_pci *p, uint32_t bar)
{
	const struct vio *v = p->vio;
	struct kvm_ioeventfd n = { .len = 2 };
	unsigned int i;
	int rc = 0;

	for (i = 0; i < v->nqueues; i++) {
		n.fd = v->notify[i] != 0 ? v->notify[i] : v->kick;
		if (p->notified_at != 0) {
			n.flags = KVM_IOEVENTFD_FLAG_DEASSIGN;
			n.addr = p->notified_at + NOTIFY + i * NOTIFY_STEP;
			(void)kvm_call(p->vmfd, KVM_IOEVENTFD, &n);
		}
		n.flags = 0;
		n.addr = (uint64_t)bar + NOTIFY + i * NOTIFY_STEP;
		if (bar != 0 && kvm_call(p->vmfd, KVM_IOEVENTFD, &n) == -1)
			rc = -1;
	}
	p->notified_at = bar;
	return rc;
}

static void
place(struct pci_fn *fn, uint32_t bar)
{
	(void)take_notifications(fn->dev, bar);
}

/*
 * Put the device on the bus. It has its queues, features and configuration.
 * Returns 0, or -1 and errno.
 */
int
vio_pci_init(struct vio_pci *p, struct pci *bus, int vmfd, struct vio *v)
{
	unsigned int i;

	p->vio = v;
	p->vmfd = vmfd;
	p->fn.dev = p;
	p->fn.lock = &v->lock;
	p->fn.mmio = mmio;
	p->fn.place = place;
	p->fn.written = written;
	p->fn.before_read = before_read;
	pci_ids(&p->fn, VENDOR_VIRTIO, (uint16_t)(0x1040 + v->ops->id),
	    v->ops->class);
	capabilities(p);
	v->transport = p;
	v->interrupt = interrupt;
	v->wire = wire;
	vio_set_status(v, 0);
	for (i = 0; i < VIO_PCI_VECTORS; i++)
		p->table[i][3] = 1; /* masked */
	return take_notifications(p, pci_add(bus, &p->fn));
}
