/*
 * Fuzz the network card, as its guest: the input is described in machine.h. What
 * HOST brings is a packet on the tap; what the guest sends is thrown away.
 * Link: volt-kvm
 */
#include "../../cmd/volt-kvm/vio_net.c"
#undef BURST
#include <sys/socket.h>
#include "machine.h"

int __wrap_ioctl(int fd, unsigned long request, ...);
bool __wrap_vhost_open(struct vhost *h, struct vio *v);

static int tap, outside;
static struct net *net;

int
__wrap_ioctl(int fd, unsigned long request, ...)
{
	(void)request;
	if (fd != tap)
		abort();
	return 0;
}

bool
__wrap_vhost_open(struct vhost *h, struct vio *v)
{
	(void)v;
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
	(void)send(outside, buf, n, 0);
}

static void
throw_away(void)
{
	static uint8_t buf[65536];

	while (recv(outside, buf, sizeof(buf), 0) > 0)
		;
	if (net->kept > sizeof(net->packet))
		abort();
}

int
LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	static struct config cfg = { .net = { .present = true, .mtu = 1500 } };
	static uint8_t buf[65536];
	int pair[2];

	if (device == NULL) {
		if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, pair) ==
		    -1)
			abort();
		cfg.net.tap = tap = pair[0];
		outside = pair[1];
		machine_begin();
		net_init(&vm, &cfg);
		net = machine_device(1, sizeof(*net));
		machine_ready(&net->vio);
		machine_host = packet;
		machine_step = throw_away;
	}
	while (recv(tap, buf, sizeof(buf), 0) > 0)
		;
	throw_away();
	machine_run(data, size);
	return 0;
}
