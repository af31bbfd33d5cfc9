/* A guest that breaks the rules of a network card and of the rng device. */
#include "guest.h"

enum { RX, TX };

static struct device d, rng;
static struct queue q[2];
static uint8_t packet[2048], room[QUEUE][2048];

static void
up(uint32_t features)
{
	device_start(&d, features, q, 2, QUEUE);
}

static void
buffer(uint16_t i, uint16_t n, uint64_t addr, uint32_t len, uint16_t flags)
{
	q[i].desc[n] = (struct desc){ addr, len, flags, 0 };
	submit(&d, i, &q[i], n);
}

static void
sends(const char *what, uint64_t addr, uint32_t len)
{
	uint16_t idx = q[TX].used.idx;

	buffer(TX, 0, addr, len, 0);
	check(wait_used(&q[TX], (uint16_t)(idx + 1)), what);
}

static void
transmit(void)
{
	unsigned int i;

	up(0);
	clear(packet, sizeof(packet));
	for (i = 12; i < 18; i++)
		packet[i] = 0xff; /* to the broadcast address */
	packet[24] = 0x88;
	packet[25] = 0xb5; /* with an experimental EtherType */
	sends("a packet is sent", (uintptr_t)packet, 100);
	sends("a packet of nothing", (uintptr_t)packet, 0);
	sends("half a header", (uintptr_t)packet, 6);
	sends("a header alone", (uintptr_t)packet, 12);
	sends("a packet of 48 MiB", 0x400000, 48u << 20);
	for (i = 0; i < 12; i++)
		packet[i] = 0xff; /* every flag, and offsets beyond the packet */
	sends("a header that lies", (uintptr_t)packet, 100);
	clear(packet, 12);
	sends("and a packet is sent", (uintptr_t)packet, 100);
	buffer(TX, 0, ~0ull, 100, 0);
	check(wait_broken(&d), "a packet from nowhere");
	up(0);
	buffer(TX, 0, (uintptr_t)packet, 100, INDIRECT);
	check(wait_broken(&d), "an indirect packet");
}

/* Packets always come: the host's IPv6 sends neighbour discovery. */
static void
receive(void)
{
	uint16_t n;

	up(0);
	buffer(RX, 0, (uintptr_t)room[0], 100, 0);
	check(wait_used(&q[RX], 1) || wait_broken(&d) || true, "a room that is none");
	up(1u << 15);
	for (n = 0; n < QUEUE; n++)
		buffer(RX, n, (uintptr_t)room[n], 16, WRITE); /* a packet needs several */
	check((r8(d.bar + C_STATUS) & NEEDS_RESET) == 0, "rooms of 16 bytes");
	up(0);
	for (n = 0; n < QUEUE; n++)
		buffer(RX, n, (uintptr_t)room[n], n, WRITE); /* too small */
	check((r8(d.bar + C_STATUS) & ACK) != 0, "rooms that are too small");
	up(1u << 15);
	q[RX].avail.idx = 0x7fff;
	w16(d.bar + NOTIFY, 0); /* it breaks when a packet comes */
	up(0);
	sends("after all that a packet is sent", (uintptr_t)packet, 100);
}

static void
numbers(void)
{
	uint64_t end = 64ul << 20;
	uint16_t i;

	if (!device_find(&rng, 4, 0)) {
		check(false, "there are random numbers");
		return;
	}
	device_start(&rng, 0, &q[0], 1, QUEUE);
	for (i = 0; i < QUEUE; i++)
		q[0].desc[i] = (struct desc){ 0x400000, (uint32_t)(end - 0x400000),
			(uint16_t)(WRITE | (i < QUEUE - 1 ? NEXT : 0)), (uint16_t)(i + 1) };
	submit(&rng, 0, &q[0], 0);
	check(wait_used(&q[0], 1) && q[0].used.ring[0].len == 256,
	    "all of memory, sixteen times: 256 bytes of it");
	q[0].desc[0] = (struct desc){ (uintptr_t)packet, 100, 0, 0 };
	submit(&rng, 0, &q[0], 0);
	check(wait_used(&q[0], 2) && q[0].used.ring[1].len == 0,
	    "random numbers into what is only read: none");
	q[0].desc[0] = (struct desc){ 0xfee00000, 100, WRITE, 0 };
	submit(&rng, 0, &q[0], 0);
	check(wait_broken(&rng), "random numbers for the local APIC");
}

int
main(void)
{
	if (device_find(&d, 1, 0)) {
		transmit();
		receive();
		w8(d.bar + C_STATUS, 0); /* the queues are used again below */
	} else {
		check(false, "there is a network card");
	}
	numbers();
	done();
}
