/* A guest that goes on while a flush of its first disk does not end. */
#include "guest.h"

static struct device d[2];
static struct queue q[2];
static struct {
	uint32_t type, reserved;
	uint64_t sector;
} header[2];
static uint8_t data[512];
static uint8_t status[2] = { 0xff, 0xff };

static void
ask(unsigned int i, uint32_t type)
{
	header[i].type = type;
	q[i].desc[0] = (struct desc){ (uintptr_t)&header[i], 16, NEXT, 1 };
	q[i].desc[1] = (struct desc){ (uintptr_t)data, sizeof(data),
		NEXT | WRITE, 2 };
	q[i].desc[2] = (struct desc){ (uintptr_t)&status[i], 1, WRITE, 0 };
	submit(&d[i], 0, &q[i], 0);
}

int
main(void)
{
	unsigned int i;

	for (i = 0; i < 2; i++) {
		check(device_find(&d[i], 2, i), "there is a disk");
		device_start(&d[i], 0, &q[i], 1, QUEUE);
	}
	ask(0, 4);
	ask(1, 0);
	check(wait_used(&q[1], 1) && r8(&status[1]) == 0 && r8(data) == 'V',
	    "the other disk is read");
	check(r8(d[0].bar + C_STATUS) == (ACK | DRIVER | FEATURES_OK |
	    DRIVER_OK), "the slow one has its registers");
	check(r8(&status[0]) == 0xff, "and the flush is not over");
	say("waiting\n");
	for (;;)
		;
}
