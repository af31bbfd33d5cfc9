/*
 * A guest that acknowledges signals. After the first one it writes more output than a
 * pipe holds and reports its end. With a disk it never ends.
 */
#include "guest.h"

static struct device d, disk;
static struct queue q[10];
static char big[32768], line[64];
static struct {
	uint32_t id;
	uint16_t event, value;
} open = { 3, 6, 1 };

static void
put(uint16_t i, const void *p, uint32_t n)
{
	q[i].desc[0] = (struct desc){ (uintptr_t)p, n, 0, 0 };
	submit(&d, i, &q[i], 0);
}

static void
say_to(uint16_t i, const char *s, uint32_t n)
{
	uint16_t idx = q[i].used.idx;

	put(i, s, n);
	(void)wait_used(&q[i], (uint16_t)(idx + 1));
}

int
main(void)
{
	unsigned int i;

	device_want(&d, 3, "there is a console");
	device_start(&d, 2, q, 10, QUEUE);
	say_to(3, (const char *)&open, sizeof(open));
	say_to(9, "up\n", 3);
	say_to(7, "ready\n", 6);
	q[8].desc[0] = (struct desc){ (uintptr_t)line, sizeof(line), WRITE, 0 };
	submit(&d, 8, &q[8], 0);
	while (r16(&q[8].used.idx) == 0)
		outb(0x80, 0);
	say_to(9, "heard\n", 6);
	if (!device_find(&disk, 2, 0)) {
		for (i = 0; i < QUEUE; i++)
			put(5, big, sizeof(big));
		put(9, "exit 0\n", 7);
	}
	for (;;)
		;
}
