/*
 * A guest that breaks the rules of a vsock device, and those of its connections. At
 * port 1000 of the host there is a server that echoes, and says bye at the end of the
 * input; at 1001 one that never reads; at 1002 there is none. At the end a client of
 * the host connects to port 52.
 */
#include "guest.h"

enum { RX, TX, EVENTS };
enum { REQUEST = 1, RESPONSE, RST, SHUTDOWN, RW, CREDIT_UPDATE, CREDIT_REQUEST };

#define FLOOD 20u	/* times a queue of packets */
#define ROOM 1024u
#define HEADER 44u
#define GRANT (128u << 10)	/* what the device lets us send */

struct packet {
	uint64_t src_cid, dst_cid;
	uint32_t src_port, dst_port, len;
	uint16_t type, op;
	uint32_t flags, buf_alloc, fwd_cnt;
	uint8_t data[ROOM - HEADER];
} __attribute__((packed));

static struct device d;
static struct queue q[3];
static struct packet room[QUEUE], out, many[QUEUE];
static uint8_t large[65536 + HEADER];
static uint16_t seen;	/* packets that were read */
static uint32_t got;	/* bytes of data in them */
static uint32_t port;	/* of ours, the last one used */

static void
offer(uint16_t i, uint32_t len, uint16_t flags)
{
	q[RX].desc[i] = (struct desc){ (uintptr_t)&room[i], len, flags, 0 };
	submit(&d, RX, &q[RX], i);
}

static void
up(bool rooms)
{
	uint16_t i;

	device_start(&d, 0, q, 3, QUEUE);
	seen = 0;
	got = 0;
	for (i = 0; rooms && i < QUEUE; i++)
		offer(i, ROOM, WRITE);
}

static void
post(const void *p, uint32_t len)
{
	q[TX].desc[0] = (struct desc){ (uintptr_t)p, len, 0, 0 };
	submit(&d, TX, &q[TX], 0);
}

static void
transmit(const void *p, uint32_t len)
{
	uint16_t idx = q[TX].used.idx;

	post(p, len);
	(void)wait_used(&q[TX], (uint16_t)(idx + 1));
}

/* A good packet of our port. */
static void
prepare(uint16_t op, uint32_t to, uint32_t len)
{
	out = (struct packet){ .src_cid = 3, .dst_cid = 2, .src_port = port,
		.dst_port = to, .len = len, .type = 1, .op = op,
		.buf_alloc = 4096, .fwd_cnt = got };
}

static void
tell(uint16_t op, uint32_t to, const char *data)
{
	uint32_t len = 0;

	prepare(op, to, 0);
	while (data != NULL && data[len] != '\0') {
		out.data[len] = (uint8_t)data[len];
		len++;
	}
	out.len = len;
	transmit(&out, HEADER + len);
}

static struct packet last;

/* The next packet, if there is one. Returns its operation, or 0. */
static uint16_t
look(void)
{
	uint16_t i;

	if (r16(&q[RX].used.idx) == seen)
		return 0;
	i = (uint16_t)(q[RX].used.ring[seen++ % QUEUE].id % QUEUE);
	last = room[i];
	if (last.op == RW)
		got += last.len;
	offer(i, ROOM, WRITE);
	return last.op;
}

/* Wait for a packet. Reports of credit are of no interest. */
static bool
next(void)
{
	unsigned int n;
	uint16_t op;

	for (n = 0; n < PATIENCE; n++) {
		op = look();
		if (op != 0 && op != CREDIT_UPDATE && op != CREDIT_REQUEST)
			return true;
		outb(0x80, 0);
	}
	return false;
}

static void
answered(uint16_t op, const char *what)
{
	check(next() && last.op == op && last.dst_cid == 3 &&
	    last.dst_port == port, what);
}

static bool
nothing_came(void)
{
	unsigned int n;

	for (n = 0; n < 1000; n++)
		outb(0x80, 0);
	return r16(&q[RX].used.idx) == seen;
}

static void
addresses(void)
{
	up(true);
	port++;
	tell(REQUEST, 1002, NULL);
	answered(RST, "where nobody listens a request is reset");
	prepare(REQUEST, 1000, 0);
	out.src_cid = 4;
	transmit(&out, HEADER);
	out.src_cid = 2;
	transmit(&out, HEADER);
	out.src_cid = ~0ull;
	transmit(&out, HEADER);
	check(nothing_came(), "a packet of another CID is ignored");
	prepare(REQUEST, 1000, 0);
	out.dst_cid = 99;
	transmit(&out, HEADER);
	answered(RST, "a CID that is not there answers by a reset");
	check(last.src_cid == 99, "and in its name");
	prepare(REQUEST, 1000, 0);
	out.type = 2;
	transmit(&out, HEADER);
	answered(RST, "a type that was not offered is reset");
	tell(99, 1000, NULL);
	answered(RST, "so is an operation that is none");
	tell(0, 1000, NULL);
	answered(RST, "and zero");
	tell(RW, 1000, "data");
	answered(RST, "and data without a connection");
	tell(RESPONSE, 1000, NULL);
	answered(RST, "and an answer without a question");
	tell(RST, 1000, NULL);
	check(nothing_came(), "a reset is not answered");
}

static void
breaks(const char *what)
{
	check(wait_broken(&d), what);
}

static void
lengths(void)
{
	up(true);
	post(&out, HEADER - 1);
	breaks("a header that is too short");
	up(true);
	post(&out, 0);
	breaks("no header");
	up(true);
	prepare(RW, 1000, ROOM);
	post(&out, HEADER + 8);
	breaks("more data than there is");
	up(true);
	prepare(RW, 1000, 0xffffffff);
	post(&out, HEADER);
	breaks("4 GiB of data");
	up(true);
	post((void *)~0ull, HEADER);
	breaks("a packet from nowhere");
	up(false);
	offer(0, HEADER - 1, WRITE);
	tell(REQUEST, 1002, NULL);
	breaks("a room that is too small for a header");
	up(false);
	offer(0, ROOM, 0);
	tell(REQUEST, 1002, NULL);
	breaks("a room that is read-only");
	up(false);
	offer(0, HEADER, WRITE);
	offer(1, HEADER, WRITE);
	port++;
	tell(REQUEST, 1000, NULL);
	(void)wait_used(&q[RX], 1); /* it is accepted */
	tell(RW, 1000, "x");
	breaks("a room without a byte for data");
}

static void
connections(void)
{
	up(true);
	port++;
	tell(REQUEST, 1000, NULL);
	answered(RESPONSE, "a server accepts");
	tell(RW, 1000, "hello");
	answered(RW, "and echoes");
	check(last.len == 5 && last.data[0] == 'h' && last.data[4] == 'o',
	    "what was sent");
	prepare(SHUTDOWN, 1000, 0);
	out.flags = 2;
	transmit(&out, HEADER);
	answered(RW, "half closed, it still sends");
	check(last.len == 3 && last.data[0] == 'b', "bye");
	answered(SHUTDOWN, "and closes");
	check(last.flags == 3 || (next() && last.op == SHUTDOWN), "both ways");
	prepare(SHUTDOWN, 1000, 0);
	out.flags = 3;
	transmit(&out, HEADER);
	answered(RST, "which we confirm");

	port++;
	tell(REQUEST, 1000, NULL);
	answered(RESPONSE, "another one");
	tell(REQUEST, 1000, NULL);
	answered(RST, "and a second request for it");
	port++;
	tell(REQUEST, 1000, NULL);
	answered(RESPONSE, "another one");
	tell(77, 1000, NULL);
	answered(RST, "and an operation that is none");
	port++;
	prepare(REQUEST, 1000, 0);
	out.buf_alloc = 0; /* we take nothing */
	transmit(&out, HEADER);
	answered(RESPONSE, "another one");
	prepare(RW, 1000, 5);
	out.buf_alloc = 0;
	transmit(&out, HEADER + 5);
	check(nothing_came(), "without credit the device sends no data");
	prepare(CREDIT_UPDATE, 1000, 0);
	out.buf_alloc = 0;
	out.fwd_cnt = 1000; /* of what it has not sent */
	transmit(&out, HEADER);
	check(nothing_came(), "nor for credit that is a lie");
	prepare(CREDIT_UPDATE, 1000, 0);
	out.buf_alloc = 3;
	out.fwd_cnt = 0;
	transmit(&out, HEADER);
	answered(RW, "with credit it does");
	check(last.len == 3, "as much as that");
}

/* Send without regard to the credit, until we are told. */
static void
overrun(void)
{
	unsigned int n;

	up(true);
	port++;
	tell(REQUEST, 1001, NULL);
	answered(RESPONSE, "a server that does not read accepts");
	prepare(RW, 1001, 65536);
	__builtin_memcpy(large, &out, HEADER);
	for (n = 0; n < 64 && look() != RST; n++)
		transmit(large, sizeof(large));
	check(last.op == RST && last.dst_port == port,
	    "more data than was granted resets the connection");
	check(n * 65536 > GRANT, "and not less");
}

/* Wait until the device has taken n packets that were sent. */
static void
flood(uint16_t op, uint32_t to, const char *what)
{
	unsigned int n, i;
	uint16_t idx;

	for (n = 0; n < FLOOD; n++) {
		idx = q[TX].used.idx;
		for (i = 0; i < QUEUE; i++) {
			port++;
			prepare(op, to, 0);
			many[i] = out;
			q[TX].desc[i] = (struct desc){ (uintptr_t)&many[i],
				HEADER, 0, 0 };
			submit(&d, TX, &q[TX], (uint16_t)i);
		}
		while (r16(&q[TX].used.idx) != (uint16_t)(idx + QUEUE))
			if (look() == 0)
				outb(0x80, 0);
	}
	check((r8(d.bar + C_STATUS) & NEEDS_RESET) == 0, what);
	up(true);
}

static void
floods(void)
{
	uint16_t idx;
	unsigned int i;

	up(true);
	flood(RST, 1000, "320 resets");
	flood(REQUEST, 1002, "320 requests that are refused");
	flood(REQUEST, 1000, "320 requests that are accepted");
	flood(RW, 1000, "320 packets without a connection");

	/* Without a room for the answers the device stops to take packets. */
	up(false);
	idx = 0;
	for (i = 0; i < 64; i++)
		tell(RESPONSE, 1000, NULL);
	idx = q[TX].used.idx;
	post(&out, HEADER);
	check(idx == 64 && nothing_came() && r16(&q[TX].used.idx) == 64,
	    "64 answers are kept, and no more packets are taken");
	for (i = 0; i < QUEUE; i++)
		offer((uint16_t)i, ROOM, WRITE);
	for (i = 0; i < 65 && next() && last.op == RST; i++)
		;
	check(i == 65, "with room for them all are answered");
}

static void
client(void)
{
	uint32_t theirs;

	up(true);
	say("waiting\n");
	check(next() && last.op == REQUEST && last.dst_port == 52 &&
	    last.src_cid == 2 && last.src_port >= 1u << 30, "a client asks");
	theirs = last.src_port;
	port = 52;
	tell(RESPONSE, theirs, NULL);
	tell(RW, theirs, "from the guest\n");
	answered(RW, "and sends");
	check(last.data[0] == 'f', "from the host");
	tell(RST, theirs, NULL);
	check(next() && last.op == REQUEST && last.dst_port == 53,
	    "another one asks");
	port = 53;
	tell(RST, last.src_port, NULL);
}

int
main(void)
{
	device_want(&d, 19, "there is a vsock device");
	check(r64(d.bar + DEVICE_CONFIG) == 3, "our CID is 3");
	addresses();
	lengths();
	connections();
	overrun();
	floods();
	client();
	done();
}
