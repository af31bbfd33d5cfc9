/* A guest with a disk of 64 KiB, which the test shrinks to half when it says so. */
#include "disk.h"

static uint8_t data[1024];

int
main(void)
{
	device_want(&d, 2, "there is a disk");
	device_start(&d, 0, &q, 1, QUEUE);
	check(disk_ask(IN, 126, data, 1024, WRITE) == 0 && r8(data) == 'x', "its end is read");
	say("shrink\n");
	(void)hear();
	check(disk_ask(IN, 126, data, 1024, WRITE) == 1, "what is gone is an error");
	check(disk_ask(IN, 63, data, 1024, WRITE) == 1, "and so is half of it");
	check(disk_ask(OUT, 126, data, 1024, 0) == 1, "and a write there");
	check(disk_ask_range(ZEROES, 126, 2, 0) == 1, "and zeroes");
	check(disk_ask(IN, 64, data, 1024, WRITE) == 1, "none of that made it come back");
	check(disk_ask(IN, 62, data, 1024, WRITE) == 0 && r8(data) == 'x',
	    "what is left is read");
	done();
}
