/* A guest with a disk of 64 KiB, which the test shrinks to half when it says so. */
#include "guest.h"

enum { IN, OUT, DISCARD = 11, ZEROES = 13 };

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
static uint8_t data[1024];
static uint8_t status;

static uint8_t
ask(uint32_t type, uint64_t sector, void *p, uint32_t len)
{
	uint16_t idx = q.used.idx;

	header.type = type;
	header.sector = sector;
	range.sector = sector;
	range.sectors = 2;
	status = 0xff;
	q.desc[0] = (struct desc){ (uintptr_t)&header, 16, NEXT, 1 };
	q.desc[1] = (struct desc){ (uintptr_t)p, len,
		NEXT | (type == IN ? WRITE : 0), 2 };
	q.desc[2] = (struct desc){ (uintptr_t)&status, 1, WRITE, 0 };
	submit(&d, 0, &q, 0);
	return wait_used(&q, (uint16_t)(idx + 1)) ? r8(&status) : 0xee;
}

int
main(void)
{
	device_want(&d, 2, "there is a disk");
	device_start(&d, 0, &q, 1, QUEUE);
	check(ask(IN, 126, data, 1024) == 0 && r8(data) == 'x', "its end is read");
	say("shrink\n");
	(void)hear();
	check(ask(IN, 126, data, 1024) == 1, "what is gone is an error");
	check(ask(IN, 63, data, 1024) == 1, "and so is half of it");
	check(ask(OUT, 126, data, 1024) == 1, "and a write there");
	check(ask(ZEROES, 126, &range, 16) == 1, "and zeroes");
	check(ask(IN, 64, data, 1024) == 1, "none of that made it come back");
	check(ask(IN, 62, data, 1024) == 0 && r8(data) == 'x',
	    "what is left is read");
	done();
}
