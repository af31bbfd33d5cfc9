/* A guest that prints the first bytes of each disk. */
#include "guest.h"

static struct device d;
static struct queue q;
static char sector[512];
static uint8_t status;
static struct {
	uint32_t type, reserved;
	uint64_t sector;
} header;

int
main(void)
{
	unsigned int n;

	for (n = 0; device_find(&d, 2, n); n++) {
		device_start(&d, 0, &q, 1, QUEUE);
		q.desc[0] = (struct desc){ (uintptr_t)&header, 16, NEXT, 1 };
		q.desc[1] = (struct desc){ (uintptr_t)sector, 512,
			WRITE | NEXT, 2 };
		q.desc[2] = (struct desc){ (uintptr_t)&status, 1, WRITE, 0 };
		status = 0xff;
		submit(&d, 0, &q, 0);
		if (!wait_used(&q, 1) || status != 0)
			check(false, "a disk is read");
		sector[1] = '\0';
		say(sector);
	}
	say("\n");
	done();
}
