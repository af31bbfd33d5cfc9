#include <linux/vhost.h>
#include <sys/eventfd.h>

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "chain.h"
#include "kvm.h"
#include "vhost.h"

static struct virtq *
queue_of(const struct vhost *h, int call)
{
	return &h->vio->q[h->first + (call == h->call[1])];
}

/* The kernel's thread used a buffer of a queue: interrupt the driver. */
static void
called(struct io_source *s, short revents)
{
	struct vhost *h = s->arg;
	struct vio *v = h->vio;
	uint16_t vector;
	eventfd_t n;

	(void)revents;
	if (eventfd_read(s->fd, &n) == -1)
		return; /* KVM has sent it */
	pthread_mutex_lock(&v->lock);
	vector = queue_of(h, s->fd)->vector;
	if (vio_live(v) && vector != VIRTIO_MSI_NO_VECTOR)
		v->interrupt(v, vector);
	pthread_mutex_unlock(&v->lock);
}

/* Poll the eventfd only while KVM does not. */
static short
wants_call(struct io_source *s)
{
	struct vhost *h = s->arg;
	struct vio *v = h->vio;
	uint16_t vector;
	bool now;

	pthread_mutex_lock(&v->lock);
	vector = queue_of(h, s->fd)->vector;
	now = vector > VIO_QUEUES || v->wired[vector] != s->fd;
	pthread_mutex_unlock(&v->lock);
	return now ? POLLIN : 0;
}

/* The driver broke a rule. */
static void
failed(struct io_source *s, short revents)
{
	struct vio *v = ((struct vhost *)s->arg)->vio;
	eventfd_t n;

	(void)revents;
	(void)eventfd_read(s->fd, &n);
	pthread_mutex_lock(&v->lock);
	vio_halt(v);
	pthread_mutex_unlock(&v->lock);
}

static int
event(void)
{
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

	if (fd == -1)
		err(EXIT_LINK, "vhost-net");
	return fd;
}

/* Returns false if vhost-net does not exist or may not be opened. */
bool
vhost_open(struct vhost *h)
{
	h->fd = open("/dev/vhost-net", O_RDWR | O_CLOEXEC);
	if (h->fd == -1)
		return false;
	if (kvm_call(h->fd, VHOST_SET_OWNER, NULL) == 0 &&
	    kvm_call(h->fd, VHOST_GET_FEATURES, &h->features) == 0 &&
	    (h->features & VIO_F_VERSION_1) != 0)
		return true;
	vhost_close(h);
	return false;
}

void
vhost_close(struct vhost *h)
{
	close(h->fd);
	h->fd = -1;
}

/*
 * Let the kernel serve two queues of v, which is not on the bus yet: first and the
 * next one.
 */
void
vhost_plug(struct vhost *h, struct vio *v, unsigned int first)
{
	unsigned int i;

	h->vio = v;
	h->first = first;
	/* vio_net.c does not empty a queue, as these need; vhost-net does. */
	v->offered |= h->features & (VIRTQ_F_INDIRECT_DESC | VIRTQ_F_EVENT_IDX);
	for (i = 0; i < VHOST_QUEUES; i++) {
		h->call[i] = event();
		v->notify[first + i] = event();
		io_add(v->io, &(struct io_source){ .fd = h->call[i],
		    .wants = wants_call, .ready = called, .arg = h });
	}
	h->error = event();
	io_add(v->io, &(struct io_source){ .fd = h->error, .ready = failed,
	    .arg = h });
}

static int
set_memory(const struct vhost *h, const struct ram *r)
{
	union {
		struct vhost_memory m;
		uint8_t room[sizeof(struct vhost_memory) +
		    (2 + RAM_FILES) * sizeof(struct vhost_memory_region)];
	} table = { .m.nregions = r->size > r->low ? 2 : 1 };
	const struct ram_file *f;

	table.m.regions[0] = (struct vhost_memory_region){
		.memory_size = r->low,
		.userspace_addr = (uintptr_t)r->base,
	};
	table.m.regions[1] = (struct vhost_memory_region){
		.guest_phys_addr = RAM_HIGH,
		.memory_size = r->size - r->low,
		.userspace_addr = (uintptr_t)(r->base + r->low),
	};
	for (f = r->file; f < r->file + r->nfiles; f++)
		table.m.regions[table.m.nregions++] = (struct vhost_memory_region){
			.guest_phys_addr = f->gpa,
			.memory_size = f->size,
			.userspace_addr = (uintptr_t)f->base,
		};
	return kvm_call(h->fd, VHOST_SET_MEM_TABLE, &table);
}

/* Set up the queue that the kernel knows as i. */
static int
set_queue(const struct vhost *h, unsigned int i)
{
	const struct virtq *q = &h->vio->q[h->first + i];
	struct vhost_vring_state size = { i, q->size }, base = { i, 0 };
	struct vhost_vring_addr addr = {
		.index = i,
		.desc_user_addr = (uintptr_t)q->desc,
		.avail_user_addr = (uintptr_t)q->avail,
		.used_user_addr = (uintptr_t)q->used,
	};
	struct vhost_vring_file kick = { i, h->vio->notify[h->first + i] };
	struct vhost_vring_file call = { i, h->call[i] };
	struct vhost_vring_file error = { i, h->error };

	if (kvm_call(h->fd, VHOST_SET_VRING_NUM, &size) == -1 ||
	    kvm_call(h->fd, VHOST_SET_VRING_BASE, &base) == -1 ||
	    kvm_call(h->fd, VHOST_SET_VRING_ADDR, &addr) == -1 ||
	    kvm_call(h->fd, VHOST_SET_VRING_KICK, &kick) == -1 ||
	    kvm_call(h->fd, VHOST_SET_VRING_CALL, &call) == -1)
		return -1;
	return kvm_call(h->fd, VHOST_SET_VRING_ERR, &error);
}

/* The driver set DRIVER_OK: hand over the enabled queues. Returns 0, or -1. */
int
vhost_start(struct vhost *h)
{
	struct vio *v = h->vio;
	uint64_t features = h->features & v->accepted;
	unsigned int i;

	if (kvm_call(h->fd, VHOST_SET_FEATURES, &features) == -1 ||
	    set_memory(h, v->ram) == -1)
		return -1;
	h->running = true;
	for (i = 0; i < VHOST_QUEUES; i++)
		if (v->q[h->first + i].ready) {
			v->wire(v, v->q[h->first + i].vector, h->call[i]);
			if (set_queue(h, i) == -1) {
				vhost_stop(h);
				return -1;
			}
		}
	return 0;
}

/*
 * Move packets between the enabled queues and this queue of the tap. Returns 0, or -1;
 * then none moves.
 */
int
vhost_attach(struct vhost *h, int tap)
{
	struct vhost_vring_file backend = { 0, tap };
	unsigned int queue;

	for (; backend.index < VHOST_QUEUES; backend.index++) {
		queue = h->first + backend.index;
		if (!h->vio->q[queue].ready)
			continue;
		if (kvm_call(h->fd, VHOST_NET_SET_BACKEND, &backend) == -1) {
			vhost_detach(h);
			return -1;
		}
		/* The driver's notifications of before were not heard. */
		(void)eventfd_write(h->vio->notify[queue], 1);
	}
	return 0;
}

/* When this returns no packet moves, and the kernel does not access the queues. */
void
vhost_detach(struct vhost *h)
{
	struct vhost_vring_file none = { 0, -1 };

	for (; h->running && none.index < VHOST_QUEUES; none.index++)
		(void)kvm_call(h->fd, VHOST_NET_SET_BACKEND, &none);
}

/* When this returns the kernel does not access the guest's memory any more. */
void
vhost_stop(struct vhost *h)
{
	struct vio *v = h->vio;
	unsigned int i;
	eventfd_t n;

	if (!h->running)
		return;
	vhost_detach(h);
	for (i = 0; i < VHOST_QUEUES; i++)
		v->wire(v, v->q[h->first + i].vector, -1);
	(void)eventfd_read(h->error, &n); /* an error of the past */
	h->running = false;
}
