/*
 * Sockets between the host and the guest (virtio 1.2, 5.10), by the protocol of
 * Firecracker and cloud-hypervisor.
 *
 * A client of the host connects to the socket at PATH, and writes "CONNECT PORT\n".
 * When the guest has accepted it reads "OK PORT\n", and then both are connected. A
 * program of the guest that connects to a port of the host (CID 2) is connected to the
 * socket at PATH_PORT, by the helper (vsock_host.c).
 *
 * vsock.c keeps the connections. Here are the sockets. The I/O thread alone uses them,
 * all are non-blocking, and a socket is closed when its connection needs none: see
 * sweep(). What the host sends stays in its socket until the guest has credit and a
 * buffer for it. What the guest sends is kept, up to its credit, until the host takes
 * it.
 */
#include <sys/mman.h>
#include <sys/socket.h>

#include <err.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "chain.h"
#include "config.h"
#include "devices.h"
#include "value.h"
#include "vsock.h"
#include "vsock_host.h"

enum { RX, TX, EVENTS_QUEUE, QUEUES };

#define HEADER sizeof(struct virtio_vsock_hdr)
#define BURST 64	/* packets in a row */
#define READS 8	/* of one socket in a row */
#define PIECE ((size_t)64 << 10)	/* bytes of data in a packet, at most */
#define HELLO "CONNECT "
#define LINE sizeof(HELLO "4294967295")

struct vsock_device;

/* The host's end of a connection. */
struct end {
	struct vsock_device *device;
	unsigned int slot;
	int fd;	/* or -1 */
	char line[LINE];	/* what a client has written so far */
	size_t line_len;
	uint8_t *kept;	/* a ring of VSOCK_BUFFER bytes for the guest's data */
	uint32_t first, len;	/* in the ring */
	bool used;	/* the ring has memory of its own */
};

struct vsock_device {
	struct vio vio;
	struct vio_pci pci;
	struct vsock v;
	struct host_socket host;
	struct end end[VSOCK_CONNS];
	bool was_live;
	bool no_more;	/* descriptors: accept none before one is closed */
	uint8_t piece[PIECE];
};

static void
close_end(struct end *e)
{
	if (e->fd != -1)
		close(e->fd);
	/* What a slow reader cost is given back. */
	if (e->used)
		(void)madvise(e->kept, VSOCK_BUFFER, MADV_DONTNEED);
	e->device->no_more = false;
	e->fd = -1;
	e->len = e->first = 0;
	e->line_len = 0;
	e->used = false;
}

/* Close the sockets that no connection needs. A device that broke loses them all. */
static void
sweep(struct vsock_device *d)
{
	enum vsock_state state;
	unsigned int i;

	if (d->was_live && !vio_live(&d->vio))
		vsock_reset(&d->v);
	d->was_live = vio_live(&d->vio);
	for (i = 0; i < VSOCK_CONNS; i++) {
		state = d->v.conn[i].state;
		if (d->end[i].fd != -1 && (state == VSOCK_FREE ||
		    state == VSOCK_LEFT || state == VSOCK_CLOSING ||
		    state == VSOCK_CALLED))
			close_end(&d->end[i]);
	}
}

/* --- to the guest ----------------------------------------------------------- */

/*
 * Take a request of the receive queue, with room for a header. Returns 1; 0 if there
 * is none; -1 if the driver broke a rule.
 */
static int
pop_room(struct vio *v)
{
	int rc = virtq_pop(&v->q[RX], v->ram, &v->chain);

	if (rc == 1 && virtq_bytes(v->chain.iov + v->chain.nout,
	    v->chain.nin) < HEADER)
		return -1;
	return rc;
}

static void
push_packet(struct vio *v, const struct virtio_vsock_hdr *h, const uint8_t *data)
{
	const struct iovec *in = v->chain.iov + v->chain.nout;

	(void)virtq_scatter(in, v->chain.nin, 0, h, HEADER);
	(void)virtq_scatter(in, v->chain.nin, HEADER, data, h->len);
	virtq_push(&v->q[RX], &v->chain, (uint32_t)HEADER + h->len);
}

/* Send the packets that are due, other than data. Returns 0, or -1 as pop_room(). */
static int
announce(struct vsock_device *d)
{
	struct vio *v = &d->vio;
	struct virtio_vsock_hdr h;
	unsigned int n = 0;
	int rc = 0;

	while (vsock_due(&d->v) && (rc = pop_room(v)) == 1) {
		if (vsock_next(&d->v, &h))
			push_packet(v, &h, NULL);
		n++;
	}
	if (n > 0)
		vio_done(v, &v->q[RX]);
	return rc == -1 ? -1 : 0;
}

/* At the end of input: is the other end closed, or only shut down? */
static bool
hung_up(int fd)
{
	struct pollfd p = { .fd = fd };

	return poll(&p, 1, 0) == 1 && (p.revents & POLLHUP) != 0;
}

/*
 * Read a packet of data from the socket of e. Returns 1; 0 if there is none, or no
 * buffer for it; -1 if the driver broke a rule.
 */
static int
forward(struct end *e)
{
	struct vsock_device *d = e->device;
	struct vsock_conn *c = &d->v.conn[e->slot];
	struct vio *v = &d->vio;
	struct virtio_vsock_hdr h;
	uint64_t most;
	ssize_t n;
	int rc;

	if (vsock_room(c) == 0 || (rc = pop_room(v)) == 0)
		return 0;
	if (rc == -1)
		return -1;
	most = virtq_bytes(v->chain.iov + v->chain.nout, v->chain.nin) - HEADER;
	if (most == 0)
		return -1; /* a driver must have room for data, too */
	if (most > vsock_room(c))
		most = vsock_room(c);
	if (most > PIECE)
		most = PIECE;
	n = recv(e->fd, d->piece, (size_t)most, MSG_DONTWAIT);
	if (n <= 0) {
		virtq_unpop(&v->q[RX]);
		if (n == -1 && (errno == EAGAIN || errno == EINTR))
			return 0;
		vsock_host_shut(c, n == -1 || hung_up(e->fd) ? VSOCK_BOTH :
		    VSOCK_SEND);
		return 0;
	}
	vsock_send(c, (uint32_t)n, &h);
	push_packet(v, &h, d->piece);
	return 1;
}

/* --- to the host ------------------------------------------------------------ */

/* Keep the data of the packet in the chain. The ring has room: vsock.c has checked. */
static void
keep(struct end *e, uint32_t len)
{
	const struct vio *v = &e->device->vio;
	uint32_t done, part, at;

	for (done = 0; done < len; done += part) {
		at = (e->first + e->len) % VSOCK_BUFFER;
		part = VSOCK_BUFFER - at;
		if (part > len - done)
			part = len - done;
		part = (uint32_t)virtq_gather(v->chain.iov, v->chain.nout,
		    HEADER + done, e->kept + at, part);
		e->len += part;
	}
	e->used = true;
}

/* Write what is kept, as far as the socket takes it; then tell it of the end. */
static void
drain(struct end *e)
{
	struct vsock_conn *c = &e->device->v.conn[e->slot];
	uint32_t part;
	ssize_t n;

	while (e->len > 0) {
		part = VSOCK_BUFFER - e->first;
		if (part > e->len)
			part = e->len;
		n = send(e->fd, e->kept + e->first, part,
		    MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n == -1 && (errno == EAGAIN || errno == EINTR))
			return;
		if (n == -1) {
			e->len = 0;
			vsock_host_shut(c, VSOCK_RCV);
			return;
		}
		e->first = (e->first + (uint32_t)n) % VSOCK_BUFFER;
		e->len -= (uint32_t)n;
		vsock_took(c, (uint32_t)n);
	}
	e->first = 0;
	if (c->state == VSOCK_OPEN && (c->guest_shut & VSOCK_SEND) != 0)
		(void)shutdown(e->fd, SHUT_WR);
}

/* The guest wants to connect to a port of the host. */
static void
call(struct end *e)
{
	struct vsock_conn *c = &e->device->v.conn[e->slot];
	const struct vsock_call call = { e->slot, c->serial, c->host_port };

	close_end(e); /* of the connection that was here before */
	if (!vsock_host_ask(&e->device->host, &call))
		vsock_called(c, false);
}

/* The guest has answered a client. */
static void
answer(struct end *e)
{
	struct vsock_conn *c = &e->device->v.conn[e->slot];
	char line[32];
	int n = snprintf(line, sizeof(line), "OK %u\n", c->host_port);

	/* The socket is empty: what does not fit now never will. */
	if (send(e->fd, line, (size_t)n, MSG_DONTWAIT | MSG_NOSIGNAL) != n)
		vsock_host_gone(c);
}

/* The guest shut down its end: the socket is told, behind the data. */
static void
shut(struct end *e)
{
	struct vsock_conn *c = &e->device->v.conn[e->slot];

	if ((c->guest_shut & VSOCK_RCV) != 0)
		(void)shutdown(e->fd, SHUT_RD);
	drain(e);
}

/* The packet in the chain. Returns 0, or -1 if the driver broke a rule. */
static int
packet(struct vsock_device *d)
{
	const struct vchain *chain = &d->vio.chain;
	struct virtio_vsock_hdr h;
	unsigned int slot = 0;

	if (virtq_gather(chain->iov, chain->nout, 0, &h, HEADER) != HEADER)
		return -1;
	if (h.op != VIRTIO_VSOCK_OP_RW)
		h.len = 0; /* only these have data */
	if (h.len > virtq_bytes(chain->iov, chain->nout) - HEADER)
		return -1;
	switch (vsock_packet(&d->v, &h, &slot)) {
	case VSOCK_CALL:
		call(&d->end[slot]);
		break;
	case VSOCK_ANSWERED:
		answer(&d->end[slot]);
		break;
	case VSOCK_DATA:
		keep(&d->end[slot], h.len);
		drain(&d->end[slot]);
		break;
	case VSOCK_SHUT:
		shut(&d->end[slot]);
		break;
	default:
		break;
	}
	return 0;
}

static int
transmit(struct vsock_device *d)
{
	struct vio *v = &d->vio;
	struct virtq *q = &v->q[TX];
	unsigned int n;
	int rc = 0;

	for (n = 0; n < BURST && vsock_ready(&d->v); n++) {
		if ((rc = virtq_pop(q, v->ram, &v->chain)) != 1)
			break;
		if (packet(d) == -1)
			return -1;
		virtq_push(q, &v->chain, 0);
	}
	if (n > 0)
		vio_done(v, q);
	return rc == -1 ? -1 : 0;
}

static void
kick(struct vio *v)
{
	struct vsock_device *d = v->dev;

	/* First the answers of the last time: these may make room for more. */
	if (announce(d) == -1 || transmit(d) == -1 || announce(d) == -1) {
		vio_break(v);
		return;
	}
	if (vsock_ready(&d->v) && virtq_waiting(&v->q[TX]))
		(void)eventfd_write(v->kick, 1);
}

static void
reset(struct vio *v)
{
	struct vsock_device *d = v->dev;

	vsock_reset(&d->v);
	io_wake(v->io); /* it closes the sockets */
}

/* --- the sockets ------------------------------------------------------------ */

/* After anything that a socket brought: tell the guest. */
static void
settle(struct vsock_device *d)
{
	if (vio_live(&d->vio) && announce(d) == -1)
		vio_break(&d->vio);
}

/* The port of a client's whole line. Returns whether the line is right. */
static bool
read_port(const char *line, uint32_t *port)
{
	uint64_t n;

	if (strncmp(line, HELLO, strlen(HELLO)) != 0 ||
	    value_uint(line + strlen(HELLO), UINT32_MAX, &n) == -1)
		return false;
	*port = (uint32_t)n;
	return true;
}

/* Read the client's line, and no byte of what follows it. */
static void
hello(struct end *e)
{
	struct vsock_device *d = e->device;
	struct vsock_conn *c = &d->v.conn[e->slot];
	uint32_t port;
	ssize_t n;
	char byte;

	while ((n = recv(e->fd, &byte, 1, MSG_DONTWAIT)) == 1) {
		if (byte != '\n' && byte != '\0' && e->line_len < LINE - 1) {
			e->line[e->line_len++] = byte;
			continue;
		}
		e->line[e->line_len] = '\0';
		if (byte == '\n' && read_port(e->line, &port))
			vsock_ask(&d->v, c, port);
		else
			vsock_host_gone(c);
		return;
	}
	if (n == 0 || (errno != EAGAIN && errno != EINTR))
		vsock_host_gone(c);
}

static short
wants_end(struct io_source *s)
{
	struct end *e = s->arg;
	struct vsock_device *d = e->device;
	const struct vsock_conn *c = &d->v.conn[e->slot];
	short events = 0;

	s->fd = e->fd;
	if (e->fd == -1)
		return 0;
	pthread_mutex_lock(&d->vio.lock);
	if (c->state == VSOCK_HELLO)
		events = POLLIN;
	else if (vio_live(&d->vio) && vsock_room(c) > 0 &&
	    virtq_waiting(&d->vio.q[RX]))
		events = POLLIN;
	if (e->len > 0)
		events |= POLLOUT;
	pthread_mutex_unlock(&d->vio.lock);
	return events;
}

static void
end_ready(struct io_source *s, short revents)
{
	struct end *e = s->arg;
	struct vsock_device *d = e->device;
	struct vio *v = &d->vio;
	unsigned int n = 0;
	int rc = 0;

	(void)revents;
	pthread_mutex_lock(&v->lock);
	if (e->fd != -1 && d->v.conn[e->slot].state == VSOCK_HELLO)
		hello(e);
	else if (e->fd != -1 && e->len > 0)
		drain(e);
	while (e->fd != -1 && vio_live(v) && n < READS &&
	    (rc = forward(e)) == 1)
		n++;
	if (n > 0)
		vio_done(v, &v->q[RX]);
	if (rc == -1)
		vio_break(v);
	settle(d);
	sweep(d);
	pthread_mutex_unlock(&v->lock);
}

static short
wants_client(struct io_source *s)
{
	struct vsock_device *d = s->arg;
	bool now;

	pthread_mutex_lock(&d->vio.lock);
	sweep(d);
	now = !d->no_more && vsock_vacant(&d->v, true);
	pthread_mutex_unlock(&d->vio.lock);
	return now ? POLLIN : 0;
}

static void
client_ready(struct io_source *s, short revents)
{
	struct vsock_device *d = s->arg;
	int fd, slot;

	(void)revents;
	/* cppcheck-suppress nullPointer ; the address is not wanted */
	fd = accept4(s->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (fd == -1) {
		d->no_more = errno == EMFILE || errno == ENFILE;
		return;
	}
	pthread_mutex_lock(&d->vio.lock);
	if ((slot = vsock_new(&d->v, true)) != -1) {
		close_end(&d->end[slot]);
		d->end[slot].fd = fd;
	}
	pthread_mutex_unlock(&d->vio.lock);
	if (slot == -1)
		close(fd);
}

/* The helper has connected, or could not. */
static void
helper_ready(struct io_source *s, short revents)
{
	struct vsock_device *d = s->arg;
	struct vsock_call call = { 0 };
	struct vsock_conn *c;
	int fd, rc;

	(void)revents;
	if ((rc = vsock_host_answer(&d->host, &call, &fd)) != 1) {
		if (rc == -1)
			s->fd = -1; /* the helper was killed */
		return;
	}
	pthread_mutex_lock(&d->vio.lock);
	c = &d->v.conn[call.slot % VSOCK_CONNS];
	if (c->state == VSOCK_CALLED && c->serial == call.serial) {
		d->end[call.slot % VSOCK_CONNS].fd = fd;
		vsock_called(c, fd != -1);
		fd = -1;
		settle(d);
	}
	pthread_mutex_unlock(&d->vio.lock);
	if (fd != -1)
		close(fd);
}

static const struct vio_ops ops = {
	.name = "vsock",
	.id = VIRTIO_ID_VSOCK,
	.class = 0x028000, /* network, other */
	.kick = kick,
	.reset = reset,
};

static void
add_ends(struct vsock_device *d, struct io *io)
{
	struct end *e;
	uint8_t *rings;
	unsigned int i;

	rings = mmap(NULL, (size_t)VSOCK_CONNS * VSOCK_BUFFER,
	    PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
	    -1, 0);
	if (rings == MAP_FAILED)
		err(EXIT_LINK, "vsock");
	for (i = 0; i < VSOCK_CONNS; i++) {
		e = &d->end[i];
		*e = (struct end){ .device = d, .slot = i, .fd = -1,
			.kept = rings + (size_t)i * VSOCK_BUFFER };
		io_add(io, &(struct io_source){ .fd = -1, .wants = wants_end,
		    .ready = end_ready, .arg = e });
	}
}

void
vsock_init(struct vm *vm, const struct config *cfg)
{
	struct virtio_vsock_config *space;
	struct vsock_device *d;

	if (cfg->vsock == NULL)
		return;
	if ((d = calloc(1, sizeof(*d))) == NULL)
		err(EXIT_LINK, "vsock");
	d->host = cfg->vsock_host;
	d->vio.nqueues = QUEUES;
	d->vio.config_len = sizeof(*space);
	space = (void *)d->vio.config;
	space->guest_cid = VSOCK_GUEST;
	devices_plug(vm, &d->pci, &d->vio, &ops, d);
	io_add(&vm->io, &(struct io_source){ .fd = d->host.listener,
	    .wants = wants_client, .ready = client_ready, .arg = d });
	io_add(&vm->io, &(struct io_source){ .fd = d->host.helper,
	    .ready = helper_ready, .arg = d });
	add_ends(d, &vm->io);
}
