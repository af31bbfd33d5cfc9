/*
 * virtio over PCI (virtio 1.2, 4.1): no legacy interface, and interrupts by MSI-X
 * only.
 *
 * The structures of BAR 0 are where the enum below says. KVM handles the writes
 * to the notification structure and signals an eventfd. Only notifications by the
 * window in configuration space come here.
 *
 * This process interrupts the guest by KVM_SIGNAL_MSI. That is as cheap as an
 * irqfd, and no routing table changes while the guest boots. The threads of
 * vhost-net interrupt it by irqfds.
 */
#include <linux/pci_regs.h>

#include <stddef.h>
#include <string.h>
#include <sys/eventfd.h>

#include "kvm.h"
#include "vio_pci.h"

enum { COMMON, ISR = 0x1000, DEVICE = 0x2000, NOTIFY = 0x3000, TABLE = 0x4000,
	PENDING = 0x5000 };

#define NOTIFY_STEP 4u	/* bytes for each queue */
#define VENDOR_VIRTIO 0x1af4
#define DEVICE_VIRTIO 0x1040	/* and the device ID (4.1.2) */

/* A field of the common configuration (4.1.4.3). */
#define AT(field) offsetof(struct virtio_pci_common_cfg, field)

/* The words of an entry of the MSI-X table. */
enum { ENTRY_LOWER = PCI_MSIX_ENTRY_LOWER_ADDR / 4,
	ENTRY_UPPER = PCI_MSIX_ENTRY_UPPER_ADDR / 4,
	ENTRY_DATA = PCI_MSIX_ENTRY_DATA / 4,
	ENTRY_CTRL = PCI_MSIX_ENTRY_VECTOR_CTRL / 4 };

static bool
msix_flag(const struct vio_pci *p, uint16_t flag)
{
	return (pci_get16(&p->fn, p->msix + PCI_MSIX_FLAGS) & flag) != 0;
}

static bool
enabled(const struct vio_pci *p)
{
	return msix_flag(p, PCI_MSIX_FLAGS_ENABLE);
}

static bool
masked(const struct vio_pci *p, unsigned int i)
{
	return msix_flag(p, PCI_MSIX_FLAGS_MASKALL) ||
	    (p->table[i][ENTRY_CTRL] & PCI_MSIX_ENTRY_CTRL_MASKBIT) != 0;
}

static struct kvm_msi
message(const struct vio_pci *p, unsigned int i)
{
	return (struct kvm_msi){
		.address_lo = p->table[i][ENTRY_LOWER],
		.address_hi = p->table[i][ENTRY_UPPER],
		.data = p->table[i][ENTRY_DATA],
	};
}

/* Send the message of a vector; while the vector is masked, set its pending bit. */
static void
signal_vector(struct vio_pci *p, unsigned int i)
{
	struct kvm_msi msi = message(p, i);

	if (!enabled(p))
		return;
	if (masked(p, i) || !pci_master(&p->fn)) {
		p->pending |= UINT64_C(1) << i;
		return;
	}
	p->pending &= ~(UINT64_C(1) << i);
	/* This fails if the guest wrote an address that no vCPU has. */
	(void)kvm_call(p->irqs->vmfd, KVM_SIGNAL_MSI, &msi);
}

/* While a vector with an eventfd is not masked KVM sends its message. */
static void
rewire(struct vio_pci *p, unsigned int i)
{
	struct kvm_msi msi = message(p, i);

	if (p->wire[i] == 0)
		return;
	p->vio->wired[i] = 0;
	if (!enabled(p) || masked(p, i) || !pci_master(&p->fn))
		irq_detach(p->irqs, &p->irq[i], p->wire[i]);
	else if (irq_attach(p->irqs, &p->irq[i], p->wire[i], &msi) == 0)
		p->vio->wired[i] = p->wire[i];
	io_wake(p->vio->io); /* it polls the eventfd only if KVM does not */
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
		irq_detach(p->irqs, &p->irq[vector], p->wire[vector]);
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
		if ((p->pending & UINT64_C(1) << i) != 0)
			signal_vector(p, i);
}

static struct virtq *
selected(struct vio_pci *p)
{
	return p->queue_select < p->vio->nqueues ?
	    &p->vio->q[p->queue_select] : NULL;
}

/* How many vectors the table has. */
static unsigned int
vectors(const struct vio_pci *p)
{
	unsigned int n = p->vio->nqueues + 1u;

	return n <= VIO_PCI_VECTORS ? n : 2;
}

/* The vector, if the table has it; else VIRTIO_MSI_NO_VECTOR. */
static uint16_t
vector_checked(const struct vio_pci *p, uint32_t v)
{
	return v < vectors(p) ? (uint16_t)v : VIRTIO_MSI_NO_VECTOR;
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
	case AT(queue_msix_vector):
		return q->vector;
	case AT(queue_enable):
		return q->ready;
	case AT(queue_notify_off):
		return p->queue_select;
	case AT(queue_desc_lo):
	case AT(queue_desc_hi):
		return half(&q->desc_gpa, off == AT(queue_desc_hi));
	case AT(queue_avail_lo):
	case AT(queue_avail_hi):
		return half(&q->avail_gpa, off == AT(queue_avail_hi));
	case AT(queue_used_lo):
	case AT(queue_used_hi):
		return half(&q->used_gpa, off == AT(queue_used_hi));
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
	case AT(guest_feature_select):
		return p->driver_feature_select;
	case AT(guest_feature):
		return p->driver_feature_select > 1 ? 0 :
		    half(&v->accepted, p->driver_feature_select == 1);
	case AT(msix_config):
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
 * The driver can set the size and the addresses of a queue only between
 * FEATURES_OK and DRIVER_OK, and before it enables the queue. A bad queue breaks
 * the device.
 */
static void
queue_write(struct vio_pci *p, struct virtq *q, uint32_t off, uint32_t val)
{
	if (off == AT(queue_msix_vector)) {
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
		if (val == 1 &&
		    virtq_enable(q, p->vio->ram, p->vio->accepted) == -1)
			vio_break(p->vio);
		break;
	case AT(queue_desc_lo):
	case AT(queue_desc_hi):
		set_half(&q->desc_gpa, off == AT(queue_desc_hi), val);
		break;
	case AT(queue_avail_lo):
	case AT(queue_avail_hi):
		set_half(&q->avail_gpa, off == AT(queue_avail_hi), val);
		break;
	case AT(queue_used_lo):
	case AT(queue_used_hi):
		set_half(&q->used_gpa, off == AT(queue_used_hi), val);
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
	case AT(guest_feature_select):
		p->driver_feature_select = val;
		break;
	case AT(guest_feature):
		if (p->driver_feature_select <= 1 &&
		    (v->status & VIRTIO_CONFIG_S_FEATURES_OK) == 0)
			set_half(&v->accepted, p->driver_feature_select == 1,
			    val);
		break;
	case AT(msix_config):
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

/* Each field has one width; a 64-bit field is two of 32 bits (4.1.3.1). */
static unsigned int
common_width(uint32_t off)
{
	if (off < AT(msix_config) || off >= AT(queue_desc_lo))
		return 4;
	return off == AT(device_status) || off == AT(config_generation) ? 1 :
	    2;
}

static void
common_access(struct vio_pci *p, uint32_t off, void *data, unsigned int len,
    bool write)
{
	uint32_t val = UINT32_MAX;

	if (off >= sizeof(struct virtio_pci_common_cfg) || len != common_width(off)) {
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
	unsigned int i = off / PCI_MSIX_ENTRY_SIZE;
	unsigned int word = off % PCI_MSIX_ENTRY_SIZE / 4;

	if (i >= vectors(p) || (len != 4 && len != 8)) {
		if (!write)
			memset(data, 0xff, len);
		return;
	}
	if (!write) {
		memcpy(data, &p->table[i][word], len);
		return;
	}
	memcpy(&p->table[i][word], data, len);
	p->table[i][ENTRY_CTRL] &= PCI_MSIX_ENTRY_CTRL_MASKBIT;
	rewire(p, i);
	flush_pending(p);
}

/* The device's configuration: all ones beyond its end. */
static void
device_read(const struct vio *v, uint32_t off, void *data, unsigned int len)
{
	memset(data, 0xff, len);
	if (off < v->config_len && len <= v->config_len - off)
		memcpy(data, v->config + off, len);
}

/* A notification: a write of two bytes at the queue's own offset. */
static void
notify(const struct vio_pci *p, uint32_t off, unsigned int len)
{
	const struct vio *v = p->vio;
	uint32_t i = off / NOTIFY_STEP;

	if (len == 2 && off % NOTIFY_STEP == 0 && i < v->nqueues)
		(void)eventfd_write(vio_notified(v, i), 1);
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
		else if (p->vio->ops->configure != NULL)
			p->vio->ops->configure(p->vio, off - DEVICE, data, len);
		break;
	case PENDING:
		if (!write) {
			memset(data, 0, len);
			off -= PENDING;
			if (off < sizeof(p->pending) && len <= sizeof(p->pending) - off)
				memcpy(data, (uint8_t *)&p->pending + off, len);
		}
		break;
	default: /* the ISR status is for INTx, and there is none */
		if (!write)
			memset(data, 0, len);
	}
}

/*
 * The window to BAR 0 in configuration space (4.1.4.9): an access to its data is
 * an access to the BAR.
 */
static void
window(struct pci_fn *fn, unsigned int off, unsigned int len, bool write)
{
	struct vio_pci *p = fn->dev;
	uint32_t to = pci_get32(fn, p->window + VIRTIO_PCI_CAP_OFFSET);
	uint32_t width = pci_get32(fn, p->window + VIRTIO_PCI_CAP_LENGTH);
	unsigned int data = p->window +
	    offsetof(struct virtio_pci_cfg_cap, pci_cfg_data);

	if (off > data || off + len <= data)
		return;
	if (fn->config[p->window + VIRTIO_PCI_CAP_BAR] != 0 ||
	    (width != 1 && width != 2 && width != 4) || to % width != 0 ||
	    to > PCI_BAR_SIZE - width)
		return;
	mmio(fn, to, fn->config + data, width, write);
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
	if (off < PCI_CLASS_REVISION || (off < p->msix + PCI_MSIX_TABLE &&
		off + len > p->msix + PCI_MSIX_FLAGS)) {
		for (i = 0; i < VIO_PCI_VECTORS; i++)
			rewire(p, i);
		flush_pending(p);
	}
}

/* Add a capability that says where a structure is in BAR 0 (4.1.4). */
static unsigned int
structure(struct pci_fn *fn, uint8_t type, uint32_t off, uint32_t size,
    unsigned int caplen)
{
	unsigned int cap = pci_cap(fn, PCI_CAP_ID_VNDR, caplen);

	fn->config[cap + VIRTIO_PCI_CAP_LEN] = (uint8_t)caplen;
	fn->config[cap + VIRTIO_PCI_CAP_CFG_TYPE] = type;
	pci_put32(fn, cap + VIRTIO_PCI_CAP_OFFSET, off);
	pci_put32(fn, cap + VIRTIO_PCI_CAP_LENGTH, size);
	return cap;
}

static void
capabilities(struct vio_pci *p)
{
	struct pci_fn *fn = &p->fn;
	const unsigned int plain = sizeof(struct virtio_pci_cap);
	unsigned int cap;

	structure(fn, VIRTIO_PCI_CAP_COMMON_CFG, COMMON,
	    sizeof(struct virtio_pci_common_cfg), plain);
	cap = structure(fn, VIRTIO_PCI_CAP_NOTIFY_CFG, NOTIFY,
	    NOTIFY_STEP * p->vio->nqueues, sizeof(struct virtio_pci_notify_cap));
	pci_put32(fn, cap + VIRTIO_PCI_NOTIFY_CAP_MULT, NOTIFY_STEP);
	structure(fn, VIRTIO_PCI_CAP_ISR_CFG, ISR, 1, plain);
	if (p->vio->config_len > 0)
		structure(fn, VIRTIO_PCI_CAP_DEVICE_CFG, DEVICE,
		    p->vio->config_len, plain);
	p->window = structure(fn, VIRTIO_PCI_CAP_PCI_CFG, 0, 0,
	    sizeof(struct virtio_pci_cfg_cap));
	/* The driver can write bar, offset, length and pci_cfg_data. */
	fn->writable[p->window + VIRTIO_PCI_CAP_BAR] = 0xff;
	memset(fn->writable + p->window + VIRTIO_PCI_CAP_OFFSET, 0xff, 12);

	p->msix = pci_cap(fn, PCI_CAP_ID_MSIX, PCI_CAP_MSIX_SIZEOF);
	/* The size of the table, less one. */
	pci_put16(fn, p->msix + PCI_MSIX_FLAGS, (uint16_t)(vectors(p) - 1));
	fn->writable[p->msix + PCI_MSIX_FLAGS + 1] =
	    (PCI_MSIX_FLAGS_ENABLE | PCI_MSIX_FLAGS_MASKALL) >> 8;
	pci_put32(fn, p->msix + PCI_MSIX_TABLE, TABLE);
	pci_put32(fn, p->msix + PCI_MSIX_PBA, PENDING);
}

/*
 * Let KVM handle the notifications at this address of the BAR and no longer at
 * the old one. Returns 0, or -1 and errno; mmio() gets those that KVM does not
 * handle.
 */
static int
take_notifications(struct vio_pci *p, uint32_t bar)
{
	const struct vio *v = p->vio;
	struct kvm_ioeventfd n = { .len = 2 };
	unsigned int i;
	int vmfd = p->irqs->vmfd, rc = 0;

	for (i = 0; i < v->nqueues; i++) {
		n.fd = vio_notified(v, i);
		if (p->notified_at != 0) {
			n.flags = KVM_IOEVENTFD_FLAG_DEASSIGN;
			n.addr = p->notified_at + NOTIFY + i * NOTIFY_STEP;
			(void)kvm_call(vmfd, KVM_IOEVENTFD, &n);
		}
		n.flags = 0;
		n.addr = (uint64_t)bar + NOTIFY + i * NOTIFY_STEP;
		if (bar != 0 && kvm_call(vmfd, KVM_IOEVENTFD, &n) == -1)
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
 * Put a device on the bus. Its queues, features and configuration are set.
 * Returns 0, or -1 and errno.
 */
int
vio_pci_init(struct vio_pci *p, struct pci *bus, struct irqs *irqs,
    struct vio *v)
{
	unsigned int i;

	p->vio = v;
	p->irqs = irqs;
	p->fn.dev = p;
	p->fn.lock = &v->lock;
	p->fn.mmio = mmio;
	p->fn.place = place;
	p->fn.written = written;
	p->fn.before_read = before_read;
	pci_ids(&p->fn, VENDOR_VIRTIO, (uint16_t)(DEVICE_VIRTIO + v->ops->id),
	    v->ops->class);
	capabilities(p);
	v->transport = p;
	v->interrupt = interrupt;
	v->wire = wire;
	vio_set_status(v, 0);
	for (i = 0; i < VIO_PCI_VECTORS; i++)
		p->table[i][ENTRY_CTRL] = PCI_MSIX_ENTRY_CTRL_MASKBIT;
	return take_notifications(p, pci_add(bus, &p->fn));
}
