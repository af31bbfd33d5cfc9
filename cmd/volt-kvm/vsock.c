#include <stddef.h>
#include <string.h>

#include "vsock.h"

/* Packets that are due, in this order. */
enum { TELL_REQUEST = 1, TELL_RESPONSE = 2, TELL_CREDIT = 4, ASK_CREDIT = 8,
	TELL_SHUTDOWN = 16, TELL_RST = 32 };

/* Is there room for the answer to any packet? If not, take none from the guest. */
bool
vsock_ready(const struct vsock *s)
{
	return s->nrefusals < VSOCK_REFUSALS;
}

static void
refuse(struct vsock *s, const struct virtio_vsock_hdr *h)
{
	if (h->op == VIRTIO_VSOCK_OP_RST || s->nrefusals == VSOCK_REFUSALS)
		return;
	s->refusal[s->nrefusals++] = (struct vsock_refusal){ h->dst_cid,
		h->src_port, h->dst_port, h->type };
}

/* A connection that the guest knows by these ports, or NULL. */
static struct vsock_conn *
find(struct vsock *s, uint32_t guest_port, uint32_t host_port)
{
	struct vsock_conn *c;

	for (c = s->conn; c < s->conn + VSOCK_CONNS; c++)
		if (c->state != VSOCK_FREE && c->state != VSOCK_HELLO &&
		    c->state != VSOCK_ENDED && c->guest_port == guest_port &&
		    c->host_port == host_port)
			return c;
	return NULL;
}

/*
 * May a new connection take the place of this one? A client's of the host may take
 * that of a client which has not come through, and the guest's may not.
 */
static bool
may_go(const struct vsock_conn *c, bool host)
{
	switch (c->state) {
	case VSOCK_HELLO:
	case VSOCK_ASKED:
		return host;
	case VSOCK_FREE:
	case VSOCK_LEFT:
	case VSOCK_ENDED:
	case VSOCK_CLOSING:
		return true;
	default:
		return false;
	}
}

/* Can there be one more connection? */
bool
vsock_vacant(const struct vsock *s, bool host)
{
	unsigned int i;

	for (i = 0; i < VSOCK_CONNS; i++)
		if (may_go(&s->conn[i], host))
			return true;
	return false;
}

/* Is a better than b as the place of a new connection? The oldest one is. */
static bool
better(const struct vsock *s, const struct vsock_conn *a,
    const struct vsock_conn *b)
{
	if ((a->state == VSOCK_FREE) != (b->state == VSOCK_FREE))
		return a->state == VSOCK_FREE;
	return s->serial - a->serial > s->serial - b->serial;
}

/*
 * A new connection, in the state VSOCK_HELLO. Returns its index, or -1 if there is no
 * place. The place may have had another connection, whose socket the caller closes.
 */
int
vsock_new(struct vsock *s, bool host)
{
	struct vsock_conn *c, *best = NULL;

	for (c = s->conn; c < s->conn + VSOCK_CONNS; c++)
		if (may_go(c, host) && (best == NULL || better(s, c, best)))
			best = c;
	if (best == NULL)
		return -1;
	*best = (struct vsock_conn){ .state = VSOCK_HELLO,
		.serial = ++s->serial };
	return (int)(best - s->conn);
}

/* What each packet of the guest's says of credit. */
static void
take_credit(struct vsock_conn *c, const struct virtio_vsock_hdr *h)
{
	/* Ignore a report that a later one has overtaken, or of what was not sent. */
	if (h->fwd_cnt - c->peer_taken <= c->sent - c->peer_taken)
		c->peer_taken = h->fwd_cnt;
	c->peer_buffer = h->buf_alloc;
	if (vsock_room(c) > 0)
		c->tell &= ~(unsigned int)ASK_CREDIT;
}

/* The guest broke a rule of the connection: reset it. */
static enum vsock_event
abandon(struct vsock_conn *c)
{
	c->state = VSOCK_CLOSING;
	c->tell = TELL_RST;
	return VSOCK_NOTHING;
}

/* If the guest has shut down both directions, and the host has all data: the end. */
static void
maybe_over(struct vsock_conn *c)
{
	if (c->taken != c->got)
		return;
	if (c->state == VSOCK_ENDED)
		c->state = VSOCK_FREE;
	else if (c->guest_shut == VSOCK_BOTH)
		(void)abandon(c);
}

static enum vsock_event
shut_by_guest(struct vsock_conn *c, uint32_t flags)
{
	c->guest_shut |= flags & VSOCK_BOTH;
	maybe_over(c);
	return c->state == VSOCK_OPEN ? VSOCK_SHUT : VSOCK_NOTHING;
}

/* The guest reset the connection. What it sent before it shut down is the host's. */
static void
reset_by_guest(struct vsock_conn *c)
{
	bool rest = c->state == VSOCK_OPEN && c->taken != c->got &&
	    (c->guest_shut & VSOCK_SEND) != 0;

	c->state = rest ? VSOCK_ENDED : VSOCK_FREE;
	c->tell = 0;
}

static enum vsock_event
data_of_guest(struct vsock_conn *c, uint32_t len)
{
	if (len > VSOCK_BUFFER - (c->got - c->taken) ||
	    (c->guest_shut & VSOCK_SEND) != 0)
		return abandon(c);
	c->got += len;
	if ((c->host_shut & VSOCK_RCV) == 0)
		return len > 0 ? VSOCK_DATA : VSOCK_NOTHING;
	vsock_took(c, len); /* nobody wants it */
	return VSOCK_NOTHING;
}

/* A packet of a connection that both ends have. */
static enum vsock_event
packet_of_open(struct vsock_conn *c, const struct virtio_vsock_hdr *h)
{
	switch (h->op) {
	case VIRTIO_VSOCK_OP_SHUTDOWN:
		return shut_by_guest(c, h->flags);
	case VIRTIO_VSOCK_OP_RW:
		return data_of_guest(c, h->len);
	case VIRTIO_VSOCK_OP_CREDIT_UPDATE:
		return VSOCK_NOTHING;
	case VIRTIO_VSOCK_OP_CREDIT_REQUEST:
		c->tell |= TELL_CREDIT;
		return VSOCK_NOTHING;
	default:
		return abandon(c);
	}
}

/* A packet for a connection that does not exist. */
static enum vsock_event
packet_of_none(struct vsock *s, const struct virtio_vsock_hdr *h,
    unsigned int *slot)
{
	struct vsock_conn *c;
	int i;

	if (h->op != VIRTIO_VSOCK_OP_REQUEST ||
	    (i = vsock_new(s, false)) == -1) {
		refuse(s, h);
		return VSOCK_NOTHING;
	}
	*slot = (unsigned int)i;
	c = &s->conn[i];
	c->state = VSOCK_CALLED;
	c->guest_port = h->src_port;
	c->host_port = h->dst_port;
	take_credit(c, h);
	return VSOCK_CALL;
}

/*
 * The guest sent a packet, of which h is a copy, and h->len is the length of its data.
 * Call this only if vsock_ready(). Returns what the caller must do with the connection
 * in *slot.
 */
enum vsock_event
vsock_packet(struct vsock *s, const struct virtio_vsock_hdr *h,
    unsigned int *slot)
{
	struct vsock_conn *c;

	if (h->src_cid != VSOCK_GUEST)
		return VSOCK_NOTHING; /* nobody's: not even to answer */
	if (h->dst_cid != VSOCK_HOST || h->type != VIRTIO_VSOCK_TYPE_STREAM) {
		refuse(s, h);
		return VSOCK_NOTHING;
	}
	if ((c = find(s, h->src_port, h->dst_port)) == NULL)
		return packet_of_none(s, h, slot);
	*slot = (unsigned int)(c - s->conn);
	if (h->op == VIRTIO_VSOCK_OP_RST) {
		reset_by_guest(c);
		return VSOCK_NOTHING;
	}
	take_credit(c, h);
	switch (c->state) {
	case VSOCK_OPEN:
	case VSOCK_LEFT:
		return packet_of_open(c, h);
	case VSOCK_ASKED:
		if (h->op != VIRTIO_VSOCK_OP_RESPONSE ||
		    (c->tell & TELL_REQUEST) != 0)
			return abandon(c);
		c->state = VSOCK_OPEN;
		return VSOCK_ANSWERED;
	case VSOCK_CLOSING:
		return VSOCK_NOTHING;
	default:
		return abandon(c);
	}
}

/*
 * The guest reset the device. Clients that it was not told of stay, and so do those
 * that take what it has sent.
 */
void
vsock_reset(struct vsock *s)
{
	struct vsock_conn *c;

	s->nrefusals = 0;
	for (c = s->conn; c < s->conn + VSOCK_CONNS; c++)
		if (c->state != VSOCK_HELLO && c->state != VSOCK_ENDED &&
		    !(c->state == VSOCK_ASKED &&
			(c->tell & TELL_REQUEST) != 0))
			c->state = VSOCK_FREE;
}

/* Is there a packet for the guest, other than data? */
bool
vsock_due(const struct vsock *s)
{
	unsigned int i;

	for (i = 0; i < VSOCK_CONNS; i++)
		if (s->conn[i].state != VSOCK_FREE && s->conn[i].tell != 0)
			return true;
	return s->nrefusals > 0;
}

/* The header of a packet of c's. Each has the state of the credit. */
static void
fill(struct vsock_conn *c, uint16_t op, struct virtio_vsock_hdr *h)
{
	*h = (struct virtio_vsock_hdr){
		.src_cid = VSOCK_HOST, .dst_cid = VSOCK_GUEST,
		.src_port = c->host_port, .dst_port = c->guest_port,
		.type = VIRTIO_VSOCK_TYPE_STREAM, .op = op,
		.buf_alloc = VSOCK_BUFFER, .fwd_cnt = c->taken,
	};
	c->told = c->taken;
	c->tell &= ~(unsigned int)TELL_CREDIT;
}

/* The first packet that is due of c. */
static void
speak(struct vsock_conn *c, struct virtio_vsock_hdr *h)
{
	static const struct {
		unsigned int tell;
		uint16_t op;
	} order[] = {
		{ TELL_REQUEST, VIRTIO_VSOCK_OP_REQUEST },
		{ TELL_RESPONSE, VIRTIO_VSOCK_OP_RESPONSE },
		{ TELL_CREDIT, VIRTIO_VSOCK_OP_CREDIT_UPDATE },
		{ ASK_CREDIT, VIRTIO_VSOCK_OP_CREDIT_REQUEST },
		{ TELL_SHUTDOWN, VIRTIO_VSOCK_OP_SHUTDOWN },
		{ TELL_RST, VIRTIO_VSOCK_OP_RST },
	};
	size_t i = 0;

	while ((c->tell & order[i].tell) == 0)
		i++;
	c->tell &= ~order[i].tell;
	fill(c, order[i].op, h);
	if (order[i].tell == TELL_SHUTDOWN)
		h->flags = c->host_shut;
	if (c->state == VSOCK_CLOSING)
		c->state = VSOCK_FREE;
}

/*
 * Fill h with the next packet for the guest, other than data; the connections take
 * turns. Returns false if none is due.
 */
bool
vsock_next(struct vsock *s, struct virtio_vsock_hdr *h)
{
	struct vsock_refusal *r;
	unsigned int n;

	if (s->nrefusals > 0) {
		r = &s->refusal[--s->nrefusals];
		*h = (struct virtio_vsock_hdr){
			.src_cid = r->host_cid, .dst_cid = VSOCK_GUEST,
			.src_port = r->host_port, .dst_port = r->guest_port,
			.type = r->type, .op = VIRTIO_VSOCK_OP_RST,
		};
		return true;
	}
	for (n = 0; n < VSOCK_CONNS; n++) {
		struct vsock_conn *c = &s->conn[s->turn];

		s->turn = (s->turn + 1) % VSOCK_CONNS;
		if (c->state != VSOCK_FREE && c->tell != 0) {
			speak(c, h);
			return true;
		}
	}
	return false;
}

/* How many bytes of data may be sent to the guest now. */
uint32_t
vsock_room(const struct vsock_conn *c)
{
	uint32_t flying = c->sent - c->peer_taken;

	if (c->state != VSOCK_OPEN || (c->guest_shut & VSOCK_RCV) != 0 ||
	    (c->host_shut & VSOCK_SEND) != 0)
		return 0;
	return c->peer_buffer > flying ? c->peer_buffer - flying : 0;
}

/* Fill h for len bytes of data to the guest, vsock_room() at the most. */
void
vsock_send(struct vsock_conn *c, uint32_t len, struct virtio_vsock_hdr *h)
{
	fill(c, VIRTIO_VSOCK_OP_RW, h);
	h->len = len;
	c->sent += len;
	if (vsock_room(c) == 0)
		c->tell |= ASK_CREDIT;
}

/* A port of our own that no connection to that port of the guest's has. */
static uint32_t
own_port(struct vsock *s, uint32_t guest_port)
{
	do
		s->port = s->port == VSOCK_PORT - 1 ? 0 : s->port + 1;
	while (find(s, guest_port, VSOCK_PORT + s->port) != NULL);
	return VSOCK_PORT + s->port;
}

/* The client of a connection in VSOCK_HELLO wants this port of the guest's. */
void
vsock_ask(struct vsock *s, struct vsock_conn *c, uint32_t port)
{
	c->host_port = own_port(s, port);
	c->guest_port = port;
	c->state = VSOCK_ASKED;
	c->tell = TELL_REQUEST;
}

/* The answer to a VSOCK_CALL: the host's end is connected, or it cannot be. */
void
vsock_called(struct vsock_conn *c, bool connected)
{
	if (!connected) {
		(void)abandon(c);
		return;
	}
	c->state = VSOCK_OPEN;
	c->tell |= TELL_RESPONSE;
}

/* The host took len bytes of the data that it was to keep. */
void
vsock_took(struct vsock_conn *c, uint32_t len)
{
	c->taken += len;
	if (c->state == VSOCK_OPEN || c->state == VSOCK_LEFT) {
		/* Often enough that the guest need not wait for it. */
		if (c->taken - c->told >= VSOCK_BUFFER / 2)
			c->tell |= TELL_CREDIT;
	}
	maybe_over(c);
}

/*
 * The host's end sends no more, takes no more, or both. What it has not taken is
 * thrown away.
 */
void
vsock_host_shut(struct vsock_conn *c, unsigned int directions)
{
	if (c->state == VSOCK_ENDED && (directions & VSOCK_RCV) != 0)
		c->state = VSOCK_FREE;
	if (c->state != VSOCK_OPEN ||
	    (c->host_shut | directions) == c->host_shut)
		return;
	c->host_shut |= directions;
	c->tell |= TELL_SHUTDOWN;
	if (c->host_shut == VSOCK_BOTH)
		c->state = VSOCK_LEFT;
	if ((c->host_shut & VSOCK_RCV) != 0)
		vsock_took(c, c->got - c->taken);
}

/* The host's end is gone, in whatever state. */
void
vsock_host_gone(struct vsock_conn *c)
{
	if (c->state == VSOCK_ASKED && (c->tell & TELL_REQUEST) == 0)
		(void)abandon(c);
	else if (c->state == VSOCK_OPEN)
		vsock_host_shut(c, VSOCK_BOTH);
	else if (c->state == VSOCK_HELLO || c->state == VSOCK_ASKED ||
	    c->state == VSOCK_ENDED)
		c->state = VSOCK_FREE;
}
