/* vsock.c of volt-kvm: connections with a guest that may lie. */
#include <string.h>

#include "../../cmd/volt-kvm/vsock.h"
#include "unit.h"

#define PORT 1234u

static struct vsock s;
static struct virtio_vsock_hdr out;
static unsigned int slot;

/* The guest sends a packet. */
static enum vsock_event
packet(uint16_t op, uint32_t guest_port, uint32_t host_port, uint32_t len,
    uint32_t flags)
{
	struct virtio_vsock_hdr h = {
		.src_cid = VSOCK_GUEST, .dst_cid = VSOCK_HOST,
		.src_port = guest_port, .dst_port = host_port, .len = len,
		.type = VIRTIO_VSOCK_TYPE_STREAM, .op = op, .flags = flags,
		.buf_alloc = 1000,
	};

	if (slot < VSOCK_CONNS)
		h.fwd_cnt = s.conn[slot].peer_taken;
	return vsock_packet(&s, &h, &slot);
}

/* The next packet to the guest has this op; 0: there is none. */
static void
expect(uint16_t op)
{
	CHECK(vsock_due(&s) == (op != 0));
	CHECK(vsock_next(&s, &out) == (op != 0));
	if (op != 0)
		CHECK_INT(out.op, op);
}

/* A connection of the guest's. */
static struct vsock_conn *
guest_connects(uint32_t guest_port)
{
	CHECK_INT(packet(VIRTIO_VSOCK_OP_REQUEST, guest_port, PORT, 0, 0),
	    VSOCK_CALL);
	CHECK_INT(s.conn[slot].state, VSOCK_CALLED);
	expect(0);
	vsock_called(&s.conn[slot], true);
	expect(VIRTIO_VSOCK_OP_RESPONSE);
	CHECK(out.src_port == PORT && out.dst_port == guest_port);
	CHECK(out.src_cid == VSOCK_HOST && out.dst_cid == VSOCK_GUEST);
	CHECK_INT(out.buf_alloc, VSOCK_BUFFER);
	return &s.conn[slot];
}

static void
test_host_connects(void)
{
	int i = vsock_new(&s, true);
	struct vsock_conn *c = &s.conn[i];

	CHECK_INT(i, 0);
	expect(0);
	vsock_ask(&s, c, 52);
	expect(VIRTIO_VSOCK_OP_REQUEST);
	CHECK(out.dst_port == 52 && out.src_port == c->host_port);
	CHECK(c->host_port >= VSOCK_PORT);
	CHECK_INT(vsock_room(c), 0);
	CHECK_INT(packet(VIRTIO_VSOCK_OP_RESPONSE, 52, c->host_port, 0, 0),
	    VSOCK_ANSWERED);
	CHECK_INT(vsock_room(c), 1000);
	expect(0);
	/* A second answer breaks a rule. */
	CHECK_INT(packet(VIRTIO_VSOCK_OP_RESPONSE, 52, c->host_port, 0, 0),
	    VSOCK_NOTHING);
	CHECK_INT(c->state, VSOCK_CLOSING);
	expect(VIRTIO_VSOCK_OP_RST);
	CHECK_INT(c->state, VSOCK_FREE);
}

static void
test_an_answer_before_the_request(void)
{
	struct vsock_conn *c = &s.conn[vsock_new(&s, true)];

	vsock_ask(&s, c, 52);
	CHECK_INT(packet(VIRTIO_VSOCK_OP_RESPONSE, 52, c->host_port, 0, 0),
	    VSOCK_NOTHING);
	expect(VIRTIO_VSOCK_OP_RST);
}

static void
test_credit_of_the_guest(void)
{
	struct vsock_conn *c = guest_connects(7);
	struct virtio_vsock_hdr h = { .src_cid = VSOCK_GUEST,
		.dst_cid = VSOCK_HOST, .src_port = 7, .dst_port = PORT,
		.type = VIRTIO_VSOCK_TYPE_STREAM,
		.op = VIRTIO_VSOCK_OP_CREDIT_UPDATE, .buf_alloc = 1000 };

	vsock_send(c, 600, &out);
	CHECK(out.op == VIRTIO_VSOCK_OP_RW && out.len == 600);
	CHECK_INT(vsock_room(c), 400);
	vsock_send(c, 400, &out);
	CHECK_INT(vsock_room(c), 0);
	expect(VIRTIO_VSOCK_OP_CREDIT_REQUEST);
	h.fwd_cnt = 1001; /* more than was sent */
	CHECK_INT(vsock_packet(&s, &h, &slot), VSOCK_NOTHING);
	CHECK_INT(vsock_room(c), 0);
	h.fwd_cnt = 700;
	CHECK_INT(vsock_packet(&s, &h, &slot), VSOCK_NOTHING);
	CHECK_INT(vsock_room(c), 700);
	h.fwd_cnt = 300; /* overtaken */
	CHECK_INT(vsock_packet(&s, &h, &slot), VSOCK_NOTHING);
	CHECK_INT(vsock_room(c), 700);
	h.buf_alloc = 100; /* smaller than what is on its way */
	CHECK_INT(vsock_packet(&s, &h, &slot), VSOCK_NOTHING);
	CHECK_INT(vsock_room(c), 0);
	h.buf_alloc = UINT32_MAX;
	CHECK_INT(vsock_packet(&s, &h, &slot), VSOCK_NOTHING);
	CHECK_INT(vsock_room(c), UINT32_MAX - 300);
}

static void
test_credit_wraps(void)
{
	struct vsock_conn *c = guest_connects(7);

	c->sent = c->peer_taken = UINT32_MAX - 10;
	c->got = c->taken = c->told = UINT32_MAX - 10;
	vsock_send(c, 100, &out);
	CHECK_INT(vsock_room(c), 900);
	CHECK_INT(packet(VIRTIO_VSOCK_OP_RW, 7, PORT, VSOCK_BUFFER, 0),
	    VSOCK_DATA);
	vsock_took(c, VSOCK_BUFFER);
	expect(VIRTIO_VSOCK_OP_CREDIT_UPDATE);
	CHECK_INT(out.fwd_cnt, VSOCK_BUFFER - 11);
}

static void
test_credit_of_ours(void)
{
	struct vsock_conn *c = guest_connects(7);

	CHECK_INT(packet(VIRTIO_VSOCK_OP_RW, 7, PORT, VSOCK_BUFFER, 0),
	    VSOCK_DATA);
	expect(0);
	vsock_took(c, VSOCK_BUFFER / 2 - 1);
	expect(0);
	vsock_took(c, 1);
	expect(VIRTIO_VSOCK_OP_CREDIT_UPDATE);
	CHECK_INT(out.fwd_cnt, VSOCK_BUFFER / 2);
	CHECK_INT(packet(VIRTIO_VSOCK_OP_CREDIT_REQUEST, 7, PORT, 0, 0),
	    VSOCK_NOTHING);
	expect(VIRTIO_VSOCK_OP_CREDIT_UPDATE);
	/* All of it, and one byte more. */
	CHECK_INT(packet(VIRTIO_VSOCK_OP_RW, 7, PORT, VSOCK_BUFFER / 2, 0),
	    VSOCK_DATA);
	CHECK_INT(packet(VIRTIO_VSOCK_OP_RW, 7, PORT, 0, 0), VSOCK_NOTHING);
	CHECK_INT(packet(VIRTIO_VSOCK_OP_RW, 7, PORT, 1, 0), VSOCK_NOTHING);
	CHECK_INT(c->state, VSOCK_CLOSING);
	expect(VIRTIO_VSOCK_OP_RST);
	/* It does not exist any more. */
	CHECK_INT(packet(VIRTIO_VSOCK_OP_RW, 7, PORT, 1, 0), VSOCK_NOTHING);
	expect(VIRTIO_VSOCK_OP_RST);
}

static void
test_the_guest_shuts_down(void)
{
	struct vsock_conn *c = guest_connects(7);

	CHECK_INT(packet(VIRTIO_VSOCK_OP_RW, 7, PORT, 10, 0), VSOCK_DATA);
	CHECK_INT(packet(VIRTIO_VSOCK_OP_SHUTDOWN, 7, PORT, 0, VSOCK_SEND),
	    VSOCK_SHUT);
	CHECK_INT(vsock_room(c), 1000); /* the other direction is open */
	CHECK_INT(packet(VIRTIO_VSOCK_OP_SHUTDOWN, 7, PORT, 0,
	    VSOCK_RCV | 0xf0), VSOCK_SHUT);
	CHECK_INT(vsock_room(c), 0);
	expect(0); /* the host has not taken all */
	vsock_took(c, 10);
	expect(VIRTIO_VSOCK_OP_RST);
	CHECK_INT(c->state, VSOCK_FREE);

	c = guest_connects(7);
	CHECK_INT(packet(VIRTIO_VSOCK_OP_SHUTDOWN, 7, PORT, 0, VSOCK_SEND),
	    VSOCK_SHUT);
	CHECK_INT(packet(VIRTIO_VSOCK_OP_RW, 7, PORT, 1, 0), VSOCK_NOTHING);
	expect(VIRTIO_VSOCK_OP_RST); /* data after the end */
}

static void
test_the_guest_resets(void)
{
	struct vsock_conn *c = guest_connects(7);

	CHECK_INT(packet(VIRTIO_VSOCK_OP_RW, 7, PORT, 10, 0), VSOCK_DATA);
	CHECK_INT(packet(VIRTIO_VSOCK_OP_RST, 7, PORT, 0, 0), VSOCK_NOTHING);
	CHECK_INT(c->state, VSOCK_FREE);

	/* After an orderly end the host gets the rest. */
	c = guest_connects(7);
	CHECK_INT(packet(VIRTIO_VSOCK_OP_RW, 7, PORT, 10, 0), VSOCK_DATA);
	CHECK_INT(packet(VIRTIO_VSOCK_OP_SHUTDOWN, 7, PORT, 0, VSOCK_BOTH),
	    VSOCK_SHUT);
	CHECK_INT(packet(VIRTIO_VSOCK_OP_RST, 7, PORT, 0, 0), VSOCK_NOTHING);
	CHECK_INT(c->state, VSOCK_ENDED);
	/* The guest may use the port again. */
	CHECK(guest_connects(7) != c);
	vsock_took(c, 10);
	CHECK_INT(c->state, VSOCK_FREE);
	expect(0);
	/* A RST is never answered. */
	CHECK_INT(packet(VIRTIO_VSOCK_OP_RST, 9, PORT, 0, 0), VSOCK_NOTHING);
	expect(0);
}

static void
test_the_host_shuts_down(void)
{
	struct vsock_conn *c = guest_connects(7);

	vsock_host_shut(c, VSOCK_SEND);
	vsock_host_shut(c, VSOCK_SEND);
	expect(VIRTIO_VSOCK_OP_SHUTDOWN);
	CHECK_INT(out.flags, VSOCK_SEND);
	expect(0);
	CHECK_INT(vsock_room(c), 0);
	CHECK_INT(packet(VIRTIO_VSOCK_OP_RW, 7, PORT, 10, 0), VSOCK_DATA);
	vsock_host_gone(c);
	CHECK_INT(c->state, VSOCK_LEFT);
	expect(VIRTIO_VSOCK_OP_SHUTDOWN);
	CHECK_INT(out.flags, VSOCK_BOTH);
	/* What is on its way is thrown away, and the guest is not stuck. */
	CHECK_INT(packet(VIRTIO_VSOCK_OP_RW, 7, PORT, VSOCK_BUFFER, 0),
	    VSOCK_NOTHING);
	expect(VIRTIO_VSOCK_OP_CREDIT_UPDATE);
	CHECK_INT(packet(VIRTIO_VSOCK_OP_SHUTDOWN, 7, PORT, 0, VSOCK_BOTH),
	    VSOCK_NOTHING);
	expect(VIRTIO_VSOCK_OP_RST);
	CHECK_INT(c->state, VSOCK_FREE);

	c = guest_connects(7);
	vsock_host_gone(c);
	expect(VIRTIO_VSOCK_OP_SHUTDOWN);
	CHECK_INT(packet(VIRTIO_VSOCK_OP_RST, 7, PORT, 0, 0), VSOCK_NOTHING);
	CHECK_INT(c->state, VSOCK_FREE);
}

static void
test_the_host_refuses(void)
{
	CHECK_INT(packet(VIRTIO_VSOCK_OP_REQUEST, 7, PORT, 0, 0), VSOCK_CALL);
	vsock_called(&s.conn[slot], false);
	expect(VIRTIO_VSOCK_OP_RST);
	expect(0);
	CHECK_INT(s.conn[slot].state, VSOCK_FREE);
}

static void
test_clients_that_leave_early(void)
{
	struct vsock_conn *c = &s.conn[vsock_new(&s, true)];

	vsock_host_gone(c);
	CHECK_INT(c->state, VSOCK_FREE);
	c = &s.conn[vsock_new(&s, true)];
	vsock_ask(&s, c, 52);
	vsock_host_gone(c); /* the guest never knew */
	CHECK_INT(c->state, VSOCK_FREE);
	expect(0);
	c = &s.conn[vsock_new(&s, true)];
	vsock_ask(&s, c, 52);
	expect(VIRTIO_VSOCK_OP_REQUEST);
	vsock_host_gone(c);
	expect(VIRTIO_VSOCK_OP_RST);
}

static void
test_wrong_addresses(void)
{
	struct virtio_vsock_hdr h = { .src_cid = 4, .dst_cid = VSOCK_HOST,
		.type = VIRTIO_VSOCK_TYPE_STREAM,
		.op = VIRTIO_VSOCK_OP_REQUEST };

	CHECK_INT(vsock_packet(&s, &h, &slot), VSOCK_NOTHING);
	expect(0);
	h.src_cid = VSOCK_GUEST;
	h.dst_cid = 99;
	CHECK_INT(vsock_packet(&s, &h, &slot), VSOCK_NOTHING);
	expect(VIRTIO_VSOCK_OP_RST);
	CHECK(out.src_cid == 99 && out.dst_cid == VSOCK_GUEST);
	h.dst_cid = VSOCK_HOST;
	h.type = VIRTIO_VSOCK_TYPE_SEQPACKET;
	CHECK_INT(vsock_packet(&s, &h, &slot), VSOCK_NOTHING);
	expect(VIRTIO_VSOCK_OP_RST);
	CHECK_INT(out.type, VIRTIO_VSOCK_TYPE_SEQPACKET);
	h.type = VIRTIO_VSOCK_TYPE_STREAM;
	h.op = 99;
	CHECK_INT(vsock_packet(&s, &h, &slot), VSOCK_NOTHING);
	expect(VIRTIO_VSOCK_OP_RST);
}

static void
test_a_flood_of_requests(void)
{
	unsigned int i;

	for (i = 0; i < VSOCK_CONNS; i++)
		(void)guest_connects(i);
	CHECK(!vsock_vacant(&s, true));
	CHECK_INT(vsock_new(&s, true), -1);
	for (i = 0; i < VSOCK_REFUSALS; i++) {
		CHECK(vsock_ready(&s));
		CHECK_INT(packet(VIRTIO_VSOCK_OP_REQUEST, 1000 + i, PORT, 0, 0),
		    VSOCK_NOTHING);
	}
	CHECK(!vsock_ready(&s)); /* until the guest takes an answer */
	for (i = 0; i < VSOCK_REFUSALS; i++)
		expect(VIRTIO_VSOCK_OP_RST);
	CHECK(vsock_ready(&s));
	/* The same ports again break a rule of that connection. */
	CHECK_INT(packet(VIRTIO_VSOCK_OP_REQUEST, 5, PORT, 0, 0),
	    VSOCK_NOTHING);
	CHECK_INT(s.conn[5].state, VSOCK_CLOSING);
	CHECK(vsock_vacant(&s, false));
}

static void
test_the_oldest_makes_room(void)
{
	unsigned int i;
	int first = vsock_new(&s, true);

	for (i = 1; i < VSOCK_CONNS; i++)
		CHECK_INT(vsock_new(&s, true), i);
	CHECK_INT(packet(VIRTIO_VSOCK_OP_REQUEST, 1, PORT, 0, 0),
	    VSOCK_NOTHING); /* a guest's does not displace a client */
	expect(VIRTIO_VSOCK_OP_RST);
	s.conn[first].state = VSOCK_OPEN;
	CHECK_INT(vsock_new(&s, true), 1);
	CHECK_INT(vsock_new(&s, true), 2);
	s.conn[first].state = VSOCK_ENDED;
	CHECK_INT(packet(VIRTIO_VSOCK_OP_REQUEST, 1, PORT, 0, 0), VSOCK_CALL);
	CHECK_INT(slot, first);
}

static void
test_a_reset_of_the_device(void)
{
	struct vsock_conn *open = guest_connects(7), *hello, *waits, *asked;

	hello = &s.conn[vsock_new(&s, true)];
	asked = &s.conn[vsock_new(&s, true)];
	vsock_ask(&s, asked, 52);
	expect(VIRTIO_VSOCK_OP_REQUEST);
	waits = &s.conn[vsock_new(&s, true)];
	vsock_ask(&s, waits, 52);
	CHECK(waits->host_port != asked->host_port);
	vsock_reset(&s);
	CHECK_INT(open->state, VSOCK_FREE);
	CHECK_INT(asked->state, VSOCK_FREE);
	CHECK_INT(hello->state, VSOCK_HELLO);
	CHECK_INT(waits->state, VSOCK_ASKED);
	expect(VIRTIO_VSOCK_OP_REQUEST);
	expect(0);
}

static const struct unit tests[] = {
	UNIT(test_host_connects),
	UNIT(test_an_answer_before_the_request),
	UNIT(test_credit_of_the_guest),
	UNIT(test_credit_wraps),
	UNIT(test_credit_of_ours),
	UNIT(test_the_guest_shuts_down),
	UNIT(test_the_guest_resets),
	UNIT(test_the_host_shuts_down),
	UNIT(test_the_host_refuses),
	UNIT(test_clients_that_leave_early),
	UNIT(test_wrong_addresses),
	UNIT(test_a_flood_of_requests),
	UNIT(test_the_oldest_makes_room),
	UNIT(test_a_reset_of_the_device),
};

UNIT_MAIN(tests)
