/* A guest that waits for a packet while the host deletes the tap. */
#include "guest.h"

static struct device d;
static struct queue q;
static uint8_t room[2048];

int
main(void)
{
	unsigned int n;
	bool broken = false;

	device_want(&d, 1, "there is a network card");
	device_begin(&d, 1u << 15);
	queue_set(&d, 0, &q, 1); /* one buffer, so the device waits for a packet */
	queue_enable(&d, 0);
	device_go(&d);
	q.desc[0] = (struct desc){ (uintptr_t)room, sizeof(room), WRITE, 0 };
	submit(&d, 0, &q, 0);
	say("waiting\n");
	for (n = 0; n < 100 && !broken; n++)
		broken = wait_broken(&d);
	check(broken, "the card is broken");
	done();
}
