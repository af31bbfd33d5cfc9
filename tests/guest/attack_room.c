/*
 * A guest that has too few buffers for a packet, and says so. The test then sends a
 * packet of about 1000 bytes and types a line.
 */
#include "guest.h"

enum { RX, TX };

#define MERGE (1u << 15)

static struct device d;
static struct queue q[2];
static uint8_t room[QUEUE][2048];

static void
offer(unsigned int from, unsigned int to, uint32_t len)
{
	unsigned int i;

	for (i = from; i < to; i++) {
		q[RX].desc[i] = (struct desc){ (uintptr_t)room[i], len, WRITE, 0 };
		submit(&d, RX, &q[RX], (uint16_t)i);
	}
}

static void
sent(void)
{
	say("waiting\n");
	(void)hear();
}

static uint32_t
got(uint16_t n)
{
	uint32_t sum = 0;

	while (n-- > 0)
		sum += q[RX].used.ring[n].len;
	return sum;
}

int
main(void)
{
	device_want(&d, 1, "there is a network card");

	device_start(&d, MERGE, q, 2, QUEUE);
	offer(0, 1, 100);
	sent();
	check(r16(&q[RX].used.idx) == 0, "no room yet");
	offer(1, 10, 100);
	offer(10, QUEUE, 100);
	check(wait_used(&q[RX], 11) && got(11) == 1054 &&
	    r16(room[0] + 10) == 11, "with room it is there, in eleven pieces");

	device_start(&d, MERGE, q, 2, QUEUE);
	offer(0, 1, 100);
	sent();
	device_start(&d, MERGE, q, 2, QUEUE);
	offer(0, QUEUE, 16);
	check(r16(&q[RX].used.idx) == 0, "a reset forgets it");
	sent();
	say("small\n");
	check(wait_used(&q[RX], 10) && got(10) == 154,
	    "what no queue has room for is lost, and the next one is there");

	device_start(&d, 0, q, 2, QUEUE);
	offer(0, QUEUE, 200);
	sent();
	say("small\n");
	check(wait_used(&q[RX], 1) && got(1) == 154,
	    "and so it is where one packet has one buffer");
	done();
}
