/*
 * A network card (virtio 1.2, 5.1) at a tap. The tap uses virtio's header of a
 * packet, so the guest and the host need not compute checksums and segments
 * between them. The kernel checks the header of each packet that we write. If
 * vhost-net can be opened the kernel moves all packets itself.
 *
 * A card has as many pairs of queues as it has queues of the tap. The driver says on
 * the control queue how many pairs it uses (5.1.6.5.5); at first that is one. The
 * tap's queues of the other pairs are detached, else the kernel would put packets
 * there that nobody reads.
 */
#include <linux/if_tun.h>
#include <linux/virtio_net.h>
#include <net/if.h>
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

struct pair {
	struct net *net;
	unsigned int first;	/* RX of its queues; TX is the next one */
	int tap;	/* a queue of the tap */
	struct vhost vhost;
	uint8_t packet[PACKET_MOST];
	size_t kept;	/* size of a packet that waits for buffers; or 0 */
};

struct net {
	struct vio vio;
	struct vio_pci pci;
	/* RX and TX, and without vhost only. */
	struct rate rate[2];
	uint64_t packets[2], bytes[2];
	bool late;	/* rate= holds a packet back */
	struct {
		uint16_t head;
		uint32_t len;
	} used[VIRTQ_MAX];
	unsigned int turn;	/* modulo active: the pair that is served first */
	unsigned int npairs;
	unsigned int active;	/* the driver uses so many, the first ones */
	struct pair pair[];
};

static bool
by_kernel(const struct net *net)
{
	return net->pair[0].vhost.fd != -1;
}

static struct virtq *
queue(struct pair *p, int way)
{
	return &p->net->vio.q[p->first + (unsigned int)way];
}

/* Attach or detach the pair's queue of the tap. Returns 0, or -1 and errno. */
static int
tap_queue(const struct pair *p, short flag)
{
	struct ifreq ifr = { .ifr_flags = flag };

	return ioctl(p->tap, TUNSETQUEUE, &ifr);
}

/* Use one pair more. Returns 0, or -1 if the kernel refuses. */
static int
add_pair(struct net *net)
{
	struct pair *p = &net->pair[net->active];

	if (tap_queue(p, IFF_ATTACH_QUEUE) == -1)
		return -1;
	if (p->vhost.running && vhost_attach(&p->vhost, p->tap) == -1) {
		(void)tap_queue(p, IFF_DETACH_QUEUE);
		return -1;
	}
	net->active++;
	return 0;
}

/* Use no more than the first n pairs. Returns 0, or -1 and errno. */
static int
drop_pairs(struct net *net, unsigned int n)
{
	struct pair *p;
	int rc = 0;

	while (net->active > n) {
		p = &net->pair[--net->active];
		vhost_detach(&p->vhost);
		p->kept = 0;
		if (tap_queue(p, IFF_DETACH_QUEUE) == -1)
			rc = -1;
	}
	return rc;
}

/* Use the first n pairs, from 1. Returns 0, or -1: then as many as before. */
static int
use_pairs(struct net *net, unsigned int n)
{
	unsigned int before = net->active;

	while (net->active < n)
		if (add_pair(net) == -1) {
			(void)drop_pairs(net, before);
			return -1;
		}
	return drop_pairs(net, n);
}

static bool
accepted(const struct net *net, uint64_t feature)
{
	return (net->vio.accepted & feature) != 0;
}

/* How many pairs the driver can use. */
static unsigned int
usable(const struct net *net)
{
	return accepted(net, F(MQ)) ? net->npairs : 1;
}

static void
start(struct vio *v)
{
	struct net *net = v->dev;
	unsigned int offload = 0, i;

	if ((v->accepted & F(GUEST_CSUM)) != 0) {
		offload = TUN_F_CSUM;
		if ((v->accepted & F(GUEST_TSO4)) != 0)
			offload |= TUN_F_TSO4;
		if ((v->accepted & F(GUEST_TSO6)) != 0)
			offload |= TUN_F_TSO6;
	}
	(void)ioctl(net->pair[0].tap, TUNSETOFFLOAD, offload);
	for (i = 0; by_kernel(net) && i < usable(net); i++)
		if (vhost_start(&net->pair[i].vhost) == -1 || (i < net->active &&
		    vhost_attach(&net->pair[i].vhost, net->pair[i].tap) == -1)) {
			vio_break(v);
			return;
		}
}

static void
halt(struct vio *v)
{
	struct net *net = v->dev;
	unsigned int i;

	for (i = 0; i < net->npairs; i++)
		vhost_stop(&net->pair[i].vhost);
}

static void
reset(struct vio *v)
{
	struct net *net = v->dev;

	halt(v);
	net->pair[0].kept = 0;
	/* This fails if the tap is gone, which the driver will notice. */
	may_fail(drop_pairs(net, 1));
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
transmit(struct pair *p)
{
	struct net *net = p->net;
	struct vio *v = &net->vio;
	struct virtq *q = queue(p, TX);
	unsigned int n;
	int rc = 0;

	for (n = 0; n < BURST; n++) {
		if (held(net, TX) > 0 ||
		    (rc = virtq_pop(q, v->ram, &v->chain)) != 1)
			break;
		moved(net, TX, virtq_bytes(v->chain.iov, v->chain.nout));
		/* A packet that the tap refuses is lost, as on a wire. */
		if (v->chain.nout > 0 &&
		    writev(p->tap, v->chain.iov, v->chain.nout) == -1 &&
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
 * Write the packet of the pair to as many requests as it needs. Returns 1; 0 if
 * the queue has too few yet; or -1 if the driver broke a rule. A packet that
 * would not fit into a full queue, or into one request without F(MRG_RXBUF), is
 * lost.
 */
static int
deliver(struct pair *p)
{
	struct net *net = p->net;
	struct vio *v = &net->vio;
	const uint16_t one = 1;
	bool merge = (v->accepted & F(MRG_RXBUF)) != 0;
	struct virtq *q = queue(p, RX);
	struct iovec first[VIRTQ_MAX];
	unsigned int nfirst = 0, n = 0, descs = 0;
	uint16_t count;
	size_t done = 0, got, len = p->kept;
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
		    v->chain.nin, 0, p->packet + done, len - done);
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
receive(struct pair *p)
{
	struct net *net = p->net;
	struct virtq *q = queue(p, RX);
	unsigned int n;
	ssize_t len;
	int rc = 0;

	for (n = 0; n < BURST && virtq_waiting(q) && held(net, RX) == 0; n++) {
		if (p->kept == 0) {
			len = read(p->tap, p->packet, sizeof(p->packet));
			if (len == -1 && errno != EAGAIN && errno != EINTR)
				return -1; /* the interface is gone */
			if (len < (ssize_t)sizeof(struct virtio_net_hdr_v1))
				break;
			p->kept = (size_t)len;
		}
		if ((rc = deliver(p)) != 1)
			break;
		moved(net, RX, p->kept);
		p->kept = 0;
	}
	if (n > 0 && rc != -1)
		vio_done(&net->vio, q);
	return rc == -1 ? -1 : 0;
}

/* The pair whose turn it is, or the i-th after that. */
static struct pair *
in_turn(struct net *net, unsigned int i)
{
	return &net->pair[(net->turn + i) % net->active];
}

static int
serve_pairs(struct net *net)
{
	struct pair *p;
	unsigned int i;

	net->turn++;
	for (i = 0; i < net->active; i++) {
		p = in_turn(net, i);
		if (transmit(p) == -1 || (p->kept != 0 && receive(p) == -1))
			return -1;
	}
	return 0;
}

/* Do a command. Returns the answer for the driver. */
static uint8_t
command(struct net *net, const struct vchain *c)
{
	struct {
		struct virtio_net_ctrl_hdr head;
		uint16_t pairs;
	} r;

	if (!accepted(net, F(MQ)) || virtq_bytes(c->iov, c->nout) != sizeof(r) ||
	    virtq_gather(c->iov, c->nout, 0, &r, sizeof(r)) != sizeof(r) ||
	    r.head.class != VIRTIO_NET_CTRL_MQ ||
	    r.head.cmd != VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET ||
	    r.pairs == 0 || r.pairs > usable(net))
		return VIRTIO_NET_ERR;
	return use_pairs(net, r.pairs) == 0 ? VIRTIO_NET_OK : VIRTIO_NET_ERR;
}

/* The control queue comes after those that the driver could use (5.1.2). */
static struct virtq *
control_queue(struct net *net)
{
	return accepted(net, F(CTRL_VQ)) ? &net->vio.q[2 * usable(net)] : NULL;
}

/*
 * Do a command on the control queue, if there is one. The kernel takes milliseconds
 * for it, so the next one comes after all else that the I/O thread does. Returns 0, or
 * -1 if the driver broke a rule.
 */
static int
control(struct net *net)
{
	struct vio *v = &net->vio;
	struct virtq *q = control_queue(net);
	struct vchain *c = &v->chain;
	uint8_t answer;
	int rc;

	if (q == NULL || (rc = virtq_pop(q, v->ram, c)) == 0)
		return 0;
	if (rc == -1)
		return -1;
	answer = command(net, c);
	if (virtq_scatter(c->iov + c->nout, c->nin, 0, &answer, 1) != 1)
		return -1;
	virtq_push(q, c, 1);
	vio_done(v, q);
	(void)eventfd_write(v->kick, 1);
	return 0;
}

static void
kick(struct vio *v)
{
	struct net *net = v->dev;

	if (control(net) == -1 || (!by_kernel(net) && serve_pairs(net) == -1))
		vio_break(v);
}

/* Does a pair in use have a request for packets of that direction? */
static bool
waiting(struct net *net, int way)
{
	unsigned int i;

	for (i = 0; i < net->active; i++)
		if (virtq_waiting(queue(&net->pair[i], way)))
			return true;
	return false;
}

/* Before each poll(2): go on with packets that rate= held back, once that is due. */
static void
limits(struct net *net)
{
	struct vio *v = &net->vio;
	int64_t us = 0, wait;
	int way;

	for (way = RX; way <= TX; way++)
		if (vio_live(v) && (wait = held(net, way)) > us && waiting(net, way))
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
	struct pair *p = s->arg;
	struct net *net = p->net;
	bool now;

	pthread_mutex_lock(&net->vio.lock);
	if (p == net->pair)
		limits(net);
	/* A packet that is kept waits for the driver, and not for the tap. */
	now = vio_live(&net->vio) && p < net->pair + net->active && p->kept == 0 &&
	    virtq_waiting(queue(p, RX)) && held(net, RX) == 0;
	pthread_mutex_unlock(&net->vio.lock);
	return now ? POLLIN : 0;
}

static void
ready(struct io_source *s, short revents)
{
	struct pair *p = s->arg;
	struct net *net = p->net;

	(void)revents;
	pthread_mutex_lock(&net->vio.lock);
	/* Under a limit one pair would take all that there is: so they take turns. */
	if (rate_is_set(&net->rate[RX])) {
		net->turn++;
		p = in_turn(net, 0);
	}
	if (vio_live(&net->vio) && p < net->pair + net->active && receive(p) == -1)
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

/*
 * Without F(MQ) the control queue is queue 2. Then we poll its eventfd, which is else
 * for vhost-net.
 */
static short
wants_control(struct io_source *s)
{
	struct net *net = s->arg;
	bool now;

	pthread_mutex_lock(&net->vio.lock);
	now = control_queue(net) == &net->vio.q[2];
	pthread_mutex_unlock(&net->vio.lock);
	return now ? POLLIN : 0;
}

static void
controlled(struct io_source *s, short revents)
{
	struct net *net = s->arg;
	eventfd_t n;

	(void)revents;
	(void)eventfd_read(s->fd, &n);
	(void)eventfd_write(net->vio.kick, 1);
}

/* Let vhost-net serve all pairs. Returns false if it cannot. */
static bool
plug_vhost(struct net *net)
{
	unsigned int i;

	for (i = 0; i < net->npairs && vhost_open(&net->pair[i].vhost); i++)
		;
	if (i < net->npairs) {
		while (i-- > 0)
			vhost_close(&net->pair[i].vhost);
		return false;
	}
	for (i = 0; i < net->npairs; i++)
		vhost_plug(&net->pair[i].vhost, &net->vio, net->pair[i].first);
	if (net->npairs > 1)
		io_add(net->vio.io, &(struct io_source){ .fd = net->vio.notify[2],
		    .wants = wants_control, .ready = controlled, .arg = net });
	return true;
}

static void
plug_taps(struct net *net)
{
	unsigned int i;

	for (i = 0; i < net->npairs; i++)
		io_add(net->vio.io, &(struct io_source){ .fd = net->pair[i].tap,
		    .wants = wants, .ready = ready, .arg = &net->pair[i] });
}

/* Make the card, with one of its pairs in use. Ends the program if that fails. */
static struct net *
make_card(const struct net_config *n)
{
	const int header = sizeof(struct virtio_net_hdr_v1), little = 1;
	struct net *net = calloc(1, sizeof(*net) + n->ntaps * sizeof(net->pair[0]));
	struct pair *p;

	if (net == NULL)
		err(EXIT_LINK, "network card");
	for (; net->npairs < n->ntaps; net->npairs++) {
		p = &net->pair[net->npairs];
		*p = (struct pair){ .net = net, .first = 2 * net->npairs,
			.tap = n->tap[net->npairs], .vhost.fd = -1 };
		if (ioctl(p->tap, TUNSETVNETHDRSZ, &header) == -1 ||
		    ioctl(p->tap, TUNSETVNETLE, &little) == -1)
			err(EXIT_LINK, "tap: header");
	}
	net->active = net->npairs;
	if (drop_pairs(net, 1) == -1)
		err(EXIT_LINK, "tap: queue");
	return net;
}

void
net_init(struct vm *vm, const struct config *cfg)
{
	struct virtio_net_config c = { 0 };
	struct net *net;

	if (!cfg->net.present)
		return;
	net = make_card(&cfg->net);
	memcpy(c.mac, cfg->net.mac, sizeof(c.mac));
	net->vio.nqueues = 2;
	net->vio.config_len = CONFIG_LEN;
	net->vio.offered = F(CSUM) | F(GUEST_CSUM) | F(MAC) | F(GUEST_TSO4) |
	    F(GUEST_TSO6) | F(HOST_TSO4) | F(HOST_TSO6) | F(MRG_RXBUF);
	if (net->npairs > 1) {
		net->vio.nqueues = (uint16_t)(2 * net->npairs + 1);
		net->vio.offered |= F(MQ) | F(CTRL_VQ);
		c.max_virtqueue_pairs = (uint16_t)net->npairs;
	}
	if (cfg->net.mtu != 0) {
		net->vio.offered |= F(MTU);
		c.mtu = (uint16_t)cfg->net.mtu;
	}
	memcpy(net->vio.config, &c, CONFIG_LEN);
	net->vio.io = &vm->io;
	vm->net = net;
	if (!cfg->net_rate && plug_vhost(net))
		say("packets by vhost-net");
	else
		plug_taps(net);
	devices_plug(vm, &net->pci, &net->vio, &ops, net);
}

/*
 * I/O thread: limit what the card receives and, separately, what it sends. Returns false
 * if vhost-net moves its packets, which has no limits.
 */
bool
net_limit(struct net *net, const struct rate_word *w)
{
	bool ours = !by_kernel(net);

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
	return !by_kernel(net);
}
