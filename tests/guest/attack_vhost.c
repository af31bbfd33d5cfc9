/* A guest that breaks the rules of a network card whose packets the kernel moves. */
#include "guest.h"

enum { RX, TX };

static struct device d;
static struct queue q[2];
static uint8_t packet[2048];

static void
up(void)
{
	device_start(&d, 0, q, 2, QUEUE);
}

static void
send(uint64_t addr, uint32_t len, uint16_t flags)
{
	q[TX].desc[0] = (struct desc){ addr, len, flags, 0 };
	submit(&d, TX, &q[TX], 0);
}

static void
breaks(const char *what, uint64_t addr, uint32_t len, uint16_t flags)
{
	up();
	send(addr, len, flags);
	check(wait_broken(&d), what);
}

int
main(void)
{
	unsigned int i;

	device_want(&d, 1, "there is a network card");
	for (i = 12; i < 18; i++)
		packet[i] = 0xff; /* to the broadcast address */
	breaks("a packet of nothing", (uintptr_t)packet, 0, 0);
	up();
	send((uintptr_t)packet, 6, 0); /* the kernel leaves it in the queue */
	breaks("a packet from nowhere", ~0ull, 100, 0);
	breaks("a packet from the local APIC", 0xfee00000, 100, 0);
	breaks("a packet to be written", (uintptr_t)packet, 100, WRITE);
	up();
	q[TX].avail.idx = 0x7fff;
	w16(d.bar + NOTIFY + 4, 1);
	check(wait_broken(&d), "more packets than there is room for");
	up();
	send((uintptr_t)packet, 100, 0);
	check(wait_used(&q[TX], 1), "after all that a packet is sent");
	done();
}
