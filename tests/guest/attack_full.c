/*
 * A guest that writes to its disk of 8 MiB until the host has no space: only that
 * write fails. Then it frees space by a discard.
 */
#include "disk.h"

#define PIECE (64u << 10)
#define PIECES 128u

static uint8_t data[PIECE];

static uint8_t
put(unsigned int i)
{
	data[0] = data[PIECE - 1] = (uint8_t)(i + 1);
	return disk_ask(OUT, i * (PIECE / 512), data, PIECE, 0);
}

static bool
there(unsigned int i)
{
	data[0] = data[PIECE - 1] = 0xee;
	return disk_ask(IN, i * (PIECE / 512), data, PIECE, WRITE) == 0 &&
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
	check(n > 0 && n < PIECES && r8(&disk_last.status) == 1,
	    "a write that finds no room is an error");
	check(put(n) == 1 && put(PIECES - 1) == 1, "each time");
	for (i = 0; i < n; i++)
		all = all && there(i);
	check(all, "what was written before is there");
	check(disk_ask(FLUSH, 0, NULL, 0, 0) == 0, "and can be flushed");
	check(disk_ask_range(DISCARD, 0, 2 * PIECE / 512, 0) == 0,
	    "room is given back");
	check(put(n) == 0 && there(n), "and found again");
	done();
}
