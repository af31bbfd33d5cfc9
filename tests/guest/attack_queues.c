/*
 * A guest whose disk has two queues. It uses both at once, also for the two halves of one
 * block; it resets the disk while both have requests; and it uses queues that do not exist.
 */
#include "disk.h"

#define BLOCK 4096u
#define HALF (BLOCK / 2)
#define BLOCKS 256u	/* half of the disk, which is all 'V' */
#define BIG (256u << 10)

enum { F_MQ = 1 << 12, NUM_QUEUES = 34 };

static struct queue two[2];
static struct disk_request r[2];
static uint8_t data[2][BIG] __attribute__((aligned(4096)));

static void
up(void)
{
	device_start(&d, F_MQ, two, 2, QUEUE);
}

static void
put(uint16_t i, uint32_t type, uint64_t sector, uint32_t len)
{
	disk_put(i, &two[i], &r[i], type, sector, data[i], len, type == IN ? WRITE : 0);
}

/* Are the requests of both queues done? idx is what each has had then. */
static bool
both_done(uint16_t idx)
{
	return wait_used(&two[0], idx) && wait_used(&two[1], idx) &&
	    r8(&r[0].status) == 0 && r8(&r[1].status) == 0;
}

/* Mark half a block, at its ends: guests may be slow here. */
static void
mark(uint8_t *p, uint8_t byte)
{
	p[0] = p[HALF - 1] = byte;
}

static bool
is_marked(uint8_t *p, uint8_t byte)
{
	return r8(p) == byte && r8(p + HALF - 1) == byte;
}

static void
number_of_queues(void)
{
	w32(d.bar + C_DFSELECT, 0);
	check((r32(d.bar + C_DF) & F_MQ) != 0, "several queues are offered");
	check(r16(d.bar + C_NQUEUES) == 2 && r16(d.bar + DEVICE_CONFIG + NUM_QUEUES) == 2,
	    "they are two");
	up();
	w16(d.bar + C_QSELECT, 2);
	check(r16(d.bar + C_QSIZE) == 0, "queue 2 does not exist");
	w16(d.bar + C_QSIZE, QUEUE);
	w16(d.bar + C_QENABLE, 1);
	w16(d.bar + C_QVECTOR, 0);
	check(r16(d.bar + C_QENABLE) == 0, "and cannot be enabled");
	w16(d.bar + NOTIFY + 4 * 2, 2);
	w16(d.bar + NOTIFY + 4 * 3, 3);
	put(0, IN, 0, 512);
	put(1, IN, 0, 512);
	check(both_done(1) && r8(data[0]) == 'V' && r8(data[1]) == 'V',
	    "both read a sector");
}

/*
 * The two halves of each block, from two queues at once. In an overlay the first write
 * copies the block.
 */
static void
halves(void)
{
	unsigned int i, lost = 0;
	uint8_t *p = data[0];

	up();
	mark(data[0], 'a');
	mark(data[1], 'b');
	for (i = 0; i < BLOCKS; i++) {
		put(0, OUT, 8 * i, HALF);
		put(1, OUT, 8 * i + 4, HALF);
		if (!both_done((uint16_t)(i + 1)))
			break;
	}
	check(i == BLOCKS, "two queues write the halves of each block");
	up();
	for (i = 0; i < BLOCKS; i++) {
		put(0, IN, 8 * i, BLOCK);
		put(1, IN, 8 * (BLOCKS - 1 - i), BLOCK);
		if (!both_done((uint16_t)(i + 1)))
			break;
		lost += !is_marked(p, 'a') || !is_marked(p + HALF, 'b');
	}
	check(i == BLOCKS && lost == 0, "and each half is there");
}

/*
 * A whole block from one queue, a half from the other. Either may be the last; but the
 * other half is of the whole block.
 */
static void
whole_and_half(void)
{
	unsigned int i, lost = 0;
	uint8_t *p = data[0];

	up();
	for (i = 0; i < BLOCKS; i++) {
		mark(p, 'c');
		mark(p + HALF, 'c');
		mark(data[1], 'd');
		put(1, OUT, 8 * (BLOCKS + i), HALF);
		put(0, OUT, 8 * (BLOCKS + i), BLOCK);
		if (!both_done((uint16_t)(2 * i + 1)))
			break;
		put(0, IN, 8 * (BLOCKS + i), BLOCK);
		put(1, FLUSH, 0, 0);
		if (!both_done((uint16_t)(2 * i + 2)))
			break;
		lost += !is_marked(p + HALF, 'c') ||
		    (!is_marked(p, 'c') && !is_marked(p, 'd'));
	}
	check(i == BLOCKS && lost == 0, "a whole block, and a half of it at the same time");
}

/* After a reset neither queue writes to memory. */
static void
resets(void)
{
	unsigned int i, k, changed = 0;

	for (i = 0; i < 60; i++) {
		up();
		put(0, IN, 0, BIG);
		put(1, IN, 0, BIG);
		for (k = 0; k < i % 8; k++)
			outb(0x80, 0);
		w8(d.bar + C_STATUS, 0);
		for (k = 0; k < PATIENCE && r8(d.bar + C_STATUS) != 0; k++)
			;
		if (k == PATIENCE)
			break;
		for (k = 0; k < 2; k++)
			r[k].status = two[k].used.idx = data[k][0] = data[k][BIG - 1] = 0xdd;
		for (k = 0; k < 50; k++)
			outb(0x80, 0);
		for (k = 0; k < 2; k++)
			changed += r8(&r[k].status) != 0xdd || r16(&two[k].used.idx) != 0xdd ||
			    r8(data[k]) != 0xdd || r8(data[k] + BIG - 1) != 0xdd;
	}
	check(i == 60 && changed == 0, "after a reset nothing is written any more");
}

/* The other queue's request need not be done: the device is broken as a whole. */
static void
broken(void)
{
	unsigned int i;

	for (i = 0; i < 30; i++) {
		up();
		put(0, IN, 0, BIG);
		two[1].desc[0] = (struct desc){ ~0ull, 16, 0, 0 };
		submit(&d, 1, &two[1], 0);
		if (!wait_broken(&d))
			break;
	}
	check(i == 30, "what is wrong in one queue breaks the device");
	up();
	put(0, IN, 0, 512);
	put(1, IN, 0, 512);
	check(both_done(1), "after all that both read a sector");
}

int
main(void)
{
	device_want(&d, 2, "there is a disk");
	number_of_queues();
	halves();
	whole_and_half();
	resets();
	broken();
	done();
}
