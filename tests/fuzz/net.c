/*
 * Fuzz the network card, as its guest: the input is described in machine.h. It has two
 * pairs of queues. What HOST brings is a packet on the tap, in one of its queues that
 * are attached; what the guest sends is thrown away.
 * Link: volt-kvm
 */
#include "../../cmd/volt-kvm/vio_net.c"
#undef BURST
#include <sys/socket.h>
#include "machine.h"

int __wrap_ioctl(int fd, unsigned long request, ...);
bool __wrap_vhost_open(struct vhost *h);

#define PAIRS 2u

static struct {
	int fd, outside;
	bool attached;
} tap[PAIRS];
static struct net *net;

/* A queue is not attached twice, nor detached. */
int
__wrap_ioctl(int fd, unsigned long request, ...)
{
	const struct ifreq *ifr;
	va_list ap;
	unsigned int i;

	for (i = 0; i < PAIRS && fd != tap[i].fd; i++)
		;
	if (i == PAIRS)
		abort();
	if (request != TUNSETQUEUE)
		return 0;
	va_start(ap, request);
	ifr = va_arg(ap, const struct ifreq *);
	va_end(ap);
	if (ifr->ifr_flags != (tap[i].attached ? IFF_DETACH_QUEUE : IFF_ATTACH_QUEUE))
		abort();
	tap[i].attached = !tap[i].attached;
	return 0;
}

bool
__wrap_vhost_open(struct vhost *h)
{
	h->fd = -1;
	return false;
}

/* A packet that repeats the bytes: as large as they may be. */
static void
packet(const uint8_t *data, size_t len)
{
	static uint8_t buf[65536];
	size_t n = len < 2 ? len : data[0] * 256u + data[1], i;

	for (i = 0; i < n; i++)
		buf[i] = data[i % len];
	(void)send(tap[n % net->active].outside, buf, n, 0);
}

static void
throw_away(void)
{
	static uint8_t buf[65536];
	unsigned int i;

	for (i = 0; i < PAIRS; i++) {
		while (recv(tap[i].outside, buf, sizeof(buf), 0) > 0)
			;
		if (net->pair[i].kept > sizeof(net->pair[i].packet) ||
		    tap[i].attached != (i < net->active))
			abort();
	}
}

static void
open_taps(struct net_config *n)
{
	int pair[2];

	for (; n->ntaps < PAIRS; n->ntaps++) {
		if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, pair) == -1)
			abort();
		n->tap[n->ntaps] = tap[n->ntaps].fd = pair[0];
		tap[n->ntaps].outside = pair[1];
		tap[n->ntaps].attached = true;
	}
}

int
LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	static struct config cfg = { .net = { .present = true, .mtu = 1500 } };
	static uint8_t buf[65536];
	unsigned int i;

	if (device == NULL) {
		open_taps(&cfg.net);
		machine_begin();
		net_init(&vm, &cfg);
		net = machine_device(1, sizeof(*net) + PAIRS * sizeof(net->pair[0]));
		machine_ready(&net->vio);
		machine_host = packet;
		machine_step = throw_away;
	}
	throw_away();
	for (i = 0; i < PAIRS; i++) {
		while (recv(tap[i].fd, buf, sizeof(buf), 0) > 0)
			;
		tap[i].attached = i == 0; /* as the input begins */
	}
	machine_run(data, size);
	return 0;
}
