/*
 * A guest that discards and zeroes parts of a disk of 64 MiB of 'x'. The overlay of
 * the disk has room for 1 MiB.
 */
#include "disk.h"

#define MOST 32768u	/* max_write_zeroes_sectors of the device */

static uint8_t data[512 << 10];

/* The first byte of a sector. */
static uint8_t
look(uint64_t sector)
{
	data[0] = 0xee;
	return disk_ask(IN, sector, data, 512, WRITE) == 0 ? r8(data) : 0xff;
}

int
main(void)
{
	unsigned int i;
	uint8_t status;

	device_want(&d, 2, "there is a disk");
	device_start(&d, 0, &q, 1, QUEUE);

	check(disk_ask_range(DISCARD, 0, 8, 1) == 2, "discard has no flag");
	check(disk_ask_range(ZEROES, 0, 8, 2) == 2, "zeroes have one only");
	check(disk_ask_range(ZEROES, 131072 - 8, 9, 1) == 1, "across the end");
	check(disk_ask_range(ZEROES, ~0ull, 1, 1) == 1, "sector 2^64 - 1");
	check(disk_ask_range(ZEROES, 1ull << 55, 8, 1) == 1, "sector 2^55");
	check(disk_ask_range(ZEROES, 0, ~0u, 1) == 1, "2^32 - 1 sectors");
	check(disk_ask_range(ZEROES, 0, MOST + 1, 1) == 1, "zeroes that take too long");
	check(disk_ask_range(ZEROES, 0, 0, 1) == 0, "none");
	check(look(0) == 'x' && look(131071) == 'x', "nothing has changed");

	check(disk_ask_range(ZEROES, 3, 20, 1) == 0, "zeroes that fit no block");
	check(look(2) == 'x' && look(3) == 0 && look(7) == 0 && look(8) == 0 &&
	    look(22) == 0 && look(23) == 'x', "are there, and nowhere else");
	check(disk_ask_range(ZEROES, 33, 2, 1) == 0 && look(32) == 'x' &&
	    look(33) == 0 && look(34) == 0 && look(35) == 'x', "within a block");
	status = disk_ask_range(ZEROES, 36, 1, 0); /* tmpfs(5) does not support this */
	check((status == 0 && look(36) == 0) || (status == 2 && look(36) == 'x'),
	    "zeroes that are no hole");
	data[0] = 'y';
	check(disk_ask(OUT, 10, data, 512, 0) == 0 && look(10) == 'y' &&
	    look(9) == 0 && look(11) == 0, "a sector in a hole");
	for (i = 1000; i < 131072; i += MOST)
		check(disk_ask_range(ZEROES, i, i + MOST < 131072 ? MOST :
		    131072 - i, 1) == 0, "all the rest");
	check(look(999) == 'x' && look(1000) == 0 && look(65536) == 0 &&
	    look(131071) == 0, "is zero, in little room");
	for (i = 0; i < 8; i++) {
		data[0] = 'z';
		check(disk_ask(OUT, 2048 * (i + 1), data, sizeof(data), 0) == 0 &&
		    look(2048 * (i + 1)) == 'z', "half a MiB is written");
		check(disk_ask_range(DISCARD, 2048 * (i + 1), sizeof(data) / 512,
		    0) == 0, "and discarded");
	}
	done();
}
