/*
 * A network card (virtio 1.2, 5.1) at a tap. The tap uses virtio's header of a
 * packet, so the guest and the host need not compute checksums and segments
 * between them. The kernel checks the header of each packet that we write. If
 * vhost-net can be opened the kernel moves all packets itself.
 */
#include <linux/if_tun.h>
#include <linux/virtio_net.h>
#include <sys/ioctl.h>

#include <err.h>
#include <errno.h>
#include <poll.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "chain.h"
#include "clock.h"
#include "config.h"
#include "devices.h"
#include "net.h"
#include "network.h"
#include "say.h"
#include "vhost.h"

#define F(name) VIO_BIT(VIRTIO_NET_F_##name)

/* Up to what is offered: nothing of the speed. */
#define CONFIG_LEN offsetof(struct virtio_net_config, speed)

#define BURST 64	/* packets in a row */
#define PACKET_MOST (65536 + 64)

enum { RX, TX };

struct net {
	struct vhost vhost;	/* first: vhost.c finds it by vio.dev */
	struct vio vio;
	struct vio_pci pci;
	int tap;
	/* RX and TX, and without vhost only. */
	struct rate rate[2];
	uint64_t packets[2], bytes[2];
	bool late;	/* rate= holds a packet back */
	uint8_t packet[PACKET_MOST];
	size_t kept;	/* size of a packet that waits for buffers; or 0 */
	struct {
		uint16_t head;
		uint32_t len;
	} used[VIRTQ_MAX];
};

static void
start(struct vio *v)
{
	struct net *net = v->dev;
	unsigned int offload = 0;

	if ((v->accepted & F(GUEST_CSUM)) != 0) {
		offload = TUN_F_CSUM;
		if ((v->accepted & F(GUEST_TSO4)) != 0)
			offload |= TUN_F_TSO4;
		if ((v->accepted & F(GUEST_TSO6)) != 0)
			offload |= TUN_F_TSO6;
	}
	(void)ioctl(net->tap, TUNSETOFFLOAD, offload);
	if (net->vhost.fd != -1 && vhost_start(&net->vhost, v, net->tap) == -1)
		vio_break(v);
}

static void
reset(struct vio *v)
{
	struct net *net = v->dev;

	vhost_stop(&net->vhost, v);
	net->kept = 0;
}

/* How long rate= holds the next packet back, in us. */
static int64_t
held(const struct net *net, int way)
{
	const struct rate *r = &net->rate[way];

	return rate_is_set(r) ? rate_wait(r, clock_us()) : 0;
}

/* A packet of so many bytes, header included, moves in that direction. */
static void
moved(struct net *net, int way, uint64_t bytes)
{
	if (rate_is_set(&net->rate[way]))
		rate_take(&net->rate[way], bytes, clock_us());
	net->packets[way]++;
	net->bytes[way] += bytes;
}

static int
transmit(struct vio *v)
{
	struct net *net = v->dev;
	struct virtq *q = &v->q[TX];
	unsigned int n;
	int rc = 0;

	for (n = 0; n < BURST; n++) {
		if (held(net, TX) > 0 ||
		    (rc = virtq_pop(q, v->ram, &v->chain)) != 1)
			break;
		moved(net, TX, virtq_bytes(v->chain.iov, v->chain.nout));
		/* A packet that the tap refuses is lost, as on a wire. */
		if (v->chain.nout > 0 &&
		    writev(net->tap, v->chain.iov, v->chain.nout) == -1 &&
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
 * Write the packet of len bytes to as many requests as it needs. Returns 1; 0 if
 * the queue has too few yet; or -1 if the driver broke a rule. A packet that
 * would not fit into a full queue, or into one request without F(MRG_RXBUF), is
 * lost.
 */
static int
deliver(struct vio *v, size_t len)
{
	struct net *net = v->dev;
	const uint16_t one = 1;
	bool merge = (v->accepted & F(MRG_RXBUF)) != 0;
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
		    v->chain.nin, 0, net->packet + done, len - done);
		if (got == 0)
			return -1; /* no buffer to write to */
		net->used[n].head = v->chain.head;
		net->used[n++].len = (uint32_t)got;
		done += got;
	} while (done < len && merge);
	if (done < len) {
		while (n-- > 0)
			virtq_unpop(q);
		return merge && descs < q->size ? 0 : 1;
	}
	count = (uint16_t)n;
	(void)virtq_scatter(first, nfirst,
	    offsetof(struct virtio_net_hdr_v1, num_buffers), merge ? &count : &one,
	    sizeof(count));
	for (n = 0; n < count; n++) {
		v->chain.head = net->used[n].head;
		virtq_push(q, &v->chain, net->used[n].len);
	}
	return 1;
}

static int
receive(struct vio *v)
{
	struct net *net = v->dev;
	unsigned int n;
	ssize_t len;
	int rc = 0;

	for (n = 0; n < BURST && virtq_waiting(&v->q[RX]) && held(net, RX) == 0;
	    n++) {
		if (net->kept == 0) {
			len = read(net->tap, net->packet, sizeof(net->packet));
			if (len == -1 && errno != EAGAIN && errno != EINTR)
				return -1; /* the interface is gone */
			if (len < (ssize_t)sizeof(struct virtio_net_hdr_v1))
				break;
			net->kept = (size_t)len;
		}
		if ((rc = deliver(v, net->kept)) != 1)
			break;
		moved(net, RX, net->kept);
		net->kept = 0;
	}
	if (n > 0 && rc != -1)
		vio_done(v, &v->q[RX]);
	return rc == -1 ? -1 : 0;
}

static void
kick(struct vio *v)
{
	struct net *net = v->dev;

	if (net->vhost.fd != -1)
		return;
	if (transmit(v) == -1 || (net->kept != 0 && receive(v) == -1))
		vio_break(v);
}

static void
halt(struct vio *v)
{
	struct net *net = v->dev;

	vhost_stop(&net->vhost, v);
}

/* Before each poll(2): go on with packets that rate= held back, once that is due. */
static void
limits(struct net *net)
{
	struct vio *v = &net->vio;
	int64_t us = 0, wait;
	int way;

	for (way = RX; way <= TX; way++)
		if (vio_live(v) && virtq_waiting(&v->q[way]) &&
		    (wait = held(net, way)) > us)
			us = wait;
	if (us > 0)
		may_fail(io_due(v->io, clock_ms() + us / 1000 + 1));
	else if (net->late)
		(void)eventfd_write(v->kick, 1);
	net->late = us > 0;
}

static short
wants(struct io_source *s)
{
	struct net *net = s->arg;
	bool now;

	pthread_mutex_lock(&net->vio.lock);
	limits(net);
	/* A packet that is kept waits for the driver, and not for the tap. */
	now = vio_live(&net->vio) && net->kept == 0 &&
	    virtq_waiting(&net->vio.q[RX]) && held(net, RX) == 0;
	pthread_mutex_unlock(&net->vio.lock);
	return now ? POLLIN : 0;
}

static void
ready(struct io_source *s, short revents)
{
	struct net *net = s->arg;

	(void)revents;
	pthread_mutex_lock(&net->vio.lock);
	if (vio_live(&net->vio) && receive(&net->vio) == -1)
		vio_break(&net->vio);
	pthread_mutex_unlock(&net->vio.lock);
}

static const struct vio_ops ops = {
	.name = "net",
	.id = VIRTIO_ID_NET,
	.class = 0x020000, /* network, Ethernet */
	.kick = kick,
	.start = start,
	.reset = reset,
	.halt = halt,
};

void
net_init(struct vm *vm, const struct config *cfg)
{
	const int header = sizeof(struct virtio_net_hdr_v1), little = 1;
	struct virtio_net_config c = { 0 };
	struct net *net;

	if (!cfg->net.present)
		return;
	if ((net = calloc(1, sizeof(*net))) == NULL)
		err(EXIT_LINK, "network card");
	net->tap = cfg->net.tap;
	if (ioctl(net->tap, TUNSETVNETHDRSZ, &header) == -1 ||
	    ioctl(net->tap, TUNSETVNETLE, &little) == -1)
		err(EXIT_LINK, "tap: header");
	memcpy(c.mac, cfg->net.mac, sizeof(c.mac));
	net->vio.nqueues = 2;
	net->vio.config_len = CONFIG_LEN;
	net->vio.offered = F(CSUM) | F(GUEST_CSUM) | F(MAC) | F(GUEST_TSO4) |
	    F(GUEST_TSO6) | F(HOST_TSO4) | F(HOST_TSO6) | F(MRG_RXBUF);
	if (cfg->net.mtu != 0) {
		net->vio.offered |= F(MTU);
		c.mtu = (uint16_t)cfg->net.mtu;
	}
	memcpy(net->vio.config, &c, CONFIG_LEN);
	net->vio.io = &vm->io;
	vm->net = net;
	net->vhost.fd = -1;
	if (!cfg->net_rate && vhost_open(&net->vhost, &net->vio))
		say("packets by vhost-net");
	else
		io_add(&vm->io, &(struct io_source){ .fd = net->tap,
		    .wants = wants, .ready = ready, .arg = net });
	devices_plug(vm, &net->pci, &net->vio, &ops, net);
}

/*
 * I/O thread: limit what the card receives and, separately, what it sends. Returns false
 * if vhost-net moves its packets, which has no limits.
 */
bool
net_limit(struct net *net, const struct rate_word *w)
{
	bool ours = net->vhost.fd == -1;

	pthread_mutex_lock(&net->vio.lock);
	rate_set(&net->rate[RX], w, clock_us());
	rate_set(&net->rate[TX], w, clock_us());
	pthread_mutex_unlock(&net->vio.lock);
	return ours;
}

/* I/O thread: what has moved. Returns false if vhost-net, which does not tell, moves it. */
bool
net_counted(struct net *net, struct net_counts *c)
{
	pthread_mutex_lock(&net->vio.lock);
	*c = (struct net_counts){ net->packets[RX], net->bytes[RX],
		net->packets[TX], net->bytes[TX] };
	pthread_mutex_unlock(&net->vio.lock);
	return net->vhost.fd == -1;
}
