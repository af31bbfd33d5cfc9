/*
 * A guest that reports that it is up and reads no signal. With a disk it prints much
 * on COM1 and ends with status 5. With two disks it waits for input before its last
 * line.
 */
#include "guest.h"

static struct device d, disk;
static struct queue q[10];

static void
out(uint16_t i, const char *s, uint32_t n)
{
	uint16_t idx = q[i].used.idx;

	q[i].desc[0] = (struct desc){ (uintptr_t)s, n, 0, 0 };
	submit(&d, i, &q[i], 0);
	(void)wait_used(&q[i], (uint16_t)(idx + 1));
}

static void
wait_for_input(void)
{
	static struct {
		uint32_t id;
		uint16_t event, value;
	} open = { 0, 6, 1 };
	static uint8_t typed;

	out(3, (const char *)&open, sizeof(open));
	q[0].desc[0] = (struct desc){ (uintptr_t)&typed, 1, WRITE, 0 };
	submit(&d, 0, &q[0], 0);
	while (r16(&q[0].used.idx) == 0)
		outb(0x80, 0);
	say("last words\n");
}

int
main(void)
{
	unsigned int i;

	device_want(&d, 3, "there is a console");
	device_start(&d, 2, q, 10, QUEUE);
	out(9, "up\n", 3);
	out(5, "ready\n", 6);
	if (device_find(&disk, 2, 0)) {
		for (i = 0; i < 6000; i++)
			say("talk talk talk talk talk\n");
		out(5, "talked\n", 7);
		if (device_find(&disk, 2, 1))
			wait_for_input();
		else
			say("last words\n");
		out(9, "exit 5\n", 7); /* what comes later may be cut */
	} else {
		say("last words\n");
	}
	for (;;)
		;
}
