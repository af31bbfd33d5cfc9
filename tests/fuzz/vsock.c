/*
 * Fuzz the vsock device, as its guest: the input is described in machine.h. HOST's
 * first byte says what happens outside, its second to which of the sockets.
 * Link: volt-kvm
 */
#include "../../cmd/volt-kvm/vio_vsock.c"
enum { LINE_MOST = LINE };
#undef BURST
#include <signal.h>
#include "machine.h"

#define SOCKETS 200u	/* of ours */
#define CALLS_MOST 64u

enum { CLIENT, SAY, READER, SHUT_ONE, CLOSE_ONE, ANSWER, REFUSE, WAYS };

int __wrap_accept4(int fd, struct sockaddr *addr, socklen_t *len, int flags);
bool __wrap_vsock_host_ask(const struct host_socket *h,
    const struct vsock_call *call);
int __wrap_vsock_host_answer(const struct host_socket *h, struct vsock_call *call,
    int *fd);

static struct vsock_device *dev;
static int ours[SOCKETS];
static unsigned int nours;
static int waiting[SOCKETS];	/* for accept4(2) */
static unsigned int nwaiting;
static struct vsock_call calls[CALLS_MOST];
static unsigned int ncalls, nanswers;
static bool refused;

static void
set(int fd, bool on)
{
	if (on)
		(void)eventfd_write(fd, 1);
	else
		machine_drain(fd);
}

/* A pair: one is ours, and the other is returned; or -1. */
static int
pair(void)
{
	int p[2];

	if (nours == SOCKETS)
		return -1;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, p) == -1)
		abort();
	ours[nours++] = p[0];
	return p[1];
}

int
__wrap_accept4(int fd, struct sockaddr *addr, socklen_t *len, int flags)
{
	(void)addr;
	(void)len;
	if (fd != dev->host.listener || flags != (SOCK_CLOEXEC | SOCK_NONBLOCK))
		abort();
	if (nwaiting == 0) {
		set(fd, false);
		errno = EAGAIN;
		return -1;
	}
	return waiting[--nwaiting];
}

bool
__wrap_vsock_host_ask(const struct host_socket *h, const struct vsock_call *call)
{
	if (h != &dev->host || call->slot >= VSOCK_CONNS)
		abort();
	if (ncalls == CALLS_MOST)
		return false;
	calls[ncalls++] = *call;
	return true;
}

int
__wrap_vsock_host_answer(const struct host_socket *h, struct vsock_call *call,
    int *fd)
{
	set(h->helper, false);
	if (nanswers == ncalls)
		return 0;
	*call = calls[nanswers++];
	*fd = refused ? -1 : pair();
	return 1;
}

static void
outside(const uint8_t *data, size_t len)
{
	static uint8_t buf[65536];
	int fd = nours > 0 && len > 1 ? ours[data[1] % nours] : -1;
	size_t i, n;

	if (len == 0)
		return;
	switch (data[0] % WAYS) {
	case CLIENT:
		if (nwaiting < SOCKETS && (fd = pair()) != -1) {
			waiting[nwaiting++] = fd;
			(void)send(ours[nours - 1], data + 1, len - 1,
			    MSG_NOSIGNAL);
			set(dev->host.listener, true);
		}
		break;
	case SAY: /* the bytes again and again */
		n = len < 4 ? 0 : data[2] * 256u;
		for (i = 0; i < n; i++)
			buf[i] = data[3 + i % (len - 3)];
		(void)send(fd, buf, n, MSG_NOSIGNAL);
		(void)send(fd, data + 2, len < 2 ? 0 : len - 2, MSG_NOSIGNAL);
		break;
	case READER:
		(void)recv(fd, buf, sizeof(buf), 0);
		break;
	case SHUT_ONE:
		(void)shutdown(fd, len > 2 ? data[2] % 3 : SHUT_WR);
		break;
	case CLOSE_ONE:
		if (fd != -1) {
			close(fd);
			ours[data[1] % nours] = ours[nours - 1];
			nours--;
		}
		break;
	default:
		refused = data[0] % WAYS == REFUSE;
		set(dev->host.helper, true);
	}
}

/* What is always so, once the I/O thread waits. */
static void
look(void)
{
	const struct vsock_conn *c;
	const struct end *e;
	unsigned int i;
	bool needs;

	if (dev->v.nrefusals > VSOCK_REFUSALS)
		abort();
	for (i = 0; i < VSOCK_CONNS; i++) {
		c = &dev->v.conn[i];
		e = &dev->end[i];
		if (c->state > VSOCK_CLOSING || e->line_len >= LINE_MOST ||
		    c->got - c->taken > VSOCK_BUFFER || e->first >= VSOCK_BUFFER)
			abort();
		needs = c->state == VSOCK_HELLO || c->state == VSOCK_ASKED ||
		    c->state == VSOCK_OPEN || c->state == VSOCK_ENDED;
		if (needs && e->fd == -1)
			abort();
		if ((c->state == VSOCK_OPEN || c->state == VSOCK_ENDED) &&
		    e->len != c->got - c->taken)
			abort();
		if (c->state == VSOCK_OPEN && vsock_room(c) > c->peer_buffer)
			abort();
	}
}

static void
close_all(void)
{
	unsigned int i;

	for (i = 0; i < VSOCK_CONNS; i++)
		if (dev->end[i].fd != -1)
			close(dev->end[i].fd);
	while (nours > 0)
		close(ours[--nours]);
	while (nwaiting > 0)
		close(waiting[--nwaiting]);
	ncalls = nanswers = 0;
	set(dev->host.listener, false);
	set(dev->host.helper, false);
}

int
LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	static struct config cfg = { .vsock = "v" };

	if (device == NULL) {
		cfg.vsock_host.listener = eventfd(0, EFD_NONBLOCK);
		cfg.vsock_host.helper = eventfd(0, EFD_NONBLOCK);
		machine_begin();
		vsock_init(&vm, &cfg);
		dev = machine_device(1, sizeof(*dev));
		machine_ready(&dev->vio);
		machine_host = outside;
		machine_step = look;
	}
	machine_run(data, size);
	close_all();
	return 0;
}
