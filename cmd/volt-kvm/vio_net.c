/*
 * A network card (virtio 1.2, 5.1) at a tap. The tap speaks virtio's header
 * itself, so that checksums and segmentation are left to those who can do them
 * in one piece; the kernel checks that header when we write a packet. Where the
 * kernel has vhost-net it does all of that without us.
 */
#include <linux/if_tun.h>
#include <sys/ioctl.h>

#include <err.h>
#include <errno.h>
#include <poll.h>
#include <stddef.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "chain.h"
#include "config.h"
#include "devices.h"
#include "network.h"
#include "say.h"
#include "vhost.h"

#define F_CSUM VIO_BIT(0)
#define F_GUEST_CSUM VIO_BIT(1)
#define F_MTU VIO_BIT(3)
#define F_MAC VIO_BIT(5)
#define F_GUEST_TSO4 VIO_BIT(7)
#define F_GUEST_TSO6 VIO_BIT(8)
#define F_HOST_TSO4 VIO_BIT(11)
#define F_HOST_TSO6 VIO_BIT(12)
#define F_MRG_RXBUF VIO_BIT(15)

#define BURST 64	/* packets in a row */
#define PACKET_MOST (65536 + 64)

enum { RX, TX };

/* 5.1.6 */
struct header {
	uint8_t flags, gso_type;
	uint16_t hdr_len, gso_size, csum_start, csum_offset, num_buffers;
};

static struct {
	struct vhost vhost;	/* first: it finds itself by vio.dev */
	struct vio vio;
	struct vio_pci pci;
	int tap;
	uint8_t packet[PACKET_MOST];
	size_t kept;	/* bytes of the packet that has found no room yet */
	struct {
		uint16_t head;
		uint32_t len;
	} used[VIRTQ_MAX];
} net = { .vhost.fd = -1, .tap = -1 };

static void
start(struct vio *v)
{
	unsigned int offload = 0;

	if ((v->accepted & F_GUEST_CSUM) != 0) {
		offload = TUN_F_CSUM;
		if ((v->accepted & F_GUEST_TSO4) != 0)
			offload |= TUN_F_TSO4;
		if ((v->accepted & F_GUEST_TSO6) != 0)
			offload |= TUN_F_TSO6;
	}
	(void)ioctl(net.tap, TUNSETOFFLOAD, offload);
	if (net.vhost.fd != -1 && vhost_start(&net.vhost, v, net.tap) == -1)
		vio_break(v);
}

static void
reset(struct vio *v)
{
	vhost_stop(&net.vhost, v);
	net.kept = 0;
}

static int
transmit(struct vio *v)
{
	struct virtq *q = &v->q[TX];
	unsigned int n;
	int rc = 0;

	for (n = 0; n < BURST; n++) {
		if ((rc = virtq_pop(q, v->ram, &v->chain)) != 1)
			break;
		/* What the tap does not take is lost, as on a wire. */
		if (v->chain.nout > 0 &&
		    writev(net.tap, v->chain.iov, v->chain.nout) == -1 &&
		    errno == EBADFD)
			return -1;
		virtq_push(q, &v->chain, 0);
	}
	if (n > 0)
		vio_done(v, q);
	if (n == BURST)
		(void)eventfd_write(v->kick, 1);
	return rc < 0 ? -1 : 0;
}

/*
 * Put the packet of len bytes into as many buffers as it takes. Returns 1; 0 if
 * there are not enough yet; or -1 if the driver broke a rule. What can never
 * find room is lost: as large a queue has no more, or one buffer must do.
 */
static int
deliver(struct vio *v, size_t len)
{
	const uint16_t one = 1;
	bool merge = (v->accepted & F_MRG_RXBUF) != 0;
	struct virtq *q = &v->q[RX];
	struct iovec first[VIRTQ_MAX];
	unsigned int nfirst = 0, n = 0, descs = 0;
	uint16_t count;
	size_t done = 0, got;
	int rc;

	do {
		rc = virtq_pop(q, v->ram, &v->chain);
		if (rc == -1)
			return -1;
		if (rc == 0 || n == VIRTQ_MAX)
			break;
		if (n == 0) {
			nfirst = v->chain.nin;
			memcpy(first, v->chain.iov + v->chain.nout,
			    nfirst * sizeof(first[0]));
		}
		descs += (unsigned int)v->chain.nout + v->chain.nin;
		got = virtq_scatter(v->chain.iov + v->chain.nout,
		    v->chain.nin, 0, net.packet + done, len - done);
		if (got == 0)
			return -1; /* a buffer that cannot be written */
		net.used[n].head = v->chain.head;
		net.used[n++].len = (uint32_t)got;
		done += got;
	} while (done < len && merge);
	if (done < len) {
		while (n-- > 0)
			virtq_unpop(q);
		return merge && descs < q->size ? 0 : 1;
	}
	count = (uint16_t)n;
	(void)virtq_scatter(first, nfirst,
	    offsetof(struct header, num_buffers), merge ? &count : &one,
	    sizeof(count));
	for (n = 0; n < count; n++) {
		v->chain.head = net.used[n].head;
		virtq_push(q, &v->chain, net.used[n].len);
	}
	return 1;
}

static int
receive(struct vio *v)
{
	unsigned int n;
	ssize_t len;
	int rc = 0;

	for (n = 0; n < BURST && virtq_waiting(&v->q[RX]); n++) {
		if (net.kept == 0) {
			len = read(net.tap, net.packet, sizeof(net.packet));
			if (len == -1 && errno != EAGAIN && errno != EINTR)
				return -1; /* the tap is gone: no poll(2) waits */
			if (len < (ssize_t)sizeof(struct header))
				break;
			net.kept = (size_t)len;
		}
		if ((rc = deliver(v, net.kept)) != 1)
			break;
		net.kept = 0;
	}
	if (n > 0 && rc != -1)
		vio_done(v, &v->q[RX]);
	return rc == -1 ? -1 : 0;
}

static void
kick(struct vio *v)
{
	if (net.vhost.fd != -1)
		return;
	if (transmit(v) == -1 || (net.kept != 0 && receive(v) == -1))
		vio_break(v);
}

static void
halt(struct vio *v)
{
	vhost_stop(&net.vhost, v);
}

static short
wants(struct io_source *s)
{
	bool now;

	(void)s;
	pthread_mutex_lock(&net.vio.lock);
	/* For a packet that is kept only the driver can do something. */
	now = vio_live(&net.vio) && net.kept == 0 &&
	    virtq_waiting(&net.vio.q[RX]);
	pthread_mutex_unlock(&net.vio.lock);
	return now ? POLLIN : 0;
}

static void
ready(struct io_source *s, short revents)
{
	(void)s;
	(void)revents;
	pthread_mutex_lock(&net.vio.lock);
	if (vio_live(&net.vio) && receive(&net.vio) == -1)
		vio_break(&net.vio);
	pthread_mutex_unlock(&net.vio.lock);
}

static const struct vio_ops ops = {
	.name = "net",
	.id = 1,
	.class = 0x020000,
	.kick = kick,
	.start = start,
	.reset = reset,
	.halt = halt,
};

/* 5.1.4 */
struct space {
	uint8_t mac[6];
	uint16_t status, max_pairs, mtu;
};

void
net_init(struct vm *vm, const struct config *cfg)
{
	const int header = sizeof(struct header), little = 1;
	struct space *space = (void *)net.vio.config;

	if (!cfg->net.present)
		return;
	net.tap = cfg->net.tap;
	if (ioctl(net.tap, TUNSETVNETHDRSZ, &header) == -1 ||
	    ioctl(net.tap, TUNSETVNETLE, &little) == -1)
		err(EXIT_LINK, "tap: header");
	memcpy(space->mac, cfg->net.mac, sizeof(space->mac));
	net.vio.nqueues = 2;
	net.vio.config_len = sizeof(*space);
	net.vio.offered = F_CSUM | F_GUEST_CSUM | F_MAC | F_GUEST_TSO4 |
	    F_GUEST_TSO6 | F_HOST_TSO4 | F_HOST_TSO6 | F_MRG_RXBUF;
	if (cfg->net.mtu != 0) {
		net.vio.offered |= F_MTU;
		space->mtu = (uint16_t)cfg->net.mtu;
	}
	net.vio.io = &vm->io;
	if (vhost_open(&net.vhost, &net.vio))
		say("packets by vhost-net");
	else
		io_add(&vm->io, &(struct io_source){ .fd = net.tap,
		    .wants = wants, .ready = ready });
	devices_plug(vm, &net.pci, &net.vio, &ops, &net);
}
