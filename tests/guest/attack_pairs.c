/*
 * A guest whose network card has two pairs of queues. It breaks the rules of the control
 * queue, and uses one pair or both. At "send" the test sends FLOWS packets of as many
 * flows, which the tap divides among its queues.
 */
#include "guest.h"

#define QUEUES 5	/* of two pairs, and the control queue */
#define FLOWS 16
#define F_MERGE (1u << 15)
#define F_CTRL (1u << 17)
#define F_PAIRS (1u << 22)
#define ALL (F_MERGE | F_CTRL | F_PAIRS)

enum { RX, TX, RX2, TX2, CONTROL };
enum { RECEIVE = 0, PAIRS = 4 };	/* classes of commands (virtio 1.2, 5.1.6.5) */

static struct device d;
static struct queue q[QUEUES];
static uint8_t packet[128], room[2][QUEUE][2048], command[8], answer;

static void
up(uint32_t features)
{
	device_start(&d, features, q, QUEUES, QUEUE);
}

/* A command of so many bytes, in queue i. */
static void
order(uint16_t i, uint8_t class, uint8_t cmd, uint16_t pairs, uint32_t len)
{
	command[0] = class;
	command[1] = cmd;
	command[2] = (uint8_t)pairs;
	command[3] = (uint8_t)(pairs >> 8);
	answer = 0xff;
	q[i].desc[0] = (struct desc){ (uintptr_t)command, len, NEXT, 1 };
	q[i].desc[1] = (struct desc){ (uintptr_t)&answer, 1, WRITE, 0 };
	submit(&d, i, &q[i], len > 0 ? 0 : 1);
}

/* Returns the answer; 0xee if there is none. */
static uint8_t
ask(uint16_t i, uint8_t class, uint8_t cmd, uint16_t pairs, uint32_t len)
{
	uint16_t idx = (uint16_t)(q[i].used.idx + 1);

	order(i, class, cmd, pairs, len);
	return wait_used(&q[i], idx) ? r8(&answer) : 0xee;
}

static uint8_t
use(uint16_t pairs)
{
	return ask(CONTROL, PAIRS, 0, pairs, 4);
}

static void
commands(void)
{
	up(ALL);
	check(use(2) == 0 && use(1) == 0 && use(1) == 0 && use(2) == 0 && use(2) == 0,
	    "one pair, or two");
	check(use(0) == 1, "no pair: an error");
	check(use(3) == 1 && use(0x8000) == 1 && use(0xffff) == 1, "more than there are");
	check(ask(CONTROL, RECEIVE, 0, 1, 3) == 1, "the class was not offered");
	check(ask(CONTROL, 0xff, 0, 1, 4) == 1, "no such class");
	check(ask(CONTROL, PAIRS, 1, 1, 4) == 1, "no such command");
	check(ask(CONTROL, PAIRS, 0, 1, 3) == 1, "half a number");
	check(ask(CONTROL, PAIRS, 0, 1, 1) == 1, "half a header");
	check(ask(CONTROL, PAIRS, 0, 1, 5) == 1, "a byte more");
	check(ask(CONTROL, PAIRS, 0, 1, 0) == 1, "no command");
	check(use(1) == 0, "and again one pair");

	q[CONTROL].desc[0] = (struct desc){ (uintptr_t)command, 4, 0, 0 };
	submit(&d, CONTROL, &q[CONTROL], 0);
	check(wait_broken(&d), "no place for the answer");
	up(ALL);
	q[CONTROL].desc[0] = (struct desc){ ~0ull, 4, NEXT, 1 };
	submit(&d, CONTROL, &q[CONTROL], 0);
	check(wait_broken(&d), "a command from nowhere");
	up(ALL);
	w16(&q[CONTROL].avail.idx, 0x7fff);
	w16(d.bar + NOTIFY + 4 * CONTROL, CONTROL);
	check(wait_broken(&d), "more commands than there is room for");

	up(F_CTRL);
	check(ask(RX2, PAIRS, 0, 1, 4) == 1, "without several pairs there is no command");
	up(F_PAIRS);
	order(CONTROL, PAIRS, 0, 2, 4);
	up(0);
	order(CONTROL, PAIRS, 0, 2, 4);
	up(ALL);
	check(r8(&answer) == 0xff, "nor without the control queue");
}

/* As many commands as there is room for, at one notification. */
static void
many(void)
{
	static const uint8_t orders[2][4] = { { PAIRS, 0, 1, 0 }, { PAIRS, 0, 2, 0 } };
	static uint8_t answers[QUEUE / 2];
	struct queue *c = &q[CONTROL];
	unsigned int i, bad = 0;

	up(ALL);
	for (i = 0; i < QUEUE / 2; i++) {
		answers[i] = 0xff;
		c->desc[2 * i] = (struct desc){ (uintptr_t)orders[i % 2], 4, NEXT,
			(uint16_t)(2 * i + 1) };
		c->desc[2 * i + 1] = (struct desc){ (uintptr_t)&answers[i], 1, WRITE, 0 };
		c->avail.ring[i] = (uint16_t)(2 * i);
	}
	w16(&c->avail.idx, QUEUE / 2 - 1);
	submit(&d, CONTROL, c, QUEUE - 2);
	check(wait_used(c, QUEUE / 2), "eight commands at once");
	for (i = 0; i < QUEUE / 2; i++)
		bad += r8(&answers[i]) != 0;
	check(bad == 0, "and each is done");
}

static void
put_packet(uint16_t i)
{
	q[i].desc[0] = (struct desc){ (uintptr_t)packet, 100, 0, 0 };
	submit(&d, i, &q[i], 0);
}

static void
sends(void)
{
	unsigned int i;

	for (i = 12; i < 18; i++)
		packet[i] = 0xff; /* to the broadcast address */
	packet[24] = 0x88;
	packet[25] = 0xb5; /* with an experimental EtherType */
	up(ALL);
	put_packet(TX2);
	put_packet(TX);
	check(wait_used(&q[TX], 1), "a packet of the first pair is sent");
	check(r16(&q[TX2].used.idx) == 0, "one of the second is not yet");
	check(use(2) == 0 && wait_used(&q[TX2], 1), "it is when that pair is used");
	put_packet(TX2);
	put_packet(TX);
	check(wait_used(&q[TX], 2) && wait_used(&q[TX2], 2), "and then both are");
	check(use(1) == 0, "one pair");
	put_packet(TX2);
	put_packet(TX);
	check(wait_used(&q[TX], 3) && r16(&q[TX2].used.idx) == 2, "then one is");
}

static void
offer(uint16_t pair)
{
	uint16_t i, n = (uint16_t)(2 * pair);

	for (i = 0; i < QUEUE; i++) {
		q[n].desc[i] = (struct desc){ (uintptr_t)room[pair][i], 2048, WRITE, 0 };
		submit(&d, n, &q[n], i);
	}
}

/* The test sends packets. Do all arrive, the second pair's as is said? */
static void
receives(bool both, const char *what)
{
	unsigned int n;
	uint16_t first = 0, second = 0;

	offer(0);
	offer(1);
	say("send\n");
	for (n = 0; n < PATIENCE && first + second < FLOWS; n++) {
		first = r16(&q[RX].used.idx);
		second = r16(&q[RX2].used.idx);
		outb(0x80, 0);
	}
	check(first + second == FLOWS && (second > 0) == both, what);
}

int
main(void)
{
	device_want(&d, 1, "there is a network card");
	w32(d.bar + C_DFSELECT, 0);
	check((r32(d.bar + C_DF) & ALL) == ALL && r16(d.bar + DEVICE_CONFIG + 8) == 2 &&
	    r16(d.bar + C_NQUEUES) == QUEUES, "it has two pairs of queues");
	commands();
	many();
	sends();
	up(F_MERGE);
	receives(false, "without several pairs all packets come to one");
	up(ALL);
	receives(false, "and so before the driver uses two");
	up(ALL);
	check(use(2) == 0, "two pairs");
	receives(true, "packets come to both");
	up(ALL);
	receives(false, "after a reset they come to one");
	up(ALL);
	check(use(2) == 0 && use(1) == 0, "two pairs, then one");
	receives(false, "they come to one");
	done();
}
