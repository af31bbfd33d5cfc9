/*
 * A guest that writes to its disk of 8 MiB until the host has no space: only that
 * write fails. Then it frees space by a discard.
 */
#include "guest.h"

enum { IN, OUT, FLUSH = 4, DISCARD = 11 };

#define PIECE (64u << 10)
#define PIECES 128u

static struct device d;
static struct queue q;
static struct {
	uint32_t type, reserved;
	uint64_t sector;
} header;
static struct {
	uint64_t sector;
	uint32_t sectors, flags;
} range;
static uint8_t data[PIECE];
static uint8_t status;

static uint8_t
ask(uint32_t type, uint64_t sector, void *p, uint32_t len, uint16_t flags)
{
	uint16_t idx = q.used.idx;

	header.type = type;
	header.sector = sector;
	status = 0xff;
	q.desc[0] = (struct desc){ (uintptr_t)&header, 16, NEXT, len > 0 ? 1 : 2 };
	q.desc[1] = (struct desc){ (uintptr_t)p, len, NEXT | flags, 2 };
	q.desc[2] = (struct desc){ (uintptr_t)&status, 1, WRITE, 0 };
	submit(&d, 0, &q, 0);
	return wait_used(&q, (uint16_t)(idx + 1)) ? r8(&status) : 0xee;
}

static uint8_t
put(unsigned int i)
{
	data[0] = data[PIECE - 1] = (uint8_t)(i + 1);
	return ask(OUT, i * (PIECE / 512), data, PIECE, 0);
}

static bool
there(unsigned int i)
{
	data[0] = data[PIECE - 1] = 0xee;
	return ask(IN, i * (PIECE / 512), data, PIECE, WRITE) == 0 &&
	    r8(data) == (uint8_t)(i + 1) && r8(data + PIECE - 1) == r8(data);
}

int
main(void)
{
	unsigned int i, n;
	bool all = true;

	device_want(&d, 2, "there is a disk");
	device_start(&d, 0, &q, 1, QUEUE);
	for (n = 0; n < PIECES && put(n) == 0; n++)
		;
	check(n > 0 && n < PIECES && r8(&status) == 1,
	    "a write that finds no room is an error");
	check(put(n) == 1 && put(PIECES - 1) == 1, "each time");
	for (i = 0; i < n; i++)
		all = all && there(i);
	check(all, "what was written before is there");
	check(ask(FLUSH, 0, NULL, 0, 0) == 0, "and can be flushed");
	range.sectors = 2 * PIECE / 512;
	check(ask(DISCARD, 0, &range, sizeof(range), 0) == 0,
	    "room is given back");
	check(put(n) == 0 && there(n), "and found again");
	done();
}
